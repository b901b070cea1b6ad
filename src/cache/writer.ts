// The one writer of a cache: applies what a feed brings and tells the handlers what changed.

import type { Clock } from '../base/clock.ts'
import { KubedeltaError } from '../base/errors.ts'
import { ChangeList } from './change-list.ts'
import { changesOf, isNoChange, type ChangeRules, type UpdateRoute } from './change.ts'
import { isSameContent, ownedEntry, parsedEntry, type Entry } from './entry.ts'
import type { Handlers } from './handlers.ts'
import { TransactionError } from './indexer.ts'
import { ABSENT } from './key-table.ts'
import { type KeyFunction } from './metadata.ts'
import type { ResyncSchedule } from './resync-schedule.ts'
import type { IsUnchanged } from './stage.ts'
import type { Store } from './store.ts'
import { SyncTracker, type Synced } from './sync-tracker.ts'

/**
 * What a feed says of one object. Whether it is an add or an update the cache decides.
 *
 * - `set` and `delete` give a parsed object, which is frozen; a delete gives the last state, with the deletion's resourceVersion.
 * - `set-entry` gives an entry, bytes-backed ones above all, whose bytes are copied: they may be a slice that is overwritten later; `delete-key` the last state as one, or nothing where only the key is
 *   known: then the handlers get the state that the cache holds.
 * - The delete of a key that the cache does not hold reaches handlers by the rules of client-go, with the state given; by those of a
 *   log it is no change.
 */
export type FeedChange<T> =
  | { readonly kind: 'set'; readonly object: T }
  | { readonly kind: 'set-entry'; readonly entry: Entry<T> }
  | { readonly kind: 'delete'; readonly object: T; readonly finalStateUnknown: boolean }
  | {
      readonly kind: 'delete-key'
      readonly key: string
      readonly entry?: Entry<T>
      readonly finalStateUnknown: boolean
    }

/** A whole content on its way: invisible until `initDone` swaps it in. One that is never done leaves no trace. */
export interface Snapshot<T> {
  /** Takes sets and deletes of the content that is being built. @throws KubedeltaError `usage` for an object without a key */
  initApply(change: FeedChange<T>): void
  /** What stands under a key in the content that is being built. */
  entry(key: string): Entry<T> | undefined
  /**
   * Swaps the content in at once, then tells the handlers: deletes first, as missed, then the rest in the order of the snapshot. The
   * first one syncs the cache. Resolves when the feed may go on.
   * @throws the signal's reason when it aborts first, the content stands then; KubedeltaError `usage` when a newer snapshot was begun
   */
  initDone(resourceVersion: string, signal: AbortSignal): Promise<void>
}

/**
 * Writes a cache; held by its feed alone.
 *
 * - Each write changes cache, indexes and the buffers of the handlers in one synchronous step, at the call; the promise is for
 *   back-pressure: it resolves when every handler has room again, and no promise means that they have.
 * - Aborting a wait undoes nothing.
 */
export interface CacheWriter<T> {
  /** @throws KubedeltaError `usage` for an object without a key, at the call; the signal's reason when it aborts first */
  apply(change: FeedChange<T>, signal: AbortSignal): Promise<void> | void
  /**
   * Applies several changes as one step: handlers hear of the first when the cache shows the last.
   * @throws TransactionError for those without a key, once the others have been applied
   */
  applyAll(changes: readonly FeedChange<T>[], signal: AbortSignal): Promise<void>
  /** Begins a new content; a snapshot begun before and not done is void. */
  beginSnapshot(): Snapshot<T>
  /** Shows one object again, to handlers that are `due` or that `asked` for resyncs of the feed. */
  sync(key: string, route: Exclude<UpdateRoute, 'all'>, signal: AbortSignal): Promise<void> | void
  /** Whether a resync is due for any handler; those that are due now get the next `resync`. */
  shouldResync(): boolean
  /** How often to ask `shouldResync`; 0 is never. A shorter period of a handler lowers it until the cache runs. */
  resyncCheckMs(): number
  /** Shows all objects again to the handlers that are due. */
  resync(signal: AbortSignal): Promise<void> | void
  /** Everything up to this resourceVersion was applied. */
  bookmark(resourceVersion: string): void
  /** The first content is complete, for a feed that brought it by `apply`; `initDone` does it too. */
  markSynced(): void
  /** What the cache holds under a key. */
  entry(key: string): Entry<T> | undefined
  /**
   * All that the cache holds when the first is read, whatever is written before the last: to be read at any pace, to the end or left by
   * `break`. Until then the memory of what is replaced or deleted is kept.
   */
  entries(): Iterable<Entry<T>>
}

export interface WriterParts<T> {
  readonly store: Store<T>
  readonly handlers: Handlers<T>
  readonly schedule: ResyncSchedule
  readonly clock: Clock
  readonly key: KeyFunction<T>
  readonly rules: ChangeRules
  /** Told after each write. */
  readonly onWritten: () => void
}

