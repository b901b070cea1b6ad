// Follows one resource of a simulated cluster through the real client, source and reflector, into a map.

import { systemClock, type Clock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts'
import { findResource } from '../../src/kube/catalogue.ts'
import { loadCredentials } from '../../src/kube/credentials.ts'
import { discover } from '../../src/kube/discovery.ts'
import { keyOf } from '../../src/object/key.ts'
import type { RawObject } from '../../src/object/raw-object.ts'
import { compareResourceVersions } from '../../src/object/resource-version.ts'
import type { SimulatedCluster } from '../../src/testing/simulated/cluster.ts'
import { textAt } from '../../src/testing/simulated/json.ts'
import type { DeltaSink, ListReason } from '../../src/watch/delta.ts'
import { createHttpSource } from '../../src/watch/http-source.ts'
import { Reflector } from '../../src/watch/reflector.ts'

/** The reflector's waits, cut short: what is waited for here is the cluster. */
const hastyClock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 2), signal) }

/** A map of what the reflector has said, and how far it has come. */
export class SimulatedReplica implements AsyncDisposable {
  readonly objects = new Map<string, string>()
  /** Why each list was made that was handed over whole. */
  readonly lists: ListReason[] = []
  readonly #client: KubeClient
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  #listed: Set<string> | undefined
  #reason: ListReason = 'initial'
  #progress = ''
  #changed = Promise.withResolvers<void>()

  constructor(client: KubeClient, reflectorOf: (sink: DeltaSink<RawObject>) => Reflector) {
    this.#client = client
    this.#running = reflectorOf(this.#sink()).run(this.#stop.signal)
  }

  /** Resolves once everything up to the cluster's last change has been seen. */
  async caughtUp(cluster: SimulatedCluster): Promise<void> {
    const wanted = cluster.resourceVersion
    while ((compareResourceVersions(this.#progress, wanted) ?? -1) < 0) {
      await Promise.race([this.#changed.promise, this.#running])
    }
  }

  /** Resolves once so many lists have ended. */
  async listed(count: number): Promise<void> {
    while (this.lists.length < count) await Promise.race([this.#changed.promise, this.#running])
  }

  /** Resolves once nothing is left. */
  async objectsGone(): Promise<void> {
    while (this.objects.size > 0) await Promise.race([this.#changed.promise, this.#running])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
    await this.#client[Symbol.asyncDispose]()
  }

  #sink(): DeltaSink<RawObject> {
    const changed = (): void => {
      this.#changed.resolve()
      this.#changed = Promise.withResolvers()
    }
    const set = (object: RawObject): void => {
      const key = keyOf(object.namespace, object.name)
      this.objects.set(key, object.bytes.toString())
      this.#listed?.add(key)
    }
    const reached = (resourceVersion: string): void => {
      this.#progress = resourceVersion
      changed()
    }
    return {
      begin: (reason) => {
        this.#reason = reason
        this.#listed = new Set()
      },
      item: set,
      end: (resourceVersion) => {
        for (const key of this.objects.keys()) if (this.#listed?.has(key) === false) this.objects.delete(key)
        this.#listed = undefined
        this.lists.push(this.#reason)
        reached(resourceVersion)
      },
      add: set,
      update: set,
      delete: (object) => {
        this.objects.delete(keyOf(object.namespace, object.name))
        changed()
      },
      bookmark: reached,
    }
  }
}

/** A client of a simulated cluster. */
export function clientOf(cluster: SimulatedCluster): KubeClient {
  const credentials = loadCredentials({ server: cluster.url, env: {} })
  return createKubeClient({
    credentials,
    userAgent: 'kubedelta/test',
    clock: systemClock,
    log: silentLogger,
    qps: 10_000,
    burst: 10_000,
  })
}

/** Begins to follow a resource; discovery must not fail. */
export async function follow(
  cluster: SimulatedCluster,
  resource: string,
  options: { readonly random?: () => number; readonly pageSize?: number } = {},
): Promise<SimulatedReplica> {
  const client = clientOf(cluster)
  const catalogue = await discover(client, AbortSignal.timeout(10_000))
  const source = createHttpSource({ client, resource: findResource(catalogue, resource) })
  return new SimulatedReplica(
    client,
    (sink) => new Reflector({ source, sink, clock: hastyClock, log: silentLogger, errorHandler: () => {}, ...options }),
  )
}

/** The keys under which the replica does not hold byte for byte what the cluster does. */
export function differences(replica: SimulatedReplica, cluster: SimulatedCluster, resource: string): readonly string[] {
  const truth = new Map(
    cluster.objects(resource).map((object) => {
      const metadata = object['metadata']
      return [keyOf(textAt(metadata, 'namespace'), textAt(metadata, 'name')), JSON.stringify(object)]
    }),
  )
  const keys = new Set([...truth.keys(), ...replica.objects.keys()])
  return [...keys].filter((key) => truth.get(key) !== replica.objects.get(key))
}
