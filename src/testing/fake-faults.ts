// What can go wrong with a request to a fake source, and how it looks.

import { abortable } from '../base/abort.ts'
import { KubedeltaError } from '../base/errors.ts'
import type { KubeStatus, WatchFrame } from '../watch/source.ts'

/** What happens to one request instead of, or before, its answer. */
export type FakeFault =
  /** It does not open. */
  | { readonly kind: 'error'; readonly error: KubedeltaError }
  /** ECONNREFUSED. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'throttled'; readonly retryAfterMs?: number }
  /** It opens, brings nothing and is closed. */
  | { readonly kind: 'close' }
  /** It opens and ends with this Status; in a watch an ERROR event, a list fails after its first half. */
  | { readonly kind: 'status'; readonly status: KubeStatus }
  /** It opens, and the connection is lost before the end: a list brings half, a streamed list all but the bookmark that ends it. */
  | { readonly kind: 'cut' }
  /** It opens and brings a frame that does not scan. */
  | { readonly kind: 'corrupt' }
  /** It opens, brings these frames and goes on, or is closed. */
  | { readonly kind: 'frames'; readonly frames: readonly WatchFrame[]; readonly close: boolean }
  /** It is answered once this resolves. */
  | { readonly kind: 'slow'; readonly until: Promise<void> }

/** Does what a fault does before a request is open. */
export async function opened(fault: FakeFault, signal: AbortSignal): Promise<void> {
  if (fault.kind === 'error') throw fault.error
  if (fault.kind === 'refused') {
    throw new KubedeltaError('unreachable', 'Cannot reach the apiserver: connect ECONNREFUSED', {
      fields: { refused: true, opening: true },
    })
  }
  if (fault.kind === 'throttled') {
    const { retryAfterMs } = fault
    throw new KubedeltaError('throttled', 'Cannot ask the apiserver: too many requests', { fields: { retryAfterMs } })
  }
  if (fault.kind === 'slow') await abortable(fault.until, signal)
}

/** A refusal by an apiserver in the middle of a list. */
export function serverError({ code, reason, message }: KubeStatus): KubedeltaError {
  return new KubedeltaError('server', `Cannot list: ${message}`, { fields: { status: code, reason } })
}

/** What a list says that was not read to its end. */
export function cutError(): KubedeltaError {
  return new KubedeltaError('unreachable', 'Cannot read the list: the connection was lost')
}

/** What a source says of bytes that do not scan. */
export function corruptError(): KubedeltaError {
  return new KubedeltaError('corrupt', 'Cannot read the stream: wanted a JSON object')
}

/** The answer 410 of an apiserver. */
export function expiredError(message: string): KubedeltaError {
  return new KubedeltaError('expired', `Cannot ask the apiserver: ${message}`, {
    fields: { status: 410, reason: 'Expired' },
  })
}

/** The answer of an apiserver that has not reached a resourceVersion yet. */
export function tooLargeError(asked: string, current: string): KubedeltaError {
  return new KubedeltaError(
    'too-large-resource-version',
    `Cannot ask the apiserver: Too large resource version: ${asked}, current: ${current}`,
    { fields: { status: 504, reason: 'Timeout' } },
  )
}

/** The answer of an apiserver that does not know sendInitialEvents. */
export function invalidError(): KubedeltaError {
  return new KubedeltaError('server', 'Cannot watch: sendInitialEvents is forbidden', {
    fields: { status: 422, reason: 'Invalid' },
  })
}
