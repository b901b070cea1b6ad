import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KubedeltaError, type ErrorCode, type ErrorFields } from '../../../src/base/errors.ts'
import { fakeObject, PODS } from '../../../src/testing/fake-objects.ts'
import {
  INITIAL_STATE,
  type ReflectorInput,
  type ReflectorOutput,
  type ReflectorPhase,
  type ReflectorRules,
  type ReflectorState,
} from '../../../src/watch/reflector-state.ts'
import { step } from '../../../src/watch/reflector-step.ts'

const RULES: ReflectorRules = {
  resource: PODS,
  watchList: true,
  pageSize: 0,
  initialResourceVersion: 'any-cached',
  tooLargeRetryMs: 0,
  internalErrorRetryMs: 0,
}

const OPENING = { opening: true }
const POD = fakeObject(PODS, { name: 'foo', uid: 'u', resourceVersion: '7' })

function at(phase: ReflectorPhase, more: Partial<ReflectorState> = {}): ReflectorState {
  return { ...INITIAL_STATE, lastSyncResourceVersion: '5', synced: true, ...more, phase }
}

const watching: ReflectorPhase = { kind: 'watching', events: 0, moves: true }
const streaming: ReflectorPhase = { kind: 'watch-listing', reason: 'resync', events: 0 }
const listing: ReflectorPhase = {
  kind: 'listing',
  reason: 'watch-error',
  request: { resourceVersion: '5', limit: 0 },
  asked: '5',
  resourceVersion: undefined,
}

function failed(code: ErrorCode, fields: ErrorFields = {}): ReflectorInput {
  return { kind: 'failed', error: new KubedeltaError(code, code, { fields }), lastedMs: 5_000 }
}

/** Outputs and what follows, in short: `report`, `begin expired`, `list 5/0`, `watch 5`, `watch 5 initial`, `wait 0 -> watch`. */
function told(state: ReflectorState, input: ReflectorInput, rules: Partial<ReflectorRules> = {}): string[] {
  const next = step(state, input, { rules: { ...RULES, ...rules }, nowMs: 1_000 })
  return next.outputs.filter(({ kind }) => kind !== 'log').map((output) => inShort(output, next.state.phase))
}

function inShort(output: ReflectorOutput, phase: ReflectorPhase): string {
  switch (output.kind) {
    case 'begin':
      return `begin ${output.reason}`
    case 'item':
    case 'add':
    case 'update':
    case 'delete':
      return `${output.kind} ${output.object.name}`
    case 'end':
      return `end ${output.resourceVersion} ${output.reason}`
    case 'bookmark':
      return `bookmark ${output.resourceVersion}`
    case 'report':
      return `report ${output.error.code}`
    case 'log':
      return output.message
    case 'list': {
      const { continue: token, resourceVersion, limit } = output.request
      return token === undefined ? `list ${resourceVersion}/${limit}` : `list after ${token}/${limit}`
    }
    case 'watch':
      return `watch ${output.resourceVersion}${output.sendInitialEvents ? ' initial' : ''}`
    case 'wait': {
      if (phase.kind !== 'waiting') return 'wait for nothing'
      const { next } = phase
      return `wait ${output.atLeastMs} -> ${next.kind}${next.kind === 'list' ? ` ${next.reason}` : ''}`
    }
  }
  return output satisfies never
}

