// Writes what a reflector sees into a cache: a list as one snapshot, what is watched change by change.

import type { Entry } from '../cache/entry.ts'
import type { CacheWriter, Snapshot } from '../cache/writer.ts'
import { KubedeltaError } from '../base/errors.ts'
import { keyOf } from '../object/key.ts'
import type { RawObject } from '../object/raw-object.ts'
import type { DeltaSink } from './delta.ts'
import type { EntryReader } from './informer-transform.ts'

/**
 * The end of a reflector that keeps whole objects.
 *
 * - A list is invisible until it is whole, then swapped in: handlers hear of what vanished first (client-go the_real_fifo.go,
 *   ReplacedAll; controller.go, processReplacedAllInfo). A list that failed leaves no trace.
 * - Between reflector and cache stands no delta queue: writing a cache is one synchronous step, so the queues that count are those of
 *   its handlers. They are bounded, and while one is full the reflector waits here and reads nothing from its socket.
 * - Where the transform fails, the key stays at its last good state, is absent if it never had one, and is tried again with the next
 *   state that the apiserver sends. Its deletion still deletes it.
 */
export class InformerSink<T> implements DeltaSink<RawObject> {
  readonly #writer: CacheWriter<T>
  readonly #reader: EntryReader<T>
  #list: { readonly snapshot: Snapshot<T>; readonly withheld: Set<string> } | undefined
  // Keys whose newest state the transform failed on.
  #withheld = new Set<string>()

  constructor(writer: CacheWriter<T>, reader: EntryReader<T>) {
    this.#writer = writer
    this.#reader = reader
  }

  /** Objects that the cache lacks or holds in an older state because the transform failed on them. */
  get withheld(): number {
    return this.#withheld.size
  }

  begin(): void {
    this.#list = { snapshot: this.#writer.beginSnapshot(), withheld: new Set() }
  }

  item(object: RawObject): void {
    const list = this.#list
    if (list === undefined) {
      throw new KubedeltaError('internal', 'Cannot take part of a list: wanted a list that has begun: there is none')
    }
    const entry = this.#read(object, list.withheld) ?? this.#writer.entry(keyOf(object.namespace, object.name))
    if (entry !== undefined) list.snapshot.initApply({ kind: 'set-entry', entry })
  }

  async end(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const list = this.#list
    this.#list = undefined
    this.#withheld = list?.withheld ?? this.#withheld
    await list?.snapshot.initDone(resourceVersion, signal)
  }

  add(object: RawObject, signal: AbortSignal): Promise<void> | void {
    return this.#set(object, signal)
  }

  update(object: RawObject, signal: AbortSignal): Promise<void> | void {
    return this.#set(object, signal)
  }

  delete(object: RawObject, signal: AbortSignal): Promise<void> | void {
    const key = keyOf(object.namespace, object.name)
    const withheld = this.#list?.withheld ?? this.#withheld
    const entry = this.#read(object, withheld)
    withheld.delete(key)
    // Without its last state the handlers get the one that the cache holds, and are told that it may not be the last.
    const change =
      entry === undefined
        ? ({ kind: 'delete-key', key, finalStateUnknown: true } as const)
        : ({ kind: 'delete-key', key, entry, finalStateUnknown: false } as const)
    if (this.#list !== undefined) return this.#list.snapshot.initApply(change)
    const room = this.#writer.apply(change, signal)
    this.#writer.bookmark(object.resourceVersion)
    return room
  }

  bookmark(resourceVersion: string): void {
    this.#writer.bookmark(resourceVersion)
  }

  #set(object: RawObject, signal: AbortSignal): Promise<void> | void {
    const entry = this.#read(object, this.#list?.withheld ?? this.#withheld)
    if (this.#list !== undefined) {
      // A streamed list: an earlier state of the object is in the snapshot already.
      if (entry !== undefined) this.#list.snapshot.initApply({ kind: 'set-entry', entry })
      return undefined
    }
    if (entry !== undefined) return this.#writer.apply({ kind: 'set-entry', entry }, signal)
    // Seen, if not taken: nothing is gained by watching from before it.
    this.#writer.bookmark(object.resourceVersion)
    return undefined
  }

  #read(object: RawObject, withheld: Set<string>): Entry<T> | undefined {
    const entry = this.#reader.read(object)
    const key = keyOf(object.namespace, object.name)
    if (entry === undefined) withheld.add(key)
    else withheld.delete(key)
    return entry
  }
}
