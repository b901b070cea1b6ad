// A reflector on a fake source, with the delta queue and a store behind it.

import assert from 'node:assert/strict'
import { ByteBudget } from '../../../src/base/byte-budget.ts'
import type { KubedeltaError } from '../../../src/base/errors.ts'
import type { LogFields, Logger } from '../../../src/base/log.ts'
import { keyOf } from '../../../src/object/key.ts'
import type { RawObject } from '../../../src/object/raw-object.ts'
import { FakeSource, type FakeRequest, type FakeSourceOptions } from '../../../src/testing/fake-source.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import { DeltaQueue } from '../../../src/watch/delta-queue.ts'
import type { Popped } from '../../../src/watch/delta-queue-popped.ts'
import type { Delta, ListReason } from '../../../src/watch/delta.ts'
import { Reflector, type ReflectorOptions } from '../../../src/watch/reflector.ts'

export interface HarnessOptions extends FakeSourceOptions {
  readonly reflector?: Partial<ReflectorOptions>
  /** What the consumer knows before it starts. */
  readonly known?: readonly RawObject[]
  /** Bytes that may be queued. @default 1 MiB */
  readonly limit?: number
}

/**
 * What a test sees and moves. Nothing is random: delays are not jittered, watches ask for 300 s. The first change has resourceVersion 1.
 */
export class Harness {
  readonly source: FakeSource
  readonly clock = new ManualClock()
  readonly budget: ByteBudget
  readonly store: Map<string, RawObject>
  readonly queue: DeltaQueue<RawObject>
  readonly reflector: Reflector
  /** What was taken from the queue: `added default/a@3`, `listed 3 initial`, `bookmark 4`. */
  readonly seen: string[] = []
  readonly errors: KubedeltaError[] = []
  readonly lists: ListReason[] = []
  readonly logs: Array<{ readonly level: string; readonly message: string; readonly fields: LogFields }> = []

  constructor({ reflector = {}, known = [], limit = 1_048_576, ...source }: HarnessOptions = {}) {
    this.source = new FakeSource(source)
    this.budget = new ByteBudget(limit)
    this.store = new Map(known.map((object) => [keyOf(object.namespace, object.name), object]))
    this.queue = new DeltaQueue<RawObject>({
      keyOf: (object) => keyOf(object.namespace, object.name),
      sizeOf: (object) => object.bytes.length,
      knownKeys: this.store,
      budget: this.budget,
    })
    this.reflector = new Reflector({
      source: this.source,
      sink: this.queue,
      clock: this.clock,
      log: this.#logger({}),
      random: () => 0,
      errorHandler: (error) => this.errors.push(error),
      onList: (reason) => this.lists.push(reason),
      ...reflector,
    })
  }

  /** The requests so far: `list 0 limit=500`, `list continue=C1 limit=4`, `watch 3`, `watch '' initial`. */
  get requests(): string[] {
    return this.source.requests.map(told)
  }

  /** Messages of warnings. */
  get warnings(): string[] {
    return this.logs.filter(({ level }) => level === 'warn').map(({ message }) => message)
  }

  /** Lets everything that is ready run, the consumer included. */
  async settle(): Promise<void> {
    await this.advance(0)
  }

  /** Lets time pass, and everything that is ready then run. */
  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms)
    for (let popped = this.queue.tryPop(); popped !== undefined; popped = this.queue.tryPop()) {
      this.#consume(popped)
      // What waited for room comes now.
      if (this.queue.size === 0) await this.clock.advance(0)
    }
  }

  assertSame(): void {
    assert.deepEqual(versions(this.store), versions(this.source.objects))
  }

  #consume(popped: Popped<RawObject>): void {
    if (popped.kind === 'deltas') for (const delta of popped.deltas) this.#apply(popped.key, delta)
    else if (popped.kind === 'listed') this.seen.push(`listed ${popped.resourceVersion} ${popped.reason}`)
    else this.seen.push(`bookmark ${popped.resourceVersion}`)
    popped.release()
  }

  #apply(key: string, delta: Delta<RawObject>): void {
    const kind = delta.kind === 'deleted' && delta.finalStateUnknown ? 'missed' : delta.kind
    this.seen.push(`${kind} ${key}@${delta.object?.resourceVersion ?? '?'}`)
    if (delta.kind === 'deleted') {
      this.store.delete(key)
      return
    }
    const before = this.store.get(key)
    assert.ok(
      before === undefined || Number(before.resourceVersion) <= Number(delta.object.resourceVersion),
      `${key} went back to ${delta.object.resourceVersion}`,
    )
    this.store.set(key, delta.object)
  }

  #logger(fields: LogFields): Logger {
    const write = (level: string) => (message: string, more?: LogFields) => {
      this.logs.push({ level, message, fields: { ...fields, ...more } })
    }
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      with: (more) => this.#logger({ ...fields, ...more }),
    }
  }
}

/** Runs the reflector through a story; in the end it is aborted, and nothing may be left open. */
export async function withReflector(
  options: HarnessOptions,
  story: (harness: Harness) => Promise<void>,
): Promise<void> {
  const harness = new Harness(options)
  const controller = new AbortController()
  const run = harness.reflector.run(controller.signal)
  // What it fails with is asserted below; until then it is handled.
  run.catch(() => {})
  try {
    await story(harness)
  } finally {
    controller.abort()
  }
  await run
  harness.queue[Symbol.dispose]()
  assert.equal(harness.source.openRequests, 0, 'requests left open')
  assert.equal(harness.clock.sleepers, 0, 'timers left')
  assert.equal(harness.budget.used, 0, 'bytes left')
}

function told(request: FakeRequest): string {
  const resourceVersion = request.resourceVersion === '' ? "''" : request.resourceVersion
  if (request.kind === 'watch') return `watch ${resourceVersion}${request.sendInitialEvents === true ? ' initial' : ''}`
  if (request.continue !== undefined) return `list continue=${request.continue} limit=${request.limit}`
  return `list ${resourceVersion} limit=${request.limit}`
}

function versions(objects: ReadonlyMap<string, RawObject>): Record<string, string> {
  return Object.fromEntries([...objects].map(([key, { uid, resourceVersion }]) => [key, `${uid} ${resourceVersion}`]))
}
