// needs: tmux
// `kubedelta demo` on a terminal: a view that fits its size, and a terminal that is as it was afterwards.

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, test } from 'node:test'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'
import { Terminal } from '../support/terminal.ts'

const BIN = resolve(import.meta.dirname, '../../bin/kubedelta.js')
const RESOURCES = [
  'namespaces',
  'nodes',
  'pods',
  'deployments.apps',
  'replicasets.apps',
  'jobs.batch',
  'services',
  'configmaps',
  'secrets',
  'events',
]
const ENDED = /^ended with 0$/m
const RECORD = /^ +[\d.]+ s  (?:ADDED|UPDATED|DELETED) +(?:LIST|WATCH|RECOVERY) +[a-z.]+ +[a-z0-9./-]+/

// They wait for a bridge to be killed and to be back: side by side.
describe('on a terminal of any size', { concurrency: true }, () => {
  for (const size of [
    { columns: 80, rows: 24 },
    { columns: 160, rows: 50 },
  ]) {
    test(`at ${size.columns}x${size.rows} the view fits, from the first list over the killed bridge to the summary`, async () => {
      await using terminal = await Terminal.start(`'${process.execPath}' '${BIN}' demo --for 30s`, size)
      const live = await terminal.until((screen) => /bridge \d+ running/.test(screen), 'a bridge that runs')
      assertFits(live, await terminal.unwrapped(), size)
      const [head = '', flow = '', strip = ''] = live
      assert.match(head, /^kubedelta demo +\d:\d\d of \d:\d\d {3}Ctrl-C ends it$/)
      assert.equal(head.length, size.columns)
      assert.match(flow, /^cluster \d+ -> bridge \d+ running -> log \d+ records -> cache \d+$/)
      assert.match(strip, /^ *\d+ records\/s {3}lag .* behind/)
      assert.ok(
        live.some((row) => RECORD.test(row)),
        live.join('\n'),
      )

      const killed = await terminal.until(
        (screen) => screen.includes('bridge KILLED') && !/ 0 behind/.test(screen),
        'a bridge that is missed',
      )
      assertFits(killed, await terminal.unwrapped(), size)
      assert.ok(killed.some((row) => row.includes('SIGKILL to the bridge')))

      const recovered = await terminal.until((screen) => screen.includes('recovered: '), 'a bridge that is back')
      assertFits(recovered, await terminal.unwrapped(), size)

      // Not left to the time: on a busy machine the end could come before this screen has been seen.
      await terminal.press('C-c')
      const end = await terminal.until((screen) => ENDED.test(screen), 'its end')
      assert.match(end.join('\n'), /^Nothing was lost/m)
      assert.ok(!end.some((row) => row.startsWith('kubedelta demo')))
      assert.deepEqual(end, await terminal.unwrapped())
      assert.equal(await terminal.fact('alternate_on'), '0')
      assert.equal(await terminal.fact('cursor_flag'), '1')
    })
  }
})

test('Ctrl-C ends the view with a summary and code 0', async () => {
  await using terminal = await Terminal.start(`'${process.execPath}' '${BIN}' demo`, { columns: 80, rows: 24 })
  await terminal.until((screen) => /bridge \d+ running/.test(screen), 'a bridge that runs')
  await terminal.press('C-c')
  const end = await terminal.until((screen) => ENDED.test(screen), 'its end')
  assert.match(end.join('\n'), /^Nothing was lost/m)
})

test('a terminal that is closed leaves no log behind', async () => {
  using folder = temporaryFolder('demo')
  const leftovers = (): readonly string[] =>
    readdirSync(folder.path).filter((name) => name.startsWith('kubedelta-demo'))
  {
    const command = `TMPDIR='${folder.path}' '${process.execPath}' '${BIN}' demo`
    await using terminal = await Terminal.start(command, { columns: 80, rows: 24 })
    await terminal.until((screen) => /bridge \d+ running/.test(screen), 'a bridge that runs')
    assert.equal(leftovers().length, 1)
  }
  await ready(async () => assert.deepEqual(leftovers(), []), { what: 'an end without leftovers' })
})

/** Every resource has its row, and no row is wrapped. */
function assertFits(
  rows: readonly string[],
  unwrapped: readonly string[],
  size: { readonly columns: number; readonly rows: number },
): void {
  const screen = rows.join('\n')
  assert.equal(rows.length, size.rows)
  assert.ok(rows.every((row) => row.length <= size.columns))
  assert.equal(unwrapped.length, size.rows)
  assert.ok(
    unwrapped.every((row) => row.length <= size.columns),
    screen,
  )
  assert.match(screen, /^RESOURCE +CLUSTER +CACHE +BEHIND +ADDED +UPDATED +DELETED +RECOVERED$/m)
  for (const resource of RESOURCES) assert.match(screen, new RegExp(`^${resource}(?: +\\d+){7}$`, 'm'))
}
