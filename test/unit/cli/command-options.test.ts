import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import type { ErrorCode } from '../../../src/base/errors.ts'
import { runOptions, tailOptions, topicsOptions } from '../../../src/cli/command-options.ts'
import type { OptionSources } from '../../../src/cli/command-options.ts'
import { parseConfig } from '../../../src/cli/config-file.ts'
import { rawFromEnvironment } from '../../../src/cli/option-values.ts'
import type { RawValue } from '../../../src/cli/option-values.ts'
import { flagOf } from '../../../src/cli/option-spec.ts'
import { optionKeys } from '../../../src/cli/options.ts'
import type { OptionKey } from '../../../src/cli/options.ts'

type Flags = Partial<Record<OptionKey, string | boolean | readonly string[]>>

function said(flags: Flags, environment: Record<string, string> = {}, file = ''): OptionSources {
  const raw = new Map<OptionKey, RawValue>()
  for (const [key, value] of Object.entries(flags)) {
    raw.set(asKey(key), { value, from: 'flag', origin: `--${flagOf(key)}` })
  }
  return { flags: raw, environment: rawFromEnvironment(environment), file: parseConfig(file, 'x.yaml') }
}

function asKey(key: string): OptionKey {
  const found = optionKeys.find((candidate) => candidate === key)
  assert.ok(found !== undefined, key)
  return found
}

const needed: Flags = { to: 'kafka://kafka:9092', cluster: 'prod', resources: 'pods' }

function refuses(what: string, act: () => unknown, message: RegExp, code: ErrorCode = 'usage'): void {
  test(`refuses ${what}`, () => {
    assert.throws(act, (error) => {
      assert.ok(hasCode(error, code), String(error))
      assert.match(error.message, message)
      return true
    })
  })
}

