// Opens the log that caches read from, or takes the one that its owner opened.

import { connect, type ConnectOptions } from '../connect/connect.ts'
import { parseLogUrl } from '../connect/log-url.ts'
import type { TopicLog } from '../topic/port.ts'

/** A log in use; disposing gives it back. */
export interface OpenedTopicLog extends AsyncDisposable {
  readonly log: TopicLog
}

/** Opens a log; the signal ends the attempt. @throws KubedeltaError as `connect` */
export type OpenTopicLog = (signal: AbortSignal) => Promise<OpenedTopicLog>

/**
 * A log of its own behind a URL, which is closed after use, or the caller's, which is left as it is.
 * @throws KubedeltaError `usage` for a URL that cannot be used; TypeError for what is neither; RangeError when `startupTimeoutMs` is not above 0
 */
export function openTopicLog(
  source: { readonly from: string | TopicLog } & Omit<ConnectOptions, 'signal'>,
): OpenTopicLog {
  const { from, security, clientId, startupTimeoutMs, log, clock } = source
  if (startupTimeoutMs !== undefined && !(startupTimeoutMs > 0)) {
    throw new RangeError(`Cannot read topics: 'startupTimeoutMs' must be > 0: current value is ${startupTimeoutMs}`)
  }
  if (typeof from !== 'string') {
    checkLog(from)
    return async () => ({ log: from, [Symbol.asyncDispose]: async () => {} })
  }
  parseLogUrl(from)
  return async (signal) => {
    const opened = await connect(from, {
      signal,
      ...(security === undefined ? {} : { security }),
      ...(clientId === undefined ? {} : { clientId }),
      ...(startupTimeoutMs === undefined ? {} : { startupTimeoutMs }),
      ...(log === undefined ? {} : { log }),
      ...(clock === undefined ? {} : { clock }),
    })
    return { log: opened, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() }
  }
}

function checkLog(from: unknown): void {
  if (typeof from === 'object' && from !== null && 'openReader' in from && 'admin' in from) return
  const current = from instanceof Promise ? 'a promise: await it' : String(from)
  throw new TypeError(
    `Cannot read topics: 'from' must be a URL or a log that 'connect' opened: current value is ${current}`,
  )
}
