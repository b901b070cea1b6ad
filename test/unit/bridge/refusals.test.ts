import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KubedeltaError, type ErrorCode } from '../../../src/base/errors.ts'
import { Refusals } from '../../../src/bridge/refusals.ts'

function refused(code: ErrorCode): KubedeltaError {
  return new KubedeltaError(code, `Cannot list pods: ${code}`)
}

describe('what was asked for by name', () => {
  for (const code of ['forbidden', 'unauthorized', 'not-found'] as const) {
    test(`ends the run where it is refused before it has been listed and watched: ${code}`, () => {
      let isComplete = false
      const refusals = new Refusals({ named: true, isComplete: () => isComplete })
      assert.throws(() => refusals.failed(0, refused(code)), refused(code))
      // Listed, and its watch refused: who may list and not watch is refused for good as well.
      isComplete = true
      assert.throws(() => refusals.failed(0, refused(code)), refused(code))
      refusals.heard(0)
      assert.equal(refusals.failed(0, refused(code)), true)
      assert.equal(refusals.reason, `Cannot list pods: ${code}`)
    })
  }
})

test('what nobody named is degraded from the first refusal on, which is news once, until its watch brings something', () => {
  const refusals = new Refusals({ named: false, isComplete: () => false })
  assert.deepEqual([refusals.failed(0, refused('forbidden')), refusals.failed(0, refused('forbidden'))], [true, false])
  assert.equal(refusals.heard(0), true)
  assert.equal(refusals.reason, undefined)
  assert.equal(refusals.failed(0, refused('forbidden')), true)
})

test('each of several feeds is refused by itself, and one that is heard mends no other', () => {
  const refusals = new Refusals({ named: false, isComplete: () => true })
  refusals.failed(0, refused('forbidden'))
  refusals.failed(1, refused('unauthorized'))
  refusals.heard(0)
  assert.equal(refusals.reason, 'Cannot list pods: unauthorized')
})

test('an answer 5xx degrades at the third in a row, and one that passes in between begins anew', () => {
  const refusals = new Refusals({ named: true, isComplete: () => false })
  const fail = (): boolean => refusals.failed(0, refused('server'))
  assert.deepEqual([fail(), fail()], [false, false])
  refusals.heard(0)
  assert.deepEqual([fail(), fail(), fail()], [false, false, true])
})

for (const code of ['unreachable', 'throttled', 'timeout', 'expired'] as const) {
  test(`${code} passes by itself and degrades nothing`, () => {
    const refusals = new Refusals({ named: true, isComplete: () => false })
    assert.deepEqual(
      [1, 2, 3, 4].map(() => refusals.failed(0, refused(code))),
      [false, false, false, false],
    )
  })
}
