// needs: kafka, control-plane
// Of several bridges one leads: whatever ends it, another takes over, nothing is lost, and the old one writes no more.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startApiserverProxy } from '../support/apiserver-proxy.ts'
import { kubedelta, CLUSTER, type BridgeProcess } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { Candidates, epochOf, type CandidatesOptions } from '../support/candidates.ts'
import { ready } from '../support/ready.ts'
import { isRecord, shortOf, type TopicFollower, type TopicLine } from '../support/topic-lines.ts'

/** For stories that wait until a Lease is over. */
const SHORT_LEASE = ['3s', '2s', '500ms'] as const

let story: BridgeStory
const life = new AsyncDisposableStack()

before(async () => {
  story = life.use(await startStory())
})

after(() => life.disposeAsync())

interface Pair extends AsyncDisposable {
  readonly candidates: Candidates
  readonly leader: BridgeProcess
  readonly standby: BridgeProcess
  readonly topic: TopicFollower
  /** Resolves once records of that leadership stand there that a watch brought. */
  watchedBy(epoch: number): Promise<void>
  /** Ends the writes, and resolves when the last has been made. */
  quiet(): Promise<void>
}

/** A leader and a standby over objects that change without a pause. */
async function startPair(name: string, timing?: CandidatesOptions['timing']): Promise<Pair> {
  const candidates = new Candidates({ story, name, ...(timing && { timing }) })
  await candidates.prepare()
  await using stack = new AsyncDisposableStack()
  const leader = stack.use(await candidates.start())
  await candidates.leads(leader)
  const standby = stack.use(await candidates.start())
  const topic = stack.use(candidates.follow())
  const stop = new AbortController()
  const changing = candidates.changeUntil(stop.signal)
  const quiet = async (): Promise<void> => {
    stop.abort()
    await changing
  }
  stack.defer(quiet)
  const watchedBy = async (epoch: number): Promise<void> => {
    const isOwn = (line: TopicLine): boolean => isRecord(line) && line.epoch === epoch && line.cause === 'WATCH'
    await topic.until((lines) => lines.filter(isOwn).length >= 20, `changes of epoch ${epoch}`)
  }
  await watchedBy(1)
  const own = stack.move()
  const dispose = (): Promise<void> => own.disposeAsync()
  return { candidates, leader, standby, topic, watchedBy, quiet, [Symbol.asyncDispose]: dispose }
}

test('a standby is ready with a warm index, says whose it is, and writes nothing', async () => {
  await using pair = await startPair('waiting')
  const { candidates, leader, standby, topic } = pair
  const { status, text } = await standby.get('/readyz?verbose')
  assert.equal(status, 200)
  assert.ok(text.includes(`[+]leader-election ok: standby of ${await candidates.holder()}`), text)
  assert.match((await leader.get('/readyz?verbose')).text, /\[\+\]leader-election ok: leading/)
  assert.equal(await standby.metric('leader_election_master_status', { name: 'waiting' }), 0)
  assert.equal(await standby.metric('kubedelta_records_published_total'), 0)
  await pair.quiet()
  await candidates.assertWhole(topic)
  assert.deepEqual(new Set(topic.lines.flatMap((line) => epochOf(line) ?? [])), new Set([1]))
  await standby.stop()
  await leader.stop()
  assert.equal(await candidates.holder(), '')
})

test('a leader that is told to end gives the Lease back, and the standby takes over at once', async () => {
  await using pair = await startPair('told')
  const { candidates, leader, standby, topic } = pair
  await leader.stop()
  assert.match(leader.output(), /"Lease released"/)
  await candidates.leads(standby)
  await pair.watchedBy(2)
  await pair.quiet()
  await candidates.assertWhole(topic)
})

test('a leader that is killed is followed once its Lease is over', async () => {
  await using pair = await startPair('killed', SHORT_LEASE)
  const { candidates, leader, standby, topic } = pair
  await leader.kill()
  await candidates.leads(standby)
  await pair.watchedBy(2)
  await pair.quiet()
  await candidates.assertWhole(topic)
})

