// Lets a simulated cluster live: rollouts, scaling, evictions, lost nodes, jobs, one change after the other.

import type { Clock } from '../../base/clock.ts'
import type { Chance } from './chance.ts'
import {
  crash,
  evict,
  forget,
  loseNode,
  preview,
  reconcile,
  reconfigure,
  rollOut,
  runJob,
  scale,
  type Activity,
  type LifeSize,
} from './life-activities.ts'
import { APPS, deployment, node } from './life-objects.ts'
import { World, type LivingCluster } from './life-world.ts'

export interface LifeOptions {
  /** Changes a second. @default 20 */
  readonly rate?: number
  /** @default 3 */
  readonly nodes?: number
  /** @default ['shop', 'data'] */
  readonly namespaces?: readonly string[]
  /** Deployments in each namespace, at most 8. @default 4 */
  readonly deployments?: number
  /** Most pods of a Deployment. @default 5 */
  readonly maxReplicas?: number
  /** About how large a pod is at least, in bytes; by themselves they have about 2,900. @default 0 */
  readonly podBytes?: number
  /** Activities that go on at the same time. @default 4 */
  readonly activities?: number
}

/** How often each activity is begun, relative to the others. */
const ACTIVITIES: ReadonlyArray<readonly [weight: number, begin: (world: World, size: LifeSize) => Activity]> = [
  [5, rollOut],
  [5, scale],
  [4, evict],
  [4, crash],
  [4, reconfigure],
  [2, runJob],
  [1, loseNode],
  [1, preview],
  [1, forget],
]

/**
 * The life of one cluster.
 *
 * - Each step is one change that somebody asks for; what follows from it at once (the objects of a deleted namespace) is part of it.
 * - The same seed, options and order of steps make the same changes.
 * - Others may write meanwhile: what they take away is not missed.
 */
export class Life {
  readonly #options: Required<LifeOptions>
  readonly #clock: Clock
  readonly #world: World
  readonly #size: LifeSize
  #activities: Activity[] = []
  #isPopulated = false

  constructor(
    cluster: LivingCluster,
    options: LifeOptions,
    { chance, clock }: { readonly chance: Chance; readonly clock: Clock },
  ) {
    const { rate = 20, nodes = 3, namespaces = ['shop', 'data'], deployments = 4 } = options
    const { maxReplicas = 5, podBytes = 0, activities = 4 } = options
    if (!(rate > 0)) throw new RangeError(`Cannot live: 'rate' must be > 0: current value is ${rate}`)
    this.#options = { rate, nodes, namespaces, deployments, maxReplicas, podBytes, activities }
    this.#clock = clock
    this.#size = { maxReplicas, podBytes }
    this.#world = new World(cluster, chance, clock)
  }

  /** Makes nodes, namespaces and applications, all at once; only the first call does anything. */
  populate(): void {
    if (this.#isPopulated) return
    this.#isPopulated = true
    const { nodes, namespaces, deployments } = this.#options
    const world = this.#world
    for (let index = 1; index <= nodes; index += 1) world.create(node(index, world.now()))
    for (const namespace of namespaces) {
      world.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
      for (const app of APPS.slice(0, deployments)) this.#populateApp(app, namespace)
    }
  }

  /** Makes one change. */
  step(): void {
    this.populate()
    const world = this.#world
    const before = world.version
    // An activity may find nothing to do; among so many one does, unless the cluster was emptied.
    for (let attempt = 0; attempt < 200 && world.version === before; attempt += 1) {
      while (this.#activities.length < this.#options.activities) this.#activities.push(this.#begin())
      const activity = world.chance.oneOf(this.#activities)
      if (activity?.next().done === true) this.#activities = this.#activities.filter((other) => other !== activity)
    }
  }

  /** Makes changes at the rate until the signal aborts; falls behind rather than bursts when this process is busy for long. */
  async run(signal: AbortSignal): Promise<void> {
    const gapMs = 1000 / this.#options.rate
    this.populate()
    let dueMs = this.#clock.now()
    try {
      while (!signal.aborted) {
        dueMs = Math.max(dueMs + gapMs, this.#clock.now() - MAX_BEHIND_MS)
        await this.#clock.sleep(Math.max(0, dueMs - this.#clock.now()), signal)
        this.step()
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  #populateApp(app: string, namespace: string): void {
    const world = this.#world
    const metadata = { name: app, namespace, labels: { app } }
    world.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { ...metadata, name: `${app}-settings` },
      data: { 'settings.yaml': 'revision: 1\n' },
    })
    world.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...metadata, name: `${app}-password` },
      stringData: { password: world.chance.suffix(12) },
    })
    world.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: { app }, ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }] },
    })
    const made = world.create(deployment(app, namespace, 1 + world.chance.below(this.#options.maxReplicas)))
    if (made === undefined) return
    const making = reconcile(world, made, this.#size)
    while (making.next().done !== true);
  }

  #begin(): Activity {
    const total = ACTIVITIES.reduce((sum, [weight]) => sum + weight, 0)
    let draw = this.#world.chance.below(total)
    const [, begin] = ACTIVITIES.find(([weight]) => (draw -= weight) < 0) ?? ACTIVITIES[0] ?? [0, forget]
    return begin(this.#world, this.#size)
  }
}

const MAX_BEHIND_MS = 250
