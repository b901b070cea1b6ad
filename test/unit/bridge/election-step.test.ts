import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  newCandidate,
  releasedClaim,
  step,
  type ElectionInput,
  type ElectionNext,
  type ElectionState,
} from '../../../src/bridge/election-step.ts'
import type { Lease, LeaseClaim } from '../../../src/kube/lease.ts'

const timing = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 }
const candidate = { identity: 'me', timing }
const WALL_MS = Date.UTC(2026, 0, 1)

function lease(holder: string, more: Partial<LeaseClaim> = {}): Lease {
  const acquireTime = '2025-12-31T00:00:00.000000Z'
  const claim = { holder, durationMs: 15_000, acquireTime, renewTime: acquireTime, transitions: 3, ...more }
  return { claim, object: { metadata: { resourceVersion: '1' } } }
}

/** Feeds inputs at their times, and returns what followed each. */
function play(
  inputs: ReadonlyArray<readonly [atMs: number, input: ElectionInput]>,
  { from = newCandidate, chance = 0 }: { readonly from?: ElectionState; readonly chance?: number } = {},
): { readonly state: ElectionState; readonly nexts: readonly ElectionNext[] } {
  let state = from
  const nexts = inputs.map(([nowMs, input]) => {
    const stepped = step(state, input, candidate, { nowMs, wallMs: WALL_MS + nowMs, chance })
    state = stepped.state
    return stepped.next
  })
  return { state, nexts }
}

/** `read 5000`, `update by me 2000`, `wait 2000`. */
function shortOf(next: ElectionNext | undefined): string {
  if (next === undefined) return 'nothing'
  if (next.kind === 'end') return 'end'
  if (next.kind === 'wait') return `wait ${next.ms}`
  return `${next.request.kind} ${next.timeoutMs}`
}

const due: ElectionInput = { kind: 'due' }
const failed: ElectionInput = { kind: 'failed' }
const conflict: ElectionInput = { kind: 'conflict' }
const leading: ElectionState = { kind: 'leading', lease: lease('me'), renewedAtMs: 0, askedAtMs: 0 }

describe('a standby', () => {
  const table: ReadonlyArray<{
    readonly claim: string
    readonly inputs: ReadonlyArray<readonly [number, ElectionInput]>
    readonly wanted: readonly string[]
    readonly kind: ElectionState['kind']
  }> = [
    {
      claim: 'creates the Lease where there is none',
      inputs: [
        [0, due],
        [5, { kind: 'read', lease: undefined }],
        [9, { kind: 'written', lease: lease('me') }],
      ],
      wanted: ['read 5000', 'create 5000', 'wait 2000'],
      kind: 'leading',
    },
    {
      claim: 'takes a Lease that was given back',
      inputs: [
        [0, due],
        [5, { kind: 'read', lease: lease('') }],
      ],
      wanted: ['read 5000', 'update 5000'],
      kind: 'standby',
    },
    {
      claim: 'takes a Lease that holds its own name: an answer was lost',
      inputs: [
        [0, due],
        [5, { kind: 'read', lease: lease('me') }],
      ],
      wanted: ['read 5000', 'update 5000'],
      kind: 'standby',
    },
    {
      claim: 'waits for the whole duration from its own first look, however old the times in the Lease are',
      inputs: [
        [0, due],
        [1, { kind: 'read', lease: lease('other') }],
        [15_000, { kind: 'read', lease: lease('other') }],
        [15_001, { kind: 'read', lease: lease('other') }],
      ],
      wanted: ['read 5000', 'wait 2000', 'wait 2000', 'update 5000'],
      kind: 'standby',
    },
    {
      claim: 'waits anew after each renewal that it sees, however far in the past or the future its times lie',
      inputs: [
        [0, { kind: 'read', lease: lease('other') }],
        [14_000, { kind: 'read', lease: lease('other', { renewTime: '1999-01-01T00:00:00.000000Z' }) }],
        [28_999, { kind: 'read', lease: lease('other', { renewTime: '1999-01-01T00:00:00.000000Z' }) }],
        [29_000, { kind: 'read', lease: lease('other', { renewTime: '1999-01-01T00:00:00.000000Z' }) }],
      ],
      wanted: ['wait 2000', 'wait 2000', 'wait 2000', 'update 5000'],
      kind: 'standby',
    },
    {
      claim: 'goes by the duration of who holds the Lease, not by its own',
      inputs: [
        [0, { kind: 'read', lease: lease('other', { durationMs: 60_000 }) }],
        [59_999, { kind: 'read', lease: lease('other', { durationMs: 60_000 }) }],
        [60_000, { kind: 'read', lease: lease('other', { durationMs: 60_000 }) }],
      ],
      wanted: ['wait 2000', 'wait 2000', 'update 5000'],
      kind: 'standby',
    },
    {
      claim: 'looks again later when another was faster, or nobody answers',
      inputs: [
        [0, conflict],
        [0, failed],
      ],
      wanted: ['wait 2000', 'wait 2000'],
      kind: 'standby',
    },
  ]
  for (const { claim, inputs, wanted, kind } of table) {
    test(claim, () => {
      const { state, nexts } = play(inputs)
      assert.deepEqual(nexts.map(shortOf), wanted)
      assert.equal(state.kind, kind)
    })
  }

  test('waits up to 2.2 times the retry period, so that two do not ask in step', () => {
    const { nexts } = play([[0, failed]], { chance: 0.999_999 })
    const [next] = nexts
    assert.ok(next?.kind === 'wait' && next.ms > 4_399 && next.ms < 4_400)
  })

  test('counts a change of holders, and says since when', () => {
    const { nexts } = play([[7, { kind: 'read', lease: lease('') }]])
    const [next] = nexts
    assert.ok(next?.kind === 'ask' && next.request.kind === 'update')
    const now = '2026-01-01T00:00:00.007000Z'
    assert.deepEqual(next.request.claim, {
      holder: 'me',
      durationMs: 15_000,
      acquireTime: now,
      renewTime: now,
      transitions: 4,
    })
  })

  test('counts its time from when it asked, not from when it was answered', () => {
    const { state } = play([
      [100, { kind: 'read', lease: lease('') }],
      [4_000, { kind: 'written', lease: lease('me') }],
    ])
    assert.ok(state.kind === 'leading')
    assert.equal(state.renewedAtMs, 100)
  })
})

