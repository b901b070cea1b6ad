// What the main thread and the thread of the health server say to each other.

import type { HealthReport } from './report.ts'

/** How the server's thread is started. */
export interface ServerStart {
  readonly host: string
  readonly port: number
  /** One BigInt64: when the main thread's event loop last turned, in nanoseconds of process.hrtime, which all threads share. */
  readonly heartbeat: SharedArrayBuffer
  readonly blockedAfterMs: number
  readonly answerWithinMs: number
}

export type ToServer =
  | { readonly kind: 'live'; readonly report: HealthReport }
  | { readonly kind: 'ready'; readonly id: number; readonly report: HealthReport }
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string; readonly contentType: string }
  | { readonly kind: 'close' }

export type FromServer =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'cannot-listen'; readonly code: string; readonly message: string }
  | { readonly kind: 'ask'; readonly id: number; readonly what: 'ready' | 'metrics' }
