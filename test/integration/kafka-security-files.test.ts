// Files with credentials for the brokers: read when the command starts, and again for each connection.

import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { kafkaSecurity, PASSWORD_VARIABLE, type KafkaSecurityValues } from '../../src/cli/kafka-security.ts'
import { temporaryFolder } from '../support/leftovers.ts'

const folder = temporaryFolder('kafka-credentials')
after(() => folder[Symbol.dispose]())

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

function file(name: string, text: string): string {
  const path = join(folder.path, name)
  writeFileSync(path, text)
  return path
}

test('a password file is read again, without the newline that an editor leaves', async () => {
  const path = file('password', 'first\n')
  const values = {
    ...nothing,
    kafkaSaslMechanism: 'plain',
    kafkaSaslUsername: 'ann',
    kafkaSaslPasswordFile: path,
  } as const
  const { sasl } = kafkaSecurity(values, { [PASSWORD_VARIABLE]: 'of the environment' })
  assert.ok(sasl !== undefined && 'password' in sasl && typeof sasl.password === 'function')
  assert.equal(await sasl.password(), 'first')
  file('password', ' second \r\n')
  assert.equal(await sasl.password(), ' second ')
})

test('the last token serves while its file is away or empty', async () => {
  const path = file('token', 'first\n')
  const { sasl } = kafkaSecurity({ ...nothing, kafkaSaslMechanism: 'oauthbearer', kafkaSaslTokenFile: path }, {})
  assert.ok(sasl !== undefined && 'token' in sasl)
  rmSync(path)
  assert.equal(await sasl.token(), 'first')
  file('token', '')
  assert.equal(await sasl.token(), 'first')
  file('token', 'second')
  assert.equal(await sasl.token(), 'second')
})

test('an empty file is refused, and a certificate that is none', () => {
  const empty = { ...nothing, kafkaTlsCa: file('empty', '\n') }
  assert.throws(
    () => kafkaSecurity(empty, {}),
    (error) => hasCode(error, 'usage') && error.message.endsWith('it is empty'),
  )
  const path = file('no-certificate', 'not PEM')
  const wrong = { ...nothing, kafkaTlsCert: path, kafkaTlsKey: path }
  assert.throws(
    () => kafkaSecurity(wrong, {}),
    (error) => hasCode(error, 'usage') && error.message.includes('wanted PEM') && !error.message.includes('not PEM'),
  )
})
