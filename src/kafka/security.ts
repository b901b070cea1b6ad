// Says as data how a client proves who it is, and turns that into kafkajs' options.

import type { KafkaConfig } from 'kafkajs'

/** TLS and SASL of a Kafka client. Everything secret comes from a function or a field, never from a URL. */
export interface KafkaSecurity {
  /** Absent: plain TCP. An empty object: TLS with the public authorities. */
  readonly tls?: KafkaTls
  /** Absent: no SASL. */
  readonly sasl?: KafkaSasl
}

export interface KafkaTls {
  /** PEM of the authorities to trust instead of the public ones. */
  readonly ca?: string
  /** PEM of the client's certificate; needs `key`. */
  readonly cert?: string
  /** PEM of the client's private key; needs `cert`. */
  readonly key?: string
}

export type KafkaSasl =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: string
    }
  /** `token` is asked for each connection: it hands out a fresh one. */
  | { readonly mechanism: 'oauthbearer'; readonly token: () => Promise<string> }

/** @throws TypeError when only one of `cert` and `key` is given */
export function clientSecurity(security: KafkaSecurity): Pick<KafkaConfig, 'ssl' | 'sasl'> {
  const { tls, sasl } = security
  if (tls !== undefined && (tls.cert === undefined) !== (tls.key === undefined)) {
    throw new TypeError("Cannot connect to Kafka: 'tls.cert' and 'tls.key' go together: current value has only one")
  }
  return {
    ...(tls === undefined ? {} : { ssl: { ...tls } }),
    ...(sasl === undefined ? {} : { sasl: clientSasl(sasl) }),
  }
}

function clientSasl(sasl: KafkaSasl): NonNullable<KafkaConfig['sasl']> {
  if (sasl.mechanism === 'oauthbearer') {
    return { mechanism: sasl.mechanism, oauthBearerProvider: async () => ({ value: await sasl.token() }) }
  }
  // Written out case by case: kafkajs' type is a union over the mechanism.
  const { mechanism, username, password } = sasl
  switch (mechanism) {
    case 'plain':
      return { mechanism, username, password }
    case 'scram-sha-256':
      return { mechanism, username, password }
    case 'scram-sha-512':
      return { mechanism, username, password }
    default:
      return mechanism satisfies never
  }
}