describe('runOptions', () => {
  test('fills in defaults, durations in milliseconds', () => {
    const options = runOptions(said(needed))
    assert.equal(options.startupTimeoutMs, 30_000)
    assert.equal(options.resyncMs, undefined)
    assert.equal(options.format, 'json')
    assert.equal(options.compression, 'gzip')
    assert.equal(options.prefix, 'kubedelta')
    assert.equal(options.kafkaTls, false)
    assert.deepEqual(options.exclude, [])
    assert.deepEqual(options.metricsListen, { host: '127.0.0.1', port: 9464, explicit: false })
    assert.deepEqual(options.resources, [
      { resource: 'pods', namespaces: [], labelSelector: '', fieldSelector: '', partitions: undefined },
    ])
  })

  test('flags win over environment over file', () => {
    const file = 'qps: 1\nburst: 1\nlogLevel: warn\n'
    const environment = { KUBEDELTA_QPS: '2', KUBEDELTA_BURST: '2' }
    const { qps, burst, logLevel } = runOptions(said({ ...needed, qps: '3' }, environment, file))
    assert.deepEqual({ qps, burst, logLevel }, { qps: 3, burst: 2, logLevel: 'warn' })
  })

  test('an empty environment variable is absent, an unknown one left alone', () => {
    const environment = { KUBEDELTA_QPS: '', KUBEDELTA_PORT: 'tcp://10.0.0.1:9464' }
    assert.equal(runOptions(said(needed, environment)).qps, 50)
  })

  test('a flag can turn off what the file turned on', () => {
    assert.equal(runOptions(said({ ...needed, kafkaTls: false }, {}, 'kafkaTls: true\n')).kafkaTls, false)
  })

  test('lists are repeatable and comma separated', () => {
    const { resources } = runOptions(said({ ...needed, resources: ['pods,deploy', 'nodes'], namespace: ['a', 'b,a'] }))
    assert.deepEqual(
      resources.map(({ resource, namespaces }) => [resource, ...namespaces]),
      [
        ['pods', 'a', 'b'],
        ['deploy', 'a', 'b'],
        ['nodes', 'a', 'b'],
      ],
    )
  })

  test('an entry of the file has its own scope, the scope of the file where it has none', () => {
    const file =
      'namespace: all\nresources: [pods, {resource: jobs, namespaces: [own], labelSelector: a=b, partitions: 3}]\n'
    const { resources } = runOptions(said({ to: 'kafka://k:1', cluster: 'c' }, {}, file))
    assert.deepEqual(resources, [
      { resource: 'pods', namespaces: ['all'], labelSelector: '', fieldSelector: '', partitions: undefined },
      { resource: 'jobs', namespaces: ['own'], labelSelector: 'a=b', fieldSelector: '', partitions: 3 },
    ])
  })

  test('a scope by flag replaces that of every entry, resources by flag replace the entries', () => {
    const file = 'resources: [{resource: jobs, namespaces: [own]}]\n'
    const scoped = runOptions(said({ to: 'kafka://k:1', cluster: 'c', namespace: 'mine' }, {}, file))
    assert.deepEqual(
      scoped.resources.map(({ resource, namespaces }) => [resource, ...namespaces]),
      [['jobs', 'mine']],
    )
    const named = runOptions(said(needed, {}, file))
    assert.deepEqual(
      named.resources.map(({ resource, namespaces }) => [resource, ...namespaces]),
      [['pods']],
    )
  })

  test('a registry means Avro', () =>
    assert.equal(runOptions(said({ ...needed, registry: 'http://r' })).format, 'avro'))

  test('a chosen address is explicit, IPv6 and all addresses included', () => {
    const listen = (metricsListen: string): unknown => runOptions(said({ ...needed, metricsListen })).metricsListen
    assert.deepEqual(listen('127.0.0.1:9464'), { host: '127.0.0.1', port: 9464, explicit: true })
    assert.deepEqual(listen('[::1]:0'), { host: '::1', port: 0, explicit: true })
    assert.deepEqual(listen(':80'), { host: '0.0.0.0', port: 80, explicit: true })
  })

  test('choices are taken in any case, as Kafka writes its mechanisms', () => {
    const values = { ...needed, kafkaSaslMechanism: 'SCRAM-SHA-512', kafkaSaslUsername: 'ann' }
    assert.equal(runOptions(said(values)).kafkaSaslMechanism, 'scram-sha-512')
  })

  test('the cluster of a log in a directory has a name of its own accord', () => {
    const { cluster: _, ...nameless } = needed
    assert.equal(runOptions(said({ ...nameless, to: 'file:/tmp/x' })).cluster, 'kubernetes')
    assert.equal(runOptions(said({ ...needed, to: 'file:/tmp/x' })).cluster, needed.cluster)
    assert.equal(topicsOptions('plan', said({ ...nameless, to: 'file:/tmp/x' })).cluster, 'kubernetes')
    assert.equal(tailOptions('pods', said({ from: 'file:/tmp/x' })).cluster, 'kubernetes')
  })

  const bad: ReadonlyArray<readonly [what: string, flags: Flags, message: RegExp, code?: ErrorCode]> = [
    ['a log without a scheme', { to: 'kafka:9092' }, /wanted kafka:\/\/HOST:PORT.*: it begins with/],
    ['a broker without its port', { to: 'kafka://a:1,b' }, /: 'b' is not HOST:PORT$/],
    ['a directory without a path', { to: 'file:' }, /wanted kafka:.* or file:DIRECTORY/],
    ['credentials in the URL', { to: 'kafka://ann:secret@a:1' }, /^(?!.*secret).*it holds credentials/],
    ['credentials in the URL of the registry', { registry: 'http://ann:secret@r' }, /^(?!.*secret)/],
    ['a cluster that is no DNS label', { cluster: 'Prod_1' }, /^Cannot read --cluster: wanted a DNS label/],
    ['an underscore in the prefix', { prefix: 'a_b' }, /^Cannot read --prefix/],
    ['a namespace that is none', { namespace: 'A B' }, /^Cannot read --namespace: wanted the name of a namespace/],
    ['a bad duration', { resync: '5' }, /^Cannot read --resync: wanted a duration/],
    ['a number that is none', { qps: '1.5' }, /^Cannot read --qps: wanted a whole number >= 1: current value is "1.5"/],
    [
      'an unknown choice',
      { compression: 'gzp' },
      /^Cannot read --compression: wanted one of none, gzip, zstd.*: did you mean gzip$/,
    ],
    ['JSON with a registry', { format: 'json', registry: 'http://r' }, /--format avro, or no --registry/],
    [
      'a client certificate without its key',
      { kafkaTlsCert: 'a' },
      /^Cannot use --kafka-tls-cert: wanted --kafka-tls-key/,
    ],
    ['a SASL user without a mechanism', { kafkaSaslUsername: 'ann' }, /wanted --kafka-sasl-mechanism/],
    ['a mechanism without a user', { kafkaSaslMechanism: 'plain' }, /wanted --kafka-sasl-username/],
    ['OAUTHBEARER without a token', { kafkaSaslMechanism: 'oauthbearer' }, /wanted --kafka-sasl-token-file/],
    ['--exclude without a star', { exclude: 'pods' }, /it takes from '\*'/],
    ['partitions that are no number', { partitions: 'pods=x' }, /^Cannot read --partitions: wanted RESOURCE=N/],
    ['a bad address', { metricsListen: 'localhost' }, /^Cannot read --metrics-listen: wanted HOST:PORT/],
    ['a CA with no check', { certificateAuthority: 'a', insecureSkipTlsVerify: true }, /wanted one of them/],
    ['a bad label selector', { selector: 'a==b==c' }, /label selector/, 'bad-selector'],
    ['a bad field selector', { fieldSelector: 'metadata.name' }, /field selector/, 'bad-selector'],
  ]
  for (const [what, flags, message, code] of bad) {
    refuses(what, () => runOptions(said({ ...needed, ...flags })), message, code)
  }
  refuses('a start without --to', () => runOptions(said({})), /^Cannot start: wanted --to URL: it is absent$/)
  refuses('a start without --cluster', () => runOptions(said({ to: 'kafka://a:1' })), /wanted --cluster NAME/)
  refuses(
    'a start without resources',
    () => runOptions(said({ to: 'kafka://a:1', cluster: 'c' })),
    /wanted -r RESOURCES, or resources in the configuration file/,
  )
  refuses(
    'a bad value of the file by its place',
    () => runOptions(said(needed, {}, '\nqps: many\n')),
    /^Cannot read x\.yaml:2:1 \(qps\): /,
  )
  refuses(
    'a bad value of the environment by its variable',
    () => runOptions(said(needed, { KUBEDELTA_QPS: 'many' })),
    /^Cannot read KUBEDELTA_QPS: /,
  )
})

