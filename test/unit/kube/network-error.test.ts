import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { networkError } from '../../../src/kube/network-error.ts'

const context = { action: 'Cannot list pods', server: 'https://api:6443', opening: true }

function failure(code: string, cause?: Error): Error {
  return Object.assign(new Error(`${code} happened`, { cause }), { code })
}

describe('a network failure names server, cause and way out', () => {
  const table: ReadonlyArray<readonly [code: string, says: RegExp]> = [
    ['ECONNREFUSED', /connection refused: check that the apiserver runs/],
    ['ENOTFOUND', /the host name is unknown: check --server/],
    ['UND_ERR_CONNECT_TIMEOUT', /no connection within 10 s/],
    ['SELF_SIGNED_CERT_IN_CHAIN', /not trusted .*--certificate-authority FILE/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /for another name/],
    ['CERT_HAS_EXPIRED', /not valid today/],
    ['EPROTO', /does not speak TLS there/],
    ['EHOSTUNREACH', /EHOSTUNREACH: EHOSTUNREACH happened/],
  ]
  for (const [code, says] of table) {
    test(code, () => {
      const error = networkError(failure(code), context)
      assert.ok(hasCode(error, 'unreachable'))
      assert.match(error.message, /^Cannot list pods: no answer from https:\/\/api:6443: /)
      assert.match(error.message, says)
      assert.deepEqual(error.fields, {
        server: 'https://api:6443',
        cause: code,
        refused: code === 'ECONNREFUSED',
        opening: true,
      })
    })
  }
})

test('the innermost cause counts', () => {
  const error = networkError(failure('UND_ERR_SOCKET', failure('ECONNRESET')), context)
  assert.ok(hasCode(error, 'unreachable') && error.fields['cause'] === 'ECONNRESET')
})

test('what is no network failure stays what it is', () => {
  const bug = new TypeError('undefined is not a function')
  assert.equal(networkError(bug, context), bug)
})
