// One error type for everything a caller may handle, and the one function that says what may be retried.

/** What went wrong, as a closed list: callers switch on it, the command line maps it to an exit code. */
export type ErrorCode =
  | 'usage' // a wrong flag, option, configuration key or combination
  | 'unknown-resource'
  | 'bad-selector'
  | 'unauthorized' // credentials refused, by apiserver or broker
  | 'forbidden' // a permission is missing, at apiserver or broker
  | 'unreachable' // no answer from apiserver or broker
  | 'timeout'
  | 'expired' // a resourceVersion too old for the apiserver (410)
  | 'too-large-resource-version' // a resourceVersion the apiserver has not reached yet
  | 'throttled' // 429
  | 'server' // any other refusal by the apiserver
  | 'not-found'
  | 'topic-missing'
  | 'topic-unfit' // cleanup.policy, delete.retention.ms and the like
  | 'topic-foreign' // written by a bridge of another cluster
  | 'scope-changed'
  | 'partitions-changed'
  | 'fenced' // another writer has taken over
  | 'too-large' // a record over the topic's max.message.bytes
  | 'rejected' // the broker refused a batch for good
  | 'offset-out-of-range'
  | 'log-truncated' // what was read of a partition is no longer what its log holds
  | 'topic-recreated' // another topic stands under the name that was being read
  | 'lease-lost' // the Lease of the leader election could not be renewed, or another holds it
  | 'corrupt' // bytes that do not decode
  | 'unknown-schema'
  | 'unsupported' // a server too old or too new for what is asked
  | 'aborted'
  | 'internal' // a bug: ends the run with its stack

const RETRIABLE: ReadonlySet<ErrorCode> = new Set(['unreachable', 'timeout', 'throttled', 'server', 'expired'])

/** Further facts about a failure, each readable as `error.fields.name`. */
export type ErrorFields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

/**
 * An error a caller may handle.
 *
 * `message` states the action, then a colon, then wanted and current value and the way out; `fields` carries
 * the same facts for programs.
 */
export class KubedeltaError extends Error {
  readonly code: ErrorCode
  readonly fields: ErrorFields

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; fields?: ErrorFields } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'KubedeltaError'
    this.code = code
    this.fields = options.fields ?? {}
  }

  /** Whether the same attempt may succeed later without anyone changing anything. */
  get retriable(): boolean {
    return isRetriable(this.code)
  }
}

/** The one place that decides what may be retried. */
export function isRetriable(code: ErrorCode): boolean {
  return RETRIABLE.has(code)
}

/** The only place where a caught value becomes a KubedeltaError; what no adapter recognised is `internal`, a bug. */
export function fromUnknown(value: unknown, action: string): KubedeltaError {
  if (value instanceof KubedeltaError) return value
  if (isAbort(value)) return new KubedeltaError('aborted', `${action}: aborted`, { cause: value })
  const reason = messageOf(value)
  // What AbortSignal.timeout aborts with.
  if (value instanceof Error && value.name === 'TimeoutError') {
    return new KubedeltaError('timeout', `${action}: ${reason}`, { cause: value })
  }
  return new KubedeltaError('internal', `${action}: ${reason}`, { cause: value })
}

/** What a caught value says: the message of an error, the text of anything else. */
export function messageOf(value: unknown): string {
  return value instanceof Error ? value.message : String(value)
}

/** Whether a caught value is the reason of an aborted signal rather than a failure. */
export function isAbort(value: unknown): boolean {
  if (value instanceof KubedeltaError) return value.code === 'aborted'
  return value instanceof Error && (value.name === 'AbortError' || ('code' in value && value.code === 'ABORT_ERR'))
}

/** Whether a caught value is a KubedeltaError of one of these codes. */
export function hasCode(value: unknown, ...codes: readonly ErrorCode[]): value is KubedeltaError {
  return value instanceof KubedeltaError && codes.includes(value.code)
}
