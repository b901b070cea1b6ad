// The words of the reflector's state machine: its rules, states, inputs and outputs.

import type { KubedeltaError } from '../base/errors.ts'
import type { LogFields } from '../base/log.ts'
import type { RawObject } from '../object/raw-object.ts'
import type { Resource } from '../object/resource.ts'
import type { ListReason } from './delta.ts'
import type { ListFrame, ListRequest, WatchFrame } from './source.ts'

/** What does not change while a reflector runs. */
export interface ReflectorRules {
  /** Frames of another kind or group are skipped. */
  readonly resource: Pick<Resource, 'group' | 'kind'>
  /** Whether lists are streamed by a watch with sendInitialEvents first. */
  readonly watchList: boolean
  /** Objects a page in every LIST; 0: the rules of client-go (reflector.go, list). */
  readonly pageSize: number
  /**
   * What the first list asks for: anything cached, as client-go, or nothing older than this resourceVersion, '' being consistent.
   * The latter is for whoever has newer objects already, since a key must never go back in its history.
   */
  readonly initialResourceVersion: 'any-cached' | { readonly notOlderThan: string }
  /** How long a resourceVersion that the server has not reached yet is asked for again, before a consistent list is. */
  readonly tooLargeRetryMs: number
  /** How long a watch that ends with a 500 is opened again without a list (client-go MaxInternalErrorRetryDuration). */
  readonly internalErrorRetryMs: number
}

/**
 * Where a reflector stands. What is named like a field of client-go's Reflector is that field.
 */
export interface ReflectorState {
  readonly phase: ReflectorPhase
  /** '' before the first list ended. */
  readonly lastSyncResourceVersion: string
  /** Whether a list was handed over whole. */
  readonly synced: boolean
  /** The server could not serve the last resourceVersion asked, so the next list is a consistent one. */
  readonly isLastSyncResourceVersionUnavailable: boolean
  /** The server pages even what it could serve from a cache: it has none. */
  readonly paginatedResult: boolean
  /**
   * The highest resourceVersion among objects that were handed over before a list or event had it as its own: those of lists that did
   * not end, and what a watch from '' or '0' begins with. No later list may be older;
   * client-go needs no such rule as it keeps a list to itself until it is whole.
   */
  readonly floor: string
  readonly tooLargeSinceMs: number | undefined
  readonly internalErrors: { readonly firstMs: number; readonly lastMs: number } | undefined
}

export type ReflectorPhase =
  | { readonly kind: 'idle' }
  /** A list streams in through a watch, until the bookmark that ends the initial events. */
  | { readonly kind: 'watch-listing'; readonly reason: ListReason; readonly events: number }
  | {
      readonly kind: 'listing'
      readonly reason: ListReason
      readonly request: ListRequest
      /** What the first page was asked with. */
      readonly asked: string
      /** The first page's own; the list's once it is complete. */
      readonly resourceVersion: string | undefined
    }
  | {
      readonly kind: 'watching'
      readonly events: number
      /** False until an event other than `added`, in a watch without a start: its first events are in no order (propagateRVFromStart). */
      readonly moves: boolean
    }
  | {
      readonly kind: 'waiting'
      readonly next: { readonly kind: 'watch' } | { readonly kind: 'list'; readonly reason: ListReason }
    }

/** A state known to be in one phase. */
export type InPhase<K extends ReflectorPhase['kind']> = ReflectorState & {
  readonly phase: Extract<ReflectorPhase, { readonly kind: K }>
}

export type ReflectorInput =
  | { readonly kind: 'start' }
  | { readonly kind: 'waited' }
  | ListFrame
  | WatchFrame
  /** The server closed the watch, this long after it was asked for. */
  | { readonly kind: 'closed'; readonly lastedMs: number }
  /** Opening or reading failed. */
  | { readonly kind: 'failed'; readonly error: KubedeltaError; readonly lastedMs: number }
  /** Someone wants a list now; only while watching. */
  | { readonly kind: 'relist'; readonly reason: ListReason }

/** What the next inputs come from; a step has at most one, as its last output. */
export type ReflectorRequest =
  | { readonly kind: 'list'; readonly request: ListRequest }
  | { readonly kind: 'watch'; readonly resourceVersion: string; readonly sendInitialEvents: boolean }
  /** Until the backoff is over, and not shorter than this. */
  | { readonly kind: 'wait'; readonly atLeastMs: number }

export type ReflectorOutput =
  /** The calls of a DeltaSink. */
  | { readonly kind: 'begin'; readonly reason: ListReason }
  | { readonly kind: 'item' | 'add' | 'update' | 'delete'; readonly object: RawObject }
  | { readonly kind: 'end'; readonly resourceVersion: string; readonly reason: ListReason }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  /** For the one who decides whether it is worth going on. */
  | { readonly kind: 'report'; readonly error: KubedeltaError }
  | {
      readonly kind: 'log'
      readonly level: 'debug' | 'info' | 'warn'
      readonly message: string
      readonly fields: LogFields
    }
  | ReflectorRequest

export interface ReflectorStep {
  readonly state: ReflectorState
  readonly outputs: readonly ReflectorOutput[]
}

export const INITIAL_STATE: ReflectorState = {
  phase: { kind: 'idle' },
  lastSyncResourceVersion: '',
  synced: false,
  isLastSyncResourceVersionUnavailable: false,
  paginatedResult: false,
  floor: '',
  tooLargeSinceMs: undefined,
  internalErrors: undefined,
}
