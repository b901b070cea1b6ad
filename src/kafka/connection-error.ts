// Turns a failure of a connection to a broker into an error that names the broker, the cause and the way out.

import { certificateFault } from '../base/certificate-fault.ts'
import { KubedeltaError } from '../base/errors.ts'

/**
 * The one place where an error of kafkajs becomes ours: `unauthorized` where one side does not accept who the other one
 * is, which no waiting mends; `timeout` or `unreachable` otherwise.
 *
 * `opened`: the connection had stood before. A session that a broker does not renew is `unreachable` then, for the next
 * connection comes with what is valid by then, and only that it is refused says that the credentials are wrong.
 */
export function connectionError(caught: unknown, address: string, { opened }: { opened: boolean }): KubedeltaError {
  const cannot = (code: 'timeout' | 'unreachable' | 'unauthorized' | 'internal', why: string): KubedeltaError =>
    new KubedeltaError(
      opened && code === 'unauthorized' ? 'unreachable' : code,
      `Cannot reach the Kafka broker ${address}: ${why}`,
      { cause: caught, fields: { broker: address } },
    )
  if (caught instanceof KubedeltaError) {
    return caught.code === 'unauthorized' ? cannot('unauthorized', `${caught.message}; ${CREDENTIALS}`) : caught
  }
  const { name, message, code, type } = partsOf(caught)
  if (name === 'KafkaJSRequestTimeoutError') return cannot('timeout', message)
  if (name === 'KafkaJSSASLAuthenticationError') {
    // A connection lost while authenticating comes as this error too; only the broker's word is final.
    const lost = /connect|closed|timed out|timeout/i.test(message)
    return lost ? cannot('unreachable', message) : cannot('unauthorized', `${message}; ${CREDENTIALS}`)
  }
  if (!name.startsWith('KafkaJS')) return cannot('internal', message)
  const refusal = SASL_REFUSED[type] ?? certificateRefused(code, message)
  if (refusal !== undefined) return cannot('unauthorized', refusal)
  if (NO_TLS.test(code)) return cannot('unreachable', `it does not speak TLS there (${code}): check the port`)
  return cannot(
    'unreachable',
    `${message}; check the address, that the broker runs, and that it wants TLS and SASL as given`,
  )
}

/** What kafkajs says of a failure: `code` is the socket's, `type` the name of Kafka's error code. */
function partsOf(caught: unknown): Readonly<Record<'name' | 'message' | 'code' | 'type', string>> {
  if (!(caught instanceof Error)) return { name: '', message: String(caught), code: '', type: '' }
  const { name, message } = caught
  return {
    name,
    message,
    code: 'code' in caught ? String(caught.code) : '',
    type: 'type' in caught ? String(caught.type) : '',
  }
}

const CREDENTIALS = 'check user, password or token'

/** By Kafka's error code. */
const SASL_REFUSED: Readonly<Record<string, string | undefined>> = {
  UNSUPPORTED_SASL_MECHANISM: 'it does not know the SASL mechanism: choose another one with --kafka-sasl-mechanism',
  ILLEGAL_SASL_STATE: 'it asks for no SASL there: leave out --kafka-sasl-mechanism, or check the port',
}

/** Why a certificate was not accepted, by either side; undefined where it is something else. */
function certificateRefused(code: string, message: string): string | undefined {
  const fault = certificateFault(code)
  switch (fault) {
    case 'untrusted':
      return `its certificate is not trusted (${code}): name its CA with --kafka-tls-ca FILE`
    case 'other-name': {
      const found = message.replace(/^.*?altnames: /, '').replace(/[:\s]+$/, '')
      return `its certificate is for another name (${found}): use a name of the certificate in the address, and in the broker's advertised.listeners`
    }
    case 'out-of-date':
      return `its certificate is not valid today (${code}): renew it, or correct this machine's clock`
    case undefined:
      if (!CLIENT_REFUSED.test(code)) return undefined
      return `it does not accept the client's certificate (${code}): pass one that it trusts with --kafka-tls-cert FILE and --kafka-tls-key FILE`
    default:
      return fault satisfies never
  }
}

/** TLS alerts about a certificate that the broker got, or did not get (RFC 8446, 6.2). */
const CLIENT_REFUSED = /_ALERT_(?:BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_[A-Z]+|UNKNOWN_CA)$/

/** What came was no TLS record. */
const NO_TLS = /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|BAD_RECORD_TYPE)$/
