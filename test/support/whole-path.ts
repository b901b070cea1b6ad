// The whole path in one process: simulated cluster over HTTP, bridge, a log in a directory, caches of its topics.

import assert from 'node:assert/strict'
import { ByteBudget } from '../../src/base/byte-budget.ts'
import { systemClock, type Clock } from '../../src/base/clock.ts'
import { hasCode } from '../../src/base/errors.ts'
import { silentLogger } from '../../src/base/log.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { Bridge, BUFFER_BYTES } from '../../src/bridge/bridge.ts'
import { createBridgeMetrics } from '../../src/bridge/bridge-metrics.ts'
import type { Handler } from '../../src/cache/handler.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { SchemaStore } from '../../src/codec/schema-source.ts'
import { topicCache, type TopicCache } from '../../src/consumer/topic-cache.ts'
import { findResource, type Catalogue } from '../../src/kube/catalogue.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { discover } from '../../src/kube/discovery.ts'
import { keyOf } from '../../src/object/key.ts'
import { textAt } from '../../src/base/fields.ts'
import type { SimulatedCluster } from '../../src/testing/simulated/cluster.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { createHttpSource } from '../../src/watch/http-source.ts'
import { clientOf } from '../property/simulated-replica.ts'

/** Waits are as many times shorter: what is waited for in earnest is the cluster, the disk and the network. */
const HASTE = 500

/** Long enough for a machine that is busy with something else. */
const PATIENCE_MS = 40_000

const hastyClock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / HASTE, signal) }

export interface WholePathOptions {
  readonly cluster: SimulatedCluster
  readonly log: TopicLog
  /** The cluster's name in the topics. */
  readonly name: string
  readonly resources: readonly string[]
}

/** A cache and what its handlers were told. */
interface Replica {
  readonly cache: TopicCache<unknown>
  /** What handlers that believed every call would hold: key -> uid and resourceVersion. */
  readonly heard: Map<string, string>
  /** Calls that contradict the ones before. */
  readonly contradictions: string[]
}

/** One cluster bridged to one log. */
export class WholePath implements AsyncDisposable {
  readonly #options: WholePathOptions
  readonly #client: KubeClient
  readonly #catalogue: Catalogue
  readonly #following = new AbortController()
  readonly #leaders: Leader[] = []
  readonly #replicas: Replica[] = []
  readonly #runs: Array<Promise<void>> = []

  private constructor(options: WholePathOptions, client: KubeClient, catalogue: Catalogue) {
    this.#options = options
    this.#client = client
    this.#catalogue = catalogue
  }

  /** Connects; nothing is bridged yet. */
  static async open(options: WholePathOptions): Promise<WholePath> {
    const client = clientOf(options.cluster)
    return new WholePath(options, client, await discover(client, AbortSignal.timeout(PATIENCE_MS)))
  }

  /** Whether a bridge was started that nobody has stopped. */
  get hasBridge(): boolean {
    return this.#leaders.length > 0
  }

  /** Starts a bridge beside whatever others run; when this resolves it leads every topic, and they are fenced. */
  async startBridge(): Promise<void> {
    const bridge = this.#bridge()
    const leader = new Leader(bridge)
    this.#leaders.push(leader)
    const leads = (): boolean => {
      const health = bridge.health()
      return health.length > 0 && health.every(({ writer }) => writer !== undefined)
    }
    await Promise.race([leader.failed, until(leads)])
  }

