// Bridges that stand for election over one namespace of ConfigMaps, and what their Lease and their topic say.

import assert from 'node:assert/strict'
import type { BridgeOptions, BridgeProcess } from './bridge-process.ts'
import type { BridgeStory } from './bridge-story.ts'
import { configMap } from './cluster-objects.ts'
import { ready } from './ready.ts'
import { assertLives, clusterState, isRecord, shortOf, type TopicFollower, type TopicLine } from './topic-lines.ts'

export interface CandidatesOptions {
  readonly story: BridgeStory
  /** Names their namespace, their Lease and the prefix of their topics. */
  readonly name: string
  /** Lease duration, renew deadline, retry period. @default 10s, 6s, 500ms: what nobody has to wait for lasts on a busy machine too */
  readonly timing?: readonly [lease: string, renew: string, retry: string]
}

/** Several bridges of the same resource, one of which leads. */
export class Candidates {
  readonly name: string
  readonly #story: BridgeStory
  readonly #timing: readonly [string, string, string]

  constructor({ story, name, timing = ['10s', '6s', '500ms'] }: CandidatesOptions) {
    this.#story = story
    this.name = name
    this.#timing = timing
  }

  /** Makes their namespace, with some objects in it. */
  async prepare(objects: readonly string[] = ['a', 'b', 'c']): Promise<void> {
    await this.#story.plane.kubectl(['create', 'namespace', this.name])
    await this.create(objects)
  }

  async create(objects: readonly string[]): Promise<void> {
    await this.#story.create(
      this.#path,
      objects.map((name) => configMap(name)),
    )
  }

  /** Starts one, and waits until it is ready: as leader with everything published, or as standby with a warm index. */
  start(args: readonly string[] = [], options: Partial<BridgeOptions> = {}): Promise<BridgeProcess> {
    return this.#story.bridge([...this.flags, ...args], options)
  }

  get flags(): readonly string[] {
    const [lease, renew, retry] = this.#timing
    const times = ['lease-duration', lease, 'renew-deadline', renew, 'retry-period', retry]
    return [
      ...this.unelected,
      '--leader-elect',
      '--leader-elect-name',
      this.name,
      '--leader-elect-namespace',
      this.name,
      ...times.map((text, n) => (n % 2 === 0 ? `--leader-elect-${text}` : text)),
    ]
  }

  /** The same without election. */
  get unelected(): readonly string[] {
    return ['-r', 'configmaps', '-n', this.name, '--prefix', this.name]
  }

  /** Resolves once it holds the Lease and has fenced its topic. */
  async leads(bridge: BridgeProcess): Promise<void> {
    await ready(
      async () => {
        const isMaster = (await bridge.metric('leader_election_master_status', { name: this.name })) === 1
        if (!isMaster) throw new Error(bridge.output())
        const { status, text } = await bridge.get('/readyz')
        if (status !== 200) throw new Error(text)
      },
      { what: 'a leader' },
    )
  }

  /** Who holds the Lease; '' after a release. */
  async holder(): Promise<string> {
    const { body } = await this.#story.plane.request(this.#lease)
    const { spec }: { spec: { holderIdentity?: string } } = JSON.parse(body)
    return spec.holderIdentity ?? ''
  }

  /** Writes another holder into the Lease, as somebody with kubectl can. */
  async give(holder: string): Promise<void> {
    const spec = { holderIdentity: holder, leaseTransitions: 77 }
    const patch = JSON.stringify({ spec })
    await this.#story.plane.kubectl(['patch', 'lease', '-n', this.name, this.name, '--type=merge', '-p', patch])
  }

  follow(): TopicFollower {
    return this.#story.follow('configmaps', { prefix: this.name, args: ['--control'] })
  }

  read(): Promise<readonly TopicLine[]> {
    return this.#story.read('configmaps', { prefix: this.name, args: ['--control'] })
  }

  /** Replaces objects one after the other until the signal aborts. */
  async changeUntil(signal: AbortSignal, objects: readonly string[] = ['a', 'b', 'c']): Promise<void> {
    for (let round = 0; !signal.aborted; round++) {
      for (const name of objects) {
        const body = configMap(name, { step: String(round) })
        const answer = await this.#story.plane.request(`${this.#path}/${name}`, { method: 'PUT', body })
        assert.equal(answer.status, 200, answer.body)
      }
    }
  }

  /** Fails unless the topic comes to equal the cluster, with each state once, and no writer before its time or after it. */
  async assertWhole(topic: TopicFollower): Promise<void> {
    await topic.untilEqual(await clusterState(this.#story.plane, 'configmaps', ['-n', this.name]))
    const { lines } = topic
    assertLives(lines)
    assertEpochsRise(lines)
    const states = lines.filter(isRecord).map(shortOf)
    assert.equal(new Set(states).size, states.length, 'nothing stands there twice')
  }

  get #path(): string {
    return `/api/v1/namespaces/${this.name}/configmaps`
  }

  get #lease(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.name}/leases/${this.name}`
  }
}

/** The epoch of a record or control record; undefined for a tombstone, which has its delete's. */
export function epochOf(line: TopicLine): number | undefined {
  if (!line.tombstone) return line.epoch
  return line.control === undefined ? undefined : Number(line.headers['epoch'])
}

/** Fails where a record of an earlier leadership stands behind one of a later. */
export function assertEpochsRise(lines: readonly TopicLine[]): void {
  const highest = new Map<number, number>()
  for (const line of lines) {
    const epoch = epochOf(line)
    if (epoch === undefined) continue
    const before = highest.get(line.partition) ?? 0
    assert.ok(epoch >= before, `a zombie's write: epoch ${epoch} behind ${before}: ${shortOf(line)}`)
    highest.set(line.partition, epoch)
  }
}
