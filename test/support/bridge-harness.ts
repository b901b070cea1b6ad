// A whole bridge over fakes: a collection in memory on one side, a log in memory on the other.

import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { ByteBudget } from '../../src/base/byte-budget.ts'
import { silentLogger } from '../../src/base/log.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { Bridge, type BridgeOptions, type BridgedResource } from '../../src/bridge/bridge.ts'
import { createBridgeMetrics } from '../../src/bridge/bridge-metrics.ts'
import { toControlRecord } from '../../src/bridge/wire.ts'
import { encodeRecord, RecordDecoder } from '../../src/codec/codec.ts'
import { SchemaStore } from '../../src/codec/schema-source.ts'
import { fromHeaders, isReservedKey, type Control } from '../../src/record/control.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import { FakeSource } from '../../src/testing/fake-source.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { MemoryTopicLog } from '../../src/testing/memory-topic.ts'
import type { StoredRecord } from '../../src/topic/port.ts'

export const TOPIC = 'kubedelta.test.pods'

/** A record of the topic as a test reads it. */
export type Line =
  | { readonly kind: 'record'; readonly key: string; readonly record: KubeRecord }
  | { readonly kind: 'tombstone'; readonly key: string; readonly headers: Readonly<Record<string, string>> }

export interface WaitOptions {
  /** Whether the failure of a bridge ends the wait. @default 'thrown' */
  readonly failures?: 'thrown' | 'expected'
}

export interface RunningBridge {
  readonly bridge: Bridge
  readonly metrics: () => Promise<string>
  /** What `run` rejects with; a bridge that must not fail is stopped. */
  readonly ended: Promise<void>
  /** Aborts and waits for the end. */
  stop(): Promise<void>
}

export class BridgeHarness {
  source = new FakeSource()
  readonly log = new MemoryTopicLog()
  readonly clock = new ManualClock()
  #failure: { readonly error: unknown } | undefined

  start(options: Partial<BridgeOptions> = {}, selected: Partial<BridgedResource> = {}): RunningBridge {
    const metrics = createMetrics()
    const budget = new ByteBudget(1024 * 1024)
    const schemas = new SchemaStore()
    const { source, log, clock } = this
    const bridge = new Bridge({
      connection: log,
      resources: [
        {
          resource: source.resource,
          namespaces: [],
          labelSelector: '',
          fieldSelector: '',
          partitions: undefined,
          named: true,
          ...selected,
        },
      ],
      createSource: () => source,
      cluster: 'test',
      clusterId: 'cluster-1',
      holder: 'test',
      adoptTopic: false,
      applyScopeChange: false,
      replicationFactor: -1,
      compression: 'none',
      encoderFor: () => Promise.resolve(encodeRecord({ kind: 'json' })),
      writtenSchemas: {},
      schemas,
      resyncMs: undefined,
      // Control records are counted; who wants digests asks for them.
      digestIntervalMs: 0,
      budget,
      metrics: createBridgeMetrics(metrics, '0.0.0', () => budget.used),
      clock,
      random: () => 0,
      log: silentLogger,
      ...options,
    })
    const stop = new AbortController()
    const ended = bridge.run(stop.signal)
    ended.catch((error: unknown) => {
      this.#failure = { error }
    })
    return {
      bridge,
      ended,
      metrics: () => metrics.text(),
      stop: async () => {
        stop.abort()
        await ended
        assert.equal(budget.used, 0, 'the bridge gives back all bytes')
        assert.equal(source.openRequests, 0, 'no request stays open')
      },
    }
  }

  /** Everything that stands on the topic but control records. */
  lines(topic = TOPIC): readonly Line[] {
    return this.linesOf(this.log.records(topic))
  }

  /** These records but control records; what does not decode fails. */
  linesOf(records: readonly StoredRecord[]): readonly Line[] {
    return records.flatMap((stored) => lineOf(stored) ?? [])
  }

  controls(topic = TOPIC): readonly Control[] {
    return this.log.records(topic).flatMap(({ key, headers }) => fromHeaders(key.toString(), headers) ?? [])
  }

  /** Fences the topic as another bridge does. */
  async takeOver(holder: string, identity: Partial<Pick<Control, 'clusterId' | 'epoch'>> = {}): Promise<void> {
    const topic = TOPIC
    const { signal } = new AbortController()
    const writer = await this.log.openWriter({ topic, transactionalId: topic, signal })
    const last = this.controls(topic).at(-1)
    assert.ok(last !== undefined)
    const fence: Control = { ...last, kind: 'fence', epoch: last.epoch + 1, holder, ...identity }
    for (let partition = 0; partition < last.partitions; partition++) {
      await writer.append(partition, { records: [toControlRecord(fence)] })
    }
  }

  /** Waits, turn by turn of the event loop, until the claim holds. */
  async until(claim: () => boolean, what: string, { failures = 'thrown' }: WaitOptions = {}): Promise<void> {
    for (let turns = 0; turns < 10_000; turns++) {
      if (claim()) return
      await turn()
      if (failures === 'thrown' && this.#failure !== undefined) throw this.#failure.error
    }
    assert.fail(`never came true: ${what}; the topic holds ${JSON.stringify(this.lines().map(shortOf))}`)
  }

  /** Waits until the bridge is synced and has published all that the source holds. */
  async untilEqual({ bridge }: RunningBridge, options: WaitOptions = {}): Promise<void> {
    await this.until(() => isSynced(bridge) && this.equals(), 'topic equals source', options)
  }

  /** Whether the topic, read to its end, equals the source's objects: keys, uids, resourceVersions. */
  equals(): boolean {
    const state = new Map<string, string>()
    for (const line of this.lines()) {
      if (line.kind === 'tombstone') state.delete(line.key)
      else state.set(line.key, `${line.record.uid} ${line.record.resourceVersion}`)
    }
    const { objects } = this.source
    if (objects.size !== state.size) return false
    return [...objects].every(([key, { uid, resourceVersion }]) => state.get(key) === `${uid} ${resourceVersion}`)
  }
}

function isSynced(bridge: Bridge): boolean {
  const resources = bridge.health()
  return resources.length > 0 && resources.every(({ synced }) => synced)
}

/** `ADDED RECOVERY default/a@7`, `tombstone default/a`. */
export function shortOf(line: Line): string {
  if (line.kind === 'tombstone') return `tombstone ${line.key}`
  const { op, cause, resourceVersion, finalStateUnknown } = line.record
  return `${op} ${cause} ${line.key}@${resourceVersion}${finalStateUnknown ? ' finalStateUnknown' : ''}`
}

const decoder = new RecordDecoder(new SchemaStore())

function lineOf({ key: bytes, value, headers }: StoredRecord): Line | undefined {
  const key = bytes.toString()
  if (isReservedKey(key)) return undefined
  if (value !== null) return { kind: 'record', key, record: decoder.decode(value) }
  return { kind: 'tombstone', key, headers: Object.fromEntries(headers.map((header) => [header.name, header.value])) }
}
