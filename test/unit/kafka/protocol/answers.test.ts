import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { offsetForLeaderEpochRequest } from '../../../../src/kafka/protocol/offset-for-leader-epoch.ts'
import { metadataRequest } from '../../../../src/kafka/protocol/metadata.ts'
import { WireReader, WireWriter } from '../../../../src/kafka/wire.ts'

describe('a metadata answer', () => {
  test('of a broker before topic ids has none', () => {
    const writer = new WireWriter().int32(0).int32(1).int32(7).string('host').int32(9092).string(null).string('cluster')
    writer.int32(7).int32(1).int16(0).string('pods').boolean(false)
    writer.int32(1).int16(0).int32(3).int32(7).int32(41).int32(2).int32(7).int32(8).int32(1).int32(7).int32(0)
    const { value } = metadataRequest(['pods']).decode(new WireReader(writer.bytes()), 7)
    assert.deepEqual(value.topics, [
      {
        topic: 'pods',
        errorCode: 0,
        topicId: undefined,
        partitions: [{ partition: 3, errorCode: 0, leader: 7, leaderEpoch: 41, replicas: 2 }],
      },
    ])
  })

  for (const version of [10, 11, 12]) {
    test(`in version ${version} has topic ids`, () => {
      const writer = new WireWriter().uvarint(0).int32(0)
      writer.compactArray([7], (node) =>
        writer.int32(node).compactString('host').int32(9092).compactString(null).uvarint(0),
      )
      writer.compactString('cluster').int32(7)
      writer.compactArray(['pods'], (topic) => {
        writer.int16(0).compactString(topic).raw(Buffer.alloc(16, 0xab)).boolean(false)
        writer.compactArray([3], (partition) => {
          writer.int16(0).int32(partition).int32(7).int32(41)
          for (const nodes of [[7, 8], [7], []]) writer.compactArray(nodes, (node) => writer.int32(node))
          writer.uvarint(0)
        })
        writer.int32(0).uvarint(0)
      })
      if (version < 11) writer.int32(0)
      writer.uvarint(0)
      const { value } = metadataRequest(['pods']).decode(new WireReader(writer.bytes()), version)
      assert.equal(value.controllerId, 7)
      assert.deepEqual(value.topics, [
        {
          topic: 'pods',
          errorCode: 0,
          topicId: 'ab'.repeat(16),
          partitions: [{ partition: 3, errorCode: 0, leader: 7, leaderEpoch: 41, replicas: 2 }],
        },
      ])
    })
  }
})

test('an answer about leader epochs says where each ends', () => {
  const writer = new WireWriter().int32(5).int32(1).string('pods').int32(2)
  writer.int16(0).int32(0).int32(3).int64(120).int16(74).int32(1).int32(-1).int64(-1)
  const { throttleMs, value } = offsetForLeaderEpochRequest('pods', []).decode(new WireReader(writer.bytes()), 3)
  assert.equal(throttleMs, 5)
  assert.deepEqual(value, [
    { partition: 0, errorCode: 0, leaderEpoch: 3, endOffset: 120 },
    { partition: 1, errorCode: 74, leaderEpoch: -1, endOffset: -1 },
  ])
})