  /** Stops all bridges, fenced ones too. */
  async stopBridges(): Promise<void> {
    await Promise.all(this.#leaders.splice(0).map((leader) => leader.stop()))
  }

  /** Begins to follow the topics, beside whoever does already. */
  follow(): void {
    const { log, name, resources } = this.#options
    for (const resource of resources) {
      const cache = topicCache<unknown>({ from: log, cluster: name, resource, clock: hastyClock })
      const replica: Replica = { cache, heard: new Map(), contradictions: [] }
      cache.addHandler(believingHandler(replica))
      this.#replicas.push(replica)
      this.#runs.push(cache.run(this.#following.signal))
    }
  }

  /**
   * Waits until each cache says that it has come as far as the cluster, which must stand still, and compares at once.
   * @throws AssertionError where a cache is not what the cluster is, or its handlers were told something else
   */
  async assertEqual(): Promise<void> {
    const { cluster } = this.#options
    const wanted = cluster.resourceVersion
    const signal = AbortSignal.timeout(PATIENCE_MS)
    await Promise.race([
      Promise.all(this.#replicas.map(({ cache }) => cache.waitForResourceVersion(wanted, signal))),
      ...this.#runs,
      ...this.#leaders.map((leader) => leader.failed),
    ])
    for (const { cache, heard, contradictions } of this.#replicas) {
      const objects = cluster.objects(cache.resource)
      assert.deepEqual(byKey(cache.list()), byKey(objects), `cache of ${cache.resource}`)
      const states = new Map(objects.map((object) => [keyOfObject(object), stateOf(object)]))
      // Handlers hear of a change a few turns after the cache shows it.
      await until(() => isSame(heard, states))
      assert.deepEqual(heard, states, `handlers of ${cache.resource}`)
      assert.deepEqual(contradictions, [])
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#following.abort()
    await Promise.all(this.#runs)
    await this.stopBridges()
    await this.#client[Symbol.asyncDispose]()
  }

  #bridge(): Bridge {
    const { log, name, resources } = this.#options
    const budget = new ByteBudget(BUFFER_BYTES)
    const encode = encodeRecord({ kind: 'json' })
    return new Bridge({
      connection: log,
      resources: resources.map((resource) => ({
        resource: findResource(this.#catalogue, resource),
        namespaces: [],
        labelSelector: '',
        fieldSelector: '',
        partitions: undefined,
        named: true,
      })),
      createSource: (selected, namespace) => createHttpSource({ ...selected, client: this.#client, namespace }),
      cluster: name,
      clusterId: `id of ${name}`,
      holder: 'test',
      adoptTopic: false,
      applyScopeChange: false,
      replicationFactor: -1,
      compression: 'none',
      encoderFor: () => Promise.resolve(encode),
      writtenSchemas: {},
      schemas: new SchemaStore(),
      resyncMs: undefined,
      budget,
      metrics: createBridgeMetrics(createMetrics(), '0.0.0', () => budget.used),
      clock: hastyClock,
      random: () => 0,
      log: silentLogger,
    })
  }
}

/** A running bridge, which a later one may fence. */
class Leader {
  /** Rejects with what it failed with, which being fenced is not; never resolves. */
  readonly failed: Promise<never>
  readonly #ended: Promise<void>
  readonly #stop = new AbortController()

  constructor(bridge: Bridge) {
    const { promise, reject } = Promise.withResolvers<never>()
    this.failed = promise
    // Whoever waits for what this bridge is to do hears of it.
    promise.catch(() => {})
    this.#ended = bridge.run(this.#stop.signal).catch((error: unknown) => {
      if (!hasCode(error, 'fenced')) reject(error)
    })
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }
}

/** Keeps what a program would that believes what it is told, and notes where that cannot be. */
function believingHandler({ heard, contradictions }: Replica): Handler<unknown> {
  const note = (what: string): void => void contradictions.push(what)
  return {
    onAdd: (object) => {
      const key = keyOfObject(object)
      if (heard.has(key)) note(`${key} is added twice`)
      heard.set(key, stateOf(object))
    },
    onUpdate: (before, after) => {
      const key = keyOfObject(after)
      if (heard.get(key) !== stateOf(before)) note(`${key} is updated from what it was not`)
      if (versionOf(after) < versionOf(before)) note(`${key} goes back`)
      heard.set(key, stateOf(after))
    },
    onDelete: (object) => {
      const key = keyOfObject(object)
      if (heard.get(key)?.split(' ')[0] !== textAt(object, 'metadata', 'uid'))
        note(`${key} is deleted, which was not there`)
      heard.delete(key)
    },
  }
}

function keyOfObject(object: unknown): string {
  return keyOf(textAt(object, 'metadata', 'namespace'), textAt(object, 'metadata', 'name'))
}

function stateOf(object: unknown): string {
  return `${textAt(object, 'metadata', 'uid')} ${textAt(object, 'metadata', 'resourceVersion')}`
}

function versionOf(object: unknown): number {
  return Number(textAt(object, 'metadata', 'resourceVersion'))
}

function byKey(objects: readonly unknown[]): ReadonlyMap<string, unknown> {
  return new Map(objects.map((object) => [keyOfObject(object), object]))
}

function isSame(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, state]) => b.get(key) === state)
}

/** Waits turn by turn of the event loop; a claim that does not come true is left to the assertions behind. */
async function until(claim: () => boolean): Promise<void> {
  const signal = AbortSignal.timeout(PATIENCE_MS)
  while (!claim() && !signal.aborted) await new Promise((resolve) => setImmediate(resolve))
}
