// Reads the URL of a log of topics.

import { KubedeltaError } from '../base/errors.ts'

export type LogTarget =
  /** `brokers`: each `HOST:PORT`, an IPv6 address in brackets. */
  | { readonly kind: 'kafka'; readonly brokers: readonly string[] }
  | { readonly kind: 'directory'; readonly path: string }

/**
 * Reads `kafka://HOST:PORT[,HOST:PORT...]` or `file:DIRECTORY`.
 * @throws KubedeltaError `usage` for anything else; the message never repeats credentials
 */
export function parseLogUrl(url: string): LogTarget {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase()
  if (scheme === 'kafka' && url.slice(6).startsWith('//')) return { kind: 'kafka', brokers: brokersOf(url.slice(8)) }
  if (scheme === 'file' && url.length > 5) return { kind: 'directory', path: url.slice(5).replace(/^\/\/(?=\/)/, '') }
  throw refuse(scheme === undefined ? 'it has no scheme' : `it begins with '${scheme}:'`)
}

function brokersOf(list: string): readonly string[] {
  if (list.includes('@')) throw refuse('it holds credentials: give them as options, files or environment variables')
  const brokers = list
    .replace(/\/$/, '')
    .split(',')
    .map((broker) => broker.trim())
  for (const broker of brokers) {
    const [, port] = /^(?:\[[0-9a-f:.]+\]|[^\s:/?#[\]]+):(\d{1,5})$/i.exec(broker) ?? []
    if (port === undefined) throw refuse(`'${broker}' is not HOST:PORT`)
    if (Number(port) < 1 || Number(port) > 65_535) throw refuse(`port ${port} is not 1 to 65535`)
  }
  return brokers
}

function refuse(reason: string): KubedeltaError {
  return new KubedeltaError(
    'usage',
    `Cannot use the URL of the topics: wanted kafka://HOST:PORT[,HOST:PORT...] or file:DIRECTORY: ${reason}`,
  )
}
