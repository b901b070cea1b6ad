import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromUnknown, hasCode, isAbort, isRetriable, KubedeltaError } from '../../../src/base/errors.ts'

test('an error keeps its code, its fields and what caused it', () => {
  const cause = new Error('ECONNREFUSED')
  const error = new KubedeltaError('unreachable', 'Cannot reach broker', { cause, fields: { port: 9092 } })
  assert.equal(error.code, 'unreachable')
  assert.equal(error.cause, cause)
  assert.deepEqual(error.fields, { port: 9092 })
  assert.equal(error.retriable, true)
  assert.equal('cause' in new KubedeltaError('usage', 'Cannot start'), false)
})

test('only what may pass by itself is retriable', () => {
  for (const code of ['unreachable', 'timeout', 'throttled', 'server', 'expired'] as const) assert.ok(isRetriable(code))
  for (const code of ['usage', 'forbidden', 'fenced', 'internal', 'corrupt'] as const) assert.ok(!isRetriable(code))
})

test('a caught value becomes one error, and an unknown one a bug', () => {
  const known = new KubedeltaError('fenced', 'Cannot write')
  assert.equal(fromUnknown(known, 'Cannot write'), known)
  const bug = fromUnknown(new TypeError('x is undefined'), 'Cannot write')
  assert.equal(bug.code, 'internal')
  assert.equal(bug.message, 'Cannot write: x is undefined')
  assert.equal(fromUnknown('text', 'Cannot write').message, 'Cannot write: text')
  assert.equal(fromUnknown(AbortSignal.abort().reason, 'Cannot write').code, 'aborted')
})

test('an abort is told from a failure', () => {
  assert.ok(isAbort(AbortSignal.abort().reason))
  assert.ok(isAbort(new KubedeltaError('aborted', 'Cannot wait: aborted')))
  assert.ok(isAbort(Object.assign(new Error('stopped'), { code: 'ABORT_ERR' })))
  assert.ok(!isAbort(new Error('no')))
  assert.ok(!isAbort('AbortError'))
})

test('codes are asked for without a cast', () => {
  const error: unknown = new KubedeltaError('expired', 'Cannot watch')
  assert.ok(hasCode(error, 'throttled', 'expired'))
  assert.ok(!hasCode(error, 'throttled'))
  assert.ok(!hasCode(new Error('expired'), 'expired'))
})
