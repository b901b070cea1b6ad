import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode, KubedeltaError } from '../../../src/base/errors.ts'
import { readClusterId } from '../../../src/kube/identity.ts'
import { fakeClient } from './fake-client.ts'

const { signal } = new AbortController()
const forbidden = { error: new KubedeltaError('forbidden', 'Cannot GET: 403') }

const KEYS = [
  { kty: 'RSA', kid: 'one', use: 'sig', n: 'AAA', e: 'AQAB' },
  { kty: 'RSA', kid: 'two', use: 'sig', n: 'BBB', e: 'AQAB' },
]

test('cluster id is the UID of kube-system', async () => {
  const client = fakeClient({ '/api/v1/namespaces/kube-system': { json: { metadata: { uid: 'some-uid' } } } })
  assert.equal(await readClusterId(client, signal), 'some-uid')
})

test('cluster id falls back to a hash of the signing keys, whatever their order', async () => {
  const ids = await Promise.all(
    [KEYS, KEYS.toReversed()].map((keys) =>
      readClusterId(
        fakeClient({ '/api/v1/namespaces/kube-system': forbidden, '/openid/v1/jwks': { json: { keys } } }),
        signal,
      ),
    ),
  )
  assert.match(ids[0] ?? '', /^jwks:[0-9a-f]{64}$/)
  assert.equal(ids[0], ids[1])
})

test('cluster id asks for --cluster-id where neither may be read', async () => {
  const client = fakeClient({ '/api/v1/namespaces/kube-system': forbidden, '/openid/v1/jwks': forbidden })
  await assert.rejects(
    readClusterId(client, signal),
    (error) => hasCode(error, 'usage') && /--cluster-id/.test(error.message),
  )
})

test('cluster id is not guessed while the apiserver fails', async () => {
  const error = new KubedeltaError('server', 'Cannot GET: 500')
  const client = fakeClient({
    '/api/v1/namespaces/kube-system': { error },
    '/openid/v1/jwks': { json: { keys: KEYS } },
  })
  await assert.rejects(readClusterId(client, signal), error)
})
