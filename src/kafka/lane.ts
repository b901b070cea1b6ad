// Decides what one partition's lane sends next, with which sequence numbers, and what an answer means.

/** How a batch that was sent came back, when it was not acknowledged. */
export type Refusal =
  /** No answer: it may stand on the topic or may not. */
  | 'unknown'
  /** The broker said that it did not append it, and may do so later. */
  | 'not-now'
  /** OUT_OF_ORDER_SEQUENCE_NUMBER, UNKNOWN_PRODUCER_ID, DUPLICATE_SEQUENCE_NUMBER: not the number the broker expects. */
  | 'out-of-sequence'
  /** It is larger than the topic takes. */
  | 'too-large'
  /** Its timestamps are further from the broker's clock than the topic allows. */
  | 'untimely'

/** What the lane knows of a batch. */
export interface LaneBatch {
  readonly id: number
  /** Records in it: what its sequence numbers advance by. */
  readonly records: number
  /** The sequence number of its first record; kept through every retry. */
  readonly sequence?: number
  readonly outcome: 'ready' | 'sent' | 'acknowledged' | Refusal
  /**
   * Whether it once stayed without an answer under its present sequence number: a connection that is gone may have left
   * it at the broker, which may still take it.
   */
  readonly lingers: boolean
  /** Set if and only if it is acknowledged. */
  readonly baseOffset?: number
}

interface LaneFacts {
  /**
   * Oldest first. Those with a sequence number come before those without, and their numbers follow each other without
   * a gap up to `nextSequence`.
   */
  readonly batches: readonly LaneBatch[]
  readonly nextSequence: number
  /**
   * Whether the broker is known to remember this producer epoch, since it acknowledged a batch of it not long ago. A
   * broker that knows nothing of the producer takes any sequence number, so that a second batch could stand before a first
   * one that was refused: the first travels alone.
   */
  readonly proven: boolean
  /** Whether the writer asks for a new producer epoch: nothing new is sent, only what was sent is brought to an answer. */
  readonly halting: boolean
}

/**
 * A lane.
 *
 * - `flowing`: sends.
 * - `settling`: something came back; sends nothing until everything that is out has come back too.
 * - `waiting`: backs off, then sends again from the oldest unacknowledged batch.
 * - `replacing`: waits for what takes the place of a batch that the topic does not take as it is.
 * - `halted`: waits for a new producer epoch.
 */
export interface LaneState extends LaneFacts {
  readonly kind: 'flowing' | 'settling' | 'waiting' | 'replacing' | 'halted'
}

export type LaneInput =
  /** A batch is encoded and waits for its turn, behind all others. */
  | { readonly kind: 'ready'; readonly id: number; readonly records: number }
  | { readonly kind: 'acknowledged'; readonly id: number; readonly baseOffset: number }
  | { readonly kind: 'refused'; readonly id: number; readonly refusal: Refusal }
  /** The back-off is over and the leader is connected. */
  | { readonly kind: 'resumed' }
  /** The lane was empty for so long that the broker may have forgotten the producer (producer.id.expiration.ms). */
  | { readonly kind: 'lapsed' }
  /**
   * As `resumed`, but so late that the broker may have forgotten the producer: it would take again what stands there, and
   * what a writer repeats that was taken over meanwhile. Coordinator and topic tell before anything is sent.
   */
  | { readonly kind: 'overdue' }
  /** These batches, perhaps none, take the place of one that the topic does not take as it is. */
  | {
      readonly kind: 'replaced'
      readonly id: number
      readonly by: ReadonlyArray<{ readonly id: number; readonly records: number }>
    }
  /** The writer is about to ask for a new producer epoch. */
  | { readonly kind: 'halt' }
  /** It has one; of the batches sent under the former one, these stand on the topic. */
  | { readonly kind: 'reopened'; readonly landed: ReadonlyMap<number, number> }

export type LaneOutput =
  | { readonly kind: 'send'; readonly id: number; readonly sequence: number }
  /** In the order of the batches, each once. */
  | { readonly kind: 'acknowledge'; readonly id: number; readonly baseOffset: number }
  | { readonly kind: 'back-off' }
  | { readonly kind: 'replace'; readonly id: number }
  /** Nothing explains what the broker said: only a new producer epoch helps. */
  | { readonly kind: 'reopen' }
  /** Nothing that was sent can still land: the epoch may change. */
  | { readonly kind: 'halted' }

