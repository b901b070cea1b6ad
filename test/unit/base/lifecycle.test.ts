import assert from 'node:assert/strict'
import { test } from 'node:test'
import { abortable } from '../../../src/base/abort.ts'
import { runAll } from '../../../src/base/lifecycle.ts'

async function forever(signal: AbortSignal): Promise<void> {
  await abortable(new Promise(() => {}), signal)
}

test('runs end together when the signal aborts, which is no failure', async () => {
  const controller = new AbortController()
  const running = runAll(controller.signal, [forever, forever])
  controller.abort(new Error('enough'))
  await running
})

test('when one fails the others are aborted and awaited, and its failure is thrown', async () => {
  const failure = new Error('broken')
  const ended: string[] = []
  const running = runAll(new AbortController().signal, [
    async (signal) => {
      await forever(signal).catch(() => {})
      ended.push('other')
    },
    () => Promise.reject(failure),
  ])
  await assert.rejects(running, failure)
  assert.deepEqual(ended, ['other'])
})

test('one that ends by itself leaves the others running', async () => {
  const controller = new AbortController()
  let isOver = false
  const running = runAll(controller.signal, [async () => {}, forever]).then(() => (isOver = true))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(isOver, false)
  controller.abort()
  await running
})
