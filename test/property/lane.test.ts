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

interface Attempt {
  readonly id: number
  readonly content: number
  readonly records: number
  readonly producer: number
  readonly epoch: number
  readonly sequence: number
}

interface LoggedBatch extends Attempt {
  readonly offset: number
}

/** Of a producer that was taken over: nobody waits for it. */
const ZOMBIE = -1

/** What the network or the broker does next; what is not possible then does nothing. */
type Event =
  | { readonly kind: 'append'; readonly records: number }
  | { readonly kind: 'deliver'; readonly answer: 'arrives' | 'arrives late' | 'lost' }
  /** An answer that was late arrives, whatever its place among them. */
  | { readonly kind: 'answer'; readonly at: number }
  | { readonly kind: 'refuse-now' }
  | { readonly kind: 'cut'; readonly processed: number }
  | { readonly kind: 'restart' }
  | { readonly kind: 'shrink'; readonly refusal: 'too-large' | 'untimely' }
  /** Another replica leads; it may lack what was not acknowledged. */
  | { readonly kind: 'move'; readonly lost: number }
  /** So long is the network cut, or the lane empty, that the broker forgets the producer; then a zombie may write. */
  | { readonly kind: 'expire'; readonly zombie: boolean }
  /** The broker takes a request of a connection that is gone. */
  | { readonly kind: 'linger' }
  /** Another lane of the writer asks for a new epoch. */
  | { readonly kind: 'halt' }
  /** The next epoch is one of another producer id. */
  | { readonly kind: 'rotate' }

/**
 * One partition as a broker keeps it: the rules of Kafka's ProducerAppendInfo and ProducerStateEntry.
 * `batches` of the producer are those it can recognise when they are repeated.
 */
class Broker {
  log: LoggedBatch[] = []
  readonly #remembered = new Map<number, readonly LoggedBatch[]>()
  /** Batches before this place in the log are not remembered. */
  #forgotten = 0
  /** Batches before this place in the log stand on every replica. */
  #replicated = 0
  /** Batches that it does not take as they are, by id. */
  readonly unfit = new Map<number, 'too-large' | 'untimely'>()

  append(attempt: Attempt): number | Refusal {
    // Size and timestamps are judged before it looks for a repetition (UnifiedLog.append).
    const unfit = this.unfit.get(attempt.id)
    if (unfit !== undefined) return unfit
    const remembered = this.#remembered.get(attempt.producer) ?? []
    const same = remembered.find(({ epoch, sequence, records }) => {
      return epoch === attempt.epoch && sequence === attempt.sequence && records === attempt.records
    })
    if (same !== undefined) return same.offset
    const last = remembered.at(-1)
    // The real answer is INVALID_PRODUCER_EPOCH; only what lingers is of an older epoch, and nobody hears of it.
    if (last !== undefined && attempt.epoch < last.epoch) return 'out-of-sequence'
    if (last !== undefined) {
      const expected = last.epoch === attempt.epoch ? advanceSequence(last.sequence, last.records) : 0
      if (attempt.sequence !== expected) return 'out-of-sequence'
    }
    const offset = this.log.reduce((sum, { records }) => sum + records, 0)
    const stored = { ...attempt, offset }
    this.log.push(stored)
    this.#remember(attempt.producer, [...remembered, stored])
    return offset
  }

  /** An answer has said that what stands before this offset is on every replica, or a reader has seen it. */
  replicated(offset: number): void {
    this.#replicated = Math.max(this.#replicated, this.log.findIndex((batch) => batch.offset === offset) + 1)
  }

