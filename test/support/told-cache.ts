// A cache with a snapshot, as a process has it, and a handler that adds up what it is told and notes whatever cannot be.

import assert from 'node:assert/strict'
import { createMetrics } from '../../src/base/metrics.ts'
import type { Handler } from '../../src/cache/handler.ts'
import { topicCache, type TopicCache } from '../../src/consumer/topic-cache.ts'
import type { ManualClock } from '../../src/testing/manual-clock.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import type { Pod } from '../unit/consumer/support.ts'
import { textOfPod } from './named-cluster.ts'

export interface ToldCacheOptions {
  readonly from: TopicLog
  readonly clock: ManualClock
  /** Of its snapshots. */
  readonly directory: string
  readonly intervalMs: number
  /** What may be shown. */
  readonly known: ReadonlySet<string>
}

/** A cache that runs from the start on. */
export class ToldCache {
  readonly #cache: TopicCache<Pod>
  readonly #known: ReadonlySet<string>
  readonly #metrics = createMetrics()
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>
  /** What the handler was told last, by name. */
  readonly #told = new Map<string, string>()
  readonly #newest = new Map<string, number>()
  readonly #mistakes: string[] = []

  constructor({ from, clock, directory, intervalMs, known }: ToldCacheOptions) {
    this.#known = known
    const source = { from, cluster: 'test', resource: 'pods', clock, metrics: this.#metrics }
    this.#cache = topicCache<Pod>({ ...source, snapshot: { directory, intervalMs } })
    this.#cache.addHandler(this.#handler())
    this.#ended = this.#cache.run(this.#stop.signal).catch((error: unknown) => {
      this.#mistakes.push(`ended with ${String(error)}`)
    })
  }

  /** Whether it has found its topic. */
  hasBegun(): boolean {
    return this.#cache.status().partitions.size > 0
  }

  /** Whether it has read all there is. */
  isIdle(): boolean {
    const { state, offsets } = this.#cache.status()
    return state === 'Live' && offsets.toDo === 0
  }

  /** Whether it is Live and shows this, and its handler was told all of it. */
  isAt(expected: readonly string[]): boolean {
    const text = expected.join()
    return this.#cache.status().state === 'Live' && this.#shown() === text && this.#sum() === text
  }

  /** @throws AssertionError where it showed, or told its handler, what cannot be */
  assertUnharmed(): void {
    assert.deepEqual(this.#mistakes, [])
    for (const pod of this.#cache.list()) assert.ok(this.#known.has(textOfPod(pod)), `never was ${textOfPod(pod)}`)
  }

  describe(): string {
    return JSON.stringify({ state: this.#cache.status().state, shown: this.#shown(), told: this.#sum() })
  }

  /** Returns what became of its snapshot, why it read its topic from the start, and whether it passed over broken rows. */
  async stop(): Promise<readonly string[]> {
    this.#stop.abort()
    await this.#ended
    this.assertUnharmed()
    const text = await this.#metrics.text()
    const counted = /^kubedelta_cache_(snapshot|rebuild)(?:_read)?s_total\{.*(?:result|reason)="([a-z-]+)"\} [1-9]/gm
    const met = [...text.matchAll(counted)].map(([, what, why]) => `${what} ${why}`)
    return this.#cache.status().brokenBatches > 0 ? [...met, 'broken row'] : met
  }

  #shown(): string {
    return this.#cache.list().map(textOfPod).toSorted().join()
  }

  #sum(): string {
    return [...this.#told.values()].toSorted().join()
  }

  #handler(): Handler<Pod> {
    return {
      onAdd: (pod) => {
        if (this.#told.has(pod.metadata.name)) this.#mistakes.push(`add of known ${textOfPod(pod)}`)
        this.#note(pod)
      },
      onUpdate: (before, pod) => {
        const known = this.#told.get(before.metadata.name)
        if (known !== textOfPod(before)) this.#mistakes.push(`update of ${known} from ${textOfPod(before)}`)
        this.#note(pod)
      },
      onDelete: (pod) => {
        const { name, uid } = pod.metadata
        if (this.#told.get(name)?.includes(`${uid} `) !== true) {
          this.#mistakes.push(`delete of unknown ${textOfPod(pod)}`)
        }
        this.#told.delete(name)
      },
    }
  }

  #note(pod: Pod): void {
    const { name, resourceVersion } = pod.metadata
    if (!this.#known.has(textOfPod(pod))) this.#mistakes.push(`never was ${textOfPod(pod)}`)
    if (Number(resourceVersion) < (this.#newest.get(name) ?? 0)) this.#mistakes.push(`back to ${textOfPod(pod)}`)
    this.#newest.set(name, Number(resourceVersion))
    this.#told.set(name, textOfPod(pod))
  }
}