/** The writer of a store and its handlers, and whether the first content is there. */
export function createWriter<T>(parts: WriterParts<T>): { readonly writer: CacheWriter<T>; readonly synced: Synced } {
  const { store, handlers, schedule, clock, key, rules, onWritten } = parts
  const synced = new SyncTracker()
  let newest: Snapshot<T> | undefined

  const write = (step: Step<T>): void => {
    switch (step.kind) {
      case 'set': {
        if (isNoChange(store.get(step.entry.key), step.entry, rules)) return
        const { before, after } = store.set(step.entry)
        for (const change of changesOf(before, after, { rules, initial: !synced.hasSynced() })) {
          handlers.dispatch(change)
        }
        return
      }
      case 'delete': {
        const held = store.delete(step.key, step.finalStateUnknown ? undefined : step.entry?.resourceVersion)
        const before = step.entry === undefined ? held : ownedEntry(step.entry)
        // client-go passes on the delete of an object it never saw; a log's readers go by what the cache held.
        if (before !== undefined && (held !== undefined || rules === 'client-go')) {
          handlers.dispatch({ kind: 'delete', before, finalStateUnknown: step.finalStateUnknown })
        }
        return
      }
      default:
        step satisfies never
    }
  }
  const markSynced = (): void => {
    synced.allGiven()
    handlers.markSynced()
  }
  const showAgain = (entry: Entry<T>, route: UpdateRoute): void =>
    handlers.dispatch({ kind: 'update', before: entry, after: entry, route })

  // By the rules of client-go an object that was given parsed may be another one under the same resourceVersion.
  const isUnchanged: IsUnchanged<T> =
    rules === 'log' ? isSameContent : (a, b) => a.bytes !== undefined && b.bytes !== undefined && isSameContent(a, b)

  const writer: CacheWriter<T> = {
    apply: (change, signal) => {
      write(toStep(change, key))
      onWritten()
      return handlers.room(signal)
    },
    applyAll: async (changes, signal) => {
      const { steps, indices, errors } = toSteps(changes, key)
      for (const step of steps) write(step)
      onWritten()
      await handlers.room(signal)
      if (errors.length > 0) throw new TransactionError(changes.length, indices, errors)
    },
    beginSnapshot: () => {
      const stage = store.beginStage(isUnchanged)
      const snapshot: Snapshot<T> = {
        initApply: (change) => {
          const step = toStep(change, key)
          if (step.kind === 'set') stage.set(step.entry)
          else stage.delete(step.key)
        },
        entry: (k) => stage.entry(k),
        initDone: async (resourceVersion, signal) => {
          if (snapshot !== newest) {
            throw new KubedeltaError('usage', 'Cannot swap in snapshot: it is done already or another one was begun')
          }
          newest = undefined
          const initial = !synced.hasSynced()
          const onClosed = store.pin()
          // By the rules of a log what kept its slot is no change.
          const wanted = handlers.isEmpty ? 'none' : rules === 'log' ? 'changed' : 'all'
          const pairs = store.show(resourceVersion, wanted)
          handlers.dispatchAll(new ChangeList({ storage: store.storage, pairs, rules, initial, onClosed }))
          onWritten()
          markSynced()
          await handlers.room(signal)
        },
      }
      newest = snapshot
      return snapshot
    },
    sync: (k, route, signal) => {
      const entry = store.get(k)
      if (entry !== undefined) showAgain(entry, route)
      return handlers.room(signal)
    },
    shouldResync: () => schedule.check(clock.now()),
    resyncCheckMs: () => schedule.checkMs,
    resync: (signal) => {
      handlers.dispatchAll(listOf(store, 'resync'))
      return handlers.room(signal)
    },
    bookmark: (resourceVersion) => store.bookmark(resourceVersion),
    markSynced,
    entry: (k) => store.get(k),
    entries: () => store.entriesAsOfNow(),
  }
  return { writer, synced }
}

/** All that a store holds, as initial adds or to be shown again. */
export function listOf<T>(store: Store<T>, as: 'initial' | 'resync'): ChangeList<T> {
  const onClosed = store.pin()
  const after = store.slots()
  const before = as === 'resync' ? after : new Int32Array(after.length).fill(ABSENT)
  const rules = as === 'resync' ? 'resync' : 'log'
  return new ChangeList({
    storage: store.storage,
    pairs: { before, after },
    rules,
    initial: as === 'initial',
    onClosed,
  })
}

type Step<T> =
  | { readonly kind: 'set'; readonly entry: Entry<T> }
  | {
      readonly kind: 'delete'
      readonly key: string
      readonly entry: Entry<T> | undefined
      readonly finalStateUnknown: boolean
    }

function toStep<T>(change: FeedChange<T>, key: KeyFunction<T>): Step<T> {
  switch (change.kind) {
    case 'set':
      return { kind: 'set', entry: parsedEntry(change.object, key) }
    case 'set-entry':
      return { kind: 'set', entry: change.entry }
    case 'delete': {
      const entry = parsedEntry(change.object, key)
      return { kind: 'delete', key: entry.key, entry, finalStateUnknown: change.finalStateUnknown }
    }
    case 'delete-key':
      return { kind: 'delete', key: change.key, entry: change.entry, finalStateUnknown: change.finalStateUnknown }
    default:
      return change satisfies never
  }
}

function toSteps<T>(
  changes: readonly FeedChange<T>[],
  key: KeyFunction<T>,
): { readonly steps: Step<T>[]; readonly indices: number[]; readonly errors: KubedeltaError[] } {
  const steps: Step<T>[] = []
  const indices: number[] = []
  const errors: KubedeltaError[] = []
  for (const [index, change] of changes.entries()) {
    try {
      steps.push(toStep(change, key))
      indices.push(index)
    } catch (error) {
      if (!(error instanceof KubedeltaError)) throw error
      errors.push(error)
    }
  }
  return { steps, indices, errors }
}
