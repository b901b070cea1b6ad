// Informers of a test on a real apiserver: waiting for what a cache holds, comparing it with kubectl.

import assert from 'node:assert/strict'
import { silentLogger } from '../../src/base/log.ts'
import type { Cache } from '../../src/cache/cache.ts'
import { informerFactory } from '../../src/watch/informer-factory.ts'
import type { InformerFactory } from '../../src/watch/informer-factory.ts'
import type { ControlPlane } from './control-plane.ts'

/** What the tests read of any object. */
export interface AnyObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid: string
    readonly resourceVersion: string
    readonly labels?: Readonly<Record<string, string>>
  }
}

/** A factory whose informers run. Disposing stops them, and fails with what they failed with. */
export interface RunningFactory extends AsyncDisposable {
  readonly factory: InformerFactory
}

/** Makes a factory for a cluster and runs it. */
export function runFactory(kubeconfig: string): RunningFactory {
  const factory = informerFactory({ kubeconfig, log: silentLogger })
  const stopping = new AbortController()
  const running = factory.run(stopping.signal)
  // Awaited when it is disposed of.
  running.catch(() => {})
  return {
    factory,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await running
    },
  }
}

/** Resolves once the cache is so, looking after each of its changes. @throws the signal's reason when it aborts first */
export async function until<T>(cache: Cache<T>, isSo: () => boolean, signal: AbortSignal): Promise<void> {
  const reached = Promise.withResolvers<void>()
  const look = (): void => {
    if (isSo()) reached.resolve()
  }
  const onAbort = (): void => reached.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const registration = cache.addHandler({ onAdd: look, onUpdate: look, onDelete: look })
  try {
    look()
    await reached.promise
  } finally {
    registration.remove()
    signal.removeEventListener('abort', onAbort)
  }
}

/** The objects that kubectl lists, by key. */
export async function kubectlList(
  plane: ControlPlane,
  resource: string,
  args: readonly string[] = ['-A'],
): Promise<ReadonlyMap<string, AnyObject>> {
  const { stdout } = await plane.kubectl(['get', resource, ...args, '-o', 'json', '--show-managed-fields'])
  const { items }: { readonly items: readonly AnyObject[] } = JSON.parse(stdout)
  return new Map(items.map((object) => [keyOf(object), object]))
}

/** Fails unless the cache holds exactly what kubectl lists, field by field. */
export async function assertEqualsKubectl(
  cache: Cache<AnyObject>,
  plane: ControlPlane,
  resource: string,
  args?: readonly string[],
): Promise<void> {
  const listed = await kubectlList(plane, resource, args)
  const held = new Map(cache.listKeys().map((key) => [key, cache.get(key)]))
  assert.deepEqual([...held.keys()].toSorted(), [...listed.keys()].toSorted())
  for (const [key, object] of listed) assert.deepEqual(held.get(key), object, key)
}

function keyOf({ metadata: { namespace, name } }: AnyObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}
