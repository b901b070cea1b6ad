import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseDuration } from '../../../src/base/duration.ts'
import { hasCode } from '../../../src/base/errors.ts'

describe('parseDuration', () => {
  const good: ReadonlyArray<readonly [string, number]> = [
    ['0', 0],
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['1m0.5s', 60_500],
  ]
  for (const [text, ms] of good) {
    test(`reads ${text} as ${ms} ms`, () => assert.equal(parseDuration(text, '--resync'), ms))
  }

  for (const text of ['', '5', '5x', '-5s', '5 s', 's', '5s!', '1d', '99999999999999h', 'ms5']) {
    test(`refuses ${JSON.stringify(text)} by naming the option and what it wants`, () => {
      assert.throws(
        () => parseDuration(text, '--resync'),
        (error) =>
          hasCode(error, 'usage') && error.message.startsWith('Cannot read --resync: wanted a duration like 500ms'),
      )
    })
  }
})
