// A Kubernetes cluster in this process: an apiserver over real HTTP, with faults and life on request.

import { randomInt } from 'node:crypto'
import { systemClock, type Clock } from '../../base/clock.ts'
import { KubedeltaError } from '../../base/errors.ts'
import { resourceName } from '../../object/resource.ts'
import { answer } from './api.ts'
import { Catalogue } from './catalogue.ts'
import { Chance, seededRandom } from './chance.ts'
import { react } from './controllers.ts'
import { speaksWatchList } from './discovery.ts'
import { Faults, refusal, type FaultTarget, type SimulatedFault } from './faults.ts'
import { textAt, type Json, type JsonObject } from './json.ts'
import type { ServedKind } from './kinds.ts'
import { mergePatch } from './merge-patch.ts'
import { Life, type LifeOptions } from './life.ts'
import type { ObjectReference } from './life-world.ts'
import { LoopbackServer } from './server.ts'
import { Store } from './store.ts'
import { Watches } from './watches.ts'
import { Writer, type ObjectPlace } from './write.ts'

export interface SimulatedClusterOptions {
  /** Time of timestamps, timeouts and bookmarks, and of its life. @default the system's */
  readonly clock?: Clock
  /** What UIDs, generated names and its life are drawn from. @default a new one, readable as `seed` */
  readonly seed?: number
  /** The minor version it plays: 1.26 and older have no aggregated discovery; 1.31 and older, and 1.33, no WatchList. @default 36 */
  readonly minor?: number
  /** Port on 127.0.0.1. @default any free one */
  readonly port?: number
  /** The counter of changes before the first one. @default 200 */
  readonly resourceVersion?: number
  /** Changes that each collection remembers at least; a watch from before them has expired. @default 10_000 */
  readonly historyLimit?: number
  /** How often a watch that takes bookmarks gets one, in milliseconds. @default 60_000 */
  readonly bookmarkMs?: number
}

/**
 * A simulated cluster; `startSimulatedCluster` makes one.
 *
 * - Serves discovery, lists, watches and writes of JSON as a kube-apiserver does, to kubectl and to any client; everybody may do everything.
 * - What controllers do at once is done: definitions are established, namespaces emptied, garbage collected, pods that are deleted end.
 *   Nothing becomes of a Deployment by itself: that is `life`.
 * - One process, one cluster: nothing outlives it.
 */
export class SimulatedCluster implements AsyncDisposable {
  readonly seed: number
  readonly #clock: Clock
  readonly #chance: Chance
  readonly #store: Store
  readonly #catalogue: Catalogue
  readonly #writer: Writer
  readonly #watches: Watches
  readonly #faults = new Faults()
  readonly #server: LoopbackServer

