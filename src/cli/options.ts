// Every process option once, as data: flags, environment variables, configuration keys and help are made from it.

import { clusterOptions, kafkaOptions } from './connection-options.ts'
import { electionOptions } from './election-options.ts'
import type { CommandName, OptionSpec } from './option-spec.ts'

/** All that work on a log that is there; the demo makes its own. */
const all = ['run', 'tail', 'get', 'verify', 'topics'] as const
const readers = ['tail', 'get', 'verify'] as const
const bridge = ['run', 'topics'] as const
const choosers = ['run', 'verify', 'topics'] as const
const ofRun = { commands: ['run'], group: 'What' } as const
const ofSelection = { commands: ['run', 'verify'], group: 'What' } as const
const ofTopics = { commands: ['run'], group: 'Topics' } as const
const ofDemo = { commands: ['demo'], group: 'What', outsideFile: true } as const
const ofTail = { commands: ['tail'], group: 'Output', outsideFile: true } as const

/** All options that are built, by their key in a configuration file. A flag that is not here is refused as unknown. */
export const options = {
  to: {
    type: 'string',
    placeholder: 'URL',
    description: 'Where records go: kafka://HOST:PORT[,HOST:PORT...] or file:DIRECTORY',
    commands: bridge,
    group: 'What',
  },
  from: {
    type: 'string',
    placeholder: 'URL',
    description: 'Where records are read: kafka://HOST:PORT[,HOST:PORT...] or file:DIRECTORY',
    commands: readers,
    group: 'What',
  },
  cluster: {
    type: 'string',
    placeholder: 'NAME',
    description: 'Name of the cluster in topics and records, a DNS label; required with kafka://',
    defaultText: 'kubernetes with file:',
    commands: all,
    group: 'What',
  },
  resources: {
    type: 'list',
    short: 'r',
    placeholder: 'LIST',
    description: "Resources as plural[.group], kind or short name; '*' for all that can be listed and watched",
    commands: choosers,
    group: 'What',
  },
  namespace: {
    type: 'list',
    short: 'n',
    placeholder: 'NAME',
    description: 'Only objects of these namespaces',
    defaultText: 'all namespaces',
    commands: ['run', 'tail', 'get', 'verify'],
    group: 'What',
  },
  allNamespaces: {
    type: 'boolean',
    short: 'A',
    description: 'Objects of all namespaces',
    commands: ['get'],
    group: 'What',
    outsideFile: true,
  },
  selector: {
    type: 'string',
    short: 'l',
    placeholder: 'SELECTOR',
    description: 'Only objects whose labels match, as in kubectl',
    commands: ['run', 'get', 'verify'],
    group: 'What',
  },
  fieldSelector: {
    type: 'string',
    placeholder: 'SELECTOR',
    description: 'Only objects whose fields match, as in kubectl',
    ...ofSelection,
  },
  exclude: {
    type: 'list',
    placeholder: 'LIST',
    description: "Resources that '*' leaves out, besides Secrets, Leases and the older of two kinds of Events",
    commands: choosers,
    group: 'What',
  },
  format: {
    type: 'choice',
    choices: ['avro', 'json'],
    description: 'Form of record values',
    defaultText: 'json; avro with --registry',
    ...ofRun,
  },
  registry: {
    type: 'string',
    placeholder: 'URL',
    description: 'Confluent-compatible schema registry; values are then Avro',
    commands: ['run', ...readers],
    group: 'What',
  },
  resync: {
    type: 'duration',
    placeholder: 'DURATION',
    description: 'Lists everything again this often: unchanged objects as RESYNC, differences as RELIST',
    defaultText: 'never',
    ...ofRun,
  },
  ...clusterOptions,
  clusterId: {
    type: 'string',
    placeholder: 'ID',
    description: 'Identity of the cluster where neither namespace kube-system nor /openid/v1/jwks may be read',
    commands: ['run'],
    group: 'Kubernetes',
  },
  ...kafkaOptions,
  prefix: {
    type: 'string',
    placeholder: 'TEXT',
    default: 'kubedelta',
    description: 'What topic names begin with; may hold dots, no underscores',
    commands: all,
    group: 'Topics',
  },
  topic: {
    type: 'string',
    placeholder: 'NAME',
    description: 'The topic itself, where a mirror has renamed it',
    defaultText: 'PREFIX.CLUSTER.RESOURCE',
    commands: ['tail', 'get'],
    group: 'Topics',
  },
  partitions: {
    type: 'list',
    placeholder: 'RESOURCE=N',
    description: 'Partitions of topics that are created',
    defaultText: '1 each',
    commands: bridge,
    group: 'Topics',
  },
  replicationFactor: {
    type: 'integer',
    minimum: 1,
    placeholder: 'N',
    description: 'Replicas of topics that are created',
    defaultText: "the brokers' default",
    commands: bridge,
    group: 'Topics',
  },
  compression: {
    type: 'choice',
    choices: ['none', 'gzip', 'zstd'],
    default: 'gzip',
    description: 'Compression of record batches; file: has none',
    ...ofTopics,
  },
  noCoalesce: {
    type: 'boolean',
    description: 'Publishes every update, also those that a later one replaces while they wait for the broker',
    ...ofTopics,
  },
  digestInterval: {
    type: 'duration',
    placeholder: 'DURATION',
    default: '10m',
    description: 'Says on the topics this often what they hold, for caches and verify --digest to compare; 0 for never',
    ...ofTopics,
  },
  adoptTopic: { type: 'boolean', description: 'Go on with topics that another cluster has written', ...ofTopics },
  applyScopeChange: {
    type: 'boolean',
    description: 'Go on with topics that were written with other namespaces or selectors',
    ...ofTopics,
  },
  ...electionOptions,
  output: {
    type: 'string',
    short: 'o',
    placeholder: 'FORM',
    description:
      'tail: wide or json, one line a record; get: json, yaml, wide, name, jsonpath=TEMPLATE or custom-columns=NAME:PATH,...; topics plan: table or json',
    defaultText: 'tail: wide; get and topics: a table',
    commands: ['tail', 'get', 'topics'],
    group: 'Output',
    outsideFile: true,
  },
  fromBeginning: {
    type: 'boolean',
    description: 'Begin with the oldest record',
    defaultText: 'records from now on',
    ...ofTail,
  },
  untilEnd: { type: 'boolean', description: 'Stop at what was the end at the start', ...ofTail },
  control: { type: 'boolean', description: 'Show control records too', ...ofTail },
  digest: {
    type: 'boolean',
    description: 'Compare with the digests that the bridge left on the topics, without asking the cluster',
    commands: ['verify'],
    group: 'What',
  },
  timeout: {
    type: 'duration',
    placeholder: 'DURATION',
    default: '3m',
    description: 'How long the topics may take to come as far as the cluster, or to be read',
    commands: ['verify'],
    group: 'Process',
  },
  for: {
    type: 'duration',
    placeholder: 'DURATION',
    description: 'How long the simulated cluster lives, at least 5s; start and comparison come on top',
    defaultText: 'until Ctrl-C on a terminal, 20s elsewhere',
    ...ofDemo,
  },
  keep: {
    type: 'string',
    placeholder: 'DIR',
    description: 'Leaves the log in this directory, new or empty, to explore with tail and get',
    defaultText: 'the log is removed',
    ...ofDemo,
  },
  startupTimeout: {
    type: 'duration',
    placeholder: 'DURATION',
    default: '30s',
    description: 'How long brokers and apiserver may be unreachable at the start',
    commands: all,
    group: 'Process',
  },
  metricsListen: {
    type: 'string',
    placeholder: 'HOST:PORT',
    description: 'Where /livez, /readyz and /metrics are served',
    defaultText: '127.0.0.1:9464',
    commands: ['run'],
    group: 'Process',
  },
  logLevel: {
    type: 'choice',
    choices: ['debug', 'info', 'warn', 'error', 'silent'],
    default: 'info',
    description: 'Lowest level of log lines on stderr',
    commands: all,
    group: 'Process',
  },
  config: {
    type: 'string',
    placeholder: 'FILE',
    description: 'YAML file with the same options in camelCase; flags win over environment over file',
    commands: all,
    group: 'Process',
    outsideFile: true,
  },
} as const satisfies Readonly<Record<string, OptionSpec>>

export type Options = typeof options
export type OptionKey = keyof Options

/** Keys in the order of help. */
export const optionKeys: readonly OptionKey[] = Object.keys(options).filter((key) => isOptionKey(key))

function isOptionKey(key: string): key is OptionKey {
  return Object.hasOwn(options, key)
}

/** The specification of an option, seen without its literal types. */
export function optionOf(key: OptionKey): OptionSpec {
  return options[key]
}

/** Whether a command has this option. */
export function isOptionOf(command: CommandName, key: OptionKey): boolean {
  return optionOf(key).commands.includes(command)
}
