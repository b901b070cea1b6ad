// Through any network a lane puts every batch on the topic once and in order, as Kafka's brokers take sequence numbers.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import {
  advanceSequence,
  newLane,
  step,
  type LaneInput,
  type LaneOutput,
  type LaneState,
  type Refusal,
} from '../../src/kafka/lane.ts'

interface LoggedBatch {
  readonly content: number
  readonly records: number
  readonly epoch: number
  readonly sequence: number
  readonly offset: number
}

interface Attempt {
  readonly id: number
  readonly content: number
  readonly records: number
  readonly epoch: number
  readonly sequence: number
}

/** What the network or the broker does next; what is not possible then does nothing. */
type Event =
  | { readonly kind: 'append'; readonly records: number }
  | { readonly kind: 'deliver'; readonly answer: 'arrives' | 'lost' }
  | { readonly kind: 'refuse-now' }
  | { readonly kind: 'cut'; readonly processed: number }
  | { readonly kind: 'restart' }
  | { readonly kind: 'shrink' }
  /** The broker takes a request of a connection that is gone. */
  | { readonly kind: 'linger' }
  /** Another lane of the writer asks for a new epoch. */
  | { readonly kind: 'halt' }

/**
 * One partition as a broker keeps it: the rules of Kafka's ProducerAppendInfo and ProducerStateEntry.
 * `batches` of the producer are those it can recognise when they are repeated.
 */
class Broker {
  readonly log: LoggedBatch[] = []
  remembered: LoggedBatch[] = []
  /** Ids of batches that it takes for too large. */
  readonly tooLarge = new Set<number>()

  append(attempt: Attempt): number | Refusal {
    const same = this.remembered.find(({ epoch, sequence, records }) => {
      return epoch === attempt.epoch && sequence === attempt.sequence && records === attempt.records
    })
    if (same !== undefined) return same.offset
    if (this.tooLarge.has(attempt.id)) return 'too-large'
    const last = this.remembered.at(-1)
    // The real answer is INVALID_PRODUCER_EPOCH; only what lingers is of an older epoch, and nobody hears of it.
    if (last !== undefined && attempt.epoch < last.epoch) return 'out-of-sequence'
    if (last !== undefined) {
      const expected = last.epoch === attempt.epoch ? advanceSequence(last.sequence, last.records) : 0
      if (attempt.sequence !== expected) return 'out-of-sequence'
    }
    const offset = this.log.reduce((sum, { records }) => sum + records, 0)
    const stored = { ...attempt, offset }
    this.log.push(stored)
    this.remembered = [...this.remembered.filter(({ epoch }) => epoch === attempt.epoch), stored].slice(-5)
    return offset
  }

  /** What a snapshot keeps of a producer. */
  restart(): void {
    this.remembered = this.remembered.slice(-1)
  }
}

/** A lane, the batches behind its ids, and requests on their way on one connection. */
class World {
  readonly broker = new Broker()
  readonly appended: number[] = []
  readonly acknowledged: Array<{ readonly content: number; readonly offset: number }> = []
  readonly #contents = new Map<number, { readonly content: number; readonly records: number }>()
  #state: LaneState
  #epoch = 0
  #next = 0
  #onTheWay: Attempt[] = []
  /** Their answer is lost, or arrives when the connection is given up. */
  #silent: Attempt[] = []
  /** Of connections that are gone, not yet taken by the broker. */
  #lingering: Attempt[] = []
  #replacing: number | undefined
  #reopening = false

  constructor(firstSequence: number) {
    this.#state = newLane(firstSequence)
  }

  happen(event: Event): void {
    switch (event.kind) {
      case 'append': {
        const id = this.#new(this.appended.length, event.records)
        this.appended.push(this.appended.length)
        this.#apply({ kind: 'ready', id, records: event.records })
        break
      }
      case 'deliver': {
        const attempt = this.#onTheWay.shift()
        if (attempt === undefined) break
        const answer = this.broker.append(attempt)
        if (event.answer === 'arrives') this.#answer(attempt, answer)
        else this.#silent.push(attempt)
        break
      }
      case 'refuse-now': {
        const attempt = this.#onTheWay.shift()
        if (attempt !== undefined) this.#answer(attempt, 'not-now')
        break
      }
      case 'cut':
        this.cut(event.processed)
        break
      case 'linger': {
        const attempt = this.#lingering.shift()
        if (attempt !== undefined) this.broker.append(attempt)
        break
      }
      case 'halt':
        this.#apply({ kind: 'halt' })
        this.#reopening = true
        break
      case 'restart':
        this.cut(0)
        this.#lingering = []
        this.broker.restart()
        break
      case 'shrink': {
        const waiting = this.#onTheWay.at(-1)
        if (waiting !== undefined) this.broker.tooLarge.add(waiting.id)
        break
      }
      default:
        event satisfies never
    }
    this.#drive()
  }

