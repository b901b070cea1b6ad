import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brokerError, refused } from '../../../src/kafka/error-codes.ts'
import { appendRefused, refusalOf } from '../../../src/kafka/refusal.ts'

describe('a refused batch', () => {
  const cases = [
    [6, 'not-now', 'NOT_LEADER_OR_FOLLOWER'],
    [3, 'not-now', 'UNKNOWN_TOPIC_OR_PARTITION'],
    [19, 'not-now', 'NOT_ENOUGH_REPLICAS'],
    [14, 'not-now', 'COORDINATOR_LOAD_IN_PROGRESS'],
    [20, 'unknown', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'],
    [7, 'unknown', 'REQUEST_TIMED_OUT'],
    [10, 'too-large', 'MESSAGE_TOO_LARGE'],
    [32, 'untimely', 'INVALID_TIMESTAMP'],
    [56, 'not-now', 'KAFKA_STORAGE_ERROR'],
    [45, 'out-of-sequence', 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
    [46, 'out-of-sequence', 'DUPLICATE_SEQUENCE_NUMBER'],
    [59, 'out-of-sequence', 'UNKNOWN_PRODUCER_ID'],
    [29, undefined, 'TOPIC_AUTHORIZATION_FAILED'],
    [47, undefined, 'INVALID_PRODUCER_EPOCH'],
    [87, undefined, 'INVALID_RECORD'],
    [12_345, undefined, 'error code 12345'],
  ] as const
  for (const [code, refusal, name] of cases) {
    test(`${name} is ${refusal ?? 'the end of the writer'}`, () => {
      assert.equal(refusalOf(code), refusal)
      assert.equal(brokerError(code).name, name)
    })
  }

  test('names the way out', () => {
    const answer = { baseOffset: -1, message: null }
    assert.match(appendRefused('t', 0, { ...answer, errorCode: 29 }).message, /allow Write on topic t$/)
    assert.equal(appendRefused('t', 0, { ...answer, errorCode: 29 }).code, 'forbidden')
    assert.match(appendRefused('t', 0, { ...answer, errorCode: 90 }).message, /another writer has taken over/)
    assert.equal(appendRefused('t', 0, { ...answer, errorCode: 90 }).code, 'fenced')
    assert.match(appendRefused('t', 0, { ...answer, errorCode: 32 }).message, /set the clock .* message\.timestamp/)
  })

  test('repeats what the broker said', () => {
    const error = refused('create topic t', 40, { message: 'unknown value' })
    assert.equal(error.message, 'Cannot create topic t: the broker answered INVALID_CONFIG: unknown value')
    assert.deepEqual([error.code, error.fields['kafkaError']], ['rejected', 'INVALID_CONFIG'])
  })
})
