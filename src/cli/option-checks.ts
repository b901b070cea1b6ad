// Checks option values that are more than their type, alone and in combination.

import { KubedeltaError } from '../base/errors.ts'
import { parseLogUrl } from '../connect/log-url.ts'

/** Where to listen; `explicit` when somebody chose it: a busy default is a warning, a busy choice an error. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
  readonly explicit: boolean
}

const DEFAULT_LISTEN = { host: '127.0.0.1', port: 9464, explicit: false }

/** RFC 1123, as Kubernetes names namespaces. */
const DNS_LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/

export interface Addresses {
  readonly log: string
  readonly server?: string | undefined
  readonly registry?: string | undefined
}

/** @throws KubedeltaError `usage` for a URL of a wrong scheme or form, or with credentials in it */
export function checkAddresses({ log, server, registry }: Addresses): void {
  parseLogUrl(log)
  if (server !== undefined) checkHttpUrl(server, '--server')
  if (registry !== undefined) checkHttpUrl(registry, '--registry')
}

export interface KafkaSecurity {
  readonly kafkaTlsCert: string | undefined
  readonly kafkaTlsKey: string | undefined
  readonly kafkaSaslMechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512' | 'oauthbearer' | undefined
  readonly kafkaSaslUsername: string | undefined
  readonly kafkaSaslPasswordFile: string | undefined
  readonly kafkaSaslTokenFile: string | undefined
}

/** @throws KubedeltaError `usage` when parts of a credential are missing, or given without the rest */
export function checkKafkaSecurity(values: KafkaSecurity): void {
  if ((values.kafkaTlsCert === undefined) !== (values.kafkaTlsKey === undefined)) {
    throw incomplete('--kafka-tls-cert', '--kafka-tls-key', values.kafkaTlsCert !== undefined)
  }
  const mechanism = values.kafkaSaslMechanism
  if (mechanism === undefined) {
    if ((values.kafkaSaslUsername ?? values.kafkaSaslPasswordFile ?? values.kafkaSaslTokenFile) === undefined) return
    throw new KubedeltaError(
      'usage',
      'Cannot use SASL credentials: wanted --kafka-sasl-mechanism plain, scram-sha-256, scram-sha-512 or oauthbearer: it is absent',
    )
  }
  if (mechanism === 'oauthbearer') {
    if (values.kafkaSaslTokenFile === undefined) throw needed('--kafka-sasl-token-file', mechanism)
    return
  }
  if (values.kafkaSaslUsername === undefined) throw needed('--kafka-sasl-username', mechanism)
}

/** @throws KubedeltaError `usage` for a prefix or cluster that cannot stand in a topic's name */
export function checkTopicOptions(values: { readonly prefix: string; readonly cluster: string | undefined }): void {
  if (!/^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/.test(values.prefix)) {
    throw new KubedeltaError(
      'usage',
      `Cannot read --prefix: wanted letters, digits, '-' and dots between them: current value is ${JSON.stringify(values.prefix)}`,
    )
  }
  if (values.cluster !== undefined && !DNS_LABEL.test(values.cluster)) {
    throw new KubedeltaError(
      'usage',
      `Cannot read --cluster: wanted a DNS label, lower case letters, digits and '-', at most 63: current value is ${JSON.stringify(values.cluster)}`,
    )
  }
}

/**
 * The name of the cluster: a log in a directory is one person's, and its cluster goes by one name.
 * @returns undefined where Kafka's topics would need one
 */
export function clusterOf(cluster: string | undefined, log: string): string | undefined {
  return cluster ?? (parseLogUrl(log).kind === 'directory' ? 'kubernetes' : undefined)
}

/** @throws KubedeltaError `usage` */
export function checkNamespace(namespace: string, origin: string): void {
  if (DNS_LABEL.test(namespace)) return
  throw new KubedeltaError(
    'usage',
    `Cannot read ${origin}: wanted the name of a namespace: current value is ${JSON.stringify(namespace)}`,
  )
}

/** The form of values: a registry is for Avro alone. @throws KubedeltaError `usage` */
export function checkFormat(values: {
  readonly format: 'avro' | 'json' | undefined
  readonly registry: string | undefined
}): 'avro' | 'json' {
  if (values.format === 'json' && values.registry !== undefined) {
    throw new KubedeltaError(
      'usage',
      'Cannot use --registry with --format json: wanted --format avro, or no --registry',
    )
  }
  return values.format ?? (values.registry === undefined ? 'json' : 'avro')
}

/**
 * `HOST:PORT`, `[IPV6]:PORT`, or `:PORT` for all addresses.
 * @throws KubedeltaError `usage`
 */
export function parseListenAddress(text: string | undefined): ListenAddress {
  if (text === undefined) return DEFAULT_LISTEN
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]*)):([0-9]{1,5})$/.exec(text) ?? []
  const port = Number(digits ?? Number.NaN)
  if (port <= 65_535) return { host: bracketed ?? (plain || '0.0.0.0'), port, explicit: true }
  throw new KubedeltaError(
    'usage',
    `Cannot read --metrics-listen: wanted HOST:PORT like 0.0.0.0:9464: current value is ${JSON.stringify(text)}`,
  )
}

function checkHttpUrl(text: string, flag: string): void {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new KubedeltaError(
      'usage',
      `Cannot read ${flag}: wanted https://HOST[:PORT] or http://HOST[:PORT]: current value is ${JSON.stringify(text)}`,
    )
  }
  if (url.username === '' && url.password === '') return
  // The value holds a secret, so the message leaves it out.
  throw new KubedeltaError(
    'usage',
    `Cannot use ${flag}: credentials in a URL show in the process list: wanted a URL without`,
  )
}

function incomplete(first: string, second: string, hasFirst: boolean): KubedeltaError {
  const [given, missing] = hasFirst ? [first, second] : [second, first]
  return new KubedeltaError('usage', `Cannot use ${given}: wanted ${missing} too: it is absent`)
}

function needed(flag: string, mechanism: string): KubedeltaError {
  return new KubedeltaError('usage', `Cannot use --kafka-sasl-mechanism ${mechanism}: wanted ${flag}: it is absent`)
}
