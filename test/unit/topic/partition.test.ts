import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { murmur2, partitionOf } from '../../../src/topic/partition.ts'

// The values of Kafka's own test, org.apache.kafka.common.utils.UtilsTest.testMurmur2.
const KNOWN: ReadonlyArray<readonly [string, number]> = [
  ['21', -973_932_308],
  ['foobar', -790_332_482],
  ['a-little-bit-long-string', -985_981_536],
  ['a-little-bit-longer-string', -1_486_304_829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
  ['abc', 479_470_107],
]

describe('partition of a key', () => {
  for (const [key, hash] of KNOWN) {
    test(`murmur2 of ${key} is Java's`, () => assert.equal(murmur2(Buffer.from(key)), hash))
  }

  test('a negative hash is taken without its sign bit, as Java does', () => {
    assert.equal(partitionOf(Buffer.from('21'), 6), (-973_932_308 & 0x7fffffff) % 6)
  })

  test('everything is in partition 0 where there is only one', () => {
    assert.equal(partitionOf(Buffer.from('namespace/name'), 1), 0)
  })

  for (const partitions of [0, -1, 1.5, Number.NaN]) {
    test(`${partitions} partitions are refused`, () => {
      assert.throws(() => partitionOf(Buffer.from('key'), partitions), RangeError)
    })
  }
})
