// Holds the table of options to the documented list: names, environment variables, defaults, and what help shows.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseCommandLine } from '../../src/cli/command-line.ts'
import { environmentOf, flagOf } from '../../src/cli/option-spec.ts'
import { isOptionOf, optionKeys, optionOf } from '../../src/cli/options.ts'
import type { CommandName } from '../../src/cli/option-spec.ts'

const kafka = [
  '--kafka-tls',
  '--kafka-tls-ca',
  '--kafka-tls-cert',
  '--kafka-tls-key',
  '--kafka-sasl-mechanism',
  '--kafka-sasl-username',
  '--kafka-sasl-password-file',
  '--kafka-sasl-token-file',
]
const kubernetes = [
  '--kubeconfig',
  '--context',
  '--server',
  '--certificate-authority',
  '--insecure-skip-tls-verify',
  '--qps',
  '--burst',
]
const process = ['--startup-timeout', '--log-level', '--config']

const election = [
  '--leader-elect',
  '--leader-elect-name',
  '--leader-elect-namespace',
  '--leader-elect-lease-duration',
  '--leader-elect-renew-deadline',
  '--leader-elect-retry-period',
]

/** Written out: who renames a flag has to rename it here, and in the documents. */
const flags: Readonly<Record<CommandName, readonly string[]>> = {
  run: [
    '--to',
    '--cluster',
    '-r, --resources',
    '-n, --namespace',
    '-l, --selector',
    '--field-selector',
    '--exclude',
    '--format',
    '--registry',
    '--resync',
    '--partitions',
    '--replication-factor',
    '--compression',
    ...kubernetes,
    '--cluster-id',
    '--no-coalesce',
    '--digest-interval',
    '--adopt-topic',
    '--apply-scope-change',
    ...election,
    ...kafka,
    '--metrics-listen',
    '--prefix',
    ...process,
  ],
  tail: [
    '--from',
    '--cluster',
    '--topic',
    '-n, --namespace',
    '-o, --output',
    '--from-beginning',
    '--until-end',
    '--control',
    '--registry',
    '--prefix',
    ...kafka,
    ...process,
  ],
  get: [
    '--from',
    '--cluster',
    '--topic',
    '-n, --namespace',
    '-A, --all-namespaces',
    '-l, --selector',
    '-o, --output',
    '--registry',
    '--prefix',
    ...kafka,
    ...process,
  ],
  verify: [
    '--from',
    '--cluster',
    '-r, --resources',
    '-n, --namespace',
    '-l, --selector',
    '--field-selector',
    '--exclude',
    '--digest',
    '--registry',
    '--timeout',
    '--prefix',
    ...kubernetes,
    ...kafka,
    ...process,
  ],
  topics: [
    '--to',
    '--cluster',
    '-r, --resources',
    '--exclude',
    '--partitions',
    '--replication-factor',
    '--prefix',
    '-o, --output',
    ...kubernetes,
    ...kafka,
    ...process,
  ],
  demo: ['--for', '--keep'],
}

const defaults: Readonly<Record<string, string>> = {
  qps: '50',
  burst: '100',
  prefix: 'kubedelta',
  compression: 'gzip',
  digestInterval: '10m',
  startupTimeout: '30s',
  logLevel: 'info',
  metricsListen: '127.0.0.1:9464',
  format: 'json; avro with --registry',
  replicationFactor: "the brokers' default",
  partitions: '1 each',
  resync: 'never',
  timeout: '3m',
  for: 'until Ctrl-C on a terminal, 20s elsewhere',
  keep: 'the log is removed',
  leaderElectName: 'kubedelta-CLUSTER',
  leaderElectNamespace: "the pod's, or that of the kubeconfig's context",
  leaderElectLeaseDuration: '15s',
  leaderElectRenewDeadline: '10s',
  leaderElectRetryPeriod: '2s',
}

const words: Readonly<Record<CommandName, readonly string[]>> = {
  run: ['run'],
  tail: ['tail'],
  get: ['get'],
  verify: ['verify'],
  topics: ['topics', 'plan'],
  demo: ['demo'],
}

const commands: readonly CommandName[] = ['run', 'tail', 'get', 'verify', 'topics', 'demo']

for (const command of commands) {
  describe(command, () => {
    const keys = optionKeys.filter((key) => isOptionOf(command, key))

    test('has exactly the documented flags', () => {
      const actual = keys.map((key) => {
        const { short } = optionOf(key)
        return `${short === undefined ? '' : `-${short}, `}--${flagOf(key)}`
      })
      assert.deepEqual(actual.toSorted(), flags[command].toSorted())
    })

    test('help shows each flag with its default, and nothing else', async () => {
      const help = await helpOf(command)
      const shown = [...help.matchAll(/^ +((?:-[a-zA-Z], )?--[a-z-]+)/gm)].map(([, flag = '']) => flag)
      assert.deepEqual(shown.toSorted(), [...flags[command], '--version', '-h, --help'].toSorted())
      for (const key of keys) {
        const text = defaults[key]
        if (text !== undefined) assert.ok(partOf(help, key).includes(`[default: ${text}]`), `default of ${key}`)
      }
    })

    test('help names the unit of each duration', async () => {
      const help = await helpOf(command)
      for (const key of keys.filter((candidate) => optionOf(candidate).type === 'duration')) {
        assert.ok(partOf(help, key).includes('500ms, 30s, 1h30m'), `unit of ${key}`)
      }
    })
  })
}

test('every option has an environment variable of its own', () => {
  const variables = optionKeys.map(environmentOf)
  assert.equal(new Set(variables).size, optionKeys.length)
  assert.ok(variables.every((variable) => /^KUBEDELTA(_[A-Z]+)+$/.test(variable)))
  assert.equal(environmentOf('startupTimeout'), 'KUBEDELTA_STARTUP_TIMEOUT')
})

test('what the table gives as a default is shown as one', () => {
  for (const key of optionKeys) {
    const spec = optionOf(key)
    if ('default' in spec) assert.equal(String(spec.default), defaults[key], key)
  }
})

test('flags of parts that are not built are neither known nor shown', () => {
  const built = optionKeys.map(flagOf)
  for (const flag of ['coalesce']) assert.ok(!built.includes(flag))
})

async function helpOf(command: CommandName): Promise<string> {
  const line = await parseCommandLine([...words[command], '--help'], { version: '0.0.0', width: 400 })
  assert.ok(line.kind === 'print')
  return line.text
}

/** The line of help about one option. */
function partOf(help: string, key: string): string {
  return help.split('\n').find((line) => new RegExp(`--${flagOf(key)} `).test(line)) ?? ''
}
