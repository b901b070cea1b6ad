import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ErrorCode } from '../../../src/base/errors.ts'
import { parseStatus, parseStatusBody, statusError, type KubeStatus } from '../../../src/kube/status-error.ts'

function status(fields: Partial<KubeStatus>): KubeStatus {
  return { code: 0, reason: '', message: '', causes: [], ...fields }
}

describe('a Status is classified as client-go does', () => {
  const TOO_LARGE = 'Too large resource version'
  const table: ReadonlyArray<readonly [claim: string, status: Partial<KubeStatus>, code: ErrorCode]> = [
    ['Expired', { code: 410, reason: 'Expired' }, 'expired'],
    ['Gone', { code: 410, reason: 'Gone' }, 'expired'],
    ['410 without a reason', { code: 410 }, 'expired'],
    ['410 with a reason Kubernetes does not know', { code: 410, reason: 'Unknown' }, 'expired'],
    ['410 with another known reason', { code: 410, reason: 'InternalError' }, 'server'],
    [
      'too large by cause reason',
      { code: 504, reason: 'Timeout', causes: [{ reason: 'ResourceVersionTooLarge', message: '' }] },
      'too-large-resource-version',
    ],
    [
      'too large by cause message',
      { code: 504, reason: 'Timeout', causes: [{ reason: '', message: TOO_LARGE }] },
      'too-large-resource-version',
    ],
    [
      'too large by message',
      { code: 504, reason: 'Timeout', message: `Timeout: ${TOO_LARGE}: 9, current: 3` },
      'too-large-resource-version',
    ],
    ['that message in another answer', { code: 400, reason: 'BadRequest', message: TOO_LARGE }, 'server'],
    ['another timeout', { code: 504, reason: 'Timeout', message: 'request timed out' }, 'server'],
    ['429 with any reason', { code: 429, reason: 'Conflict' }, 'throttled'],
    ['TooManyRequests', { reason: 'TooManyRequests' }, 'throttled'],
    ['401', { code: 401, reason: 'Unauthorized' }, 'unauthorized'],
    ['403', { code: 403, reason: 'Forbidden' }, 'forbidden'],
    ['404', { code: 404, reason: 'NotFound' }, 'not-found'],
    ['404 of something else than Kubernetes', { code: 404 }, 'not-found'],
    ['500', { code: 500, reason: 'InternalError' }, 'server'],
    ['a reason named like a method', { code: 500, reason: 'constructor' }, 'server'],
  ]
  for (const [claim, given, code] of table) {
    test(`${claim} is ${code}`, () => {
      assert.equal(statusError(status(given), 'Cannot list pods').code, code)
    })
  }
})

test('status error carries what the apiserver said', () => {
  const error = statusError(
    status({ code: 503, reason: 'ServiceUnavailable', message: 'etcd is away', retryAfterMs: 1000 }),
    'Cannot list pods',
  )
  assert.equal(error.message, 'Cannot list pods: the apiserver answered 503 ServiceUnavailable: etcd is away')
  assert.deepEqual(error.fields, { status: 503, reason: 'ServiceUnavailable', retryAfterMs: 1000 })
})

test('Status is read with its causes and its pause', () => {
  const given = {
    kind: 'Status',
    code: 504,
    reason: 'Timeout',
    message: 'late',
    details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'x' }, 7], retryAfterSeconds: 2 },
  }
  assert.deepEqual(parseStatus(given), {
    code: 504,
    reason: 'Timeout',
    message: 'late',
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'x' }],
    retryAfterMs: 2000,
  })
})

test('what is no Status is none', () => {
  for (const given of [undefined, null, 'Status', [], { kind: 'Pod' }]) assert.equal(parseStatus(given), undefined)
})

test('Retry-After header wins over the body', () => {
  const body = JSON.stringify({ kind: 'Status', code: 429, details: { retryAfterSeconds: 5 } })
  assert.equal(parseStatusBody(body, { httpStatus: 429, retryAfter: '1' }).retryAfterMs, 1000)
  assert.equal(
    parseStatusBody(body, { httpStatus: 429, retryAfter: 'Wed, 21 Oct 2026 07:28:00 GMT' }).retryAfterMs,
    5000,
  )
  assert.equal(parseStatusBody(body, { httpStatus: 429 }).retryAfterMs, 5000)
})

test('an answer of something between here and the apiserver is quoted', () => {
  const read = parseStatusBody(`<html>${'x'.repeat(500)}`, { httpStatus: 502 })
  assert.equal(read.code, 502)
  assert.ok(read.message.startsWith('"<html>xxx') && read.message.length < 250)
})
