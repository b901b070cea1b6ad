import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { kafkaSecurity, PASSWORD_VARIABLE } from '../../../src/cli/kafka-security.ts'
import type { KafkaSecurityValues } from '../../../src/cli/kafka-security.ts'

const nothing: KafkaSecurityValues = {
  kafkaTls: false,
  kafkaTlsCa: undefined,
  kafkaTlsCert: undefined,
  kafkaTlsKey: undefined,
  kafkaSaslMechanism: undefined,
  kafkaSaslUsername: undefined,
  kafkaSaslPasswordFile: undefined,
  kafkaSaslTokenFile: undefined,
}

describe('kafkaSecurity', () => {
  test('without options is plain TCP, whatever password the environment has', () => {
    assert.deepEqual(kafkaSecurity(nothing, { [PASSWORD_VARIABLE]: 'secret' }), {})
  })

  test('--kafka-tls alone trusts the public authorities', () => {
    assert.deepEqual(kafkaSecurity({ ...nothing, kafkaTls: true }, {}), { tls: {} })
  })

  test('takes the password from the environment', () => {
    const values = { ...nothing, kafkaSaslMechanism: 'plain', kafkaSaslUsername: 'ann' } as const
    assert.deepEqual(kafkaSecurity(values, { [PASSWORD_VARIABLE]: 'secret' }), {
      sasl: { mechanism: 'plain', username: 'ann', password: 'secret' },
    })
  })

  for (const environment of [{}, { [PASSWORD_VARIABLE]: '' }]) {
    test(`refuses SASL without a password: ${JSON.stringify(environment)}`, () => {
      const values = { ...nothing, kafkaSaslMechanism: 'scram-sha-256', kafkaSaslUsername: 'ann' } as const
      assert.throws(
        () => kafkaSecurity(values, environment),
        (error) => hasCode(error, 'usage') && error.message.includes('--kafka-sasl-password-file'),
      )
    })
  }

  test('refuses a file that is not there and names its flag', () => {
    assert.throws(
      () => kafkaSecurity({ ...nothing, kafkaTlsCa: '/does/not/exist.pem' }, {}),
      (error) => hasCode(error, 'usage') && /^Cannot read --kafka-tls-ca: .*ENOENT$/.test(error.message),
    )
  })
})
