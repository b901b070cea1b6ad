// The port to one collection of the apiserver: what the reflector asks, and the frames that come back.

import type { KubeStatus } from '../kube/status-error.ts'
import type { RawObject } from '../object/raw-object.ts'
import type { Resource } from '../object/resource.ts'

export type { KubeStatus }

export interface ListRequest {
  /** '' consistent, '0' anything cached, N not older than N. */
  readonly resourceVersion: string
  /** Objects a page; 0 or absent: no limit. */
  readonly limit?: number
  /** Token of the page before; with it the resourceVersion is not sent. */
  readonly continue?: string
}

/** A part of a LIST answer as it streams in. Exactly one `page` comes, last. */
export type ListFrame =
  | { readonly kind: 'item'; readonly object: RawObject }
  | { readonly kind: 'page'; readonly resourceVersion: string; readonly continue: string }

export interface WatchRequest {
  /** '' only with sendInitialEvents. */
  readonly resourceVersion: string
  readonly timeoutSeconds: number
  /** WatchList: asks for the collection as ADDED events first, ended by a bookmark (resourceVersionMatch=NotOlderThan). */
  readonly sendInitialEvents?: boolean
}

export type WatchFrame =
  | { readonly kind: 'added' | 'modified' | 'deleted'; readonly object: RawObject }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string; readonly initialEventsEnd: boolean }
  | { readonly kind: 'error'; readonly error: KubeStatus }
  /** An event type of a newer apiserver: its resourceVersion counts, its object does not. */
  | { readonly kind: 'unknown'; readonly type: string; readonly resourceVersion: string }

/**
 * Lists and watches one collection within one scope (namespace and selectors are fixed at construction).
 *
 * - Frames come in arrays, one a chunk of the socket, so that a step of the iteration costs little; not pulling holds back the socket.
 * - Opening and reading fail with a KubedeltaError: `expired`, `too-large-resource-version`, `throttled` (with fields.retryAfterMs where
 *   the server said so), `forbidden`, `unauthorized`, `not-found`, `server`, `unreachable` (fields.refused: true for ECONNREFUSED,
 *   fields.opening: true before an answer began), `corrupt` (a frame that does not scan).
 * - A watch that the server closes, cleanly or by a reset after it was open, ends the iteration without an error.
 * - An aborted signal ends both with the signal's reason.
 */
export interface ListWatch {
  readonly resource: Resource
  /** What is listed and watched, for messages: `pods`, `pods in shop`. */
  readonly name: string
  list(request: ListRequest, signal: AbortSignal): AsyncIterable<readonly ListFrame[]>
  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<readonly WatchFrame[]>
}
