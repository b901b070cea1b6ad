// Turns deltas into records and appends them, keeping the index in step with what was appended.

import { fromUnknown } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { EncodeRecord } from '../codec/codec.ts'
import { resourceName } from '../object/resource.ts'
import type { Policy } from '../policy/policy.ts'
import { entriesOf, replacementEntries, type WireEntry } from '../record/order.ts'
import type { KubeRecord, Previous } from '../record/record.ts'
import type { RecordGroup, TopicRecord } from '../topic/port.ts'
import { partitionOf } from '../topic/partition.ts'
import type { Delta } from '../watch/delta.ts'
import { inArrivalOrder, type Arrival, type PoppedDeltas } from './arrival.ts'
import type { BridgeMetrics } from './bridge-metrics.ts'
import { causeOfDifference, decidePresent, type Inherited, type Sighting } from './decide.ts'
import { slicesOf, type LastStates } from './last-states.ts'
import type { Outbox } from './outbox.ts'
import { PolicyGate } from './policy-gate.ts'
import { RecordBuilder, type MissedFacts, type RecordOrigin } from './record-builder.ts'
import { Release } from './release.ts'
import { sizeOfSeen, type Seen } from './seen.ts'
import { WITHHELD_HASH, type IndexEntry, type TopicIndex } from './topic-index.ts'
import { toTopicRecords } from './wire.ts'
import { smallerEntries } from './withhold.ts'

export interface PublisherOptions extends RecordOrigin {
  readonly outbox: Outbox
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
 * - A delta is released once its records are acknowledged or replaced, so the bytes of what is on its way count against the budget.
 * - An object that a policy refuses or that the topic cannot take is published with `object: null`, counted and logged.
 * - `failure` rejects when the writer has failed for good; nothing is published after that.
 */
export class Publisher {
  readonly #options: PublisherOptions
  readonly #resource: string
  readonly #failure = Promise.withResolvers<never>()
  readonly #records: RecordBuilder
  readonly #gate: PolicyGate
  #rewritten = 0

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#resource = resourceName(options.resource)
    this.#records = new RecordBuilder(options, !options.inherited.synced)
    this.#gate = new PolicyGate({ ...options, resource: this.#resource })
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
    if (this.#rewritten > 0)
      this.#options.log.info('objects rewritten under the new policy', { count: this.#rewritten })
    this.#rewritten = 0
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
    const releases = new Map(entries.map((popped) => [popped, new Release(popped)]))
    try {
      for (const { arrivals, keys } of slicesOf(inArrivalOrder(entries), this.#options.index)) {
        const lastStates = keys.size === 0 ? NONE : await read(keys)
        for (const arrival of arrivals) {
          const release = releases.get(arrival.popped)
          if (release !== undefined) this.#publishArrival(arrival, { lastStates, settle: settling(release, arrival) })
        }
      }
    } finally {
      for (const release of releases.values()) release.seal()
    }
  }

  /** Deletes a key that is known to have left the selection. */
  publishDeselected(key: string, lastStates: LastStates): void {
    const entry = this.#options.index.get(key)
    if (entry === undefined) return
    const facts = {
      cause: 'SELECTOR',
      observedAt: this.#options.now(),
      object: this.#lastState(key, lastStates),
    } as const
    this.#append(key, entriesOf(this.#missed(key, entry, facts)), {})
  }

  #publishArrival({ popped, delta }: Arrival, context: Context): void {
    if (delta.kind === 'deleted') this.#publishDelete(popped, delta, context)
    else this.#publishPresent(popped, delta, context)
  }

  #publishPresent(
    { key, initial }: PoppedDeltas,
    delta: Exclude<Delta<Seen>, { kind: 'deleted' }>,
    { settle, lastStates }: Context,
  ): void {
    const { index, inherited } = this.#options
    const { observedAt } = delta.object
    const { object, bytes, hash } = this.#gate.pass(key, delta.object.object)
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
        return this.#append(key, entriesOf(this.#records.seen('ADDED', facts, null)), { settle, entry })
      case 'updated':
        if (decision.cause === 'POLICY') this.#rewritten++
        return this.#append(key, entriesOf(this.#records.seen('UPDATED', facts, decision.previous)), { settle, entry })
      case 'recreated': {
        const last = this.#lastState(key, lastStates)
        const deleted = this.#missed(key, decision.old, { cause: decision.cause, observedAt, object: last })
        const entries = replacementEntries(deleted, this.#records.seen('ADDED', facts, null))
        return this.#append(key, entries, { settle, entry })
      }
      default:
        return decision satisfies never
    }
  }

