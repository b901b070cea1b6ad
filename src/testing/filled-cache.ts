// A cache that a test fills by hand: the interface of informers and topic caches, without a cluster and without a topic.

import { createCache, type Cache, type CacheOptions } from '../cache/cache.ts'
import type { FeedChange } from '../cache/writer.ts'

export interface FilledCacheOptions<T> extends Pick<CacheOptions<T>, 'indexers' | 'fields' | 'resource' | 'key'> {
  /** What it holds at first. @default nothing */
  readonly objects?: readonly T[]
}

/**
 * A cache whose feed is the test.
 *
 * - It is live from the start, with `objects` in it; handlers hear of them as initial adds, of what follows as changes.
 * - Handlers are called while `run` runs.
 * - Objects given to it are frozen, as those of every cache.
 */
export interface FilledCache<T> extends Cache<T> {
  /** Adds the object, or puts it in place of the one under its key. */
  put(object: T): void
  /** Deletes what stands under the key; nothing where there is none. */
  remove(key: string, options?: { readonly finalStateUnknown?: boolean }): void
  run(signal: AbortSignal): Promise<void>
  whenLive(signal: AbortSignal): Promise<void>
}

/**
 * @throws KubedeltaError `usage` for an object without a key
 * @example
 * const pods = filledCache<Wire<V1Pod>>({ objects: [cart] })
 * const service = createService({ pods })
 * pods.put({ ...cart, spec: { ...cart.spec, nodeName: 'node-7' } })
 */
export function filledCache<T>({ objects = [], ...options }: FilledCacheOptions<T> = {}): FilledCache<T> {
  const { cache, writer, run } = createCache<T>({ ...options, rules: 'log' })
  const never = new AbortController().signal
  // What a write returns is for holding back a feed; a test decides itself when to wait.
  const apply = (change: FeedChange<T>): void => void writer.apply(change, never)
  const put = (object: T): void => apply({ kind: 'set', object })
  for (const object of objects) put(object)
  writer.markSynced()
  return {
    ...cache,
    put,
    remove: (name, { finalStateUnknown = false } = {}) => apply({ kind: 'delete-key', key: name, finalStateUnknown }),
    run,
    whenLive: (signal) => cache.whenSynced(signal),
  }
}
