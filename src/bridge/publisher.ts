// Turns deltas into records and appends them, keeping the index in step with what was appended.

import { fromUnknown } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { EncodeRecord } from '../codec/codec.ts'
import type { RawObject } from '../object/raw-object.ts'
import { resourceName } from '../object/resource.ts'
import type { Policy } from '../policy/policy.ts'
import { entriesOf, replacementEntries, type WireEntry } from '../record/order.ts'
import type { Cause, KubeRecord, Previous } from '../record/record.ts'
import type { TopicWriter } from '../topic/port.ts'
import { partitionOf } from '../topic/partition.ts'
import type { Delta } from '../watch/delta.ts'
import { inArrivalOrder, type PoppedDeltas } from './arrival.ts'
import type { BridgeMetrics } from './bridge-metrics.ts'
import { causeOfDifference, decidePresent, type Inherited, type Sighting } from './decide.ts'
import { slicesOf, type LastStates } from './last-states.ts'
import { RecordBuilder, type RecordOrigin } from './record-builder.ts'
import type { Seen } from './seen.ts'
import { WITHHELD_HASH, hashOf, type IndexEntry, type TopicIndex } from './topic-index.ts'
import { toTopicRecords } from './wire.ts'

export interface PublisherOptions extends RecordOrigin {
  readonly writer: TopicWriter
  readonly index: TopicIndex
  readonly policy: Policy
  readonly encode: EncodeRecord
  readonly inherited: Inherited
  readonly metrics: BridgeMetrics
  readonly log: Logger
  readonly now: () => number
}

/**
 * The writing half of one resource's bridge.
 *
 * - Records of one key are appended in the order of its deltas; what the topic already holds is not appended again.
 * - A delta is released once its records are acknowledged, so the bytes of what is on its way count against the budget.
 * - An object that a policy refuses or that the topic cannot take is published with `object: null`, counted and logged.
 * - `failure` rejects when the writer has failed for good; nothing is published after that.
 */
