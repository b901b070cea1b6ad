import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  advanceSequence,
  newLane,
  step,
  type LaneInput,
  type LaneOutput,
  type LaneState,
  type Refusal,
} from '../../../src/kafka/lane.ts'

/** Feeds inputs to a lane and keeps what came out. */
function drive(
  inputs: readonly LaneInput[],
  start = newLane(),
): { readonly state: LaneState; readonly outputs: readonly LaneOutput[] } {
  let state = start
  const outputs: LaneOutput[] = []
  for (const input of inputs) {
    const next = step(state, input)
    state = next.state
    outputs.push(...next.outputs)
  }
  return { state, outputs }
}

const ready = (id: number, records = 10): LaneInput => ({ kind: 'ready', id, records })
const acknowledged = (id: number, baseOffset = id * 10): LaneInput => ({ kind: 'acknowledged', id, baseOffset })
const refused = (id: number, refusal: Refusal): LaneInput => ({ kind: 'refused', id, refusal })
const resumed: LaneInput = { kind: 'resumed' }
const halt: LaneInput = { kind: 'halt' }

/** A lane with an acknowledged batch 0 and batches 1 to 5 in flight. */
function fiveInFlight(): LaneState {
  return drive([ready(0), resumed, acknowledged(0), ready(1), ready(2), ready(3), ready(4), ready(5)]).state
}

/** What goes out, short: `send 1@10`. */
function short(outputs: readonly LaneOutput[]): readonly string[] {
  return outputs.map((output) => {
    switch (output.kind) {
      case 'send':
        return `send ${output.id}@${output.sequence}`
      case 'acknowledge':
        return `acknowledge ${output.id} at ${output.baseOffset}`
      case 'replace':
        return `replace ${output.id}`
      case 'back-off':
      case 'reopen':
      case 'halted':
        return output.kind
      default:
        return output satisfies never
    }
  })
}

