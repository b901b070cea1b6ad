// needs: kafka, control-plane
// What the probes of a running bridge say: /livez fails for what a restart mends, and for nothing else.
//
// A silent watch takes more than five minutes to show: test/unit/cli/bridge-health.test.ts lets them pass on a clock of its own.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import type { BridgeProcess } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'
import { clusterState } from '../support/topic-lines.ts'

/** Stands still when it is told to, until somebody writes to the pipe. */
const BLOCK_ON_SIGUSR2 =
  "data:text/javascript,import { readFileSync } from 'node:fs'; process.on('SIGUSR2', () => readFileSync(process.env.UNBLOCK))"

let story: BridgeStory
let bridge: BridgeProcess
let pipe: string
const life = new AsyncDisposableStack()

before(async () => {
  story = life.use(await startStory())
  pipe = join(life.use(temporaryFolder('health')).path, 'unblock')
  await promisify(execFile)('mkfifo', [pipe])
  const more = { node: ['--import', BLOCK_ON_SIGUSR2], env: { UNBLOCK: pipe } }
  bridge = life.use(await story.bridge(['-r', 'configmaps'], more))
})

after(() => life.disposeAsync())

test('a bridge at work is live and ready, and says of what', async () => {
  assert.deepEqual(await bridge.get('/livez'), { status: 200, text: 'ok' })
  assert.deepEqual(await bridge.get('/readyz?verbose'), {
    status: 200,
    text: '[+]topics ok\n[+]configmaps ok\nreadyz check passed\n',
  })
  const { size } = await clusterState(story.plane, 'configmaps')
  assert.equal(await bridge.metric('kubedelta_records_published_total', { resource: 'configmaps', op: 'ADDED' }), size)
})

test('/livez turns 503 while the event loop is blocked, and 200 again afterwards', async () => {
  bridge.signal('SIGUSR2')
  const { text } = await untilLivez(503)
  assert.match(text, /^\[-\]event-loop failed: blocked for [0-9.]+ s$/m)
  await writeFile(pipe, '')
  await untilLivez(200)
})

test('/livez stays 200 while the apiserver is away, and the bridge catches up when it is back', async () => {
  await story.plane.killApiserver()
  await until(/asking again after a while|cannot list or watch/, 'a refusal by the apiserver')
  assert.deepEqual(await bridge.get('/livez'), { status: 200, text: 'ok' })
  assert.equal((await bridge.get('/readyz')).status, 200)
  await story.plane.startApiserver()
  await story.plane.kubectl(['create', 'configmap', 'after-the-apiserver'])
  await using topic = story.follow('configmaps')
  await topic.untilEqual(await clusterState(story.plane, 'configmaps'))
})

test('/livez stays 200 while the broker is away, and what happened meanwhile is on the topic when it is back', async () => {
  await story.kafka.kill()
  await story.plane.kubectl(['create', 'configmap', 'without-a-broker'])
  await ready(async () => assert.ok((await bridge.metric('kubedelta_buffered_bytes')) > 0), {
    what: 'a record that waits for its broker',
  })
  assert.deepEqual(await bridge.get('/livez'), { status: 200, text: 'ok' })
  await story.kafka.restart()
  await using topic = story.follow('configmaps')
  await topic.untilEqual(await clusterState(story.plane, 'configmaps'))
  await bridge.stop()
})

async function untilLivez(wanted: number): Promise<{ readonly text: string }> {
  const probe = async (): Promise<{ readonly text: string }> => {
    const answer = await bridge.get('/livez')
    if (answer.status !== wanted) throw new Error(`/livez says ${answer.status}`)
    return answer
  }
  return ready(probe, { what: `/livez to say ${wanted}` })
}

async function until(line: RegExp, what: string): Promise<void> {
  await ready(async () => assert.match(bridge.output(), line), { what })
}
