import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorOfStatus, isInternalError } from '../../../src/watch/reflector-errors.ts'
import type { KubeStatus } from '../../../src/watch/source.ts'

const TOO_LARGE = 'Too large resource version'

const rows: Array<[string, Partial<KubeStatus>, string]> = [
  ['Expired', { code: 410, reason: 'Expired' }, 'expired'],
  ['Gone', { code: 410, reason: 'Gone' }, 'expired'],
  ['410 of unknown reason', { code: 410, reason: '' }, 'expired'],
  ['410 of another known reason', { code: 410, reason: 'Conflict' }, 'server'],
  ['StoreReadError', { code: 500, reason: 'StoreReadError' }, 'server'],
  [
    '#17 too large by cause reason',
    { causes: [{ reason: 'ResourceVersionTooLarge', message: '' }] },
    'too-large-resource-version',
  ],
  [
    '#17 too large by cause message',
    { code: 504, reason: 'Timeout', causes: [{ reason: '', message: TOO_LARGE }] },
    'too-large-resource-version',
  ],
  [
    '#17 too large by message',
    { code: 504, reason: 'Timeout', message: `${TOO_LARGE}: 9, current: 8` },
    'too-large-resource-version',
  ],
  ['another timeout', { code: 504, reason: 'Timeout' }, 'server'],
  ['TooManyRequests', { code: 429, reason: 'TooManyRequests' }, 'throttled'],
  ['429 of another reason', { code: 429, reason: 'Unknown' }, 'throttled'],
  ['Unauthorized', { code: 401, reason: 'Unauthorized' }, 'unauthorized'],
  ['Forbidden', { code: 403, reason: 'Forbidden' }, 'forbidden'],
  ['NotFound', { code: 404, reason: 'NotFound' }, 'not-found'],
  ['InternalError', { code: 500, reason: 'InternalError' }, 'server'],
]
for (const [name, status, code] of rows) {
  test(`a Status in a stream becomes ${code}: ${name}`, () => {
    const error = errorOfStatus({ code: 0, reason: '', message: '', causes: [], ...status })
    assert.equal(error.code, code)
    assert.equal(isInternalError(error), status.reason === 'InternalError')
  })
}

test('a Status keeps how long the server wants to be left alone', () => {
  const error = errorOfStatus({ code: 429, reason: '', message: '', causes: [], retryAfterMs: 5_000 })
  assert.equal(error.fields['retryAfterMs'], 5_000)
})
