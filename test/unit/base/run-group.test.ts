import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aborted } from '../../../src/base/abort.ts'
import { RunGroup } from '../../../src/base/run-group.ts'

test('a group ends when its signal aborts, once all of its runs have ended', async () => {
  const stop = new AbortController()
  const group = new RunGroup(stop.signal)
  const ended: string[] = []
  const run = (name: string) => async (signal: AbortSignal) => {
    await aborted(signal)
    ended.push(name)
  }
  group.start('a', run('a'))
  const joined = group.join()
  group.start('b', run('b'))
  stop.abort()
  await joined
  assert.deepEqual(ended, ['a', 'b'])
})

test('a run that is ended leaves the others running, and its name free', async () => {
  const stop = new AbortController()
  const group = new RunGroup(stop.signal)
  const log: string[] = []
  const run = (name: string) => async (signal: AbortSignal) => {
    log.push(`${name} begins`)
    await aborted(signal)
    log.push(`${name} ends`)
  }
  group.start('a', run('a'))
  group.start('b', run('b'))
  await group.end('a')
  group.start('a', run('a again'))
  assert.deepEqual(log, ['a begins', 'b begins', 'a ends', 'a again begins'])
  stop.abort()
  await group.join()
})

test('a run that fails ends the others, and its failure is thrown after their end', async () => {
  const group = new RunGroup(new AbortController().signal)
  const failure = new Error('failed')
  let hasEnded = false
  group.start('a', async (signal) => {
    await aborted(signal)
    await Promise.resolve()
    hasEnded = true
    throw new Error('what an aborted run throws is no failure')
  })
  group.start('b', () => Promise.reject(failure))
  await assert.rejects(group.join(), failure)
  assert.equal(hasEnded, true)
})
