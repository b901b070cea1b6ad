// Keeps the faults that a test asked for, and gives each to the request it is meant for.

import { StatusFailure } from './status.ts'

/** What goes wrong with one request. */
export type SimulatedFault =
  /** It is refused: 410, 429, 500, 503 and so on. */
  | {
      readonly kind: 'refuse'
      readonly code: number
      /** As apimachinery's StatusReason. @default the usual one of the code */
      readonly reason?: string
      readonly message?: string
      /** Sent as Retry-After and in the Status. @default none */
      readonly retryAfterSeconds?: number
    }
  /** A watch opens, and its first event is an ERROR with this code; other requests are refused with it. */
  | { readonly kind: 'error-event'; readonly code: number; readonly message?: string }
  /** The connection is reset before an answer. */
  | { readonly kind: 'reset' }
  /** The answer begins, and the connection is reset in its middle: a list has a part of its items, a watch ends at its first event. */
  | { readonly kind: 'cut' }
  /** The answer comes as late as this. */
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** A list that need not be consistent is older than it could be, by so many changes of the whole cluster. */
  | { readonly kind: 'stale'; readonly changes: number }
  /** A byte of the answer is wrong: a list's first item, a watch's first event. */
  | { readonly kind: 'corrupt' }

/** Which requests a fault is for; what is left out may be anything. */
export interface FaultTarget {
  readonly verb?: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'
  /** `pods`, `deployments.apps`; discovery and other documents have none. */
  readonly resource?: string
  /** How many requests it is for. @default 1 */
  readonly times?: number
}

/** What a request says of itself. */
export interface FaultedRequest {
  readonly verb: string
  /** '' for documents. */
  readonly resource: string
}

/** Faults in the order in which they were given; each is used up by the requests that it is for. */
export class Faults {
  #waiting: Array<{ readonly fault: SimulatedFault; readonly target: FaultTarget; left: number }> = []

  add(fault: SimulatedFault, target: FaultTarget): void {
    this.#waiting.push({ fault, target, left: target.times ?? 1 })
  }

  /** Takes the first fault that is for this request; undefined when none is. */
  take(request: FaultedRequest): SimulatedFault | undefined {
    const found = this.#waiting.find(({ target }) => isFor(target, request))
    if (found === undefined) return undefined
    found.left -= 1
    if (found.left <= 0) this.#waiting = this.#waiting.filter((other) => other !== found)
    return found.fault
  }

  /** How many were not used yet. */
  get pending(): number {
    return this.#waiting.length
  }

  clear(): void {
    this.#waiting = []
  }
}

function isFor({ verb, resource }: FaultTarget, request: FaultedRequest): boolean {
  return (verb === undefined || verb === request.verb) && (resource === undefined || resource === request.resource)
}

/** The Status by which a fault refuses. */
export function refusal(fault: Extract<SimulatedFault, { readonly kind: 'refuse' }>): StatusFailure {
  const { code, reason = REASONS[code] ?? '', retryAfterSeconds } = fault
  const { message = `simulated failure: ${reason}` } = fault
  const details = retryAfterSeconds === undefined ? null : { retryAfterSeconds }
  return new StatusFailure({ code, reason, message, details })
}

/** The usual reason of a code. */
const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}