describe('a watch that ends', () => {
  const rows: Array<[string, ReflectorInput, string[]]> = [
    ['closed', { kind: 'closed', lastedMs: 1_000 }, ['watch 5']],
    ['closed at once', { kind: 'closed', lastedMs: 999 }, ['wait 0 -> list watch-error']],
    ['cut', failed('unreachable'), ['watch 5']],
    ['refused', failed('unreachable', { refused: true, opening: true }), ['wait 0 -> watch']],
    ['not opened', failed('unreachable', OPENING), ['report unreachable', 'wait 0 -> list watch-error']],
    ['throttled', failed('throttled', { retryAfterMs: 3_000 }), ['wait 3000 -> watch']],
    ['expired on opening', failed('expired'), ['report expired', 'wait 0 -> list expired']],
    [
      'too large',
      failed('too-large-resource-version'),
      ['report too-large-resource-version', 'wait 0 -> list too-large'],
    ],
    ['corrupt', failed('corrupt'), ['wait 0 -> list watch-error']],
    ['forbidden', failed('forbidden'), ['report forbidden', 'wait 0 -> list watch-error']],
    ['asked to list', { kind: 'relist', reason: 'resync' }, ['begin resync', 'watch 5 initial']],
  ]
  for (const [name, input, expected] of rows) {
    test(`is followed by ${expected.join(', ')}: ${name}`, () => {
      assert.deepEqual(told(at(watching), input), expected)
    })
  }
})

describe('a streamed list that fails', () => {
  const rows: Array<[string, ReflectorInput, string[]]> = [
    ['closed', { kind: 'closed', lastedMs: 1_000 }, ['begin resync', 'watch 5 initial']],
    ['closed at once', { kind: 'closed', lastedMs: 999 }, ['begin resync', 'list 5/0']],
    ['cut', failed('unreachable'), ['begin resync', 'watch 5 initial']],
    ['refused', failed('unreachable', { refused: true, opening: true }), ['wait 0 -> list resync']],
    ['not opened', failed('unreachable', OPENING), ['begin resync', 'list 5/0']],
    ['throttled', failed('throttled', { retryAfterMs: 3_000 }), ['wait 3000 -> list resync']],
    ['expired', failed('expired'), ['begin resync', 'watch  initial']],
    ['too large', failed('too-large-resource-version'), ['begin resync', 'watch  initial']],
    ['not understood', failed('server'), ['begin resync', 'list 5/0']],
    ['corrupt', failed('corrupt'), ['begin resync', 'list 5/0']],
  ]
  for (const [name, input, expected] of rows) {
    test(`is followed by ${expected.join(', ')}: ${name}`, () => {
      assert.deepEqual(told(at(streaming), input), expected)
    })
  }
})

describe('a list in pages', () => {
  const paged: ReflectorPhase = { ...listing, request: { resourceVersion: '', limit: 500, continue: 'C1' } }
  const rows: Array<[string, ReflectorState, ReflectorInput, string[]]> = [
    ['last page', at(listing), { kind: 'page', resourceVersion: '9', continue: '' }, ['end 9 watch-error', 'watch 9']],
    ['one of many', at(listing), { kind: 'page', resourceVersion: '9', continue: 'C1' }, ['list after C1/0']],
    ['expired', at(listing), failed('expired'), ['begin expired', 'list /0']],
    ['too large', at(listing), failed('too-large-resource-version'), ['begin too-large', 'list /0']],
    ['next page expired', at(paged), failed('expired'), ['begin watch-error', 'list 5/0']],
    [
      'throttled',
      at(listing),
      failed('throttled', { retryAfterMs: 9 }),
      ['report throttled', 'wait 9 -> list watch-error'],
    ],
    ['forbidden', at(listing), failed('forbidden'), ['report forbidden', 'wait 0 -> list watch-error']],
    [
      'consistent and expired nevertheless',
      at(listing, { isLastSyncResourceVersionUnavailable: true }),
      failed('expired'),
      ['report expired', 'wait 0 -> list watch-error'],
    ],
  ]
  for (const [name, state, input, expected] of rows) {
    test(`is followed by ${expected.join(', ')}: ${name}`, () => {
      assert.deepEqual(told(state, input), expected)
    })
  }

  test('takes the resourceVersion of its first page', () => {
    const state = at({ ...paged, resourceVersion: '9' })
    assert.deepEqual(told(state, { kind: 'page', resourceVersion: '11', continue: '' }), [
      'end 9 watch-error',
      'watch 9',
    ])
  })
})

