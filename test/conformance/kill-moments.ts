// A bridge that is killed at any moment of what it does: its next start publishes exactly the differences, over any log.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect } from '../../src/connect/connect.ts'
import { startSimulatedCluster, type SimulatedCluster } from '../../src/testing/simulated/cluster.ts'
import type { JsonObject } from '../../src/testing/simulated/json.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { CLUSTER, startBridge, type BridgeProcess } from '../support/bridge-process.ts'
import { dice, type Dice } from '../support/dice.ts'
import type { KafkaProxy } from '../support/kafka-proxy.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { RestlessObjects } from '../support/restless-objects.ts'
import {
  appendedIn,
  assertWellWritten,
  differences,
  entryOf,
  epochOf,
  sorted,
  type Entry,
  type Publish,
} from '../support/topic-differences.ts'
import { TopicMoments } from '../support/topic-moments.ts'
import { masked, writeUnmasked } from '../support/unmasked-topic.ts'
import { readAll, storySignal } from './log-content.ts'

/** Where the topics of the stories are. */
export interface KillableLog extends AsyncDisposable {
  /** For the test itself. */
  readonly url: string
  /** For the bridge. */
  readonly bridgeUrl: string
  /** Where the bridge comes through one. */
  readonly proxy?: KafkaProxy
}

export interface KillMomentsOptions {
  /** Names the log. */
  readonly name: string
  readonly open: () => Promise<KillableLog>
}

/** What a bridge is at when it is first killed. */
const PHASES = ['first list', 'relist', 'policy rewrite', 'shutdown'] as const
type Phase = (typeof PHASES)[number]

const OBJECTS = 500

