// A real Kafka with a listener for each way in: TLS, certificates of clients, SASL, sessions that end.

import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CertificateAuthority, type CertificateFiles } from './kafka-certificates.ts'
import type { KafkaListener } from './kafka-properties.ts'
import { javaCommand, kafkaJars } from './kafka-jars.ts'
import { startKafka, type KafkaCluster } from './kafka.ts'
import { temporaryFolder } from './leftovers.ts'
import { reservePorts } from './ports.ts'

const execute = promisify(execFile)

/** The way in of one listener: TLS, TLS with a client's certificate, TLS and SASL, and what must be refused. */
export type SecuredListener = keyof typeof LISTENERS

const LISTENERS = {
  tls: 'SSL',
  mutual: 'SSL',
  sasl: 'SASL_SSL',
  expired: 'SSL',
  stranger: 'SSL',
  /** Sessions end after `SESSION_MS`. */
  renewing: 'SASL_PLAINTEXT',
} as const

/** What the broker grants a session of the listener `renewing`. */
export const SESSION_MS = 4_000

/** The user of each password; none of the words stands anywhere else. */
export const SASL_USER = 'ann'
export const PASSWORDS = {
  plain: 'Planted-Plain-Password-51c9e0',
  'scram-sha-256': 'Planted-Scram-256-Password-a77d02',
  'scram-sha-512': 'Planted-Scram-512-Password-0e93bf',
} as const

export interface SecuredKafka extends AsyncDisposable {
  readonly kafka: KafkaCluster
  /** Folder of the certificates, for a test's own files too. */
  readonly folder: string
  readonly authority: CertificateAuthority
  /** Signed nothing that the broker uses. */
  readonly otherAuthority: CertificateAuthority
  readonly client: CertificateFiles
  /** File with the certificates of clients that the listener `mutual` trusts; read when the broker starts. */
  readonly trusted: string
  /** `127.0.0.1:port` */
  address(listener: SecuredListener): string
  changeScramPassword(mechanism: 'scram-sha-256' | 'scram-sha-512', password: string): Promise<void>
  /** Writes a file into the folder. @returns its path */
  write(name: string, text: string): string
}

/** Starts it, with `SASL_USER` known to each mechanism; whoever is let in may do everything. */
export async function startSecuredKafka(): Promise<SecuredKafka> {
  await using stack = new AsyncDisposableStack()
  const { path: folder } = stack.use(temporaryFolder('secured-kafka'))
  const authority = await CertificateAuthority.create(folder, 'authority')
  const otherAuthority = await CertificateAuthority.create(folder, 'other-authority')
  const names = 'IP:127.0.0.1'
  const broker = await authority.issue({ name: 'broker', names })
  const expired = await authority.issue({ name: 'expired', names, expired: true })
  const stranger = await authority.issue({ name: 'stranger', names: 'DNS:kafka.example.com' })
  const client = await authority.issue({ name: 'client' })
  const write = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const trusted = write('trusted.pem', authority.text)
  const { ports } = stack.use(await reservePorts(Object.keys(LISTENERS).length))
  const listeners = Object.entries(LISTENERS).map(([name, protocol], index): KafkaListener => ({
    name,
    protocol,
    port: ports[index] ?? 0,
  }))
  const keystores = { tls: broker, mutual: broker, sasl: broker, expired, stranger }
  const properties = {
    ...Object.fromEntries(Object.entries(keystores).flatMap(([name, files]) => keystore(name, files))),
    'listener.name.mutual.ssl.client.auth': 'required',
    'listener.name.mutual.ssl.truststore.type': 'PEM',
    'listener.name.mutual.ssl.truststore.location': trusted,
    ...sasl('sasl', ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer']),
    ...sasl('renewing', ['plain', 'oauthbearer']),
    'listener.name.renewing.plain.connections.max.reauth.ms': String(SESSION_MS),
    'listener.name.renewing.oauthbearer.connections.max.reauth.ms': String(SESSION_MS),
  }
  const kafka = stack.use(await startKafka({ listeners, properties, formatArgs: SCRAM_USERS }))
  const life = stack.move()
  return {
    kafka,
    folder,
    authority,
    otherAuthority,
    client,
    trusted,
    address: (listener) => `127.0.0.1:${listeners.find(({ name }) => name === listener)?.port}`,
    write,
    changeScramPassword: (mechanism, password) => changeScramPassword(kafka.brokers, mechanism, password),
    [Symbol.asyncDispose]: () => life.disposeAsync(),
  }
}

async function changeScramPassword(brokers: string, mechanism: string, password: string): Promise<void> {
  const credential = `${mechanism.toUpperCase()}=[password=${password}]`
  const change = ['--alter', '--entity-type', 'users', '--entity-name', SASL_USER, '--add-config', credential]
  const tool = ['-XX:TieredStopAtLevel=1', '-cp', join(await kafkaJars(), '*'), 'kafka.admin.ConfigCommand']
  await execute(javaCommand(), [...tool, '--bootstrap-server', brokers, ...change])
}

/** A token that the broker takes: signed by nobody, as its validator for tests has it. */
export function token(subject: string, secondsToLive: number): string {
  const now = Math.floor(Date.now() / 1000)
  const part = (claims: object): string => Buffer.from(JSON.stringify(claims)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: now, exp: now + secondsToLive })}.`
}

function keystore(listener: string, { keystore: file }: CertificateFiles): ReadonlyArray<readonly [string, string]> {
  const prefix = `listener.name.${listener}.ssl.keystore`
  return [
    [`${prefix}.type`, 'PEM'],
    [`${prefix}.location`, file],
  ]
}

type Mechanism = keyof typeof PASSWORDS | 'oauthbearer'

function sasl(listener: string, mechanisms: readonly Mechanism[]): Record<string, string> {
  const prefix = `listener.name.${listener}`
  return {
    [`${prefix}.sasl.enabled.mechanisms`]: mechanisms.map((mechanism) => mechanism.toUpperCase()).join(','),
    ...Object.fromEntries(
      mechanisms.map((mechanism) => [`${prefix}.${mechanism}.sasl.jaas.config`, `${LOGIN[mechanism]};`]),
    ),
  }
}

const SECURITY = 'org.apache.kafka.common.security'
const SCRAM = `${SECURITY}.scram.ScramLoginModule required`
const LOGIN: Readonly<Record<Mechanism, string>> = {
  plain: `${SECURITY}.plain.PlainLoginModule required user_${SASL_USER}="${PASSWORDS.plain}"`,
  'scram-sha-256': SCRAM,
  'scram-sha-512': SCRAM,
  oauthbearer: `${SECURITY}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker"`,
}

const SCRAM_USERS = (['scram-sha-256', 'scram-sha-512'] as const).flatMap((mechanism) => [
  '--add-scram',
  `${mechanism.toUpperCase()}=[name=${SASL_USER},password=${PASSWORDS[mechanism]}]`,
])
