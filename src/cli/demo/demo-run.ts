// The parts of the demo and what is done with them: a cluster lives, its bridge is killed, its successor makes good what was missed.

import { abortable } from '../../base/abort.ts'
import type { Clock } from '../../base/clock.ts'
import { runAll } from '../../base/lifecycle.ts'
import type { SimulatedCluster } from '../../testing/index.ts'
import type { TopicLog } from '../../topic/port.ts'
import { Activity } from './activity.ts'
import { BridgeChild } from './bridge-child.ts'
import { FollowedResource } from './followed-resource.ts'
import { outagePlan, missedSince, totalMissed, type Outage } from './outage.ts'
import { NOTHING_RECOVERED, recoveredSince, recoveredText, totalRecovered, type Recovered } from './recovered.ts'
import { sizeOf } from './states.ts'

/** What is bridged: all that lives in a simulated cluster. */
export const RESOURCES: readonly string[] = [
  'namespaces',
  'nodes',
  'pods',
  'deployments.apps',
  'replicasets.apps',
  'jobs.batch',
  'services',
  'configmaps',
  'secrets',
  'events',
]

/** Changes a second. */
const RATE = 25

/** How often it is looked whether something waited for has come. */
const LOOK_AGAIN_MS = 50

/** How long everything may take to become equal once the cluster stands still; a first list takes a second or two. */
const SETTLE_MS = 30_000

/** What the bridge is doing, as far as its topics show. */
export type BridgePhase =
  | { readonly kind: 'starting'; readonly pid: number }
  | { readonly kind: 'running'; readonly pid: number }
  | { readonly kind: 'killed' }
  | { readonly kind: 'stopped' }

/** Something worth telling, and when. */
export interface StoryLine {
  readonly atMs: number
  readonly text: string
}

export interface DemoRunOptions {
  readonly cluster: SimulatedCluster
  readonly connection: TopicLog
  /** URL of the same log. */
  readonly logUrl: string
  /** How long the cluster lives; undefined: until the signal aborts. Milliseconds. */
  readonly durationMs: number | undefined
  readonly clock: Clock
  readonly onStory: (line: StoryLine) => void
}

/**
 * One run of the demo.
 *
 * - `play` ends when the time is over or its signal aborts; `settle` then waits until everything is equal, whatever was going on.
 * - `follow` runs beside both.
 */
export class DemoRun implements AsyncDisposable {
  readonly resources: readonly FollowedResource[]
  readonly activity = new Activity()
  readonly outages: Outage[] = []
  readonly story: StoryLine[] = []
  readonly startedAtMs: number
  readonly #options: DemoRunOptions
  #bridge: BridgeChild | undefined
  #phase: BridgePhase = { kind: 'stopped' }
  #isEnding = false
  #endsAtMs: number | undefined
  /** Rejects with the first bridge that ended by itself. */
  readonly #bridgeFailed = Promise.withResolvers<never>()
  /** What stood on the topics when the present bridge was started. */
  #epochsBefore: ReadonlyMap<FollowedResource, number> = new Map()
  #recoveredBefore: Recovered = NOTHING_RECOVERED

  constructor(options: DemoRunOptions) {
    const { cluster, connection, clock } = options
    this.#options = options
    this.startedAtMs = clock.now()
    // Each wait hears of it; without one nobody asks.
    this.#bridgeFailed.promise.catch(() => {})
    this.resources = RESOURCES.map(
      (resource) =>
        new FollowedResource({
          resource,
          cluster,
          connection,
          clock,
          onRecord: (name, record, key) => this.activity.take(name, record, { key, atMs: clock.now() }),
        }),
    )
  }

  get phase(): BridgePhase {
    return this.#phase
  }

  /** Whether the cluster stands still to be compared. */
  get isEnding(): boolean {
    return this.#isEnding
  }

  /** When the cluster is to stand still; undefined: nobody knows yet, or it has no end. Milliseconds since the Unix epoch. */
  get endsAtMs(): number | undefined {
    return this.#endsAtMs
  }

  /** Feeds the caches and counts records until the signal aborts. @throws KubedeltaError as caches and readers do */
  async follow(signal: AbortSignal): Promise<void> {
    await runAll(
      signal,
      this.resources.map((resource) => (both: AbortSignal) => resource.run(both)),
    )
  }

