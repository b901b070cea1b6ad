// A cluster of a few pods and the bridge that publishes them to a topic, without threads and without time.

import { toControlRecord, toTopicRecords } from '../../src/bridge/wire.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { entriesOf } from '../../src/record/order.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import { partitionOf } from '../../src/topic/partition.ts'
import type { TopicRecord } from '../../src/topic/port.ts'
import { progress, record, type Pod } from '../unit/consumer/support.ts'
import type { PlacedRecord } from './embedded-topic.ts'

/** Which state of an object a record tells. */
export interface Version {
  readonly uid: string
  readonly resourceVersion: number
}

export interface Change {
  /** `replace`: deleted and made again, under another uid. */
  readonly kind: 'set' | 'delete' | 'replace'
  readonly name: string
}

/** The topic that the bridge writes; `flush` makes what was added readable. */
export interface BridgedTopic {
  readonly partitions: number
  add(placed: PlacedRecord): void
  flush(): void
  /** Key -> the state that its last record tells. */
  states(): Map<string, Version>
}

/** The cluster, and its bridge. */
export class NamedCluster {
  /** Every version that ever was, so that a mixture of two states is told. */
  readonly known = new Set<string>()
  readonly #topic: () => BridgedTopic
  readonly #pods = new Map<string, Version>()
  #resourceVersion = 1
  #epoch = 0
  /** Of which content the topic is. */
  stream = 1

  /** @param topic the one that stands there now */
  constructor(topic: () => BridgedTopic) {
    this.#topic = topic
  }

  /** Every pod, sorted, as `textOf` has it. */
  texts(): readonly string[] {
    return [...this.#pods].map(([name, version]) => textOf(name, version)).toSorted()
  }

  /** Changes a pod, and publishes that. */
  change({ kind, name }: Change): void {
    const before = this.#pods.get(name)
    this.#resourceVersion += 1
    const resourceVersion = this.#resourceVersion
    if (kind !== 'set' && before !== undefined) {
      this.#pods.delete(name)
      this.#write(record(name, resourceVersion, { op: 'DELETED', uid: before.uid }))
    }
    if (kind === 'delete') return
    const uid = kind === 'set' && before !== undefined ? before.uid : `uid-${resourceVersion}`
    const version = { uid, resourceVersion }
    this.#pods.set(name, version)
    this.known.add(textOf(name, version))
    this.#write(record(name, resourceVersion, { op: 'UPDATED', uid }))
  }

  /** Starts the bridge anew: it reads its topic, publishes what differs and says that it is complete. */
  startBridge(): void {
    this.#epoch += 1
    this.#control('fence')
    const held = this.#topic().states()
    for (const [key, { uid, resourceVersion }] of held) {
      const name = key.slice('shop/'.length)
      if (this.#pods.get(name)?.uid === uid) continue
      this.#write(record(name, resourceVersion, { op: 'DELETED', uid, finalStateUnknown: true }))
      held.delete(key)
    }
    for (const [name, { uid, resourceVersion }] of this.#pods) {
      const before = held.get(`shop/${name}`)
      if (before?.resourceVersion === resourceVersion) continue
      this.#write(record(name, resourceVersion, { op: before === undefined ? 'ADDED' : 'UPDATED', uid }))
    }
    this.progress()
  }

  /** Says how far the topic is. */
  progress(): void {
    this.#control('progress')
    this.#topic().flush()
  }

  /** Publishes a new state of each of these, or that there is none. */
  sayAgain(names: readonly string[]): void {
    for (const name of names) {
      if (this.#pods.has(name)) this.change({ kind: 'set', name })
      else this.#write(record(name, ++this.#resourceVersion, { op: 'DELETED' }))
    }
    this.progress()
  }

  #write(each: KubeRecord): void {
    const topic = this.#topic()
    for (const made of toTopicRecords(entriesOf({ ...each, epoch: this.#epoch }), encode)) {
      topic.add({ partition: partitionOf(made.key, topic.partitions), record: made })
    }
  }

  #control(kind: 'fence' | 'progress'): void {
    const topic = this.#topic()
    const { partitions } = topic
    const made = progress(this.#resourceVersion, { epoch: this.#epoch, streamId: `s${this.stream}`, partitions })
    const stored: TopicRecord = toControlRecord(kind === 'progress' ? made : { ...made, kind })
    for (let partition = 0; partition < partitions; partition++) topic.add({ partition, record: stored })
  }
}

const encode = encodeRecord({ kind: 'json' })

/** One state of one pod: `a uid-3 7`. */
export function textOf(name: string, { uid, resourceVersion }: Version): string {
  return `${name} ${uid} ${resourceVersion}`
}

/** As `textOf`. */
export function textOfPod({ metadata: { name, uid, resourceVersion } }: Pod): string {
  return `${name} ${uid} ${resourceVersion}`
}

/** The states that stored records tell, in their order; deleted ones are left out. */
export function statesIn(
  records: Iterable<{ readonly key: Buffer; readonly value: Buffer | null }>,
): Map<string, Version> {
  const states = new Map<string, Version>()
  for (const { key, value } of records) {
    const text = key.toString()
    if (text.startsWith('$')) continue
    const read: KubeRecord | undefined = value === null ? undefined : JSON.parse(value.toString())
    if (read === undefined || read.op === 'DELETED') states.delete(text)
    else states.set(text, { uid: read.uid, resourceVersion: Number(read.resourceVersion) })
  }
  return states
}