  constructor(options: SimulatedClusterOptions = {}) {
    const {
      clock = systemClock,
      minor = 36,
      resourceVersion = 200,
      historyLimit = 10_000,
      bookmarkMs = 60_000,
    } = options
    this.seed = options.seed ?? randomInt(2 ** 32)
    this.#clock = clock
    const chance = new Chance(seededRandom(this.seed))
    this.#chance = chance
    this.#store = new Store({ resourceVersion, historyLimit })
    this.#catalogue = new Catalogue(this.#store)
    const [store, catalogue, faults] = [this.#store, this.#catalogue, this.#faults]
    this.#writer = new Writer({
      store,
      catalogue,
      clock,
      chance,
      onWritten: (kind, written) => react(kind, written, { store, catalogue, clock, writer: this.#writer }),
    })
    const isServed = (kind: ServedKind): boolean =>
      !kind.isCustom || catalogue.find(kind.group, kind.version, kind.resource) !== undefined
    const timeoutMs = 1_800_000 * (1 + chance.random())
    this.#watches = new Watches({ store, clock, bookmarkMs, timeoutMs, isServed })
    const keys = {
      keys: [{ use: 'sig', kty: 'RSA', kid: chance.suffix(43), alg: 'RS256', n: chance.suffix(342), e: 'AQAB' }],
    }
    const [writer, watches, watchList] = [this.#writer, this.#watches, speaksWatchList(minor)]
    const address = (): string => this.#server.address
    const api = { store, catalogue, writer, watches, faults, clock, watchList, minor, keys, address }
    this.#server = new LoopbackServer((exchange) => answer(exchange, api))
    for (const name of ['default', 'kube-node-lease', 'kube-public', 'kube-system']) {
      this.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    }
  }

  /** `http://127.0.0.1:port`; good as `--server` of kubectl and of `kubedelta run`. */
  get url(): string {
    return `http://${this.#server.address}`
  }

  /** The text of a kubeconfig with this cluster alone. */
  get kubeconfig(): string {
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'simulated', cluster: { server: this.url } }],
      users: [{ name: 'anybody', user: {} }],
      contexts: [{ name: 'simulated', context: { cluster: 'simulated', user: 'anybody' } }],
      'current-context': 'simulated',
    })
  }

  /** The number of the last change. */
  get resourceVersion(): string {
    return String(this.#store.version)
  }

  /** Accepts connections, after a `goDown` on the same port. @throws Error when the port is taken */
  async listen(port?: number): Promise<void> {
    await this.#server.listen(port)
  }

  /** Resets all connections and refuses new ones until `listen`; the objects stay, and may be changed meanwhile. */
  async goDown(): Promise<void> {
    await this.#server.goDown()
  }

  /** What is there now, in the order of keys: the truth to which a replica is held. @throws KubedeltaError `unknown-resource` */
  objects(resource: string): readonly JsonObject[] {
    return this.#store
      .collection(resourceName(this.#kind(resource)))
      .entries()
      .map(({ object }) => object)
  }

  /** Creates an object, as somebody else would over HTTP. @returns the object as it is now @throws KubedeltaError as a refusal */
  create(object: JsonObject): JsonObject {
    const kind = this.#catalogue.kindOf(object)
    if (kind === undefined) throw unknown(`${textAt(object, 'apiVersion')} ${textAt(object, 'kind')}`)
    const namespace = kind.namespaced ? textAt(object, 'metadata', 'namespace') || 'default' : ''
    return this.#writer.create({ kind, namespace }, object).object
  }

  /** Changes an object by a merge patch (RFC 7396); a `status` alone is written as status. @throws KubedeltaError as a refusal */
  patch(reference: ObjectReference, patch: JsonObject): JsonObject {
    const kind = this.#kind(reference.resource)
    const isStatus = kind.hasStatus && Object.keys(patch).every((name) => name === 'status')
    const place = this.#place(reference, isStatus)
    return this.#writer.patch(place, (object): Json => mergePatch(object, patch)).entry.object
  }

  /** Deletes an object. @throws KubedeltaError as a refusal */
  delete(reference: ObjectReference): void {
    this.#writer.delete(this.#place(reference, false))
  }

  /** The life of this cluster, which begins with its first step; take one at a time. */
  life(options: LifeOptions = {}): Life {
    return new Life(this, options, { chance: this.#chance, clock: this.#clock })
  }

  /** Lets something go wrong with the next request that it is for. */
  fail(fault: SimulatedFault, target: FaultTarget = {}): void {
    this.#faults.add(fault, target)
  }

  /** How many faults wait for a request. */
  get pendingFaults(): number {
    return this.#faults.pending
  }

  /** Takes back the faults that wait for a request. */
  clearFaults(): void {
    this.#faults.clear()
  }

  /** How many watches are open; of a resource, or all. */
  openWatches(resource?: string): number {
    return this.#watches.count(resource)
  }

  /** Does something to each open watch; of a resource, or all. */
  strikeWatches(strike: WatchStrike, resource?: string): void {
    switch (strike.kind) {
      case 'drop':
        return this.#watches.drop(resource)
      case 'close':
        return this.#watches.close(resource)
      case 'corrupt':
        return this.#watches.corrupt(resource)
      case 'bookmark':
        return this.#watches.bookmark(resource)
      case 'error-event':
        return this.#watches.fail(refusal({ ...strike, kind: 'refuse' }), resource)
      default:
        return strike satisfies never
    }
  }

  /** Keeps the next change of a resource from every watch, for ever: only a list shows it. */
  forgetNext(resource: string): void {
    this.#writer.forgetNext(resourceName(this.#kind(resource)))
  }

  /** Forgets all changes before now: watches and lists from there are answered 410, open watches that kept up go on. */
  expireHistory(): void {
    this.#store.forgetHistory()
  }

  /** @throws what a request failed with that is a bug of this simulation */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]()
  }

  #kind(resource: string): ServedKind {
    const kind = this.#catalogue.named(resource)
    if (kind === undefined) throw unknown(resource)
    return kind
  }

  #place({ resource, namespace = '', name }: ObjectReference, isStatus: boolean): ObjectPlace {
    return { kind: this.#kind(resource), namespace, name, isStatus }
  }
}

/** What can happen to an open watch. */
export type WatchStrike =
  /** Its connection is reset. */
  | { readonly kind: 'drop' }
  /** It ends after what was sent, as when a server goes down in peace. */
  | { readonly kind: 'close' }
  /** Its next event does not parse. */
  | { readonly kind: 'corrupt' }
  /** It gets a bookmark, if it takes them. */
  | { readonly kind: 'bookmark' }
  /** It ends with an ERROR event: 410, 429, 500 and so on. */
  | { readonly kind: 'error-event'; readonly code: number; readonly message?: string }

/**
 * Starts a simulated cluster on loopback.
 * @throws Error when the port is taken
 * @example
 * await using cluster = await startSimulatedCluster({ seed: 7 })
 * cluster.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { color: 'blue' } })
 * cluster.fail({ kind: 'refuse', code: 429, retryAfterSeconds: 1 }, { verb: 'list' })
 */
export async function startSimulatedCluster(options: SimulatedClusterOptions = {}): Promise<SimulatedCluster> {
  const cluster = new SimulatedCluster(options)
  await cluster.listen(options.port)
  return cluster
}

function unknown(resource: string): KubedeltaError {
  return new KubedeltaError(
    'unknown-resource',
    `Cannot find ${resource}: wanted a resource that is served: define it first`,
  )
}
