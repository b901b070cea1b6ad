// Handlers: what a program registers to hear of the changes of a cache.

import type { Change } from './change.ts'

/**
 * Hears of the changes of a cache; each method may be left out.
 *
 * - Called when cache and indexes already show the change, one call at a time; a promise is awaited before the next call.
 * - For each key the calls come in the order of its states; between keys no order is promised.
 * - One that throws is logged and counted, and the next change comes at once (client-go crashes, or pauses for a second).
 * - `onUpdate` may get the same state twice: a resync.
 */
export interface Handler<T> {
  /** `initial`: part of what was there when the handler began to listen. */
  onAdd?(object: T, info: { readonly initial: boolean }): void | PromiseLike<void>
  onUpdate?(before: T, after: T): void | PromiseLike<void>
  /** The last state known; with `finalStateUnknown` the deletion itself was missed and the object may have changed before it. */
  onDelete?(object: T, info: { readonly finalStateUnknown: boolean }): void | PromiseLike<void>
}

/**
 * Shows a handler only the objects that pass (client-go FilteringResourceEventHandler): an object that begins to pass is added, one
 * that ceases to is deleted with the last state that passed. A filter that throws is a handler that throws.
 */
export function filteringHandler<T>(filter: (object: T) => boolean, handler: Handler<T>): Handler<T> {
  return {
    onAdd: (object, info) => (filter(object) ? handler.onAdd?.(object, info) : undefined),
    onUpdate: (before, after) => {
      const passes = filter(after)
      const passed = filter(before)
      if (passes && passed) return handler.onUpdate?.(before, after)
      if (passes) return handler.onAdd?.(after, { initial: false })
      if (passed) return handler.onDelete?.(before, { finalStateUnknown: false })
      return undefined
    },
    onDelete: (object, info) => (filter(object) ? handler.onDelete?.(object, info) : undefined),
  }
}

/** Calls the method that a change is for. */
export function callHandler<T>(handler: Handler<T>, change: Change<T>): void | PromiseLike<void> {
  switch (change.kind) {
    case 'add':
      return handler.onAdd?.(change.after.object, { initial: change.initial })
    case 'update':
      return handler.onUpdate?.(change.before.object, change.after.object)
    case 'delete':
      return handler.onDelete?.(change.before.object, { finalStateUnknown: change.finalStateUnknown })
    default:
      return change satisfies never
  }
}
