// needs: kafka, openssl
// Credentials that end or change while a bridge runs: the next ones are taken from their files, and no record is lost or doubled.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { openKafkaLog } from '../../src/kafka/kafka-log.ts'
import type { KafkaSasl } from '../../src/kafka/security.ts'
import { startSimulatedCluster, type SimulatedCluster } from '../../src/testing/simulated/cluster.ts'
import {
  appendEach,
  assertLog,
  freshTopic,
  numbered,
  openWriter,
  STORY_MS,
  storySignal,
} from '../conformance/log-content.ts'
import { recordingLogger } from '../conformance/recording-logger.ts'
import { startBridge, type BridgeProcess } from '../support/bridge-process.ts'
import {
  PASSWORDS,
  SASL_USER,
  SESSION_MS,
  startSecuredKafka,
  token,
  type SecuredKafka,
} from '../support/kafka-security.ts'
import { ready } from '../support/ready.ts'

const life = new AsyncDisposableStack()
let secured: SecuredKafka
let cluster: SimulatedCluster

before(async () => {
  secured = life.use(await startSecuredKafka())
  cluster = life.use(await startSimulatedCluster())
})

after(() => life.disposeAsync())

/** A token for each session, counted; or the password. */
const SASL: Readonly<Record<string, (onAsked: () => void) => KafkaSasl>> = {
  oauthbearer: (onAsked) => ({
    mechanism: 'oauthbearer',
    token: async () => {
      onAsked()
      return token(SASL_USER, 3600)
    },
  }),
  plain: () => ({ mechanism: 'plain', username: SASL_USER, password: PASSWORDS.plain }),
}

// They wait for the ends of sessions: side by side.
describe('sessions that end', { concurrency: true }, () => {
  for (const [mechanism, saslOf] of Object.entries(SASL)) {
    test(
      `${mechanism}: sessions that the broker ends are renewed under load, without a failed attempt`,
      { timeout: STORY_MS },
      async () => {
        let asked = 0
        const log = recordingLogger()
        const signal = storySignal()
        await using client = await openKafkaLog({
          brokers: [secured.address('renewing')],
          security: { sasl: saslOf(() => (asked += 1)) },
          log,
          signal,
        })
        const topic = await freshTopic(client)
        await using writer = await openWriter(client, topic)
        await using reader = await client.openReader({ signal })
        const stop = new AbortController()
        let seen = 0
        const reading = (async () => {
          for await (const { records } of reader.read({ topic, from: new Map([[0, 0]]), signal: stop.signal }))
            seen += records.length
        })()
        const values: string[] = []
        const start = performance.now()
        while (performance.now() - start < 2 * SESSION_MS) {
          const more = numbered(`value-${values.length}`, 20)
          values.push(...more)
          await appendEach(writer, more)
        }
        await assertLog(client, topic, values)
        await ready(async () => assert.equal(seen, values.length), {
          what: 'a reader that has seen all',
        })
        stop.abort()
        await reading
        assert.deepEqual(
          log.lines.filter(({ level }) => level !== 'debug'),
          [],
        )
        // Writer and reader have a connection each.
        if (mechanism === 'oauthbearer') assert.ok(asked >= 5, `asked ${asked} times`)
      },
    )
  }

  test('a bridge takes the next token from its file before its session ends', { timeout: STORY_MS }, async () => {
    // Time enough for a bridge to start and to log in with it.
    const secondsToLive = 15
    const file = secured.write('token', token(SASL_USER, secondsToLive))
    const end = performance.now() + secondsToLive * 1000 + SESSION_MS
    const sasl = ['--kafka-sasl-mechanism', 'oauthbearer', '--kafka-sasl-token-file', file]
    await using bridge = await bridgeOf('renewed-token', secured.address('renewing'), sasl)
    secured.write('token', token(SASL_USER, 3600))
    let created = 0
    while (performance.now() < end) {
      created += 1
      await publishes([bridge], `renewed-token-${created}`)
    }
    await bridge.stop()
    assert.doesNotMatch(bridge.output(), /failed/)
  })
})

test(
  'a changed password and a changed certificate are taken from their files at the next connection',
  { timeout: STORY_MS },
  async () => {
    const mechanism = 'scram-sha-256'
    const password = secured.write('password', PASSWORDS[mechanism])
    const first = {
      cert: secured.write('client-cert', textOf(secured.client.cert)),
      key: secured.write('client-key', textOf(secured.client.key)),
    }
    const tls = ['--kafka-tls-ca', secured.authority.cert]
    const user = ['--kafka-sasl-mechanism', mechanism, '--kafka-sasl-username', SASL_USER]
    await using scram = await bridgeOf('password', secured.address('sasl'), [
      ...tls,
      ...user,
      '--kafka-sasl-password-file',
      password,
    ])
    const certificate = ['--kafka-tls-cert', first.cert, '--kafka-tls-key', first.key]
    await using mutual = await bridgeOf('certificate', secured.address('mutual'), [...tls, ...certificate])
    await publishes([scram, mutual], 'before-the-change')

    const next = await secured.otherAuthority.issue({ name: 'next-client' })
    secured.write('client-cert', textOf(next.cert))
    secured.write('client-key', textOf(next.key))
    secured.write('trusted.pem', secured.otherAuthority.text)
    await secured.changeScramPassword(mechanism, 'another-password')
    secured.write('password', 'another-password')
    await secured.kafka.restart()

    await publishes([scram, mutual], 'after-the-change')
    await Promise.all([scram.stop(), mutual.stop()])
  },
)

async function bridgeOf(prefix: string, brokers: string, security: readonly string[]): Promise<BridgeProcess> {
  const kubeconfig = secured.write('kubeconfig', cluster.kubeconfig)
  const args = ['-r', 'configmaps', '--prefix', prefix, ...security]
  const bridge = await startBridge({ brokers, kubeconfig, args })
  await bridge.ready()
  return bridge
}

/** Creates an object and waits until each of the bridges has published it. */
async function publishes(bridges: readonly BridgeProcess[], name: string): Promise<void> {
  const published = async (bridge: BridgeProcess): Promise<number> =>
    bridge.metric('kubedelta_records_published_total', { op: 'ADDED' })
  const before = await Promise.all(bridges.map(published))
  cluster.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } })
  await ready(
    async () => {
      const now = await Promise.all(bridges.map(published))
      assert.ok(
        now.every((count, index) => count > (before[index] ?? 0)),
        String(now),
      )
    },
    { what: `${name} on the topic` },
  )
}

function textOf(path: string): string {
  return readFileSync(path, 'utf8')
}