describe('what a list asks for', () => {
  const waiting: ReflectorPhase = { kind: 'waiting', next: { kind: 'list', reason: 'expired' } }
  const fresh = { lastSyncResourceVersion: '', synced: false }
  const rows: Array<[string, Partial<ReflectorState>, Partial<ReflectorRules>, string, string]> = [
    ['first', fresh, {}, 'watch  initial', 'list 0/500'],
    [
      'first, not older than 9',
      fresh,
      { initialResourceVersion: { notOlderThan: '9' } },
      'watch 9 initial',
      'list 9/0',
    ],
    [
      'first, with nothing known',
      fresh,
      { initialResourceVersion: { notOlderThan: '' } },
      'watch  initial',
      'list /500',
    ],
    ['later', {}, {}, 'watch 5 initial', 'list 5/0'],
    ['later, having failed after 8', { floor: '8' }, {}, 'watch 8 initial', 'list 8/0'],
    ['later, having failed after 4', { floor: '4' }, {}, 'watch 5 initial', 'list 5/0'],
    ['unavailable', { isLastSyncResourceVersionUnavailable: true }, {}, 'watch  initial', 'list /500'],
    ['a server without a cache', { paginatedResult: true }, {}, 'watch 5 initial', 'list 5/500'],
    ['a page size of its own', {}, { pageSize: 4 }, 'watch 5 initial', 'list 5/4'],
  ]
  for (const [name, state, rules, streamed, inPages] of rows) {
    test(`is ${streamed} or ${inPages}: ${name}`, () => {
      assert.equal(told(at(waiting, state), { kind: 'waited' }, rules)[1], streamed)
      assert.equal(told(at(waiting, state), { kind: 'waited' }, { ...rules, watchList: false })[1], inPages)
    })
  }
})

describe('resourceVersions of a watch', () => {
  const after = (state: ReflectorState, input: ReflectorInput): string =>
    step(state, input, { rules: RULES, nowMs: 0 }).state.lastSyncResourceVersion

  test('are taken from every event', () => {
    for (const kind of ['added', 'modified', 'deleted'] as const) {
      assert.equal(after(at(watching), { kind, object: POD }), '7')
    }
    assert.equal(after(at(watching), { kind: 'bookmark', resourceVersion: '8', initialEventsEnd: false }), '8')
    assert.equal(after(at(watching), { kind: 'unknown', type: 'X', resourceVersion: '9' }), '9')
  })

  test('are not taken from adds of a watch without a start, until another event came', () => {
    let { state } = step(
      at({ kind: 'waiting', next: { kind: 'watch' } }, { lastSyncResourceVersion: '' }),
      { kind: 'waited' },
      {
        rules: RULES,
        nowMs: 0,
      },
    )
    const take = (input: ReflectorInput): string => {
      state = step(state, input, { rules: RULES, nowMs: 0 }).state
      return state.lastSyncResourceVersion
    }
    assert.equal(take({ kind: 'added', object: POD }), '')
    assert.equal(take({ kind: 'modified', object: { ...POD, resourceVersion: '8' } }), '8')
    assert.equal(take({ kind: 'added', object: { ...POD, resourceVersion: '9' } }), '9')
  })

  test('are no older in the next list than what a watch without a start began with', () => {
    const context = { rules: { ...RULES, watchList: false }, nowMs: 0 }
    const first = at({ kind: 'watching', events: 0, moves: false }, { lastSyncResourceVersion: '0' })
    const { state } = step(first, { kind: 'added', object: POD }, context)
    assert.equal(state.lastSyncResourceVersion, '0')
    const { outputs } = step(state, { kind: 'relist', reason: 'requested' }, context)
    assert.deepEqual(outputs.at(-1), { kind: 'list', request: { resourceVersion: '7', limit: 0 } })
  })
})

test('an input that cannot come is a bug', () => {
  const page: ReflectorInput = { kind: 'page', resourceVersion: '1', continue: '' }
  for (const phase of [INITIAL_STATE.phase, watching, streaming]) {
    assert.throws(() => step(at(phase), page, { rules: RULES, nowMs: 0 }), { code: 'internal' })
  }
  assert.throws(() => step(at(listing), { kind: 'waited' }, { rules: RULES, nowMs: 0 }), { code: 'internal' })
})
