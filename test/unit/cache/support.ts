// What the tests of the cache share: objects, a log that is kept, a handler that records, a cache that runs until its test ends.

import type { LogFields, Logger } from '../../../src/base/log.ts'
import { createCache, type Cache, type CacheOptions } from '../../../src/cache/cache.ts'
import type { Handler } from '../../../src/cache/handler.ts'
import type { CacheWriter } from '../../../src/cache/writer.ts'

export interface Pod {
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid?: string
    readonly resourceVersion?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly ownerReferences?: ReadonlyArray<{ readonly uid: string }>
  }
  readonly spec?: { readonly nodeName?: string }
}

/** A pod of namespace `shop` whose uid follows from its name. */
export function pod(name: string, resourceVersion: string, more: Partial<Pod['metadata']> = {}): Pod {
  return { metadata: { namespace: 'shop', name, uid: `uid-${name}`, resourceVersion, ...more } }
}

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly fields: LogFields
}

/** A logger that keeps its lines. */
export function keptLog(lines: LogLine[] = [], base: LogFields = {}): Logger & { readonly lines: LogLine[] } {
  const write =
    (level: string) =>
    (message: string, fields: LogFields = {}): void =>
      void lines.push({ level, message, fields: { ...base, ...fields } })
  return {
    lines,
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    with: (fields) => keptLog(lines, { ...base, ...fields }),
  }
}

/** A handler that writes down its calls as `add shop/a@1 initial`, `update shop/a@1 @2`, `delete shop/a@2 unknown`. */
export interface Recorder extends Handler<Pod> {
  readonly calls: string[]
  /** Resolves once so many calls were made. */
  count(calls: number): Promise<void>
}

export function recorder(onCall: (call: string) => void | Promise<void> = () => {}): Recorder {
  const calls: string[] = []
  const watchers: Array<{ readonly count: number; readonly resolve: () => void }> = []
  const record = (call: string): void | Promise<void> => {
    calls.push(call)
    for (const { count, resolve } of watchers) if (calls.length >= count) resolve()
    return onCall(call)
  }
  return {
    calls,
    count: (count) =>
      calls.length >= count ? Promise.resolve() : new Promise((resolve) => watchers.push({ count, resolve })),
    onAdd: (object, { initial }) => record(`add ${print(object)}${initial ? ' initial' : ''}`),
    onUpdate: (before, after) => record(`update ${print(before)} @${after.metadata.resourceVersion ?? ''}`),
    onDelete: (object, { finalStateUnknown }) =>
      record(`delete ${print(object)}${finalStateUnknown ? ' unknown' : ''}`),
  }
}

function print({ metadata }: Pod): string {
  return `${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}@${metadata.resourceVersion ?? ''}`
}

/** A cache that runs; disposing of it stops it and waits for its end. */
export interface RunningCache extends AsyncDisposable {
  readonly cache: Cache<Pod>
  readonly writer: CacheWriter<Pod>
  readonly signal: AbortSignal
  stop(): Promise<void>
}

export function runningCache(
  options: CacheOptions<Pod> = {},
  before: (cache: Cache<Pod>, writer: CacheWriter<Pod>) => void = () => {},
): RunningCache {
  const { cache, writer, run } = createCache<Pod>(options)
  before(cache, writer)
  const controller = new AbortController()
  const running = run(controller.signal)
  const stop = async (): Promise<void> => {
    controller.abort()
    await running
  }
  return { cache, writer, signal: controller.signal, stop, [Symbol.asyncDispose]: stop }
}

/** Swaps in these pods. */
export async function swap(
  { writer, signal }: Pick<RunningCache, 'writer' | 'signal'>,
  resourceVersion: string,
  ...pods: readonly Pod[]
): Promise<void> {
  const snapshot = writer.beginSnapshot()
  for (const object of pods) snapshot.initApply({ kind: 'set', object })
  await snapshot.initDone(resourceVersion, signal)
}

/** Resolves when everything that was ready to run has run. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