/** Registers a test a phase. `KILL_MOMENTS_SEED` repeats the choices of a run, `KILL_MOMENTS_ROUNDS` sets how many stories each has. */
export function killMoments({ name, open }: KillMomentsOptions): void {
  const seed = Number(process.env['KILL_MOMENTS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  const rounds = Number(process.env['KILL_MOMENTS_ROUNDS'] ?? 4)
  describe(`over ${name}`, () => {
    let place: KillableLog
    let log: TopicLog
    const life = new AsyncDisposableStack()
    before(async () => {
      place = life.use(await open())
      log = life.use(await connect(place.url, { signal: storySignal() }))
    })
    after(() => life.disposeAsync())

    for (const phase of PHASES) {
      test(`after SIGKILL amid a ${phase} the next start publishes exactly the differences`, async (t) => {
        t.diagnostic(`${phase}: KILL_MOMENTS_SEED=${seed} repeats the choices`)
        for (let round = 0; round < rounds; round++) {
          const chance = dice(seed, `${name}, ${phase} ${round}`)
          await using story = await Story.open({ place, log, phase, chance, round })
          t.diagnostic(`${phase} ${round}: ${await story.run()}`)
        }
      })
    }
  })
}

interface StoryOptions {
  readonly place: KillableLog
  readonly log: TopicLog
  readonly phase: Phase
  readonly chance: Dice
  readonly round: number
}

interface StoryParts {
  readonly cluster: SimulatedCluster
  readonly kubeconfig: string
  readonly life: AsyncDisposableStack
}

/** One topic, whose bridge is killed once in the phase, then perhaps while it repairs that, and left in peace at last. */
class Story implements AsyncDisposable {
  readonly #options: StoryOptions
  readonly #parts: StoryParts
  readonly #objects: RestlessObjects
  readonly #prefix: string
  readonly #topic: string
  readonly #partitions: number
  readonly #moments: TopicMoments
  readonly #publish: Publish
  readonly #told: string[] = []
  /** What the cluster held while a bridge ran; undefined where that has changed meanwhile. In the order of their starts. */
  readonly #starts: { readonly atMs: number; readonly objects: readonly JsonObject[] | undefined }[] = []

  private constructor(options: StoryOptions, parts: StoryParts) {
    const { phase, chance, round, log, place } = options
    const resource = phase === 'policy rewrite' ? 'secrets' : 'configmaps'
    this.#options = options
    this.#parts = parts
    this.#objects = new RestlessObjects(parts.cluster, { resource, chance })
    this.#objects.create(OBJECTS)
    this.#prefix = `${phase.replace(' ', '-')}-${round}`
    this.#topic = `${this.#prefix}.${CLUSTER}.${resource}`
    this.#partitions = chance.pick([1, 1, 3])
    this.#moments = new TopicMoments({ log, topic: this.#topic, proxy: place.proxy })
    this.#publish = resource === 'secrets' ? masked : (object) => object
  }

  static async open(options: StoryOptions): Promise<Story> {
    const { chance, log } = options
    await using stack = new AsyncDisposableStack()
    // 33 answers a first list page by page, 36 as a watch.
    const minor = chance.pick([33, 36])
    const cluster = stack.use(await startSimulatedCluster({ seed: chance.below(2 ** 31), minor }))
    const kubeconfig = join(stack.use(temporaryFolder('kill-moments')).path, 'kubeconfig')
    writeFileSync(kubeconfig, cluster.kubeconfig, { mode: 0o600 })
    const story = new Story(options, { cluster, kubeconfig, life: stack.move() })
    const config = new Map([
      ['cleanup.policy', 'compact'],
      ['delete.retention.ms', '86400000'],
    ])
    const spec = { topic: story.#topic, partitions: story.#partitions, replicationFactor: -1, config }
    assert.equal(await log.admin.create(spec, storySignal()), 'created')
    return story
  }

  /** @returns what happened, in short */
  async run(): Promise<string> {
    await this.#interrupt()
    for (let repairs = this.#options.chance.below(3); repairs > 0; repairs--) {
      this.#objects.change()
      await this.#killStarting()
    }
    this.#objects.change()
    await using bridge = await this.#start('alone')
    await bridge.ready()
    await bridge.stop()
    await this.#assertExact()
    return `${this.#partitions} partitions: ${this.#told.join(', ')}`
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.life.disposeAsync()
  }

  /** Kills a bridge amid the phase. */
  async #interrupt(): Promise<void> {
    const { phase, log } = this.#options
    switch (phase) {
      case 'first list':
        return this.#killStarting()
      case 'policy rewrite':
        await writeUnmasked(log, { topic: this.#topic, partitions: this.#partitions, cluster: this.#parts.cluster })
        this.#objects.change()
        return this.#killStarting()
      case 'relist':
        return this.#killRelisting()
      case 'shutdown':
        return this.#killStopping()
      default:
        return phase satisfies never
    }
  }

  async #killStarting(): Promise<void> {
    // A fence before the differences, progress behind them.
    const most = (await this.#missing()) + 2 * this.#partitions
    await using moment = await this.#moments.draw(most, this.#options.chance)
    await using bridge = await this.#start('alone')
    await this.#kill(bridge, moment)
  }

  async #killRelisting(): Promise<void> {
    const { cluster } = this.#parts
    await using bridge = await this.#start('followed')
    await bridge.ready()
    const before = await this.#entries()
    // In one turn of the event loop: no watch brings these changes, and none can be opened from before them.
    cluster.strikeWatches({ kind: 'close' })
    this.#objects.change()
    cluster.expireHistory()
    const rows = [...differences(before, this.#objects.all, this.#publish).values()].flat().length
    await using moment = await this.#moments.draw(rows, this.#options.chance)
    await this.#kill(bridge, moment)
  }

  async #killStopping(): Promise<void> {
    const { chance, place } = this.#options
    await using bridge = await this.#start('followed')
    await bridge.ready()
    const churn = (): void => {
      for (let n = 0; n < 10; n++) this.#objects.changeOne()
    }
    {
      // Each batch of records brings about further changes.
      await using busy = await this.#moments.appended(50 + chance.below(200), undefined, churn)
      churn()
      await Promise.race([busy.come, failure(bridge)])
    }
    churn()
    // A shutdown that nobody answers waits for what it has sent.
    if (place.proxy !== undefined && chance.below(2) === 0) place.proxy.hold('responses')
    await using moment = await this.#moments.draw(4, chance)
    churn()
    bridge.signal('SIGTERM')
    await Promise.race([moment.come, bridge.exited])
    await bridge.kill()
    place.proxy?.release()
    this.#told.push(`${await bridge.exited} at ${moment.what}`)
  }

  async #kill(bridge: BridgeProcess, moment: { readonly what: string; readonly come: Promise<void> }): Promise<void> {
    await Promise.race([moment.come, failure(bridge)])
    await bridge.kill()
    this.#told.push(`killed at ${moment.what}`)
  }

  async #start(kind: 'alone' | 'followed'): Promise<BridgeProcess> {
    const { place } = this.#options
    // The `--to` that is given last wins.
    const args = ['--to', place.bridgeUrl, '-r', this.#objects.resource, '--prefix', this.#prefix]
    this.#starts.push({ atMs: Date.now(), objects: kind === 'alone' ? this.#objects.all : undefined })
    return startBridge({ brokers: 'localhost:1', kubeconfig: this.#parts.kubeconfig, args })
  }

  async #entries(): Promise<readonly Entry[]> {
    return (await readAll(this.#options.log, this.#topic)).map(entryOf)
  }

  async #missing(): Promise<number> {
    return [...differences(await this.#entries(), this.#objects.all, this.#publish).values()].flat().length
  }

  /** What each start appended is exactly what was missing when it began, as far as it came; the last one came to the end. */
  async #assertExact(): Promise<void> {
    const entries = await this.#entries()
    assertWellWritten(entries)
    const last = Math.max(...entries.map(epochOf))
    for (const [epoch, own] of Map.groupBy(entries, epochOf)) {
      const fencedAt = own.find((entry) => entry.kind === 'control')?.control.asOf ?? 0
      const objects = this.#starts.findLast(({ atMs }) => atMs <= fencedAt)?.objects
      if (objects === undefined) continue
      const before = entries.filter((entry) => epochOf(entry) < epoch)
      const wanted = differences(before, objects, this.#publish)
      const appended = appendedIn(own)
      const isLast = epoch === last
      const due = isLast ? wanted : new Map([...wanted].filter(([key]) => appended.has(key)))
      assert.deepEqual(sorted(appended), sorted(due), `epoch ${epoch}: ${this.#told.join(', ')}`)
      this.#told.push(`${appended.size} of ${wanted.size} differences`)
    }
  }
}

async function failure(bridge: BridgeProcess): Promise<never> {
  return assert.fail(`the bridge has ended by itself with ${await bridge.exited}:\n${bridge.output()}`)
}