export interface LaneStep {
  readonly state: LaneState
  readonly outputs: readonly LaneOutput[]
}

/**
 * Batches in flight. Brokers recognise a repeated batch among the last five of a producer (NUM_BATCHES_TO_RETAIN in
 * Kafka's ProducerStateEntry); it is counted from the oldest unacknowledged one, so that every retry is recognised.
 */
export const MAX_IN_FLIGHT = 5

/** A lane before its first batch. It waits, since no leader is connected yet. */
export function newLane(firstSequence = 0): LaneState {
  return { kind: 'waiting', batches: [], nextSequence: firstSequence, proven: false, halting: false }
}

/** What a broker expects after `sequence` and `records` records: 2^31 - 1 is followed by 0. */
export function advanceSequence(sequence: number, records: number): number {
  return (sequence + records) % SEQUENCES
}

const SEQUENCES = 2 ** 31

/** The lane after an input, and what is to be done. */
export function step(state: LaneState, input: LaneInput): LaneStep {
  switch (input.kind) {
    case 'ready': {
      const batch: LaneBatch = { id: input.id, records: input.records, outcome: 'ready', lingers: false }
      return proceed({ ...state, batches: [...state.batches, batch] })
    }
    case 'acknowledged':
      return proceed({
        ...marked(state, input.id, { outcome: 'acknowledged', baseOffset: input.baseOffset }),
        proven: true,
      })
    case 'refused': {
      const { id, refusal } = input
      const refused = marked(
        state,
        id,
        refusal === 'unknown' ? { outcome: refusal, lingers: true } : { outcome: refusal },
      )
      return proceed(refused.kind === 'flowing' ? { ...refused, kind: 'settling' } : refused)
    }
    case 'resumed':
      return state.kind === 'waiting' ? proceed(again(state)) : { state, outputs: [] }
    case 'lapsed':
      return { state: { ...state, proven: false }, outputs: [] }
    case 'overdue':
      return state.kind === 'waiting' ? reopen(state) : { state, outputs: [] }
    case 'replaced':
      return replaced(state, input)
    case 'halt':
      return halt(state)
    case 'reopened':
      return reopened(state, input.landed)
    default:
      return input satisfies never
  }
}

/** The lane with one batch changed; an answer for a batch that is gone changes nothing. */
function marked(state: LaneState, id: number, change: Partial<LaneBatch>): LaneState {
  return { ...state, batches: state.batches.map((batch) => (batch.id === id ? { ...batch, ...change } : batch)) }
}

/** Acknowledges what has become the oldest, then does what the state allows. */
function proceed(state: LaneState): LaneStep {
  const done = state.batches.findIndex(({ outcome }) => outcome !== 'acknowledged')
  const count = done < 0 ? state.batches.length : done
  const outputs: LaneOutput[] = state.batches.slice(0, count).map(({ id, baseOffset }) => {
    return { kind: 'acknowledge', id, baseOffset: baseOffset ?? -1 }
  })
  const rest = count === 0 ? state : { ...state, batches: state.batches.slice(count) }
  const next =
    rest.kind === 'flowing' ? send(rest) : rest.kind === 'settling' ? settle(rest) : { state: rest, outputs: [] }
  return { state: next.state, outputs: [...outputs, ...next.outputs] }
}

/** Sends what the window has room for; while halting only what was sent before. */
function send(state: LaneState): LaneStep {
  const outputs: LaneOutput[] = []
  let { nextSequence } = state
  const window = state.proven ? MAX_IN_FLIGHT : 1
  const batches = state.batches.map((batch, index) => {
    if (index >= window || batch.outcome !== 'ready') return batch
    if (state.halting && batch.sequence === undefined) return batch
    const sequence = batch.sequence ?? nextSequence
    if (batch.sequence === undefined) nextSequence = advanceSequence(nextSequence, batch.records)
    outputs.push({ kind: 'send', id: batch.id, sequence })
    return { ...batch, sequence, outcome: 'sent' as const }
  })
  if (outputs.length > 0) return { state: { ...state, batches, nextSequence }, outputs }
  const idle = state.halting && !batches.some(({ outcome }) => outcome === 'sent')
  return idle ? { state: { ...state, kind: 'halted' }, outputs: [{ kind: 'halted' }] } : { state, outputs }
}

