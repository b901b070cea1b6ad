import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Frames } from '../../../src/kafka/frames.ts'

function framed(body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return Buffer.concat([length, body])
}

describe('answers of a connection', () => {
  test('come out whole, however they were cut up and whatever becomes of the pieces', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 })
    const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 })
    fc.assert(
      fc.property(bodies, cuts, (arrays, sizes) => {
        const answers = arrays.map((array) => framed(Buffer.from(array)))
        const sent = Buffer.concat(answers)
        const received = Buffer.alloc(30)
        const frames = new Frames()
        const found: Buffer[] = []
        for (let at = 0, turn = 0; at < sent.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1
          const copied = sent.copy(received, 0, at, at + size)
          frames.take(received.subarray(0, copied), (frame) => found.push(frame))
          received.fill(0xff)
          at += copied
        }
        assert.deepEqual(found, answers)
      }),
    )
  })

  test('of a length that none has are refused', () => {
    for (const length of [-1, 0x48545450]) {
      const bytes = Buffer.alloc(8)
      bytes.writeInt32BE(length)
      assert.throws(() => new Frames().take(bytes, () => {}), new RegExp(`current value is ${length}`))
    }
  })
})
