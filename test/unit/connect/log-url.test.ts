import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { parseLogUrl } from '../../../src/connect/log-url.ts'

describe('URL of a log', () => {
  const good: ReadonlyArray<readonly [string, readonly string[]]> = [
    ['kafka://kafka:9092', ['kafka:9092']],
    ['KAFKA://a.example:1,b.example:65535', ['a.example:1', 'b.example:65535']],
    ['kafka://[::1]:9092/', ['[::1]:9092']],
  ]
  for (const [url, brokers] of good) {
    test(`${url} names brokers`, () => assert.deepEqual(parseLogUrl(url), { kind: 'kafka', brokers }))
  }

  test('file: names a directory', () => {
    assert.deepEqual(parseLogUrl('file:./topics'), { kind: 'directory', path: './topics' })
    assert.deepEqual(parseLogUrl('file:///var/topics'), { kind: 'directory', path: '/var/topics' })
  })

  const bad: readonly string[] = [
    '',
    'kafka',
    'kafka:',
    'kafka://',
    'kafka:9092',
    'kafka://host',
    'kafka://host:',
    'kafka://host:0',
    'kafka://host:65536',
    'kafka://a:1,',
    'kafka://a:1/topic',
    'kafka://a:1?x=y',
    'http://a:1',
    'file:',
    'kafka://::1:9092',
  ]
  for (const url of bad) {
    test(`'${url}' is refused`, () =>
      assert.throws(
        () => parseLogUrl(url),
        (error) => hasCode(error, 'usage'),
      ))
  }

  test('credentials are refused and not repeated', () => {
    assert.throws(
      () => parseLogUrl('kafka://user:secret@host:9092'),
      (error) => hasCode(error, 'usage') && !error.message.includes('secret'),
    )
  })
})
