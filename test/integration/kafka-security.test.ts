// needs: kafka, openssl
// TLS, certificates of clients and each SASL mechanism, for a bridge and for a consumer; what is wrong is named, and no secret is told.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startSimulatedCluster, type SimulatedCluster } from '../../src/testing/simulated/cluster.ts'
import { CLUSTER, kubedelta, startBridge, type Ended } from '../support/bridge-process.ts'
import { PASSWORDS, SASL_USER, startSecuredKafka, token, type SecuredKafka } from '../support/kafka-security.ts'

const life = new AsyncDisposableStack()
/** What was told to anyone: output of every command, metrics, process list. */
const told: string[] = []
const WRONG_PASSWORD = 'Planted-Wrong-Password-6bd417'
const TOKEN = token(SASL_USER, 3600)
const EXPIRED_TOKEN = token(SASL_USER, -3600)

let secured: SecuredKafka
let cluster: SimulatedCluster
let kubeconfig: string

before(async () => {
  secured = life.use(await startSecuredKafka())
  cluster = life.use(await startSimulatedCluster())
  kubeconfig = secured.write('kubeconfig', cluster.kubeconfig)
})

after(() => life.disposeAsync())

interface Way {
  readonly name: string
  readonly listener: 'tls' | 'mutual' | 'sasl'
  /** Options beside the CA. */
  readonly args: () => readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const scram = (mechanism: 'scram-sha-256' | 'scram-sha-512'): Way => ({
  name: mechanism,
  listener: 'sasl',
  args: () => withPassword(mechanism, PASSWORDS[mechanism]),
})

const WAYS: readonly Way[] = [
  { name: 'TLS with a private authority', listener: 'tls', args: () => [] },
  { name: "a client's certificate", listener: 'mutual', args: clientCertificate },
  { name: 'plain', listener: 'sasl', args: () => withPassword('plain', PASSWORDS.plain) },
  {
    name: 'plain with the password from the environment',
    listener: 'sasl',
    args: () => ['--kafka-sasl-mechanism', 'plain', '--kafka-sasl-username', SASL_USER],
    env: { KUBEDELTA_KAFKA_SASL_PASSWORD: PASSWORDS.plain },
  },
  scram('scram-sha-256'),
  scram('scram-sha-512'),
  { name: 'oauthbearer', listener: 'sasl', args: () => withToken(TOKEN) },
]

for (const [index, { name, listener, args, env = {} }] of WAYS.entries()) {
  test(`${name}: the bridge writes and a consumer reads`, async () => {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `way-${index}`, namespace: 'default' } }
    cluster.create(object)
    const prefix = `way-${index}`
    const security = ['--kafka-tls-ca', secured.authority.cert, ...args()]
    const brokers = secured.address(listener)
    const common = ['--prefix', prefix, '--log-level', 'debug', ...security]
    await using bridge = await startBridge({ brokers, kubeconfig, args: ['-r', 'configmaps', ...common], env })
    await bridge.ready()
    told.push((await bridge.get('/metrics')).text, readFileSync(`/proc/${bridge.pid}/cmdline`, 'utf8'))
    const from = ['--from', `kafka://${brokers}`, '--cluster', CLUSTER]
    // A password of the environment reaches the bridge alone; the consumer has it in a file.
    const reader = Object.keys(env).length === 0 ? [] : ['--kafka-sasl-password-file', passwordFile(PASSWORDS.plain)]
    const got = await run(['get', 'configmap', object.metadata.name, '-o', 'name', ...from, ...common, ...reader])
    assert.deepEqual([got.stdout, got.code], [`configmap/way-${index}\n`, 0], got.stderr)
    await bridge.stop()
    told.push(bridge.output())
  })
}

interface Refusal {
  readonly name: string
  readonly listener: Parameters<SecuredKafka['address']>[0]
  readonly args: () => readonly string[]
  readonly words: readonly string[]
}

const trusting = (...args: readonly string[]): readonly string[] => ['--kafka-tls-ca', secured.authority.cert, ...args]