  #publishDelete(
    { key, initial }: PoppedDeltas,
    delta: Extract<Delta<Seen>, { kind: 'deleted' }>,
    { settle, lastStates }: Context,
  ): void {
    const entry = this.#options.index.get(key)
    // The object came and went without ever standing on the topic.
    if (entry === undefined) return
    const watched = delta.finalStateUnknown ? undefined : delta.object
    const cause = causeOfDifference(sightingOf(delta, initial), true)
    if (watched === undefined || (entry.uid !== '' && watched.object.uid !== entry.uid)) {
      const observedAt = watched?.observedAt ?? this.#options.now()
      // A list can find out that what was seen a moment ago has vanished: then that is the last state.
      const shown = delta.object?.object.uid === entry.uid ? this.#gate.pass(key, delta.object.object).bytes : null
      const missed = this.#missed(key, entry, { cause, observedAt, object: shown ?? this.#lastState(key, lastStates) })
      return this.#append(key, entriesOf(missed), { settle })
    }
    const facts = { ...this.#gate.pass(key, watched.object), observedAt: watched.observedAt, cause }
    this.#append(key, entriesOf(this.#records.seen('DELETED', facts, previousOf(entry))), { settle })
  }

  /** What the topic held, as the policy in force wants it. */
  #lastState(key: string, lastStates: LastStates): Buffer | null {
    const { metrics, log } = this.#options
    const bytes = lastStates.get(key)
    // Progress says under which policy its own partition was written; a run that was killed may have left another one behind.
    if (bytes !== undefined) return this.#gate.passAgain(key, bytes)
    metrics.objectsWithheld.inc({ resource: this.#resource, reason: 'last-state-unknown' })
    log.warn('deletion published without its last state: the topic does not hold it', { key })
    return null
  }

  /** A DELETED whose deletion nobody saw. */
  #missed(key: string, entry: IndexEntry, facts: Omit<MissedFacts, 'previous'>): KubeRecord {
    return this.#records.missed(key, { previous: previousOf(entry), ...facts })
  }

  /** Appends and notes: the index shows the outcome at once, its position follows with the acknowledgement. */
  #append(key: string, entries: readonly WireEntry[], { settle = () => () => {}, entry }: Appending): void {
    const { outbox, index, encode, metrics } = this.#options
    if (entry === undefined) index.delete(key)
    else index.set(key, entry)
    const partition = partitionOf(Buffer.from(key), outbox.partitions)
    const settled = settle()
    const toGroup = (final: readonly WireEntry[]): RecordGroup => {
      return { records: toTopicRecords(final, encode), whenTooLarge: this.#whenTooLarge(key, final, entry) }
    }
    outbox.appendChange(partition, { key, entries, toGroup }).then(
      (outcome) => {
        if (outcome.kind === 'replaced') {
          metrics.recordsCoalesced.inc({ resource: this.#resource })
        } else {
          const { baseOffset } = outcome.at
          if (entry !== undefined) entry.position = { partition, offset: baseOffset + outcome.entries.length - 1 }
          this.#acknowledged(outcome.entries)
        }
        settled()
      },
      (error: unknown) => {
        this.#fail(error)
        settled()
      },
    )
  }

  /** Gives smaller and smaller forms of a change, as long as the topic takes none of them. */
  #whenTooLarge(
    key: string,
    entries: readonly WireEntry[],
    entry: IndexEntry | undefined,
  ): () => readonly TopicRecord[] {
    const { metrics, log, encode } = this.#options
    let current = entries
    return () => {
      const smaller = smallerEntries(current)
      if (smaller === undefined) return []
      const last = smaller.at(-1)
      if (entry !== undefined && last?.kind === 'record' && last.record.object === null) entry.hash = WITHHELD_HASH
      metrics.objectsWithheld.inc({ resource: this.#resource, reason: 'too-large' })
      log.error('object withheld: it is larger than the topic takes; raise max.message.bytes of topic and broker', {
        key,
        bytes: objectBytes(current) - objectBytes(smaller),
      })
      current = smaller
      return toTopicRecords(smaller, encode)
    }
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
  readonly lastStates: LastStates
  /** Called once for each append; what it returns, once that is settled. */
  readonly settle: () => () => void
}

interface Appending extends Partial<Pick<Context, 'settle'>> {
  /** What the index shows from now on; absent after a delete. */
  readonly entry?: IndexEntry
}

function settling(release: Release, { delta }: Arrival): Context['settle'] {
  // A missed delete holds no bytes of its own.
  const bytes =
    delta.object === undefined || ('finalStateUnknown' in delta && delta.finalStateUnknown)
      ? 0
      : sizeOfSeen(delta.object)
  return () => release.add(bytes)
}

function objectBytes(entries: readonly WireEntry[]): number {
  return entries.reduce((sum, entry) => sum + (entry.kind === 'record' ? (entry.record.object?.length ?? 0) : 0), 0)
}

function sightingOf(delta: Delta<Seen>, first: boolean): Sighting {
  return 'reason' in delta ? { kind: 'listed', reason: delta.reason, first } : { kind: 'watched' }
}

function previousOf({ uid, resourceVersion }: IndexEntry): Previous {
  return { uid, resourceVersion }
}
