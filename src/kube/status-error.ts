// Reads the apiserver's `Status`, from an answer or from within a watch, and says which error it is.

import { KubedeltaError, type ErrorCode } from '../base/errors.ts'
import { isFields } from '../base/fields.ts'

/** A `Status` of the apiserver, from an HTTP answer or from within a watch stream. */
export interface KubeStatus {
  readonly code: number
  readonly reason: string
  readonly message: string
  /** details.causes[].reason and .message, for `ResourceVersionTooLarge`. */
  readonly causes: ReadonlyArray<{ readonly reason: string; readonly message: string }>
  /** details.retryAfterSeconds or the Retry-After header. */
  readonly retryAfterMs?: number
}

/** What an HTTP answer adds to the body: its status wins where the body has none, its Retry-After over the body's. */
export interface AnswerFacts {
  readonly httpStatus: number
  /** The Retry-After header: seconds. A date is ignored, the apiserver sends none. */
  readonly retryAfter?: string | undefined
}

/**
 * The error for a refusal, thrown alike for an HTTP answer and for an ERROR event of a watch.
 *
 * `fields.status` and `fields.reason` are the apiserver's; `fields.retryAfterMs` stands where the server asked for a pause.
 * @param action what was tried, for the message: `Cannot list pods in shop`
 */
export function statusError(status: KubeStatus, action: string): KubedeltaError {
  const code = errorCode(status)
  const said = status.message === '' ? 'no message' : status.message
  const reason = status.reason === '' ? '' : ` ${status.reason}`
  return new KubedeltaError(
    code,
    `${action}: the apiserver answered ${status.code}${reason}: ${said}${WAY_OUT[code] ?? ''}`,
    {
      fields: { status: status.code, reason: status.reason, retryAfterMs: status.retryAfterMs },
    },
  )
}

/** Reads the body of a refused request, which is a `Status` in JSON unless something between here and the apiserver wrote it. */
export function parseStatusBody(body: string, facts: AnswerFacts): KubeStatus {
  const status = parseStatus(parseJson(body))
  const seconds = /^\d+$/.test(facts.retryAfter ?? '') ? Number(facts.retryAfter) : undefined
  const retryAfterMs = seconds === undefined ? status?.retryAfterMs : seconds * 1000
  return {
    code: status?.code || facts.httpStatus,
    reason: status?.reason ?? '',
    message: status?.message ?? JSON.stringify(body.trim().slice(0, MAX_FOREIGN_TEXT)),
    causes: status?.causes ?? [],
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  }
}

/** The parts of a `Status` object that matter here; undefined where it is none. Missing fields read as 0 and ''. */
export function parseStatus(value: unknown): KubeStatus | undefined {
  if (!isFields(value) || value['kind'] !== 'Status') return undefined
  const details = isFields(value['details']) ? value['details'] : {}
  const causes = Array.isArray(details['causes']) ? details['causes'].filter(isFields) : []
  const seconds = details['retryAfterSeconds']
  return {
    code: typeof value['code'] === 'number' ? value['code'] : 0,
    reason: text(value['reason']),
    message: text(value['message']),
    causes: causes.map((cause) => ({ reason: text(cause['reason']), message: text(cause['message']) })),
    ...(typeof seconds === 'number' && seconds > 0 && { retryAfterMs: seconds * 1000 }),
  }
}

/** How much of an answer that is no `Status` goes into a message. */
const MAX_FOREIGN_TEXT = 200

const WAY_OUT: { readonly [C in ErrorCode]?: string } = {
  unauthorized: ': check the credentials of the kubeconfig or ServiceAccount',
  forbidden: ': grant the verb to this user, or leave the resource out',
  throttled: ': wait, lower --qps and --burst, or give this user more of the API Priority and Fairness',
}

/**
 * Which error a Status is: its reason says so, its HTTP code only where the reason is none that Kubernetes knows
 * (apimachinery pkg/api/errors; client-go tools/cache/reflector.go, isTooLargeResourceVersionError).
 */
function errorCode(status: KubeStatus): ErrorCode {
  if (isTooLarge(status)) return 'too-large-resource-version'
  if (status.code === 429) return 'throttled'
  const { reason } = status
  return REASONS.get(reason) ?? (OTHER_REASONS.has(reason) ? undefined : CODES.get(status.code)) ?? 'server'
}

/** Three shapes in the history of apiservers: a cause with this reason, one with this message, or the message alone. */
function isTooLarge({ code, reason, message, causes }: KubeStatus): boolean {
  if (causes.some((cause) => cause.reason === 'ResourceVersionTooLarge')) return true
  if (reason !== 'Timeout' && code !== 504) return false
  return message.includes(TOO_LARGE) || causes.some((cause) => cause.message === TOO_LARGE)
}

const TOO_LARGE = 'Too large resource version'

const REASONS: ReadonlyMap<string, ErrorCode> = new Map([
  ['Expired', 'expired'],
  ['Gone', 'expired'],
  ['TooManyRequests', 'throttled'],
  ['Unauthorized', 'unauthorized'],
  ['Forbidden', 'forbidden'],
  ['NotFound', 'not-found'],
])

const CODES: ReadonlyMap<number, ErrorCode> = new Map([
  [401, 'unauthorized'],
  [403, 'forbidden'],
  [404, 'not-found'],
  [410, 'expired'],
])

/** apimachinery pkg/api/errors, knownReasons, without those above. */
const OTHER_REASONS: ReadonlySet<string> = new Set([
  'AlreadyExists',
  'BadRequest',
  'Conflict',
  'InternalError',
  'Invalid',
  'MethodNotAllowed',
  'NotAcceptable',
  'RequestEntityTooLarge',
  'ServerTimeout',
  'ServiceUnavailable',
  'StoreReadError',
  'Timeout',
  'UnsupportedMediaType',
])

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    // Not the apiserver's words, then: the message quotes the start of it, so nothing is lost.
    return undefined
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