/**
 * Judges by the oldest batch once everything is back. What came back of those behind it follows from it, or comes back
 * again when they are sent again; but only when all of them were answered is it known that none of them lands later.
 */
function settle(state: LaneState): LaneStep {
  const { batches } = state
  if (batches.some(({ outcome }) => outcome === 'sent')) return { state, outputs: [] }
  const [head, ...behind] = batches
  if (head === undefined || head.outcome === 'ready') return send({ ...state, kind: 'flowing' })
  if (batches.some(({ outcome }) => outcome === 'unknown' || outcome === 'not-now')) {
    return { state: { ...state, kind: 'waiting' }, outputs: [{ kind: 'back-off' }] }
  }
  if (state.halting) return { state: { ...state, kind: 'halted' }, outputs: [{ kind: 'halted' }] }
  // Those behind a batch that is replaced get its sequence numbers. One that lingers at the broker under its old number
  // could be taken for a new one then; under a new epoch it cannot. The batch itself may have landed before the topic was
  // changed, since brokers judge size and timestamps first; then later numbers would fit behind it.
  const replaceable = (head.outcome === 'too-large' || head.outcome === 'untimely') && !head.lingers
  if (replaceable && behind.every(({ outcome, lingers }) => outcome !== 'acknowledged' && !lingers)) {
    return { state: { ...state, kind: 'replacing' }, outputs: [{ kind: 'replace', id: head.id }] }
  }
  // The broker misses what it acknowledged, or has the batch and forgot it: only the topic itself can tell.
  return reopen(state)
}

function reopen(state: LaneState): LaneStep {
  return { state: { ...state, kind: 'halted' }, outputs: [{ kind: 'reopen' }, { kind: 'halted' }] }
}

/** The same batches with the same sequence numbers, to be sent again in order. */
function again(state: LaneState): LaneState {
  const batches = state.batches.map((batch) => {
    return batch.outcome === 'acknowledged' ? batch : { ...batch, outcome: 'ready' as const }
  })
  return { ...state, kind: 'flowing', batches }
}

function replaced(state: LaneState, input: LaneInput & { readonly kind: 'replaced' }): LaneStep {
  const [head, ...behind] = state.batches
  if (state.kind !== 'replacing' || head?.id !== input.id) return { state, outputs: [] }
  const batches = [...input.by, ...behind].map(unsent)
  return proceed({ ...state, kind: 'flowing', batches, nextSequence: head.sequence ?? state.nextSequence })
}

function halt(state: LaneState): LaneStep {
  if (state.kind === 'halted') return { state, outputs: [] }
  const halting = { ...state, halting: true }
  // Where it waits it still brings to an answer what it sent; where it sent nothing it has nothing to wait for.
  const sent = state.batches.some(({ sequence }) => sequence !== undefined)
  if (state.kind === 'waiting' && !sent) return { state: { ...halting, kind: 'halted' }, outputs: [{ kind: 'halted' }] }
  return proceed(halting)
}

/** Under a new epoch every partition begins at 0, and nothing of the former epoch can still land. */
function reopened(state: LaneState, landed: ReadonlyMap<number, number>): LaneStep {
  if (state.kind !== 'halted') return { state, outputs: [] }
  const batches = state.batches.map((batch): LaneBatch => {
    const baseOffset = batch.outcome === 'acknowledged' ? batch.baseOffset : landed.get(batch.id)
    return baseOffset === undefined ? unsent(batch) : { ...unsent(batch), outcome: 'acknowledged', baseOffset }
  })
  return proceed({ kind: 'flowing', batches, nextSequence: 0, proven: false, halting: false })
}

function unsent({ id, records }: { readonly id: number; readonly records: number }): LaneBatch {
  return { id, records, outcome: 'ready', lingers: false }
}
