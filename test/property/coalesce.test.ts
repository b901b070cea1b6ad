// What stands on a topic after any history of an object whose records sometimes wait.

import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { MAX_HANDED_BYTES, STALLED_MS } from '../../src/bridge/partition-outbox.ts'
import { Outbox } from '../../src/bridge/outbox.ts'
import { entriesOf, replacementEntries, type WireEntry } from '../../src/record/order.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import type { Appended, RecordGroup, TopicWriter } from '../../src/topic/port.ts'

type Action =
  | { readonly kind: 'update' | 'delete' | 'recreate'; readonly key: number; readonly size: number }
  /** The broker answers what it has so far; time passes; a record that is no change is appended. */
  | { readonly kind: 'acknowledge' | 'stall' | 'control' }

const changed = fc.record({
  kind: fc.constantFrom(
    'update' as const,
    'update' as const,
    'update' as const,
    'delete' as const,
    'recreate' as const,
  ),
  key: fc.integer({ min: 0, max: 2 }),
  size: fc.constantFrom(10, MAX_HANDED_BYTES),
})
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: changed },
  { weight: 2, arbitrary: fc.constantFrom<Action>({ kind: 'acknowledge' }, { kind: 'stall' }, { kind: 'control' }) },
)

const BYTES = Buffer.alloc(MAX_HANDED_BYTES)

/** What a change says: enough to tell whether it may follow what stands before it. */
interface Said {
  readonly key: string
  readonly op: string
  readonly uid: string
  readonly version: number
  readonly previous: string | null
}

/** What exists when a control record is appended, by key: that is what it says. */
type Objects = ReadonlyMap<string, { readonly uid: string; readonly version: number }>

/** A writer that appends at once and acknowledges when it is told to. */
class SlowWriter {
  readonly log: Array<Said | 'tombstone' | Objects> = []
  #unanswered: Array<() => void> = []

