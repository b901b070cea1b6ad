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
 * @throws KubedeltaError `usage` for a URL that cannot be used
 */
export function openTopicLog(
  source: { readonly from: string | TopicLog } & Omit<ConnectOptions, 'signal'>,
): OpenTopicLog {
  const { from, security, clientId, startupTimeoutMs, log, clock } = source
  if (typeof from !== 'string') return async () => ({ log: from, [Symbol.asyncDispose]: async () => {} })
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