test('a leader that was stopped amid writes and wakes up later writes nothing more, and ends naming the new one', async () => {
  await using pair = await startPair('asleep', SHORT_LEASE)
  const { candidates, leader, standby, topic } = pair
  leader.signal('SIGSTOP')
  await candidates.leads(standby)
  await pair.watchedBy(2)
  leader.signal('SIGCONT')
  assert.equal(await leader.exited, 'exit code 1')
  assert.ok(leader.output().includes(await candidates.holder()), leader.output())
  await pair.quiet()
  await candidates.assertWhole(topic)
})

test('without election the broker refuses the writes of a bridge that another one has replaced, which ends naming it', async () => {
  const candidates = new Candidates({ story, name: 'replaced' })
  await candidates.prepare()
  await using first = await story.bridge(candidates.unelected)
  await using topic = candidates.follow()
  first.signal('SIGSTOP')
  await using second = await story.bridge(candidates.unelected)
  await candidates.create(['d'])
  await topic.until((lines) => lines.some((line) => shortOf(line).includes('replaced/d')), 'a change by the second')
  first.signal('SIGCONT')
  assert.equal(await first.exited, 'exit code 1')
  const successor = topic.lines.findLast((line) => epochOf(line) === 2 && line.tombstone && line.control !== undefined)
  assert.ok(successor?.tombstone === true && successor.control !== undefined)
  const { holder = 'nobody' } = successor.headers
  assert.ok(first.output().includes(`${holder} has taken it over with epoch 2`), first.output())
  await candidates.assertWhole(topic)
  await second.stop()
})

test('a leader whose Lease is given to another by hand ends and names it', async () => {
  await using pair = await startPair('robbed', SHORT_LEASE)
  const { candidates, leader, standby, topic } = pair
  await candidates.give('intruder')
  assert.equal(await leader.exited, 'exit code 1')
  assert.match(leader.output(), /lease-lost|intruder holds it now/)
  await candidates.leads(standby)
  await pair.watchedBy(2)
  await pair.quiet()
  await candidates.assertWhole(topic)
})

test('a leader that is cut off from its Lease pauses, goes on when it can renew it, and ends when it cannot', async () => {
  const { plane } = story
  const candidates = new Candidates({ story, name: 'cut', timing: ['10s', '2s', '500ms'] })
  await candidates.prepare()
  await using proxy = await startApiserverProxy(plane)
  await using leader = await candidates.start([], { kubeconfig: proxy.kubeconfig })
  await candidates.leads(leader)
  await using standby = await candidates.start()
  await using topic = candidates.follow()
  await proxy.cut()
  await says(leader, 'writing is paused')
  await proxy.mend()
  await says(leader, 'writing goes on')
  await candidates.create(['d'])
  await candidates.assertWhole(topic)
  await proxy.cut()
  assert.equal(await leader.exited, 'exit code 1')
  assert.match(leader.output(), /could not be renewed for 10 s/)
  await candidates.leads(standby)
  await candidates.create(['e'])
  await candidates.assertWhole(topic)
  assert.deepEqual([...new Set(topic.lines.flatMap((line) => epochOf(line) ?? []))], [1, 2])
})

test('a bridge of another cluster on the topic ends with 2, and the leader has not noticed', async () => {
  const candidates = new Candidates({ story, name: 'foreign' })
  await candidates.prepare()
  await using leader = await candidates.start()
  await candidates.leads(leader)
  await using topic = candidates.follow()
  for (const flags of [candidates.flags, candidates.unelected]) {
    const { kafka, plane } = story
    const where = ['--to', `kafka://${kafka.brokers}`, '--cluster', CLUSTER, '--kubeconfig', plane.kubeconfig]
    const { code, stderr } = await kubedelta(['run', ...where, ...flags, '--cluster-id', 'another'])
    assert.equal(code, 2, stderr)
    assert.match(stderr, /belongs to the cluster/)
  }
  await candidates.create(['d'])
  await candidates.assertWhole(topic)
  assert.equal(topic.lines.filter((line) => line.tombstone && line.control === 'fence').length, 1)
  await leader.stop()
})

async function says(bridge: BridgeProcess, text: string): Promise<void> {
  await ready(
    async () => {
      if (!bridge.output().includes(text)) throw new Error(bridge.output())
    },
    { what: `the log line '${text}'` },
  )
}
