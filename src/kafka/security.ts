// Says as data how a client proves who it is, and keeps what kafkajs is given of it fresh.

import type { KafkaConfig, Mechanism } from 'kafkajs'
import { KubedeltaError, messageOf } from '../base/errors.ts'

/** TLS and SASL of a Kafka client. Everything secret comes from a function or a field, never from a URL. */
export interface KafkaSecurity {
  /** Absent: plain TCP. An empty object: TLS with the public authorities. A function is asked for each connection. */
  readonly tls?: KafkaTls | (() => Promise<KafkaTls>)
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
      /** A function is asked for each connection. */
      readonly password: string | (() => Promise<string>)
    }
  /** `token` is asked for each connection, and each time a broker wants a session renewed: it hands out a fresh one. */
  | { readonly mechanism: 'oauthbearer'; readonly token: () => Promise<string> }

/** What the connections of one client prove themselves with: `refresh` before each of them. */
export class ClientCredentials {
  /** For kafkajs, which reads the password whenever it authenticates. */
  readonly sasl: KafkaConfig['sasl']
  readonly #security: KafkaSecurity
  #tls: KafkaTls | undefined
  #password = ''

  /** @throws TypeError when only one of `cert` and `key` is given */
  constructor(security: KafkaSecurity) {
    this.#security = security
    if (typeof security.tls === 'object') this.#tls = complete(security.tls)
    this.sasl = security.sasl === undefined ? undefined : this.#kafkajsSasl(security.sasl)
  }

  /** Options for the next connection; undefined for plain TCP. */
  get tls(): KafkaTls | undefined {
    return this.#tls
  }

  /** Asks for certificates and password where they may change. @throws KubedeltaError `unreachable` when they cannot be had now */
  async refresh(): Promise<void> {
    const { tls, sasl } = this.#security
    if (typeof tls === 'function') this.#tls = complete(await asked('certificates', tls))
    if (sasl === undefined || sasl.mechanism === 'oauthbearer') return
    this.#password = typeof sasl.password === 'string' ? sasl.password : await asked('the SASL password', sasl.password)
  }

  #kafkajsSasl(sasl: KafkaSasl): NonNullable<KafkaConfig['sasl']> {
    if (sasl.mechanism === 'oauthbearer') return oauthBearer(sasl.token)
    const { mechanism, username } = sasl
    const password = (): string => this.#password
    const credentials = {
      username,
      get password() {
        return password()
      },
    }
    // Defined rather than spread, which would read the password once; case by case, for kafkajs' type is a union.
    switch (mechanism) {
      case 'plain':
        return Object.assign(credentials, { mechanism })
      case 'scram-sha-256':
        return Object.assign(credentials, { mechanism })
      case 'scram-sha-512':
        return Object.assign(credentials, { mechanism })
      default:
        return mechanism satisfies never
    }
  }
}

/** A caller's function may fail for a while, as what it asks may: that is one more way to have no connection. */
async function asked<T>(what: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof KubedeltaError) throw error
    throw new KubedeltaError('unreachable', `Cannot get ${what} for Kafka: ${messageOf(error)}`, { cause: error })
  }
}

function complete(tls: KafkaTls): KafkaTls {
  if ((tls.cert === undefined) === (tls.key === undefined)) return tls
  throw new TypeError("Cannot connect to Kafka: 'tls.cert' and 'tls.key' go together: current value has only one")
}

/**
 * OAUTHBEARER as RFC 7628 has it. kafkajs' own takes every answer for a success: a broker answers a refused token with a
 * reason, and fails the authentication only when the client has acknowledged that.
 */
function oauthBearer(token: () => Promise<string>): Mechanism {
  return {
    mechanism: 'oauthbearer',
    authenticationProvider: ({ saslAuthenticate }) => ({
      async authenticate() {
        const value = await asked('the SASL token', token)
        const reason = await saslAuthenticate({
          request: message(`n,,\u0001auth=Bearer ${value}\u0001\u0001`),
          response: { decode: unframed, parse: (bytes) => bytes.toString() },
        })
        if (!reason) return
        const failure: unknown = await saslAuthenticate({ request: message('\u0001') }).then(
          () => undefined,
          (error: unknown) => error,
        )
        throw new KubedeltaError(
          'unauthorized',
          `SASL OAUTHBEARER authentication failed: ${failure instanceof Error ? failure.message : reason}`,
          { cause: failure },
        )
      },
    }),
  }
}

/** Behind its length, as kafkajs writes authentication bytes through. */
function message(text: string): { encode: () => Buffer } {
  const body = Buffer.from(text)
  const framed = Buffer.alloc(4 + body.length)
  framed.writeInt32BE(body.length)
  body.copy(framed, 4)
  return { encode: () => framed }
}

function unframed(bytes: Buffer): Buffer {
  return bytes.subarray(4)
}
