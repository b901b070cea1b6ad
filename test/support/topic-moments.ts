// Moments in the life of a topic that a test can wait for: so many records appended, a request to write lost on its way.

import type { TopicLog } from '../../src/topic/port.ts'
import type { Dice } from './dice.ts'
import type { KafkaProxy } from './kafka-proxy.ts'

export interface TopicMomentsOptions {
  readonly log: TopicLog
  readonly topic: string
  /** Where the writer comes through one. */
  readonly proxy: KafkaProxy | undefined
}

/** A moment that is waited for. Disposing ends the wait. */
export interface AwaitedMoment extends AsyncDisposable {
  /** What it is, for people. */
  readonly what: string
  /** Resolves when it has come. */
  readonly come: Promise<void>
}

export class TopicMoments {
  readonly #options: TopicMomentsOptions

  constructor(options: TopicMomentsOptions) {
    this.#options = options
  }

  /**
   * Draws one: a number of records of any kind that have been appended; or, through a proxy, a request to write that is cut off before
   * the broker has it, or that the broker answers without the writer hearing of it.
   * @param most as many records will come
   */
  async draw(most: number, chance: Dice): Promise<AwaitedMoment> {
    const { proxy } = this.#options
    const kind = proxy === undefined ? 'appended' : chance.pick(['appended', 'unacknowledged', 'unsent'])
    // Rather early: whoever is killed at this moment has gone on meanwhile.
    if (kind === 'appended' || proxy === undefined) return this.appended(1 + chance.below(1 + chance.below(most)), most)
    const skip = chance.below(4)
    // All of it may take fewer requests.
    const all = await this.appended(most, most)
    const fault = proxy[kind === 'unsent' ? 'cutBeforeRequest' : 'swallow']({ api: 'Produce', skip })
    return {
      what: `request ${skip + 1} ${kind}`,
      come: Promise.race([fault.done, all.come]),
      async [Symbol.asyncDispose]() {
        fault.clear()
        await all[Symbol.asyncDispose]()
      },
    }
  }

  /**
   * The moment when so many more records than now stand on the topic.
   * @param onBatch called for each batch until then
   */
  async appended(records: number, most = records, onBatch: () => void = () => {}): Promise<AwaitedMoment> {
    const { log, topic } = this.#options
    const stop = new AbortController()
    const { signal } = stop
    const from = await log.admin.offsets(topic, 'latest', signal)
    const reader = await log.openReader({ signal })
    const reached = Promise.withResolvers<void>()
    const counting = (async () => {
      let count = 0
      for await (const batch of reader.read({ topic, from, signal })) {
        count += batch.records.length
        onBatch()
        if (count >= records) return reached.resolve()
      }
    })()
    counting.catch(reached.reject)
    return {
      what: `record ${records} of ${most}`,
      come: reached.promise,
      async [Symbol.asyncDispose]() {
        stop.abort()
        await counting
        await reader[Symbol.asyncDispose]()
      },
    }
  }
}