const REFUSALS: readonly Refusal[] = [
  {
    name: 'a private authority before --kafka-tls',
    listener: 'tls',
    args: () => ['--kafka-tls'],
    words: ['certificate is not trusted', '--kafka-tls-ca'],
  },
  {
    name: 'a certificate of another authority',
    listener: 'tls',
    args: () => ['--kafka-tls-ca', secured.otherAuthority.cert],
    words: ['certificate is not trusted', '--kafka-tls-ca'],
  },
  {
    name: 'a certificate that has expired',
    listener: 'expired',
    args: () => trusting(),
    words: ['not valid today', 'CERT_HAS_EXPIRED'],
  },
  {
    name: 'a certificate for another host',
    listener: 'stranger',
    args: () => trusting(),
    words: ['for another name', '127.0.0.1', 'advertised.listeners'],
  },
  {
    name: 'a client without a certificate',
    listener: 'mutual',
    args: () => trusting(),
    words: ["does not accept the client's certificate", '--kafka-tls-cert'],
  },
  ...(['plain', 'scram-sha-256', 'scram-sha-512'] as const).map((mechanism): Refusal => ({
    name: `a wrong password with ${mechanism}`,
    listener: 'sasl',
    args: () => trusting(...withPassword(mechanism, WRONG_PASSWORD)),
    words: ['authentication failed', mechanism === 'plain' ? 'PLAIN' : 'SCRAM'],
  })),
  {
    name: 'a mechanism that is not spoken there',
    listener: 'renewing',
    args: () => withPassword('scram-sha-512', WRONG_PASSWORD),
    words: ['does not know the SASL mechanism', '--kafka-sasl-mechanism'],
  },
  {
    name: 'SASL where none is wanted',
    listener: 'tls',
    args: () => trusting(...withPassword('plain', WRONG_PASSWORD)),
    words: ['asks for no SASL', '--kafka-sasl-mechanism'],
  },
  {
    name: 'a token that has expired',
    listener: 'sasl',
    args: () => trusting(...withToken(EXPIRED_TOKEN)),
    words: ['OAUTHBEARER authentication failed'],
  },
]

describe('what is wrong ends the command at once, with what to do about it:', () => {
  for (const { name, listener, args, words } of REFUSALS) {
    test(name, async () => {
      const brokers = secured.address(listener)
      const where = ['--from', `kafka://${brokers}`, '--cluster', CLUSTER, '--log-level', 'debug']
      const { code, stderr } = await run(['get', 'configmaps', ...where, ...args()])
      const line = stderr.trimEnd().split('\n').at(-1) ?? ''
      for (const word of [brokers, ...words]) assert.ok(line.includes(word), stderr)
      assert.equal(code, 2, stderr)
    })
  }

  for (const [name, listener, args] of [
    ['TLS where there is none', 'plain', () => trusting()],
    ['no TLS where it is wanted', 'tls', () => []],
    ['no SASL where it is wanted', 'renewing', () => []],
  ] as const) {
    test(`${name}, after the start-up time`, async () => {
      const brokers = listener === 'plain' ? secured.kafka.brokers : secured.address(listener)
      const where = ['--from', `kafka://${brokers}`, '--cluster', CLUSTER, '--startup-timeout', '1s']
      const { code, stderr } = await run(['get', 'configmaps', ...where, ...args()])
      for (const word of [brokers, 'TLS']) assert.ok(stderr.includes(word), stderr)
      assert.equal(code, 1, stderr)
    })
  }
})

test('no secret is told in logs, errors, metrics or the process list', () => {
  const key = readFileSync(secured.client.key, 'utf8').split('\n')[1] ?? ''
  const secrets = [...Object.values(PASSWORDS), WRONG_PASSWORD, TOKEN, EXPIRED_TOKEN, key]
  const forms = secrets.flatMap((secret) => [secret, Buffer.from(secret).toString('base64').slice(0, -4)])
  for (const form of forms) assert.ok(!told.some((text) => text.includes(form)), form)
  // They would have been found: what is no secret is.
  for (const text of [SASL_USER, 'kubedelta_synced', '"level":"debug"', '--kafka-sasl-password-file']) {
    assert.ok(
      told.some((each) => each.includes(text)),
      text,
    )
  }
})

async function run(args: readonly string[]): Promise<Ended> {
  const ended = await kubedelta(args)
  told.push(ended.stdout, ended.stderr)
  return ended
}

function clientCertificate(): readonly string[] {
  return ['--kafka-tls-cert', secured.client.cert, '--kafka-tls-key', secured.client.key]
}

function withPassword(mechanism: keyof typeof PASSWORDS, password: string): readonly string[] {
  const user = ['--kafka-sasl-mechanism', mechanism, '--kafka-sasl-username', SASL_USER]
  return [...user, '--kafka-sasl-password-file', passwordFile(password)]
}

function passwordFile(password: string): string {
  return secured.write(join(`password-${password.length}-${password.slice(-6)}`), `${password}\n`)
}

function withToken(text: string): readonly string[] {
  const file = secured.write(`token-${text.length}-${text.slice(-8)}`, text)
  return ['--kafka-sasl-mechanism', 'oauthbearer', '--kafka-sasl-token-file', file]
}
