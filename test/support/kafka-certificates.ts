// Makes certificates for TLS between tests and a broker, with openssl.

import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export interface CertificateOptions {
  /** File name without its ending, and the subject. */
  readonly name: string
  /** `DNS:...,IP:...` of a server; none for a client. */
  readonly names?: string
  /** Whether it was valid until yesterday only. @default false */
  readonly expired?: boolean
}

/** Files of one certificate, PEM. */
export interface CertificateFiles {
  readonly cert: string
  readonly key: string
  /** Both in one file, as Kafka takes them. */
  readonly keystore: string
}

/** A certificate authority in a folder of its own. */
export class CertificateAuthority {
  /** File of its own certificate, PEM. */
  readonly cert: string
  readonly #folder: string
  readonly #name: string

  private constructor(folder: string, name: string) {
    this.#folder = folder
    this.#name = name
    this.cert = join(folder, `${name}.pem`)
  }

  /** Its own certificate. */
  get text(): string {
    return readFileSync(this.cert, 'utf8')
  }

  static async create(folder: string, name: string): Promise<CertificateAuthority> {
    const authority = new CertificateAuthority(folder, name)
    const request = ['req', '-x509', ...NEW_KEY, '-keyout', authority.#file('key'), '-out', authority.cert]
    await openssl(...request, '-days', '2', '-subj', `/CN=${name}`)
    writeFileSync(authority.#file('index'), '')
    writeFileSync(authority.#file('cnf'), configuration(authority.#file('index'), folder))
    return authority
  }

  /** One at a time: openssl keeps a list of what it issued. */
  async issue({ name, names, expired = false }: CertificateOptions): Promise<CertificateFiles> {
    const file = (ending: string): string => join(this.#folder, `${name}.${ending}`)
    const [cert, key, keystore] = [file('pem'), file('key'), file('keystore.pem')]
    await openssl('req', ...NEW_KEY, '-keyout', key, '-out', file('csr'), '-subj', `/CN=${name}`)
    writeFileSync(file('ext'), names === undefined ? '' : `subjectAltName=${names}\n`)
    const issuer = ['-config', this.#file('cnf'), '-cert', this.cert, '-keyfile', this.#file('key')]
    const dates = ['-startdate', dateIn(-2), '-enddate', dateIn(expired ? -1 : 2)]
    const files = ['-in', file('csr'), '-out', cert, '-extfile', file('ext')]
    await openssl('ca', '-batch', '-notext', ...issuer, ...dates, ...files)
    writeFileSync(keystore, readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'))
    return { cert, key, keystore }
  }

  #file(ending: string): string {
    return join(this.#folder, `${this.#name}.${ending}`)
  }
}

/** `openssl ca` rather than `openssl x509`: it alone gives a certificate dates that have passed, in every version. */
function configuration(index: string, folder: string): string {
  const lines = ['[ca]', 'default_ca=it', '[it]', `database=${index}`, `new_certs_dir=${folder}`, 'rand_serial=yes']
  return [...lines, 'default_md=sha256', 'unique_subject=no', 'policy=any', '[any]', 'commonName=supplied', ''].join(
    '\n',
  )
}

/** YYYYMMDDHHMMSSZ */
function dateIn(days: number): string {
  const date = new Date(Date.now() + days * 24 * 60 * 60 * 1000)
  return `${date.toISOString().replaceAll(/[-:T]|\..*$/g, '')}Z`
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'] as const

async function openssl(...args: readonly string[]): Promise<void> {
  await execute('openssl', args)
}
