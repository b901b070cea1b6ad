// The real parts of one story of the bridge, and short ways to use them.

import assert from 'node:assert/strict'
import { startBridge } from './bridge-process.ts'
import type { BridgeOptions, BridgeProcess } from './bridge-process.ts'
import { startControlPlane } from './control-plane.ts'
import type { ControlPlane, ControlPlaneOptions } from './control-plane.ts'
import { startKafka } from './kafka.ts'
import type { KafkaCluster, KafkaOptions } from './kafka.ts'
import { followTopic, readTopic } from './topic-lines.ts'
import type { TopicFollower, TopicLine, TopicToRead } from './topic-lines.ts'

type TopicChoice = Omit<TopicToRead, 'brokers' | 'resource'>

/** A real Kafka and a real cluster. Disposing ends both. */
export interface BridgeStory extends AsyncDisposable {
  readonly kafka: KafkaCluster
  readonly plane: ControlPlane
  /** Starts a bridge, as the cluster's administrator unless told otherwise, and waits until it is ready. */
  bridge(args: readonly string[], options?: Partial<BridgeOptions>): Promise<BridgeProcess>
  follow(resource: string, options?: TopicChoice): TopicFollower
  read(resource: string, options?: TopicChoice): Promise<readonly TopicLine[]>
  /** Creates objects at a path of the apiserver, many at once. */
  create(path: string, objects: readonly object[]): Promise<void>
}

/** Starts the parts side by side. */
export async function startStory(
  options: { readonly plane?: ControlPlaneOptions; readonly kafka?: KafkaOptions } = {},
): Promise<BridgeStory> {
  await using stack = new AsyncDisposableStack()
  const starting = [
    startKafka(options.kafka).then((started) => stack.use(started)),
    startControlPlane(options.plane).then((started) => stack.use(started)),
  ] as const
  // Both are waited for, so that the stack ends the one that has started when the other has not.
  await Promise.allSettled(starting)
  const [kafka, plane] = await Promise.all(starting)
  const { brokers } = kafka
  const life = stack.move()
  return {
    kafka,
    plane,
    async bridge(args, more = {}) {
      const bridge = await startBridge({ brokers, kubeconfig: plane.kubeconfig, args, ...more })
      try {
        await bridge.ready()
        return bridge
      } catch (error) {
        await bridge[Symbol.asyncDispose]()
        throw error
      }
    },
    follow: (resource, choice = {}) => followTopic({ brokers, resource, ...choice }),
    read: (resource, choice = {}) => readTopic({ brokers, resource, ...choice }),
    async create(path, objects) {
      const answers = await Promise.all(objects.map((body) => plane.request(path, { method: 'POST', body })))
      for (const { status, body } of answers) assert.equal(status, 201, body)
    },
    [Symbol.asyncDispose]: () => life.disposeAsync(),
  }
}
