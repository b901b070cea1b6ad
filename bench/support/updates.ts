// Updates pods at a steady rate and measures how long each update takes to its record.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'undici'
import { connect } from '../../src/connect/connect.ts'
import type { ReadBatch } from '../../src/topic/port.ts'
import { disposable, openPool, podKey } from './pods.ts'

export interface UpdateOptions {
  readonly server: string
  readonly ca: string
  readonly token: string
  readonly brokers: string
  /** Of the bridge that runs. */
  readonly topic: string
  readonly pods: number
  readonly seconds: number
  readonly signal: AbortSignal
}

export interface UpdateFigures {
  readonly updates: number
  /** Fewer than updates where two of one pod were seen as one. */
  readonly records: number
  /** The rate that the apiserver took. */
  readonly perSecond: number
  /** From before the PATCH was sent to its record in a reader's hands, in milliseconds. */
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** As the peer was measured with. */
const UPDATES_PER_SECOND = 170
const ANNOTATION = 'example.com/stamp'
const STAMP = /"example\.com\/stamp":"(\d+)"/

/** @throws Error when the apiserver refuses an update; what the reader throws */
export async function measureUpdates(options: UpdateOptions): Promise<UpdateFigures> {
  const { brokers, topic, seconds, signal } = options
  await using log = await connect(`kafka://${brokers}`, { signal })
  await using reader = await log.openReader({ signal })
  const from = await log.admin.offsets(topic, 'latest', signal)
  await using pool = disposable(openPool(options, CONNECTIONS))

  const latencies: number[] = []
  const lastStamp = Promise.withResolvers<number>()
  const done = new AbortController()
  const reading = readStamps(reader.read({ topic, from, signal: AbortSignal.any([signal, done.signal]) }), (stamp) => {
    latencies.push(Date.now() - stamp)
    void lastStamp.promise.then((last) => stamp === last && done.abort())
  })
  const startMs = Date.now()
  const updates = seconds * UPDATES_PER_SECOND
  const patches: Array<Promise<number>> = []
  for (let index = 0; index < updates; index++) {
    const waitMs = startMs + (index * 1000) / UPDATES_PER_SECOND - Date.now()
    if (waitMs > 0) await sleep(waitMs, undefined, { signal })
    patches.push(patch(pool, options, index))
  }
  await Promise.all(patches)
  const tookMs = Date.now() - startMs
  // One more behind all others: when its record comes, so have theirs.
  lastStamp.resolve(await patch(pool, options, updates))
  await reading
  return { updates, records: latencies.length, perSecond: (updates * 1000) / tookMs, ...quantiles(latencies) }
}

/** Enough that no update waits for a connection. */
const CONNECTIONS = 32

async function patch(pool: Pool, { token, pods }: UpdateOptions, index: number): Promise<number> {
  const { namespace, name } = podKey((index * STRIDE) % pods)
  const stamp = Date.now()
  const answer = await pool.request({
    path: `/api/v1/namespaces/${namespace}/pods/${name}`,
    method: 'PATCH',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/merge-patch+json' },
    body: JSON.stringify({ metadata: { annotations: { [ANNOTATION]: String(stamp) } } }),
  })
  const text = await answer.body.text()
  if (answer.statusCode === 200) return stamp
  throw new Error(`Cannot update ${namespace}/${name}: the apiserver says ${answer.statusCode}: ${text}`)
}

/** A prime, so that the updates spread over all pods. */
const STRIDE = 7919

async function readStamps(batches: AsyncIterable<ReadBatch>, onStamp: (stamp: number) => void): Promise<void> {
  for await (const { records } of batches) {
    for (const { value } of records) {
      const stamp = STAMP.exec(value?.toString('latin1') ?? '')?.[1]
      if (stamp !== undefined) onStamp(Number(stamp))
    }
  }
}

function quantiles(latencies: readonly number[]): Pick<UpdateFigures, 'p50Ms' | 'p99Ms' | 'maxMs'> {
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}