export class Publisher {
  readonly #options: PublisherOptions
  readonly #resource: string
  readonly #failure = Promise.withResolvers<never>()
  readonly #records: RecordBuilder

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#resource = resourceName(options.resource)
    this.#records = new RecordBuilder(options, !options.inherited.synced)
    // Who runs the publisher awaits it as well; this keeps an early failure from counting as unhandled.
    this.#failure.promise.catch(() => {})
  }

  /** Never resolves. @throws KubedeltaError as TopicWriter's `append` */
  get failure(): Promise<never> {
    return this.#failure.promise
  }

  /** From here on records are no longer marked `initial`. */
  markSynced(): void {
    this.#records.initial = false
  }

  /**
   * Appends what the deltas mean, in the order of their arrival.
   * @param entries all that was queued
   * @param read reads what the topic holds under these keys, what was appended before included
   * @throws what `read` throws; what was not appended by then is released all the same
   */
  async publish(
    entries: readonly PoppedDeltas[],
    read: (keys: ReadonlySet<string>) => Promise<LastStates>,
  ): Promise<void> {
    const units = new Map(entries.map((popped) => [popped, new Unit(() => popped.release())]))
    try {
      for (const { arrivals, keys } of slicesOf(inArrivalOrder(entries), this.#options.index)) {
        const lastStates = keys.size === 0 ? NONE : await read(keys)
        for (const { popped, delta } of arrivals) {
          const unit = units.get(popped)
          if (unit === undefined) continue
          if (delta.kind === 'deleted') this.#publishDelete(popped, delta, { unit, lastStates })
          else this.#publishPresent(popped, delta, { unit, lastStates })
        }
      }
    } finally {
      for (const unit of units.values()) unit.seal()
    }
  }

  /** Deletes a key that is known to have left the selection. */
  publishDeselected(key: string, lastStates: LastStates): void {
    const entry = this.#options.index.get(key)
    if (entry === undefined) return
    const unit = new Unit(() => {})
    const observedAt = this.#options.now()
    this.#append(key, entriesOf(this.#missed(key, entry, { cause: 'SELECTOR', observedAt, lastStates })), { unit })
    unit.seal()
  }

  #publishPresent(
    { key, initial }: PoppedDeltas,
    delta: Exclude<Delta<Seen>, { kind: 'deleted' }>,
    { unit, lastStates }: Context,
  ): void {
    const { index, inherited } = this.#options
    const { object: raw, observedAt } = delta.object
    const { object, bytes } = this.#applyPolicy(key, raw)
    const hash = bytes === null ? WITHHELD_HASH : hashOf(bytes)
    const { uid, resourceVersion } = object
    const decision = decidePresent(
      index.get(key),
      { uid, resourceVersion, hash },
      sightingOf(delta, initial),
      inherited,
    )
    if (decision.kind === 'nothing') return
    const entry: IndexEntry = { uid, resourceVersion, hash, position: undefined }
    const facts = { object, bytes, observedAt, cause: decision.cause }
    switch (decision.kind) {
      case 'added':
        return this.#append(key, entriesOf(this.#records.seen('ADDED', facts, null)), { unit, entry })
      case 'updated':
        return this.#append(key, entriesOf(this.#records.seen('UPDATED', facts, decision.previous)), { unit, entry })
      case 'recreated': {
        const deleted = this.#missed(key, decision.old, { cause: decision.cause, observedAt, lastStates })
        return this.#append(key, replacementEntries(deleted, this.#records.seen('ADDED', facts, null)), { unit, entry })
      }
      default:
        return decision satisfies never
    }
  }

  #publishDelete(
    { key, initial }: PoppedDeltas,
    delta: Extract<Delta<Seen>, { kind: 'deleted' }>,
    { unit, lastStates }: Context,
  ): void {
    const entry = this.#options.index.get(key)
    // The object came and went without ever standing on the topic.
    if (entry === undefined) return
    const watched = delta.finalStateUnknown ? undefined : delta.object
    const cause = causeOfDifference(sightingOf(delta, initial), true)
    if (watched === undefined || (entry.uid !== '' && watched.object.uid !== entry.uid)) {
      const observedAt = watched?.observedAt ?? this.#options.now()
      // A list can find out that what was seen a moment ago has vanished: then that is the last state.
      const shown = delta.object?.object.uid === entry.uid ? this.#applyPolicy(key, delta.object.object).bytes : null
      const states = shown === null ? lastStates : new Map([[key, shown]])
      return this.#append(key, entriesOf(this.#missed(key, entry, { cause, observedAt, lastStates: states })), { unit })
    }
    const facts = { ...this.#applyPolicy(key, watched.object), observedAt: watched.observedAt, cause }
    this.#append(key, entriesOf(this.#records.seen('DELETED', facts, previousOf(entry))), { unit })
  }

  #applyPolicy(key: string, raw: RawObject): { readonly object: RawObject; readonly bytes: Buffer | null } {
    const { policy, metrics, log } = this.#options
    const outcome = policy.apply(raw)
    switch (outcome.kind) {
      case 'unchanged':
        return { object: raw, bytes: raw.bytes }
      case 'changed':
        metrics.policy.inc({ resource: this.#resource, action: outcome.action })
        return { object: outcome.object, bytes: outcome.object.bytes }
      case 'withheld':
        metrics.objectsWithheld.inc({ resource: this.#resource, reason: outcome.reason })
        log.error('object withheld: its policy cannot be applied', { key, reason: outcome.message })
        return { object: raw, bytes: null }
      default:
        return outcome satisfies never
    }
  }

  /** A DELETED whose deletion nobody saw: the last state comes from the topic. */
  #missed(key: string, entry: IndexEntry, { cause, observedAt, lastStates }: Missed): KubeRecord {
    const object = lastStates.get(key) ?? null
    if (object === null) {
      this.#options.metrics.objectsWithheld.inc({ resource: this.#resource, reason: 'last-state-unknown' })
      this.#options.log.warn('deletion published without its last state: the topic does not hold it', { key })
    }
    return this.#records.missed(key, { previous: previousOf(entry), object, cause, observedAt })
  }

  /** Appends and notes: the index shows the outcome at once, its position follows with the acknowledgement. */
  #append(key: string, entries: readonly WireEntry[], { unit, entry }: { unit: Unit; entry?: IndexEntry }): void {
    const { writer, index, encode } = this.#options
    if (entry === undefined) index.delete(key)
    else index.set(key, entry)
    const partition = partitionOf(Buffer.from(key), writer.partitions)
    const whenTooLarge = (): ReturnType<typeof toTopicRecords> => {
      if (entry !== undefined) entry.hash = WITHHELD_HASH
      return toTopicRecords(this.#withhold(key, entries), encode)
    }
    const settle = unit.add()
    writer.append(partition, { records: toTopicRecords(entries, encode), whenTooLarge }).then(
      ({ baseOffset }) => {
        if (entry !== undefined) entry.position = { partition, offset: baseOffset + entries.length - 1 }
        this.#acknowledged(entries)
        settle()
      },
      (error: unknown) => {
        this.#fail(error)
        settle()
      },
    )
  }

  #withhold(key: string, entries: readonly WireEntry[]): readonly WireEntry[] {
    const { metrics, log } = this.#options
    metrics.objectsWithheld.inc({ resource: this.#resource, reason: 'too-large' })
    const bytes = entries.reduce(
      (sum, entry) => sum + (entry.kind === 'record' ? (entry.record.object?.length ?? 0) : 0),
      0,
    )
    log.error('object withheld: it is larger than the topic takes; raise max.message.bytes of topic and broker', {
      key,
      bytes,
    })
    return entries.map((entry) =>
      entry.kind === 'record' ? { ...entry, record: { ...entry.record, object: null } } : entry,
    )
  }

  #acknowledged(entries: readonly WireEntry[]): void {
    const { metrics, now } = this.#options
    for (const entry of entries) {
      if (entry.kind !== 'record') continue
      metrics.recordsPublished.inc({ resource: this.#resource, op: entry.record.op })
      metrics.publishLatency.observe({ resource: this.#resource }, Math.max(0, now() - entry.record.observedAt) / 1000)
    }
  }

  #fail(cause: unknown): void {
    const error = fromUnknown(cause, 'Cannot append records')
    if (error.code !== 'aborted') {
      this.#options.metrics.publishErrors.inc({ resource: this.#resource, reason: error.code })
    }
    this.#failure.reject(error)
  }
}

const NONE: LastStates = new Map()

interface Context {
  readonly unit: Unit
  readonly lastStates: LastStates
}

interface Missed {
  readonly cause: Cause
  readonly observedAt: number
  readonly lastStates: LastStates
}

/** Counts the appends of one popped entry and releases it when all are acknowledged. */
class Unit {
  readonly #release: () => void
  // Invariant: 1 for the unsealed unit itself, and 1 for each append not acknowledged.
  #open = 1

  constructor(release: () => void) {
    this.#release = release
  }

  add(): () => void {
    this.#open++
    return () => this.seal()
  }

  seal(): void {
    this.#open--
    if (this.#open === 0) this.#release()
  }
}

function sightingOf(delta: Delta<Seen>, first: boolean): Sighting {
  return 'reason' in delta ? { kind: 'listed', reason: delta.reason, first } : { kind: 'watched' }
}

function previousOf({ uid, resourceVersion }: IndexEntry): Previous {
  return { uid, resourceVersion }
}
