import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KubedeltaError, type ErrorCode } from '../../../src/base/errors.ts'
import { connectionError } from '../../../src/kafka/connection-error.ts'

const ADDRESS = 'kafka-0:9093'

/** As kafkajs makes them. */
function kafkajsError(name: string, message: string, code?: string): Error {
  return Object.assign(new Error(message), { name, ...(code === undefined ? {} : { code }) })
}

function connection(code: string, message = 'Connection error: it failed'): Error {
  return kafkajsError('KafkaJSConnectionError', message, code)
}

const refused = kafkajsError(
  'KafkaJSSASLAuthenticationError',
  'SASL PLAIN authentication failed: Invalid username or password',
)

const OPENING: readonly {
  readonly name: string
  readonly caught: unknown
  readonly code: ErrorCode
  readonly word: string
}[] = [
  {
    name: 'an unknown authority',
    caught: connection('SELF_SIGNED_CERT_IN_CHAIN'),
    code: 'unauthorized',
    word: '--kafka-tls-ca FILE',
  },
  {
    name: 'a certificate for another host',
    caught: connection(
      'ERR_TLS_CERT_ALTNAME_INVALID',
      "Connection error: Hostname/IP does not match certificate's altnames: IP: 10.0.0.1 is not in the cert's list: ",
    ),
    code: 'unauthorized',
    word: "(IP: 10.0.0.1 is not in the cert's list",
  },
  { name: 'an expired certificate', caught: connection('CERT_HAS_EXPIRED'), code: 'unauthorized', word: 'renew it' },
  {
    name: 'a missing certificate of the client, before TLS 1.3',
    caught: connection('ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE'),
    code: 'unauthorized',
    word: '--kafka-tls-cert FILE',
  },
  {
    name: 'a missing certificate of the client, since TLS 1.3',
    caught: connection('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'),
    code: 'unauthorized',
    word: '--kafka-tls-cert FILE',
  },
  {
    name: 'no TLS there',
    caught: connection('ERR_SSL_WRONG_VERSION_NUMBER'),
    code: 'unreachable',
    word: 'does not speak TLS',
  },
  {
    name: 'a refused connection',
    caught: connection('ECONNREFUSED'),
    code: 'unreachable',
    word: 'that the broker runs',
  },
  { name: 'refused credentials', caught: refused, code: 'unauthorized', word: 'Invalid username or password' },
  {
    name: 'an unknown mechanism',
    caught: Object.assign(kafkajsError('KafkaJSProtocolError', 'not supported'), {
      type: 'UNSUPPORTED_SASL_MECHANISM',
    }),
    code: 'unauthorized',
    word: '--kafka-sasl-mechanism',
  },
  {
    name: 'a connection lost while authenticating',
    caught: kafkajsError('KafkaJSSASLAuthenticationError', 'SASL PLAIN authentication failed: Closed connection'),
    code: 'unreachable',
    word: 'Closed connection',
  },
  {
    name: 'no answer',
    caught: kafkajsError('KafkaJSRequestTimeoutError', 'Request timed out'),
    code: 'timeout',
    word: 'timed out',
  },
  {
    name: 'what kafkajs does not know',
    caught: new TypeError('it is undefined'),
    code: 'internal',
    word: 'it is undefined',
  },
]

describe('while a connection is opened', () => {
  for (const { name, caught, code, word } of OPENING) {
    test(`${name} is ${code}`, () => {
      const error = connectionError(caught, ADDRESS, { opened: false })
      assert.equal(error.code, code)
      assert.ok(error.message.startsWith(`Cannot reach the Kafka broker ${ADDRESS}: `), error.message)
      assert.ok(error.message.includes(word), error.message)
    })
  }

  test('an error of ours is passed on as it is', () => {
    const error = new KubedeltaError('unsupported', 'Cannot use the Kafka broker')
    assert.equal(connectionError(error, ADDRESS, { opened: false }), error)
  })
})

test('a session that is not renewed is one more lost connection: the next one has the last word', () => {
  for (const caught of [refused, new KubedeltaError('unauthorized', 'SASL OAUTHBEARER authentication failed')]) {
    assert.equal(connectionError(caught, ADDRESS, { opened: true }).code, 'unreachable')
  }
})