  writer(said: (group: RecordGroup) => readonly (Said | 'tombstone' | Objects)[]): TopicWriter {
    return {
      topic: 'topic',
      partitions: 1,
      producerId: '',
      append: (partition, group) => {
        const at: Appended = { partition, baseOffset: this.log.length }
        this.log.push(...said(group))
        const { promise, resolve } = Promise.withResolvers<Appended>()
        this.#unanswered.push(() => resolve(at))
        return promise
      },
      flush: async () => {},
      status: () => ({ pendingRecords: this.#unanswered.length, lastAttemptAtMs: undefined }),
      [Symbol.asyncDispose]: async () => {},
    }
  }

  get unanswered(): number {
    return this.#unanswered.length
  }

  async answer(): Promise<void> {
    for (const answer of this.#unanswered.splice(0)) answer()
    await turn()
  }
}

/** The objects as they are, the changes that tell of them, and the log behind an outbox. */
class World {
  readonly slow = new SlowWriter()
  readonly objects = new Map<string, { readonly uid: string; readonly version: number }>()
  readonly outbox: Outbox
  readonly #said = new Map<RecordGroup, readonly (Said | 'tombstone' | Objects)[]>()
  /** Deletes and creations, by uid. */
  readonly lives: string[] = []
  replaced = 0
  #versions = 0
  #now = 0

  constructor(coalesce: boolean) {
    this.outbox = new Outbox(
      this.slow.writer((group) => this.#said.get(group) ?? []),
      { coalesce, now: () => this.#now, onAppended: () => {} },
    )
  }

  async act(action: Action): Promise<void> {
    switch (action.kind) {
      case 'acknowledge':
        return this.slow.answer()
      case 'stall':
        this.#now += STALLED_MS + 1
        return
      case 'control': {
        const group: RecordGroup = { records: [] }
        this.#said.set(group, [new Map(this.objects)])
        void this.outbox.append(0, group)
        return
      }
      case 'update':
      case 'delete':
      case 'recreate':
        this.#change(action)
        return
      default:
        return action satisfies never
    }
  }

  async settle(): Promise<void> {
    while (this.slow.unanswered > 0) await this.slow.answer()
  }

  #change({ kind, key: number, size }: Extract<Action, { readonly key: number }>): void {
    const key = `default/k${number}`
    const before = this.objects.get(key)
    const version = ++this.#versions
    const previous = before === undefined ? null : { uid: before.uid, resourceVersion: String(before.version) }
    const object = BYTES.subarray(0, size)
    if (kind === 'delete') {
      if (before === undefined) return
      this.objects.delete(key)
      this.#append(key, entriesOf(recordOf(key, { op: 'DELETED', uid: before.uid, version, previous, object })))
    } else if (kind === 'update' && before !== undefined) {
      this.objects.set(key, { uid: before.uid, version })
      this.#append(key, entriesOf(recordOf(key, { op: 'UPDATED', uid: before.uid, version, previous, object })))
    } else {
      const uid = `u${version}`
      this.objects.set(key, { uid, version })
      const added = recordOf(key, { op: 'ADDED', uid, version, previous: null, object })
      const old = before && recordOf(key, { op: 'DELETED', uid: before.uid, version, previous, object })
      this.#append(key, old === undefined ? entriesOf(added) : replacementEntries(old, added))
    }
  }

  #append(key: string, entries: readonly WireEntry[]): void {
    for (const entry of entries) if (entry.kind === 'record') this.lives.push(...endOf(entry.record))
    const toGroup = (final: readonly WireEntry[]): RecordGroup => {
      const records = final.map(() => ({ key: Buffer.from(key), value: null, headers: [], timestampMs: 0 }))
      const group: RecordGroup = { records }
      this.#said.set(group, final.map(sayingOf))
      return group
    }
    void this.outbox.appendChange(0, { key, entries, toGroup }).then((outcome) => {
      if (outcome.kind === 'replaced') this.replaced++
    })
  }
}

interface Facts {
  readonly op: 'ADDED' | 'UPDATED' | 'DELETED'
  readonly uid: string
  readonly version: number
  readonly previous: KubeRecord['previous']
  readonly object: Buffer
}

function recordOf(key: string, { op, uid, version, previous, object }: Facts): KubeRecord {
  const [namespace = '', name = ''] = key.split('/')
  return {
    op,
    cause: 'WATCH',
    finalStateUnknown: false,
    initial: false,
    cluster: 'test',
    group: '',
    version: 'v1',
    resource: 'pods',
    kind: 'Pod',
    namespace,
    name,
    uid,
    resourceVersion: String(version),
    previous,
    observedAt: 0,
    epoch: 1,
    object,
  }
}

function sayingOf(entry: WireEntry): Said | 'tombstone' {
  if (entry.kind === 'tombstone') return 'tombstone'
  const { op, uid, resourceVersion, previous } = entry.record
  const before = previous === null ? null : `${previous.uid}@${previous.resourceVersion}`
  return { key: entry.key, op, uid, version: Number(resourceVersion), previous: before }
}

function isSaid(said: Said | 'tombstone' | Objects): said is Said {
  return typeof said === 'object' && 'op' in said
}

function endOf({ op, uid }: { readonly op: string; readonly uid: string }): readonly string[] {
  return op === 'UPDATED' ? [] : [`${op} ${uid}`]
}

/** Follows the log as a reader does: each record must fit what stands before it. Returns what exists in the end. */
function follow(log: SlowWriter['log']): Objects {
  const state = new Map<string, { readonly uid: string; readonly version: number }>()
  for (const [index, said] of log.entries()) {
    if (said === 'tombstone') continue
    if (!isSaid(said)) {
      assert.deepEqual(state, said, 'what stood before a control record stands there')
      continue
    }
    const { key, op, uid, version, previous } = said
    const before = state.get(key)
    if (op === 'ADDED') {
      assert.equal(before, undefined, 'nothing is added over what exists')
      assert.equal(previous, null)
    } else {
      assert.ok(before !== undefined && before.uid === uid, `${op} of what exists`)
      assert.equal(previous, `${before.uid}@${before.version}`, 'what a record says stood before it did')
      assert.ok(version > before.version)
    }
    if (op === 'DELETED') {
      assert.equal(log[index + 1], 'tombstone', 'a delete and its tombstone stay together')
      state.delete(key)
    } else state.set(key, { uid, version })
  }
  return state
}

const history = fc.array(action, { maxLength: 60 })

test('after any history the log is a life of each object that ends as the cluster does', async () => {
  await fc.assert(
    fc.asyncProperty(history, async (actions) => {
      const world = new World(true)
      for (const each of actions) await world.act(each)
      await world.settle()
      assert.deepEqual(follow(world.slow.log), world.objects)
      const lives = world.slow.log.flatMap((said) => (isSaid(said) ? endOf(said) : []))
      assert.deepEqual(lives, world.lives, 'no delete and no creation is lost')
      assert.equal(world.outbox.status().pendingRecords, 0)
    }),
    { numRuns: 2_000 },
  )
})

test('without coalescing each change is handed on at once', async () => {
  await fc.assert(
    fc.asyncProperty(history, async (actions) => {
      const world = new World(false)
      for (const each of actions) {
        await world.act(each)
        assert.equal(world.outbox.status().pendingRecords, world.slow.unanswered, 'nothing waits')
      }
      await world.settle()
      assert.equal(world.replaced, 0)
      assert.deepEqual(follow(world.slow.log), world.objects)
    }),
    { numRuns: 300 },
  )
})

test('while nothing is acknowledged at most one record of an object that exists waits, however often it changes', async () => {
  const world = new World(true)
  await world.act({ kind: 'update', key: 0, size: 10 })
  await world.act({ kind: 'stall' })
  for (let n = 0; n < 5_000; n++) await world.act({ kind: 'update', key: n % 2, size: 10 })
  assert.equal(world.outbox.status().pendingRecords, 3)
  assert.equal(world.slow.log.length, 1)
  await world.settle()
  assert.equal(world.replaced, 4_998)
  assert.deepEqual(follow(world.slow.log), world.objects)
})
