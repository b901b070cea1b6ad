// needs: kafka
// examples/analytics, run as its README says: killed and started again, no row is lost and none stands there twice.

import assert from 'node:assert/strict'
import { watch } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import type { TopicPositions } from '../../src/consumer.ts'
import { startSimulatedCluster, type JsonObject, type SimulatedCluster } from '../../src/testing/index.ts'
import { CLUSTER } from '../support/bridge-process.ts'
import { bridgeCluster } from '../support/bridged-cluster.ts'
import { readmeCommands, startExample } from '../support/example-process.ts'
import { startKafka } from '../support/kafka.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { isRecord, readTopic } from '../support/topic-lines.ts'

const [, follow = '', report = ''] = readmeCommands('analytics')
/** Of the database, so that it is killed while it writes: in the first transaction, in one of the next. */
const KILL_AFTER_WRITES = [1, 2, 4, 8, 16, 32, 64]
const DAY_MS = 86_400_000
const RESOURCES = ['pods', 'deployments.apps']

const life = new AsyncDisposableStack()
const folder = life.use(temporaryFolder('analytics'))

interface Place {
  /** Of the log. */
  readonly url: string
  /** Of the database. */
  readonly file: string
}

after(() => life.disposeAsync())

test('kill -9 neither loses nor doubles a row, from Kafka', { timeout: 200_000 }, async () => {
  await using kafka = await startKafka()
  await assertSurvivesKills(`kafka://${kafka.brokers}`, 'kafka')
})

test('kill -9 neither loses nor doubles a row, from a directory', { timeout: 200_000 }, async () => {
  await assertSurvivesKills(`file:${join(folder.path, 'log')}`, 'directory')
})

test('a topic that began anew is read from its start: what is gone is deleted, what is known is no change', async () => {
  const file = join(folder.path, 'recreated.db')
  const [first, second] = ['first', 'second'].map((name) => `file:${join(folder.path, name)}`)
  assert.ok(first !== undefined && second !== undefined)
  await using cluster = await startSimulatedCluster({ bookmarkMs: 5 })
  for (const name of ['a', 'b', 'c']) cluster.create(configMap(name))
  {
    await using bridged = await bridgeCluster(cluster, { url: first, resources: ['configmaps'] })
    await bridged.settled()
    assert.deepEqual(await linesOf('configmaps', { url: first, file }, 'configmaps'), [
      'configmaps: from the start: first',
      'configmaps: up to date',
    ])
  }
  cluster.delete({ resource: 'configmaps', namespace: 'default', name: 'b' })
  cluster.patch({ resource: 'configmaps', namespace: 'default', name: 'c' }, { data: { color: 'blue' } })
  await using bridged = await bridgeCluster(cluster, { url: second, resources: ['configmaps'] })
  await bridged.settled()
  const lines = await linesOf('configmaps', { url: second, file }, 'configmaps')
  assert.match(
    lines.join(),
    /configmaps: from the start: (topic-recreated|new-stream|offset-out-of-range),configmaps: up to date$/,
  )
  assert.deepEqual(changesOf(file), ['ADDED a', 'ADDED b', 'ADDED c', 'ADDED c', 'DELETED b unseen'])
  {
    using database = new DatabaseSync(file, { readOnly: true })
    assert.deepEqual(objectsOf(database, 'configmaps'), cluster.objects('configmaps'))
  }

  // Tombstones may be gone that were written since.
  makeOlder(file, 4 * DAY_MS)
  assert.deepEqual(await linesOf('configmaps', { url: second, file }, 'configmaps'), [
    'configmaps: from the start: cut-off',
    'configmaps: up to date',
  ])
  assert.equal(changesOf(file).length, 5)
})

test('the report answers from the database alone', async () => {
  const place = { url: `file:${join(folder.path, 'reported')}`, file: join(folder.path, 'reported.db') }
  {
    await using cluster = await startSimulatedCluster({ bookmarkMs: 5 })
    await using bridged = await bridgeCluster(cluster, { url: place.url, resources: RESOURCES })
    cluster.life({ nodes: 3, deployments: 8 }).populate()
    await bridged.settled()
    await linesOf('pods', place)
  }
  await using example = startExample(commandOf(report, place))
  const { code, stderr } = await example.ended
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  const text = example.lines.join('\n')
  assert.match(text, /^Pods by node\nnode +pods\n.*node-\d+ +\d+$/ms)
  assert.match(text, /^Changes by hour\nhour +added +updated +deleted\n\d{4}-\d\d-\d\d \d\d:00( +\d+){3}$/m)
  assert.match(text, /^Most changed objects\ntopic +key +changes\nkubedelta\.test\.\S+ +\S+ +\d+$/m)
})

