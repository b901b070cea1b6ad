import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { controlKey, toHeaders, type Progress } from '../../../src/record/control.ts'
import type { ReadBatch, ReadOptions, TopicLog } from '../../../src/topic/port.ts'
import { Vouched, whoIsVouched } from '../../../src/replica/vouched.ts'
import { progress } from '../consumer/support.ts'

function controlOf(producerId: string, epoch = 1): Progress {
  return { ...progress(1), producerId, epoch }
}

describe('looked at as a whole are the objects of', () => {
  test('every producer before a control record', () => {
    assert.equal(new Vouched().begin({ producerId: '7' }), 'whole')
  })

  test('every producer but the one that sent the newest control record', () => {
    const vouched = new Vouched()
    vouched.begin({ producerId: '7' })
    vouched.note(controlOf('7'))
    assert.equal(vouched.begin({ producerId: '7' }), 'ends')
    assert.equal(vouched.begin({ producerId: '8' }), 'whole')
    assert.equal(vouched.begin({}), 'whole')
  })

  test('a producer that another one names, as in a mirror', () => {
    const vouched = new Vouched()
    vouched.begin({ producerId: '9' })
    vouched.note(controlOf('7'))
    assert.equal(vouched.begin({ producerId: '7' }), 'whole')
    assert.equal(vouched.begin({ producerId: '9' }), 'whole')
  })

  test('a leader that another one has followed', () => {
    const vouched = new Vouched()
    vouched.begin({ producerId: '7' })
    vouched.note(controlOf('7', 1))
    vouched.begin({ producerId: '8' })
    vouched.note(controlOf('8', 2))
    vouched.begin({ producerId: '7' })
    vouched.note(controlOf('7', 1))
    assert.equal(vouched.begin({ producerId: '7' }), 'whole')
    assert.equal(vouched.begin({ producerId: '8' }), 'ends')
  })

  test('a log that tells no producers', () => {
    const vouched = new Vouched()
    vouched.begin({})
    vouched.note(controlOf(''))
    assert.equal(vouched.begin({}), 'whole')
    assert.equal(vouched.begin({ producerId: '' }), 'whole')
  })
})

describe('who writes a topic', () => {
  const { signal } = new AbortController()
  const ofLength = (length: number) => ({
    topic: 'topic',
    from: new Map([[3, 10]]),
    until: new Map([[3, 10 + length]]),
  })

  test('is seen at the end of a long partition', async () => {
    const asked: ReadOptions[] = []
    const vouched = await whoIsVouched(logOf(asked, controlOf('7')), ofLength(100_000), signal)
    assert.deepEqual(
      asked.map(({ from, until }) => [from, until]),
      [[new Map([[3, 99_010]]), new Map([[3, 100_010]])]],
    )
    assert.equal(vouched.begin({ producerId: '7' }), 'ends')
  })

  test('is not asked for a short one', async () => {
    const asked: ReadOptions[] = []
    const vouched = await whoIsVouched(logOf(asked, controlOf('7')), ofLength(1_000), signal)
    assert.deepEqual(asked, [])
    assert.equal(vouched.begin({ producerId: '7' }), 'whole')
  })
})

/** Answers each reading with one batch of one control record, sent by the producer that it names. */
function logOf(asked: ReadOptions[], control: Progress): Pick<TopicLog, 'openReader'> {
  const place = { partition: 3, nextOffset: 1, endOffset: 1 }
  const stored = { ...place, offset: 0, key: Buffer.from(controlKey(control)), value: null, timestampMs: 0 }
  const batch: ReadBatch = {
    ...place,
    records: [{ ...stored, headers: toHeaders(control) }],
    producerId: control.producerId,
  }
  return {
    openReader: async () => ({
      async *read(options) {
        asked.push(options)
        yield batch
      },
      [Symbol.asyncDispose]: async () => {},
    }),
  }
}