  /** The broker takes some of what is on its way; nothing of it is answered. */
  cut(processed: number): void {
    const lost = [...this.#silent, ...this.#onTheWay]
    for (const attempt of this.#onTheWay.slice(0, processed)) this.broker.append(attempt)
    this.#lingering.push(...this.#onTheWay.slice(processed))
    this.#silent = []
    this.#onTheWay = []
    for (const { id } of lost) this.#apply({ kind: 'refused', id, refusal: 'unknown' })
  }

  /** A good network from now on, until nothing is left to do. */
  settle(): void {
    for (let round = 0; this.acknowledged.length < this.appended.length; round += 1) {
      assert.ok(round < 1_000, `no progress: ${JSON.stringify(this.#state)}`)
      this.cut(0)
      this.#drive()
      while (this.#onTheWay.length > 0) this.happen({ kind: 'deliver', answer: 'arrives' })
    }
  }

  #answer({ id }: Attempt, answer: number | Refusal): void {
    if (typeof answer === 'number') this.#apply({ kind: 'acknowledged', id, baseOffset: answer })
    else this.#apply({ kind: 'refused', id, refusal: answer })
  }

  /** What the driver does by itself: back off, replace, reopen. */
  #drive(): void {
    if (this.#replacing !== undefined) {
      const id = this.#replacing
      this.#replacing = undefined
      const content = this.#contents.get(id)?.content ?? -1
      this.#apply({ kind: 'replaced', id, by: [{ id: this.#new(content, 1), records: 1 }] })
    }
    if (this.#reopening && this.#state.kind === 'halted') {
      this.#reopening = false
      const landed = new Map<number, number>()
      for (const { id, sequence, outcome } of this.#state.batches) {
        const found = this.broker.log.find((each) => each.epoch === this.#epoch && each.sequence === sequence)
        if (sequence !== undefined && outcome !== 'acknowledged' && found !== undefined) landed.set(id, found.offset)
      }
      this.#epoch += 1
      this.#apply({ kind: 'reopened', landed })
    }
    if (this.#state.kind === 'waiting' && this.#state.batches.length > 0) this.#apply({ kind: 'resumed' })
  }

  #apply(input: LaneInput): void {
    const { state, outputs } = step(this.#state, input)
    this.#state = state
    for (const output of outputs) this.#do(output)
  }

  #do(output: LaneOutput): void {
    switch (output.kind) {
      case 'send': {
        const batch = this.#contents.get(output.id)
        assert.ok(batch)
        this.#onTheWay.push({ ...batch, id: output.id, epoch: this.#epoch, sequence: output.sequence })
        break
      }
      case 'acknowledge':
        this.acknowledged.push({ content: this.#contents.get(output.id)?.content ?? -1, offset: output.baseOffset })
        break
      case 'replace':
        this.#replacing = output.id
        break
      case 'reopen':
        this.#reopening = true
        break
      case 'back-off':
      case 'halted':
        break
      default:
        output satisfies never
    }
  }

  #new(content: number, records: number): number {
    const id = this.#next
    this.#next += 1
    this.#contents.set(id, { content, records })
    return id
  }
}

const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('append' as const), records: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 6, arbitrary: fc.constant<Event>({ kind: 'deliver', answer: 'arrives' }) },
  { weight: 2, arbitrary: fc.constant<Event>({ kind: 'deliver', answer: 'lost' }) },
  { weight: 1, arbitrary: fc.constant<Event>({ kind: 'refuse-now' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), processed: fc.nat({ max: 5 }) }) },
  { weight: 1, arbitrary: fc.constant<Event>({ kind: 'restart' }) },
  { weight: 1, arbitrary: fc.constant<Event>({ kind: 'shrink' }) },
  { weight: 1, arbitrary: fc.constant<Event>({ kind: 'linger' }) },
  { weight: 1, arbitrary: fc.constant<Event>({ kind: 'halt' }) },
)

describe('lane', () => {
  test('nothing is lost, nothing stands twice, nothing overtakes, and acknowledgements name the place', () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 120, size: 'max' }),
        fc.constantFrom(0, 2 ** 31 - 7),
        (events, firstSequence) => {
          const world = new World(firstSequence)
          for (const each of events) world.happen(each)
          world.settle()
          const { log } = world.broker
          assert.deepEqual(
            log.map(({ content }) => content),
            world.appended,
          )
          assert.deepEqual(
            world.acknowledged,
            log.map(({ content, offset }) => ({ content, offset })),
          )
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