  /**
   * Lets the cluster live and kills the bridge in the middle of it, again and again where there is no end.
   * @throws KubedeltaError when the bridge ends by itself
   */
  async play(signal: AbortSignal): Promise<void> {
    const { cluster, clock, durationMs } = this.#options
    const life = cluster.life({ rate: RATE })
    life.populate()
    const objects = RESOURCES.reduce((sum, resource) => sum + cluster.objects(resource).length, 0)
    this.#tell(`a simulated cluster of ${objects} objects serves ${cluster.url}`)
    this.#startBridge()
    await this.#whenSynced(signal)
    const endsAtMs = durationMs === undefined ? undefined : clock.now() + durationMs
    this.#endsAtMs = endsAtMs
    const over = new AbortController()
    await runAll(AbortSignal.any([signal, over.signal]), [
      (both) => life.run(both),
      (both) => abortable(this.#bridgeFailed.promise, both),
      async (both) => {
        await this.#outages(both)
        if (endsAtMs !== undefined) await clock.sleep(Math.max(0, endsAtMs - clock.now()), both)
        over.abort()
      },
    ])
  }

  /**
   * Waits until the caches equal the cluster, which stands still now, with a bridge that has made good whatever it missed. It waits
   * for half a minute; what is not equal by then is lost.
   * @throws KubedeltaError when the bridge ends by itself
   */
  async settle(): Promise<void> {
    this.#isEnding = true
    const signal = AbortSignal.timeout(SETTLE_MS)
    try {
      if (this.#bridge === undefined) this.#startBridge()
      if (this.#phase.kind === 'starting') await this.#whenSynced(signal)
      await this.#until(
        () => this.unrecovered().length === 0 && this.resources.every((each) => sizeOf(each.difference()) === 0),
        signal,
      )
    } catch (error) {
      // The comparison says what is missing.
      if (!signal.aborted) throw error
    }
  }

  /** Ends the bridge as an operator does. */
  async stopBridge(): Promise<void> {
    await this.#bridge?.stop()
    this.#bridge = undefined
    this.#phase = { kind: 'stopped' }
  }

  /** `resource key` of what was deleted behind a dead bridge's back and has not arrived as a Delete with its last state. */
  unrecovered(): readonly string[] {
    const tallies = new Map(this.resources.map(({ resource, tally }) => [resource, tally]))
    return this.outages.flatMap(({ missed }) =>
      missed.flatMap(({ resource, deleted }) =>
        [...deleted].flatMap(([uid, key]) =>
          tallies.get(resource)?.recoveredDeletions.has(uid) === true ? [] : [`${resource} ${key}`],
        ),
      ),
    )
  }

  /** What bridges have found out at their starts, all together. */
  recovered(): Recovered {
    return totalRecovered(this.resources.map(({ tally }) => tally))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bridge?.kill()
  }

  async #outages(signal: AbortSignal): Promise<void> {
    const { clock, durationMs } = this.#options
    const { untilFirst, lasting, between } = outagePlan(durationMs)
    await clock.sleep(untilFirst, signal)
    for (;;) {
      await this.#outage(lasting, signal)
      if (between === undefined) return
      await clock.sleep(between, signal)
    }
  }

  async #outage(lastingMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    await this.#bridge?.kill()
    this.#bridge = undefined
    this.#phase = { kind: 'killed' }
    const killedAtMs = clock.now()
    this.#tell('SIGKILL to the bridge; the cluster goes on without it')
    await Promise.all(this.resources.map((resource) => resource.readToEnd(signal)))
    const held = this.resources.map((resource) => ({ resource, states: resource.cacheStates() }))
    try {
      await clock.sleep(lastingMs, signal)
    } finally {
      const missed = held.map(({ resource, states }) =>
        missedSince(resource.resource, states, resource.clusterStates()),
      )
      const outage = { durationMs: clock.now() - killedAtMs, missed }
      this.outages.push(outage)
      const { created, changed, deleted } = totalMissed(outage)
      this.#tell(`missed meanwhile: ${created} objects created, ${changed} changed, ${deleted} deleted`)
    }
    this.#startBridge()
    await this.#whenSynced(signal)
  }

  #startBridge(): void {
    const { cluster, logUrl } = this.#options
    const bridge = new BridgeChild({ to: logUrl, server: cluster.url, resources: RESOURCES })
    bridge.failed.catch((error: unknown) => this.#bridgeFailed.reject(error))
    this.#bridge = bridge
    this.#phase = { kind: 'starting', pid: bridge.pid }
    this.#epochsBefore = new Map(this.resources.map((resource) => [resource, resource.tally.syncedEpoch]))
    this.#recoveredBefore = this.recovered()
    this.#tell(`bridge started, process ${bridge.pid}`)
  }

  /** Resolves once the bridge has written to each topic all that it found different. */
  async #whenSynced(signal: AbortSignal): Promise<void> {
    const epochs = [...this.#epochsBefore]
    await this.#until(() => epochs.every(([{ tally }, before]) => tally.syncedEpoch > before), signal)
    if (this.#phase.kind === 'starting') this.#phase = { ...this.#phase, kind: 'running' }
    const isFirst = epochs.every(([, before]) => before === 0)
    if (isFirst) this.#tell('every topic holds its first list; the caches are live')
    else this.#tell(`recovered: ${recoveredText(recoveredSince(this.#recoveredBefore, this.recovered()))}`)
  }

  /** Looks again and again; a bridge that fails ends the wait. @throws what it failed with; the signal's reason */
  async #until(claim: () => boolean, signal: AbortSignal): Promise<void> {
    const done = new AbortController()
    await runAll(AbortSignal.any([signal, done.signal]), [
      (both) => abortable(this.#bridgeFailed.promise, both),
      async (both) => {
        while (!claim()) await this.#options.clock.sleep(LOOK_AGAIN_MS, both)
        done.abort()
      },
    ])
    if (!done.signal.aborted) signal.throwIfAborted()
  }

  #tell(text: string): void {
    const line = { atMs: this.#options.clock.now(), text }
    this.story.push(line)
    this.#options.onStory(line)
  }
}