const cases: ReadonlyArray<{
  readonly name: string
  readonly from?: LaneState
  readonly inputs: readonly LaneInput[]
  readonly out: readonly string[]
}> = [
  { name: 'sends nothing before its leader is connected', inputs: [ready(0)], out: [] },
  { name: 'sends the first batch of an epoch alone', inputs: [ready(0), ready(1), resumed], out: ['send 0@0'] },
  {
    name: 'sends five once one is acknowledged, and no more',
    inputs: [ready(0), resumed, ...[1, 2, 3, 4, 5, 6].map((id) => ready(id)), acknowledged(0)],
    out: ['send 0@0', 'acknowledge 0 at 0', 'send 1@10', 'send 2@20', 'send 3@30', 'send 4@40', 'send 5@50'],
  },
  {
    name: 'acknowledges in order, whatever the order of the answers',
    from: fiveInFlight(),
    inputs: [acknowledged(2), acknowledged(3), acknowledged(1)],
    out: ['acknowledge 1 at 10', 'acknowledge 2 at 20', 'acknowledge 3 at 30'],
  },
  {
    name: 'counts the window from the oldest unacknowledged batch',
    from: fiveInFlight(),
    inputs: [acknowledged(2), acknowledged(3), acknowledged(4), acknowledged(5), ready(6)],
    out: [],
  },
  {
    name: 'repeats from the oldest with the same sequence numbers once everything is back',
    from: fiveInFlight(),
    inputs: [
      refused(1, 'unknown'),
      refused(2, 'unknown'),
      ready(6),
      refused(3, 'unknown'),
      refused(4, 'unknown'),
      refused(5, 'unknown'),
      resumed,
    ],
    out: ['back-off', 'send 1@10', 'send 2@20', 'send 3@30', 'send 4@40', 'send 5@50'],
  },
  {
    name: 'does not repeat what was acknowledged behind a lost acknowledgement',
    from: fiveInFlight(),
    inputs: [
      acknowledged(2),
      acknowledged(3),
      acknowledged(4),
      acknowledged(5),
      refused(1, 'unknown'),
      resumed,
      acknowledged(1),
    ],
    out: [
      'back-off',
      'send 1@10',
      'acknowledge 1 at 10',
      'acknowledge 2 at 20',
      'acknowledge 3 at 30',
      'acknowledge 4 at 40',
      'acknowledge 5 at 50',
    ],
  },
  {
    name: 'takes out-of-sequence answers behind a batch refused for now as following from it',
    from: fiveInFlight(),
    inputs: [refused(1, 'not-now'), ...[2, 3, 4, 5].map((id) => refused(id, 'out-of-sequence')), resumed],
    out: ['back-off', 'send 1@10', 'send 2@20', 'send 3@30', 'send 4@40', 'send 5@50'],
  },
  {
    name: 'gives later batches new sequence numbers when the second of five is too large',
    from: fiveInFlight(),
    inputs: [
      acknowledged(1),
      refused(2, 'too-large'),
      ...[3, 4, 5].map((id) => refused(id, 'out-of-sequence')),
      {
        kind: 'replaced',
        id: 2,
        by: [
          { id: 6, records: 1 },
          { id: 7, records: 2 },
        ],
      },
    ],
    out: ['acknowledge 1 at 10', 'replace 2', 'send 6@20', 'send 7@21', 'send 3@23', 'send 4@33', 'send 5@43'],
  },
  {
    name: 'closes the gap when nothing replaces the batch that was too large',
    from: fiveInFlight(),
    inputs: [
      acknowledged(1),
      refused(2, 'too-large'),
      ...[3, 4, 5].map((id) => refused(id, 'out-of-sequence')),
      { kind: 'replaced', id: 2, by: [] },
    ],
    out: ['acknowledge 1 at 10', 'replace 2', 'send 3@20', 'send 4@30', 'send 5@40'],
  },
  {
    name: 'first repeats a lost batch when the one behind it was too large',
    from: fiveInFlight(),
    inputs: [
      refused(2, 'too-large'),
      ...[3, 4, 5].map((id) => refused(id, 'out-of-sequence')),
      refused(1, 'unknown'),
      resumed,
    ],
    out: ['back-off', 'send 1@10', 'send 2@20', 'send 3@30', 'send 4@40', 'send 5@50'],
  },
  {
    name: 'reopens rather than renumbers where a later batch may linger at the broker',
    from: fiveInFlight(),
    inputs: [
      acknowledged(1),
      refused(2, 'too-large'),
      refused(3, 'out-of-sequence'),
      refused(4, 'unknown'),
      refused(5, 'unknown'),
      resumed,
      refused(2, 'too-large'),
      refused(3, 'out-of-sequence'),
      refused(4, 'out-of-sequence'),
      refused(5, 'out-of-sequence'),
    ],
    out: ['acknowledge 1 at 10', 'back-off', 'send 2@20', 'send 3@30', 'send 4@40', 'send 5@50', 'reopen', 'halted'],
  },
  {
    name: 'asks again before it reopens while a later batch was not answered',
    from: fiveInFlight(),
    inputs: [
      refused(1, 'out-of-sequence'),
      refused(2, 'out-of-sequence'),
      ...[3, 4, 5].map((id) => refused(id, 'unknown')),
      resumed,
      refused(1, 'out-of-sequence'),
      acknowledged(2),
      acknowledged(3),
      acknowledged(4),
      acknowledged(5),
    ],
    out: ['back-off', 'send 1@10', 'send 2@20', 'send 3@30', 'send 4@40', 'send 5@50', 'reopen', 'halted'],
  },
  {
    name: 'gives an untimely batch the place of the old one',
    from: fiveInFlight(),
    inputs: [
      refused(1, 'untimely'),
      ...[2, 3, 4, 5].map((id) => refused(id, 'out-of-sequence')),
      { kind: 'replaced', id: 1, by: [{ id: 6, records: 10 }] },
    ],
    out: ['replace 1', 'send 6@10', 'send 2@20', 'send 3@30', 'send 4@40', 'send 5@50'],
  },
  {
    name: 'reopens rather than replaces what may have landed before the topic was changed',
    from: fiveInFlight(),
    inputs: [
      refused(1, 'unknown'),
      ...[2, 3, 4, 5].map((id) => refused(id, 'not-now')),
      resumed,
      refused(1, 'too-large'),
      ...[2, 3, 4, 5].map((id) => refused(id, 'out-of-sequence')),
    ],
    out: ['back-off', 'send 1@10', 'send 2@20', 'send 3@30', 'send 4@40', 'send 5@50', 'reopen', 'halted'],
  },
  {
    name: 'sends the first batch alone once it was empty for long',
    from: drive([ready(0), resumed, acknowledged(0)]).state,
    inputs: [{ kind: 'lapsed' }, ready(1), ready(2), acknowledged(1)],
    out: ['send 1@10', 'acknowledge 1 at 10', 'send 2@20'],
  },
  {
    name: 'asks coordinator and topic rather than repeats what it sent long ago',
    from: fiveInFlight(),
    inputs: [...[1, 2, 3, 4, 5].map((id) => refused(id, 'unknown')), { kind: 'overdue' }],
    out: ['back-off', 'reopen', 'halted'],
  },
  {
    name: 'reopens when nothing explains an out-of-sequence answer',
    from: fiveInFlight(),
    inputs: [acknowledged(1), ...[2, 3, 4, 5].map((id) => refused(id, 'out-of-sequence'))],
    out: ['acknowledge 1 at 10', 'reopen', 'halted'],
  },
  {
    name: 'begins at 0 in a new epoch with what did not land, the first alone',
    from: fiveInFlight(),
    inputs: [
      ...[1, 2, 3, 4, 5].map((id) => refused(id, 'out-of-sequence')),
      {
        kind: 'reopened',
        landed: new Map([
          [1, 10],
          [2, 20],
        ]),
      },
      acknowledged(3),
    ],
    out: [
      'reopen',
      'halted',
      'acknowledge 1 at 10',
      'acknowledge 2 at 20',
      'send 3@0',
      'acknowledge 3 at 30',
      'send 4@10',
      'send 5@20',
    ],
  },
  {
    name: 'halts only when everything it sent was answered',
    from: fiveInFlight(),
    inputs: [
      halt,
      acknowledged(1),
      acknowledged(2),
      refused(3, 'unknown'),
      acknowledged(4),
      acknowledged(5),
      ready(6),
      resumed,
      acknowledged(3),
    ],
    out: [
      'acknowledge 1 at 10',
      'acknowledge 2 at 20',
      'back-off',
      'send 3@30',
      'acknowledge 3 at 30',
      'acknowledge 4 at 40',
      'acknowledge 5 at 50',
      'halted',
    ],
  },
  {
    name: 'halts at once where it has sent nothing, and does not resume by itself',
    from: drive([ready(0)]).state,
    inputs: [halt, resumed, { kind: 'reopened', landed: new Map() }],
    out: ['halted', 'send 0@0'],
  },
  {
    name: 'halts after a replacement that is under way',
    from: drive([ready(0), resumed, refused(0, 'too-large')]).state,
    inputs: [halt, { kind: 'replaced', id: 0, by: [{ id: 1, records: 1 }] }, { kind: 'reopened', landed: new Map() }],
    out: ['halted', 'send 1@0'],
  },
]

describe('lane', () => {
  for (const { name, from, inputs, out } of cases) {
    test(name, () => assert.deepEqual(short(drive(inputs, from).outputs), out))
  }

  test('continues with 0 after sequence 2^31 - 1', () => {
    assert.equal(advanceSequence(2 ** 31 - 3, 2), 2 ** 31 - 1)
    assert.equal(advanceSequence(2 ** 31 - 3, 3), 0)
    assert.equal(advanceSequence(2 ** 31 - 3, 10), 7)
    const { outputs } = drive([ready(0, 5), resumed, acknowledged(0), ready(1, 1)], newLane(2 ** 31 - 3))
    assert.deepEqual(short(outputs), ['send 0@2147483645', 'acknowledge 0 at 0', 'send 1@2'])
  })
})