  /** What a snapshot keeps of a producer. */
  restart(): void {
    for (const [producer, batches] of this.#remembered) this.#remembered.set(producer, batches.slice(-1))
  }

  /** A follower leads: its producers are those of its log. */
  move(lost: number): void {
    this.log = this.log.slice(0, Math.max(this.#replicated, this.log.length - lost))
    this.#remembered.clear()
    for (const batch of this.log.slice(this.#forgotten)) {
      this.#remember(batch.producer, [...(this.#remembered.get(batch.producer) ?? []), batch])
    }
  }

  forget(): void {
    this.#remembered.clear()
    this.#forgotten = this.log.length
    this.#replicated = this.log.length
  }

  #remember(producer: number, batches: readonly LoggedBatch[]): void {
    const last = batches.at(-1)
    this.#remembered.set(producer, batches.filter(({ epoch }) => epoch === last?.epoch).slice(-5))
  }
}

/** A lane, the batches behind its ids, and requests on their way on one connection. */
class World {
  readonly broker = new Broker()
  readonly appended: number[] = []
  readonly acknowledged: Array<{ readonly content: number; readonly offset: number }> = []
  readonly #contents = new Map<number, { readonly content: number; readonly records: number }>()
  #state: LaneState
  #producer = 0
  #epoch = 0
  #rotates = false
  #next = 0
  #onTheWay: Attempt[] = []
  /** Their answer is lost, or arrives when the connection is given up. */
  #silent: Attempt[] = []
  #late: Array<{ readonly attempt: Attempt; readonly answer: number | Refusal }> = []
  /** Of connections that are gone, not yet taken by the broker. */
  #lingering: Attempt[] = []
  #replacing: number | undefined
  #reopening = false
  /** Nothing was sent for longer than a broker remembers a producer. */
  #quiet = false

  constructor(firstSequence: number) {
    this.#state = newLane(firstSequence)
  }

  happen(event: Event): void {
    switch (event.kind) {
      case 'append': {
        const id = this.#new(this.appended.length, event.records)
        this.appended.push(this.appended.length)
        if (this.#quiet && this.#state.batches.length === 0) this.#apply({ kind: 'lapsed' })
        this.#apply({ kind: 'ready', id, records: event.records })
        break
      }
      case 'deliver': {
        const attempt = this.#onTheWay.shift()
        if (attempt === undefined) break
        const answer = this.broker.append(attempt)
        if (event.answer === 'arrives') this.#answer(attempt, answer)
        else if (event.answer === 'arrives late') this.#late.push({ attempt, answer })
        else this.#silent.push(attempt)
        break
      }
      case 'answer': {
        const [late] = this.#late.splice(event.at % Math.max(1, this.#late.length), 1)
        if (late !== undefined) this.#answer(late.attempt, late.answer)
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
      case 'rotate':
        this.#rotates = true
        break
      case 'move':
        this.cut(0)
        this.#lingering = []
        this.broker.move(event.lost)
        break
      case 'expire':
        this.cut(0)
        this.#lingering = []
        this.broker.forget()
        this.#quiet = true
        if (event.zombie && this.#epoch > 0) {
          const former = { producer: this.#producer, epoch: this.#epoch - 1, sequence: 7 }
          this.broker.append({ id: ZOMBIE, content: ZOMBIE, records: 2, ...former })
        }
        break
      case 'restart':
        this.cut(0)
        this.#lingering = []
        this.broker.restart()
        break
      case 'shrink': {
        const waiting = this.#onTheWay.at(-1)
        if (waiting !== undefined) this.broker.unfit.set(waiting.id, event.refusal)
        break
      }
      default:
        event satisfies never
    }
    this.#drive()
  }

  /** The broker takes some of what is on its way; nothing of it is answered. */
  cut(processed: number): void {
    const lost = [...this.#silent, ...this.#late.map(({ attempt }) => attempt), ...this.#onTheWay]
    for (const attempt of this.#onTheWay.slice(0, processed)) this.broker.append(attempt)
    this.#lingering.push(...this.#onTheWay.slice(processed))
    this.#silent = []
    this.#late = []
    this.#onTheWay = []
    for (const { id } of lost) this.#apply({ kind: 'refused', id, refusal: 'unknown' })
  }

  /** A good network from now on, until nothing is left to do. */
  settle(): void {
    let steps = 0
    while (this.acknowledged.length < this.appended.length) {
      this.cut(0)
      this.#drive()
      for (; this.#onTheWay.length > 0; steps += 1) {
        assert.ok(steps < 5_000, `no progress: ${JSON.stringify(this.#state)}`)
        this.happen({ kind: 'deliver', answer: 'arrives' })
      }
      steps += 1
      assert.ok(steps < 5_000, `no progress: ${JSON.stringify(this.#state)}`)
    }
  }

  #answer({ id }: Attempt, answer: number | Refusal): void {
    if (typeof answer === 'number') {
      this.broker.replicated(answer)
      this.#apply({ kind: 'acknowledged', id, baseOffset: answer })
    } else this.#apply({ kind: 'refused', id, refusal: answer })
  }

  /** What the driver does by itself: back off, replace, reopen. */
  #drive(): void {
    if (this.#replacing !== undefined) {
      const id = this.#replacing
      this.#replacing = undefined
      const { content, records } = this.#contents.get(id) ?? { content: ZOMBIE, records: 1 }
      // Other timestamps make it no shorter.
      const kept = this.broker.unfit.get(id) === 'untimely' ? records : 1
      this.#apply({ kind: 'replaced', id, by: [{ id: this.#new(content, kept), records: kept }] })
    }
    if (this.#reopening && this.#state.kind === 'halted') {
      this.#reopening = false
      const landed = new Map<number, number>()
      for (const { id, sequence, outcome } of this.#state.batches) {
        const found = this.broker.log.find((each) => {
          return each.producer === this.#producer && each.epoch === this.#epoch && each.sequence === sequence
        })
        if (sequence === undefined || outcome === 'acknowledged' || found === undefined) continue
        landed.set(id, found.offset)
        this.broker.replicated(found.offset)
      }
      this.#producer += this.#rotates ? 1 : 0
      this.#epoch = this.#rotates ? 0 : this.#epoch + 1
      this.#rotates = false
      this.#quiet = false
      this.#apply({ kind: 'reopened', landed })
    }
    if (this.#state.kind === 'waiting' && this.#state.batches.length > 0) {
      this.#apply({ kind: this.#quiet ? 'overdue' : 'resumed' })
      if (this.#reopening) this.#drive()
    }
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
        this.#quiet = false
        const sender = { producer: this.#producer, epoch: this.#epoch }
        this.#onTheWay.push({ ...batch, ...sender, id: output.id, sequence: output.sequence })
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
  { weight: 2, arbitrary: fc.constant<Event>({ kind: 'deliver', answer: 'arrives late' }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('answer' as const), at: fc.nat({ max: 4 }) }) },
  { weight: 2, arbitrary: fc.constant<Event>({ kind: 'deliver', answer: 'lost' }) },
  { weight: 1, arbitrary: fc.constant<Event>({ kind: 'refuse-now' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), processed: fc.nat({ max: 5 }) }) },
  { weight: 1, arbitrary: fc.constant<Event>({ kind: 'restart' }) },
  { weight: 1, arbitrary: fc.constant<Event>({ kind: 'shrink', refusal: 'too-large' }) },
  { weight: 1, arbitrary: fc.constant<Event>({ kind: 'shrink', refusal: 'untimely' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('move' as const), lost: fc.nat({ max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const), zombie: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant<Event>({ kind: 'rotate' }) },
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
          const log = world.broker.log.filter(({ content }) => content !== ZOMBIE)
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
      { numRuns: 5_000 },
    )
  })
})
