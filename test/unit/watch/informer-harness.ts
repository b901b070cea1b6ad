// An informer on a fake source with a clock that stands still.

import assert from 'node:assert/strict'
import type { KubedeltaError } from '../../../src/base/errors.ts'
import { FakeSource, type FakeSourceOptions } from '../../../src/testing/fake-source.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import { createInformer, type Informer, type InformerOptions } from '../../../src/watch/informer.ts'
import { keptLog, type LogLine, type Pod } from '../cache/support.ts'

export interface InformerHarness {
  readonly source: FakeSource
  readonly clock: ManualClock
  readonly informer: Informer<Pod>
  readonly errors: KubedeltaError[]
  readonly lines: readonly LogLine[]
  /** Aborts when the story is over. */
  readonly signal: AbortSignal
  /** Begins to run; what `run` fails with fails the story, unless the story waits for it itself. */
  readonly run: () => Promise<void>
  /** Lets time pass and everything run that is ready then. */
  readonly advance: (ms?: number) => Promise<void>
  /** What the cache holds: `shop/a@3`, sorted. */
  readonly content: () => string[]
  readonly stop: () => void
}

export interface InformerHarnessOptions extends FakeSourceOptions {
  readonly informer?: Partial<InformerOptions<Pod>>
  /** Whether failures are kept in `errors` or left to the informer. @default 'kept' */
  readonly errorHandler?: 'kept' | 'default'
}

/**
 * Tells a story of an informer, not running at first. Nothing is random: delays are not jittered. In the end it is stopped and nothing
 * may be left open.
 */
export async function withInformer(
  { informer: options = {}, errorHandler = 'kept', ...sourceOptions }: InformerHarnessOptions,
  story: (harness: InformerHarness) => Promise<void>,
): Promise<void> {
  const source = new FakeSource({ resourceVersion: 0, ...sourceOptions })
  const clock = new ManualClock()
  const errors: KubedeltaError[] = []
  const lines: LogLine[] = []
  const controller = new AbortController()
  const informer = createInformer<Pod>({
    source,
    clock,
    random: () => 0,
    log: keptLog(lines),
    ...(errorHandler === 'kept' && { watchErrorHandler: (error) => errors.push(error) }),
    ...options,
  })
  let running: Promise<void> = Promise.resolve()
  const { signal } = controller
  const advance = async (ms = 0): Promise<void> => {
    await clock.advance(ms)
    // Handlers are called in turns of their own.
    await clock.advance(0)
    await clock.advance(0)
  }
  try {
    await story({
      source,
      clock,
      informer,
      errors,
      lines,
      signal,
      run: () => {
        running = informer.run(signal)
        // What it fails with is thrown by the last lines of this function.
        running.catch(() => {})
        return running
      },
      advance,
      content: () => contentOf(informer),
      stop: () => controller.abort(),
    })
  } finally {
    controller.abort()
  }
  await running
  assert.equal(source.openRequests, 0, 'requests left open')
  assert.equal(clock.sleepers, 0, 'timers left')
}

/** What a cache holds: `shop/a@3`, sorted. */
export function contentOf(informer: Informer<Pod>): string[] {
  return informer
    .listKeys()
    .map((key) => `${key}@${informer.get(key)?.metadata.resourceVersion ?? ''}`)
    .toSorted()
}