describe('a leader', () => {
  const table: ReadonlyArray<{
    readonly claim: string
    readonly inputs: ReadonlyArray<readonly [number, ElectionInput]>
    readonly wanted: readonly string[]
    readonly kind: ElectionState['kind']
  }> = [
    {
      claim: 'renews by an update alone',
      inputs: [
        [2_000, due],
        [2_010, { kind: 'written', lease: lease('me') }],
      ],
      wanted: ['update 5000', 'wait 2000'],
      kind: 'leading',
    },
    {
      claim: 'updates again when somebody touched the Lease without taking it',
      inputs: [
        [2_000, due],
        [2_010, conflict],
        [2_020, { kind: 'read', lease: lease('me') }],
      ],
      wanted: ['update 5000', 'read 5000', 'update 5000'],
      kind: 'leading',
    },
    {
      claim: 'makes the Lease again that was deleted, and takes back the one that was emptied',
      inputs: [
        [2_000, conflict],
        [2_010, { kind: 'read', lease: undefined }],
        [2_020, conflict],
        [2_030, { kind: 'read', lease: lease('') }],
      ],
      wanted: ['read 5000', 'create 5000', 'read 5000', 'update 5000'],
      kind: 'leading',
    },
    {
      claim: 'has lost as soon as it sees another holder',
      inputs: [
        [2_000, conflict],
        [2_010, { kind: 'read', lease: lease('other') }],
      ],
      wanted: ['read 5000', 'end'],
      kind: 'lost',
    },
    {
      claim: 'goes on until the renew deadline, and is told of it on time',
      inputs: [
        [2_000, due],
        [7_000, failed],
        [9_000, due],
        [9_999, failed],
      ],
      wanted: ['update 5000', 'wait 2000', 'update 1000', 'wait 1'],
      kind: 'leading',
    },
    {
      claim: 'pauses at the renew deadline, and has until the end of the Lease',
      inputs: [
        [10_000, failed],
        [12_000, due],
      ],
      wanted: ['wait 2000', 'update 3000'],
      kind: 'paused',
    },
    {
      claim: 'goes on when a paused one has renewed',
      inputs: [
        [10_000, failed],
        [12_000, due],
        [12_100, { kind: 'written', lease: lease('me') }],
      ],
      wanted: ['wait 2000', 'update 3000', 'wait 2000'],
      kind: 'leading',
    },
    {
      claim: 'looks once more when the Lease is over, and has lost when that is not answered',
      inputs: [
        [10_000, failed],
        [15_000, failed],
        [20_000, failed],
      ],
      wanted: ['wait 2000', 'read 5000', 'end'],
      kind: 'lost',
    },
    {
      claim: 'that was stopped while it asked hears who holds the Lease now',
      inputs: [
        [90_000, failed],
        [90_010, { kind: 'read', lease: lease('other') }],
      ],
      wanted: ['read 5000', 'end'],
      kind: 'lost',
    },
    {
      claim: 'that was stopped while it asked goes on if nobody took the Lease meanwhile',
      inputs: [
        [90_000, failed],
        [90_010, { kind: 'read', lease: lease('me') }],
        [90_020, { kind: 'written', lease: lease('me') }],
      ],
      wanted: ['read 5000', 'update 5000', 'wait 2000'],
      kind: 'leading',
    },
    {
      claim: 'that stood still for longer than its Lease pauses first, then tries once',
      inputs: [[90_000, due]],
      wanted: ['update 5000'],
      kind: 'paused',
    },
    {
      claim: 'that stood still goes on if nobody took the Lease meanwhile',
      inputs: [
        [90_000, due],
        [90_010, { kind: 'written', lease: lease('me') }],
      ],
      wanted: ['update 5000', 'wait 2000'],
      kind: 'leading',
    },
    {
      claim: 'that stood still has lost if it is not answered',
      inputs: [
        [90_000, due],
        [95_000, failed],
      ],
      wanted: ['update 5000', 'end'],
      kind: 'lost',
    },
  ]
  for (const { claim, inputs, wanted, kind } of table) {
    test(claim, () => {
      const { state, nexts } = play(inputs, { from: leading })
      assert.deepEqual(nexts.map(shortOf), wanted)
      assert.equal(state.kind, kind)
    })
  }

  test('keeps the time at which it got the Lease, and its number', () => {
    const [next] = play([[2_000, due]], { from: leading }).nexts
    assert.ok(next?.kind === 'ask' && next.request.kind === 'update')
    const { acquireTime, transitions } = next.request.claim
    assert.deepEqual({ acquireTime, transitions }, { acquireTime: '2025-12-31T00:00:00.000000Z', transitions: 3 })
  })

  test('names who holds the Lease that it lost', () => {
    const { state } = play([[1, { kind: 'read', lease: lease('other') }]], { from: leading })
    assert.deepEqual(state, { kind: 'lost', holder: 'other' })
  })
})

test('a Lease is given back with nobody as its holder, for a second', () => {
  const { holder, durationMs, transitions } = releasedClaim(lease('me'), { wallMs: WALL_MS })
  assert.deepEqual({ holder, durationMs, transitions }, { holder: '', durationMs: 1000, transitions: 3 })
})
