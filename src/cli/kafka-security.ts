// Reads the TLS files and SASL secrets that the options name, again for each connection.

import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { KubedeltaError, messageOf } from '../base/errors.ts'
import type { KafkaSasl, KafkaSecurity, KafkaTls } from '../kafka/security.ts'
import type { ValuesOf } from './option-values.ts'

/** The options of kafka- flags. */
export type KafkaSecurityValues = Pick<ValuesOf<'tail'>, Extract<keyof ValuesOf<'tail'>, `kafka${string}`>>

/** The one secret that may come by environment; there is no flag for it, since flags show in the process list. */
export const PASSWORD_VARIABLE = 'KUBEDELTA_KAFKA_SASL_PASSWORD'

/**
 * How to speak to the brokers. Files are read at once, and again for each connection: whoever renews a credential
 * replaces its file.
 * @throws KubedeltaError `usage` when a file cannot be read or used, or there is no password
 */
export function kafkaSecurity(
  values: KafkaSecurityValues,
  environment: Readonly<Record<string, string | undefined>>,
): KafkaSecurity {
  const tls = openTls(values)
  const sasl = openSasl(values, environment)
  return { ...(tls === undefined ? {} : { tls }), ...(sasl === undefined ? {} : { sasl }) }
}

function openTls(values: KafkaSecurityValues): KafkaSecurity['tls'] {
  const { kafkaTls, kafkaTlsCa, kafkaTlsCert, kafkaTlsKey } = values
  const files = {
    ...(kafkaTlsCa === undefined ? {} : { ca: openFile(kafkaTlsCa, '--kafka-tls-ca') }),
    ...(kafkaTlsCert === undefined ? {} : { cert: openFile(kafkaTlsCert, '--kafka-tls-cert') }),
    ...(kafkaTlsKey === undefined ? {} : { key: openFile(kafkaTlsKey, '--kafka-tls-key') }),
  }
  const present = Object.entries(files)
  if (present.length === 0) return kafkaTls ? {} : undefined
  checkTls(Object.fromEntries(present.map(([name, { initial }]) => [name, initial])))
  return async () => {
    const read = await Promise.all(present.map(async ([name, file]) => [name, await file.read()] as const))
    return Object.fromEntries(read)
  }
}

/** @throws KubedeltaError `usage` for what is no PEM, and for a key of another certificate */
function checkTls(tls: KafkaTls): void {
  try {
    createSecureContext(tls)
  } catch (error) {
    const reason = messageOf(error)
    throw new KubedeltaError(
      'usage',
      `Cannot use --kafka-tls-ca, --kafka-tls-cert and --kafka-tls-key: wanted PEM, and the key of the certificate: ${reason}`,
      { cause: error },
    )
  }
}

function openSasl(
  values: KafkaSecurityValues,
  environment: Readonly<Record<string, string | undefined>>,
): KafkaSasl | undefined {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: username = '', kafkaSaslTokenFile: tokenFile = '' } = values
  if (mechanism === undefined) return undefined
  if (mechanism === 'oauthbearer') {
    const file = openFile(tokenFile, '--kafka-sasl-token-file')
    return { mechanism, token: async () => (await file.read()).trim() }
  }
  return { mechanism, username, password: openPassword(values.kafkaSaslPasswordFile, environment) }
}

function openPassword(
  path: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string | (() => Promise<string>) {
  if (path !== undefined) {
    const file = openFile(path, '--kafka-sasl-password-file')
    // A file made by an editor ends in a newline that is no part of the password.
    return async () => (await file.read()).replace(/\r?\n$/, '')
  }
  const password = environment[PASSWORD_VARIABLE]
  if (password !== undefined && password !== '') return password
  throw new KubedeltaError(
    'usage',
    `Cannot use SASL: wanted a password from --kafka-sasl-password-file or ${PASSWORD_VARIABLE}: it is ${password === undefined ? 'absent' : 'empty'}`,
  )
}

/** A file that others replace. */
interface FollowedFile {
  readonly initial: string
  read(): Promise<string>
}

/** @throws KubedeltaError `usage` when it cannot be read now, or holds nothing */
function openFile(path: string, flag: string): FollowedFile {
  const initial = readText(path, flag)
  let last = initial
  return {
    initial,
    async read() {
      // Who replaces a file may have taken it away for a moment. What it held serves until then: should that be out of
      // date, the broker says so, and the next connection reads the file again.
      const text = await readFile(path, 'utf8').catch(() => '')
      if (text.trim() !== '') last = text
      return last
    },
  }
}

function readText(path: string, flag: string): string {
  const refuse = (reason: string, cause?: unknown): KubedeltaError =>
    new KubedeltaError(
      'usage',
      `Cannot read ${flag}: wanted a readable file with text in it: current value is ${JSON.stringify(path)}: ${reason}`,
      { cause },
    )
  try {
    const text = readFileSync(path, 'utf8')
    if (text.trim() !== '') return text
  } catch (error) {
    throw refuse(error instanceof Error && 'code' in error ? String(error.code) : String(error), error)
  }
  throw refuse('it is empty')
}