describe('tailOptions', () => {
  test('needs neither resource nor cluster where the topic is named', () => {
    const { topic, output } = tailOptions(undefined, said({ from: 'kafka://k:1', topic: 'mirror.pods' }))
    assert.deepEqual({ topic, output }, { topic: 'mirror.pods', output: 'wide' })
  })
  refuses(
    'a tail of nothing',
    () => tailOptions(undefined, said({ from: 'kafka://k:1' })),
    /wanted RESOURCE, or --topic/,
  )
  refuses(
    'a tail without cluster',
    () => tailOptions('pods', said({ from: 'kafka://k:1' })),
    /wanted --cluster NAME, or/,
  )
  refuses(
    'a table of records',
    () => tailOptions('pods', said({ from: 'kafka://k:1', cluster: 'c', output: 'table' })),
    /^Cannot read --output: wanted one of wide, json/,
  )
})

test('topics reads the partitions of its flags and takes the file of run', () => {
  const file = 'namespace: shop\nresync: 5m\n'
  const options = topicsOptions('plan', said({ ...needed, partitions: ['pods=6,nodes=2'] }, {}, file))
  assert.deepEqual(
    [...options.partitions],
    [
      ['pods', 6],
      ['nodes', 2],
    ],
  )
  assert.equal(options.output, 'table')
})
