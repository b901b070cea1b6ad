import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { ClientCredentials } from '../../../src/kafka/security.ts'

/** The password that kafkajs would read. */
function passwordOf({ sasl }: ClientCredentials): unknown {
  return typeof sasl === 'object' && 'password' in sasl ? sasl.password : undefined
}

describe('credentials of a client', () => {
  test('are asked for again for each connection', async () => {
    let round = 0
    const credentials = new ClientCredentials({
      tls: async () => ({ ca: `ca-${round}` }),
      sasl: { mechanism: 'scram-sha-512', username: 'ann', password: async () => `password-${round}` },
    })
    for (round = 1; round <= 2; round += 1) {
      await credentials.refresh()
      assert.deepEqual(credentials.tls, { ca: `ca-${round}` })
      assert.equal(passwordOf(credentials), `password-${round}`)
    }
  })

  test('that do not change are taken as they are', async () => {
    const credentials = new ClientCredentials({
      tls: {},
      sasl: { mechanism: 'plain', username: 'ann', password: 'secret' },
    })
    await credentials.refresh()
    assert.deepEqual([credentials.tls, passwordOf(credentials)], [{}, 'secret'])
  })

  test('that cannot be had now are one more reason to have no connection', async () => {
    const password = async (): Promise<string> => Promise.reject(new Error('the vault is sealed'))
    const credentials = new ClientCredentials({ sasl: { mechanism: 'plain', username: 'ann', password } })
    await assert.rejects(
      credentials.refresh(),
      (error) => hasCode(error, 'unreachable') && error.retriable && error.message.includes('the vault is sealed'),
    )
  })

  test('with a certificate without its key are refused', () => {
    assert.throws(() => new ClientCredentials({ tls: { cert: 'PEM' } }), TypeError)
  })
})