async function assertSurvivesKills(url: string, name: string): Promise<void> {
  const file = join(folder.path, `${name}.db`)
  await using cluster = await startSimulatedCluster({ bookmarkMs: 5 })
  await using bridged = await bridgeCluster(cluster, { url, resources: RESOURCES })
  const lives = cluster.life({ nodes: 3, deployments: 8 })
  lives.populate()
  for (const writes of KILL_AFTER_WRITES) {
    for (let step = 0; step < 1_000; step += 1) lives.step()
    await bridged.settled()
    // Disposing kills it.
    await using example = startExample(commandOf(follow, { url, file }))
    const watching = new AbortController()
    await Promise.race([
      written(`${name}.db-wal`, writes, watching.signal),
      example.line((line) => line === 'pods: up to date'),
    ])
    watching.abort()
  }
  await bridged.settled()
  assert.deepEqual(await linesOf('pods', { url, file }), ['pods: goes on', 'pods: up to date'])
  await assertSame(file, url, cluster)
}

/** Every record is one row, and the objects are those of the cluster. */
async function assertSame(file: string, url: string, cluster: SimulatedCluster): Promise<void> {
  using database = new DatabaseSync(file, { readOnly: true })
  for (const resource of RESOURCES) {
    const topic = `kubedelta.${CLUSTER}.${resource}`
    const lines = await readTopic({ brokers: 'localhost:1', resource, args: ['--from', url] })
    const rows = database
      .prepare(
        'SELECT partition, offset, op, cause, key, uid, resource_version FROM changes WHERE topic = ? ORDER BY partition, offset',
      )
      .all(topic)
    assert.deepEqual(
      rows.map((row) => Object.values(row).join(' ')),
      lines
        .filter(isRecord)
        .map(({ partition, offset, op, cause, key, uid, resourceVersion }) =>
          [partition, offset, op, cause, key, uid, resourceVersion].join(' '),
        ),
    )
    assert.deepEqual(objectsOf(database, resource), cluster.objects(resource))
  }
}

/** What the example says of a resource while it reads to the end. */
async function linesOf(
  resource: string,
  place: Place,
  resources = 'pods deployments.apps',
): Promise<readonly string[]> {
  const command = commandOf(follow, place).replace('pods deployments.apps', resources)
  await using example = startExample(`${command} --until-end`)
  const { code, stderr } = await example.ended
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  return example.lines.filter((line) => line.startsWith(`${resource}: `))
}

/** `DELETED b unseen`: by the name, and whether only a reading from the start showed it. */
function changesOf(file: string): readonly string[] {
  using database = new DatabaseSync(file, { readOnly: true })
  const rows = database.prepare('SELECT op, key, offset, final_state_unknown FROM changes ORDER BY id').all()
  return rows
    .filter(({ key }) => String(key).startsWith('default/'))
    .map(({ op, key, offset, final_state_unknown }) => {
      assert.equal(offset === null, final_state_unknown === 1)
      return `${String(op)} ${String(key).replace('default/', '')}${offset === null ? ' unseen' : ''}`
    })
    .toSorted()
}

function makeOlder(file: string, ms: number): void {
  using database = new DatabaseSync(file)
  const { positions } = database.prepare('SELECT positions FROM positions').get() ?? {}
  const known: TopicPositions = JSON.parse(String(positions))
  database.prepare('UPDATE positions SET positions = ?').run(JSON.stringify({ ...known, asOf: known.asOf - ms }))
}

function configMap(name: string): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data: { color: 'red' } }
}

function objectsOf(database: DatabaseSync, resource: string): readonly unknown[] {
  const rows = database.prepare('SELECT object FROM objects WHERE resource = ? ORDER BY key').all(resource)
  return rows.map(({ object }): unknown => JSON.parse(String(object)))
}

/** Resolves when so many writes to a file of the folder have been seen, or when the signal aborts. */
async function written(name: string, writes: number, signal: AbortSignal): Promise<void> {
  let seen = 0
  try {
    for await (const { filename } of watch(folder.path, { signal })) if (filename === name && ++seen >= writes) return
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

function commandOf(command: string, { url, file }: Place): string {
  return command
    .replace('kafka://localhost:9092', url)
    .replace('--cluster dev', `--cluster ${CLUSTER}`)
    .replace('kubedelta.db', file)
}
