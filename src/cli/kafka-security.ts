// Reads the TLS files and SASL secrets that the options name.

import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { KubedeltaError } from '../base/errors.ts'
import type { KafkaSasl, KafkaSecurity, KafkaTls } from '../kafka/security.ts'
import type { ValuesOf } from './option-values.ts'

/** The options of kafka- flags. */
export type KafkaSecurityValues = Pick<ValuesOf<'tail'>, Extract<keyof ValuesOf<'tail'>, `kafka${string}`>>

/** The one secret that may come by environment; there is no flag for it, since flags show in the process list. */
export const PASSWORD_VARIABLE = 'KUBEDELTA_KAFKA_SASL_PASSWORD'

/**
 * How to speak to the brokers.
 * @throws KubedeltaError `usage` when a file cannot be read, or there is no password
 */
export function kafkaSecurity(
  values: KafkaSecurityValues,
  environment: Readonly<Record<string, string | undefined>>,
): KafkaSecurity {
  const tls = readTls(values)
  const sasl = readSasl(values, environment)
  return { ...(tls === undefined ? {} : { tls }), ...(sasl === undefined ? {} : { sasl }) }
}

function readTls({ kafkaTls, kafkaTlsCa, kafkaTlsCert, kafkaTlsKey }: KafkaSecurityValues): KafkaTls | undefined {
  if (!kafkaTls && (kafkaTlsCa ?? kafkaTlsCert) === undefined) return undefined
  return {
    ...(kafkaTlsCa === undefined ? {} : { ca: readText(kafkaTlsCa, '--kafka-tls-ca') }),
    ...(kafkaTlsCert === undefined ? {} : { cert: readText(kafkaTlsCert, '--kafka-tls-cert') }),
    ...(kafkaTlsKey === undefined ? {} : { key: readText(kafkaTlsKey, '--kafka-tls-key') }),
  }
}

function readSasl(
  values: KafkaSecurityValues,
  environment: Readonly<Record<string, string | undefined>>,
): KafkaSasl | undefined {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: username = '', kafkaSaslTokenFile: tokenFile = '' } = values
  if (mechanism === undefined) return undefined
  if (mechanism === 'oauthbearer') {
    readText(tokenFile, '--kafka-sasl-token-file')
    // Read again for each connection: whoever renews the token replaces the file.
    return { mechanism, token: async () => (await readFile(tokenFile, 'utf8')).trim() }
  }
  return { mechanism, username, password: readPassword(values.kafkaSaslPasswordFile, environment) }
}

function readPassword(file: string | undefined, environment: Readonly<Record<string, string | undefined>>): string {
  // A file made by an editor ends in a newline that is no part of the password.
  const password =
    file === undefined
      ? environment[PASSWORD_VARIABLE]
      : readText(file, '--kafka-sasl-password-file').replace(/\r?\n$/, '')
  if (password !== undefined && password !== '') return password
  throw new KubedeltaError(
    'usage',
    `Cannot use SASL: wanted a password from --kafka-sasl-password-file or ${PASSWORD_VARIABLE}: it is ${password === undefined ? 'absent' : 'empty'}`,
  )
}

function readText(path: string, flag: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new KubedeltaError(
      'usage',
      `Cannot read ${flag}: wanted a readable file: current value is ${JSON.stringify(path)}: ${reason}`,
      { cause: error },
    )
  }
}
