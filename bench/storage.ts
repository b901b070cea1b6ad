// Measures what a cache costs by the way it keeps its objects, and how long it holds the event loop: `node --expose-gc bench/storage.ts [OBJECTS] [BYTES]`.

import { setImmediate as turn } from 'node:timers/promises'
import { createCache } from '../src/cache/cache.ts'
import { bytesEntry, type Entry } from '../src/cache/entry.ts'
import type { StorageMode } from '../src/cache/storage.ts'
import type { CacheWriter } from '../src/cache/writer.ts'
import { paddedPod, podIdentity } from './support/padded-pod.ts'
import { print } from './support/report.ts'
import { timed } from './support/timed.ts'

const OBJECTS = Number(process.argv[2] ?? 1_000_000)
const BYTES = Number(process.argv[3] ?? 250)
/** As many as a fetch brings between two turns of the event loop. */
const RECORDS_A_TURN = 1_000
const NAMESPACES = 100

const { gc } = globalThis
if (gc === undefined) throw new Error('Cannot measure memory: wanted node --expose-gc')
const { signal } = new AbortController()

print(
  `${OBJECTS} objects of ${BYTES} bytes in ${NAMESPACES} namespaces; memory is counted with keys and the namespace index`,
)
// What stands outside the heap is given back late: the storage that keeps nothing there comes first.
for (const storage of ['object', 'bytes'] as const) await measure(storage)

async function measure(storage: StorageMode): Promise<void> {
  const before = memory()
  const { cache, writer, run } = createCache({ rules: 'log', storage })
  const first = await timed(() => fill(writer, 1))
  const after = memory()
  const heap = perObject(after.heapUsed - before.heapUsed)
  print(`${storage}: ${heap} bytes of V8 heap an object, ${perObject(after.external - before.external)} outside it`)
  print(`  first content            ${first}`)
  print(`  rebuilt, 1 in 10 changed ${await timed(() => fill(writer, 2))}`)
  const stop = new AbortController()
  const running = run(stop.signal)
  print(`  replayed to a handler    ${await timed(() => cache.addHandler({ onAdd: () => {} }).whenSynced(signal))}`)
  print(`  all updated              ${await timed(() => update(writer))}`)
  print(`  swapped for nothing      ${await timed(() => writer.beginSnapshot().initDone('', signal))}`)
  stop.abort()
  await running
}

/** A whole content, swapped in at once. */
async function fill(writer: CacheWriter<unknown>, round: number): Promise<void> {
  const snapshot = writer.beginSnapshot()
  for (let index = 0; index < OBJECTS; index++) {
    snapshot.initApply({ kind: 'set-entry', entry: entryOf(index, index % 10 === 0 ? round : 1) })
    if (index % RECORDS_A_TURN === 0) await turn()
  }
  await snapshot.initDone('1', signal)
}

async function update(writer: CacheWriter<unknown>): Promise<void> {
  for (let index = 0; index < OBJECTS; index++) {
    await writer.apply({ kind: 'set-entry', entry: entryOf(index, 3) }, signal)
    if (index % RECORDS_A_TURN === 0) await turn()
  }
}

function entryOf(index: number, round: number): Entry<unknown> {
  const identity = podIdentity(index, index * 10 + round, NAMESPACES)
  return bytesEntry({ bytes: paddedPod(identity, BYTES), ...identity })
}

function memory(): NodeJS.MemoryUsage {
  gc?.()
  gc?.()
  return process.memoryUsage()
}

function perObject(bytes: number): string {
  return (bytes / OBJECTS).toFixed(0)
}
