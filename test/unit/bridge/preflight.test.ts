import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode, KubedeltaError } from '../../../src/base/errors.ts'
import { silentLogger } from '../../../src/base/log.ts'
import { assertListable } from '../../../src/bridge/preflight.ts'
import { PODS } from '../../../src/testing/fake-objects.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import type { ListFrame, ListWatch } from '../../../src/watch/source.ts'

const { signal } = new AbortController()
const options = { log: silentLogger, timeoutMs: 30_000, signal }

/** A source whose answers are these failures in turn, then a list. */
function setUp(failures: readonly KubedeltaError[]) {
  const left = [...failures]
  const asked: number[] = []
  const clock = new ManualClock(0)
  async function* list(): AsyncGenerator<readonly ListFrame[]> {
    asked.push(clock.now())
    const failure = left.shift()
    if (failure !== undefined) throw failure
    yield [{ kind: 'page', resourceVersion: '1', continue: '' }]
  }
  const source: ListWatch = {
    resource: PODS,
    name: 'pods',
    list,
    watch: () => assert.fail('not watched'),
  }
  return { source, clock, asked }
}

test('a question that is throttled is asked again when the apiserver said so, and then decides', async () => {
  const throttled = new KubedeltaError('throttled', 'too many requests', { fields: { retryAfterMs: 4_000 } })
  const forbidden = new KubedeltaError('forbidden', 'not allowed')
  const { source, clock, asked } = setUp([throttled, throttled, forbidden])
  const refused = assert.rejects(assertListable(source, { ...options, clock }), forbidden)
  await clock.advance(options.timeoutMs)
  await refused
  assert.deepEqual(asked, [0, 4_000, 8_000])
})

test('a question that stays throttled is given up when the start-up time is up', async () => {
  const throttled = new KubedeltaError('throttled', 'too many requests', { fields: { retryAfterMs: 20_000 } })
  const { source, clock, asked } = setUp(Array.from({ length: 9 }, () => throttled))
  const refused = assert.rejects(assertListable(source, { ...options, clock }), throttled)
  await clock.advance(options.timeoutMs)
  await refused
  assert.deepEqual(asked, [0, 20_000])
})

for (const code of ['unreachable', 'server', 'expired', 'timeout', 'corrupt'] as const) {
  test(`${code} is no refusal: it is asked once, and the first list meets it again`, async () => {
    const { source, clock, asked } = setUp([new KubedeltaError(code, 'no list')])
    await assertListable(source, { ...options, clock })
    assert.deepEqual(asked, [0])
  })
}

test('a selector that the apiserver does not take is named as one', async () => {
  const refused = new KubedeltaError('server', 'field label not supported', { fields: { status: 400 } })
  const { source, clock } = setUp([refused])
  await assert.rejects(assertListable(source, { ...options, clock }), (error) => hasCode(error, 'bad-selector'))
})
