import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FakeSource } from '../../src/testing/fake-source.ts'
import { BridgeHarness, TOPIC, type Line, type RunningBridge } from '../support/bridge-harness.ts'
import { checkDigests, WrittenRecords } from '../support/written-digests.ts'

/** Several in each history. */
const DIGESTS = { digestIntervalMs: 15_000 }

type Action =
  | { readonly kind: 'put'; readonly name: string; readonly drop: boolean }
  | { readonly kind: 'delete'; readonly name: string; readonly drop: boolean }
  | { readonly kind: 'recreate'; readonly name: string; readonly drop: boolean }
  | { readonly kind: 'reset' | 'close' | 'refuse' | 'restart' | 'compact' | 'settle' | 'wait' }

const name = fc.constantFrom('a', 'b', 'c', 'd')
const change = (kind: 'put' | 'delete' | 'recreate'): fc.Arbitrary<Action> =>
  fc.record({ kind: fc.constant(kind), name, drop: fc.boolean() })
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: change('put') },
  { weight: 2, arbitrary: change('delete') },
  { weight: 2, arbitrary: change('recreate') },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Action>(
      { kind: 'reset' },
      { kind: 'close' },
      { kind: 'refuse' },
      { kind: 'restart' },
      { kind: 'compact' },
      { kind: 'settle' },
      { kind: 'wait' },
    ),
  },
)

test('after any history the topic equals the cluster, in the order of each object, each change once, and each digest its place', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
      const t = new BridgeHarness()
      // At 0, where no apiserver ever is, a list could not be told from one that may be anything.
      t.source = new FakeSource({ resourceVersion: 1 })
      let running = t.start(DIGESTS, { partitions: 2 })
      const written = new WrittenRecords(t.log, TOPIC)
      for (const each of actions) {
        // Before it is compacted.
        written.note()
        running = await perform(t, running, each)
      }
      // Changes that no watch has told about are found by a list, which a newer history than any watch has seen brings about.
      t.source.advanceTo(Number(t.source.resourceVersion) + 1)
      t.source.resetWatch()
      await settle(t, running)
      assert.ok(t.equals(), 'topic equals cluster')
      assertHistory(t.lines())
      await running.stop()
      written.note()
      checkDigests(written.records())
    }),
    { numRuns: 2_000 },
  )
})

async function perform(t: BridgeHarness, running: RunningBridge, action: Action): Promise<RunningBridge> {
  const { source } = t
  switch (action.kind) {
    case 'put':
      if (source.objects.has(`default/${action.name}`)) source.modify({ name: action.name }, { dropWatch: action.drop })
      else source.add({ name: action.name }, { dropWatch: action.drop })
      return running
    case 'delete':
      if (source.objects.has(`default/${action.name}`)) source.delete({ name: action.name }, { dropWatch: action.drop })
      return running
    case 'recreate':
      if (source.objects.has(`default/${action.name}`)) source.delete({ name: action.name }, { dropWatch: action.drop })
      source.add({ name: action.name }, { dropWatch: action.drop })
      return running
    case 'reset':
      source.resetWatch()
      return running
    case 'close':
      source.closeWatches()
      return running
    case 'refuse':
      source.failNext('watch', { kind: 'close' })
      return running
    case 'compact':
      t.log.compact('kubedelta.test.pods')
      return running
    case 'restart':
      await running.stop()
      return t.start(DIGESTS, { partitions: 2 })
    case 'settle':
      await settle(t, running)
      return running
    case 'wait':
      await t.clock.advance(1_000)
      return running
    default:
      return action satisfies never
  }
}

/** Lets time pass until the bridge has caught up with what it can know. */
async function settle(t: BridgeHarness, { bridge }: RunningBridge): Promise<void> {
  for (let rounds = 0; rounds < 40; rounds++) {
    await turns()
    t.source.bookmark()
    await turns()
    const [watch] = bridge.health().flatMap(({ watches }) => watches)
    const isCaughtUp = watch?.phase === 'watching' && watch.lastSyncResourceVersion === t.source.resourceVersion
    if (isCaughtUp && t.equals()) return
    await t.clock.advance(40_000)
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Nobody who reads the records of a key in order sees them contradict each other. */
function assertHistory(lines: readonly Line[]): void {
  const state = new Map<string, { uid: string; resourceVersion: number } | undefined>()
  const seen = new Set<string>()
  for (const line of lines) {
    const before = state.get(line.key)
    if (line.kind === 'tombstone') {
      state.delete(line.key)
      continue
    }
    const { op, uid, resourceVersion, previous, finalStateUnknown } = line.record
    const version = Number(resourceVersion)
    if (op === 'ADDED') assert.equal(previous, null)
    // Compaction may have taken what stood before, but nothing may go back.
    if (before !== undefined && before.uid === uid)
      assert.ok(version >= before.resourceVersion, `${line.key} goes back`)
    if (!finalStateUnknown) {
      const change = `${op} ${line.key} ${uid} ${resourceVersion}`
      assert.ok(!seen.has(change), `${change} twice`)
      seen.add(change)
    }
    state.set(line.key, op === 'DELETED' ? undefined : { uid, resourceVersion: version })
  }
}
