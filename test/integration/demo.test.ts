// `npm run demo` without a terminal: the whole path on this machine, with a bridge that is killed in the middle.

import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { kubedelta } from '../support/bridge-process.ts'
import { startExample, type ExampleProcess } from '../support/example-process.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'

test('nothing is lost by a bridge that is killed, and the log that is kept shows it', async () => {
  using folder = temporaryFolder('demo')
  const directory = join(folder.path, 'log')
  await using demo = startExample(`npm run -s demo -- --for 12s --keep ${directory}`)
  const { code, stderr } = await demo.ended
  const text = demo.lines.join('\n')
  assert.equal(code, 0, text)
  assert.equal(stderr, '')
  assert.match(text, /Nothing was lost: the caches equal the cluster, \d+ objects/)
  const [, lasting, deleted] =
    /^Without a bridge for ([\d.]+) s: \d+ objects created, \d+ changed, (\d+) deleted\.$/m.exec(text) ?? []
  assert.ok(Number(lasting) >= 2.4)
  const total = rowOf(text, 'total')
  assert.equal(total.cluster, total.cache)
  assert.ok(total.recovered > 0)
  const [, deletes, lastStates] = /^Recovered: .* (\d+) DELETED, (\d+) with their last state$/m.exec(text) ?? []
  assert.equal(lastStates, deletes)
  assert.ok(Number(deletes) >= Number(deleted))

  const pods = rowOf(text, 'pods')
  const from = ['--from', `file:${directory}`]
  const got = await kubedelta(['get', 'pods', '-A', '-o', 'name', ...from])
  assert.deepEqual({ ...got, stdout: got.stdout.split('\n').length - 1 }, { code: 0, stdout: pods.cache, stderr: '' })
  const tailed = await kubedelta(['tail', 'pods', '--from-beginning', '--until-end', '-o', 'json', ...from])
  assert.equal(tailed.code, 0)
  const recovered = tailed.stdout.split('\n').filter((line) => line.includes('"cause":"RECOVERY"'))
  assert.equal(recovered.length, pods.recovered)
})

test('Ctrl-C while there is no bridge still ends with a comparison, and leaves nothing behind', async () => {
  using folder = temporaryFolder('demo')
  await using demo = startExample('npm run -s demo', { TMPDIR: folder.path })
  await demo.line((line) => line.includes('SIGKILL to the bridge'))
  demo.interrupt()
  await demo.ended
  const text = demo.lines.join('\n')
  assert.match(text, /Nothing was lost/)
  assert.match(text, /recovered: \d+ ADDED/)
  for (const pid of bridgesOf(demo)) assert.ok(!isAlive(pid), `bridge ${pid} is alive`)
  // npm leaves a cache of its own there.
  assert.deepEqual(
    readdirSync(folder.path).filter((name) => name.startsWith('kubedelta')),
    [],
  )
})

test('a demo that is killed leaves no bridge behind', async () => {
  using folder = temporaryFolder('demo')
  const directory = join(folder.path, 'log')
  const demo = startExample(`exec npm run -s demo -- --keep ${directory}`)
  await demo.line((line) => line.includes('the caches are live'))
  const [bridge = 0] = bridgesOf(demo)
  assert.ok(isAlive(bridge))
  assert.ok(existsSync(directory))
  await demo[Symbol.asyncDispose]()
  await ready(async () => assert.ok(!isAlive(bridge)), { what: `the end of bridge ${bridge}` })
})

interface Row {
  readonly cluster: number
  readonly cache: number
  readonly recovered: number
}

/** A row of the summary's table. */
function rowOf(text: string, name: string): Row {
  const cells = new RegExp(`^${name} +(.*)$`, 'm').exec(text)?.[1]?.trim().split(/ +/).map(Number) ?? []
  const [cluster = NaN, cache = NaN] = cells
  return { cluster, cache, recovered: cells.at(-1) ?? NaN }
}

function bridgesOf(demo: ExampleProcess): readonly number[] {
  return demo.lines.flatMap((line) => {
    const pid = /bridge started, process (\d+)$/.exec(line)?.[1]
    return pid === undefined ? [] : [Number(pid)]
  })
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    // There is no such process: that is the answer.
    return false
  }
}
