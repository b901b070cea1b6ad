// The options of each command as one readonly value, checked in combination before anything is done.

import { KubedeltaError } from '../base/errors.ts'
import { parseLabelSelector } from '../object/label-selector.ts'
import type { ConfigFile } from './config-file.ts'
import { checkElection } from './election-options.ts'
import {
  checkAddresses,
  checkFormat,
  checkKafkaSecurity,
  checkTopicOptions,
  clusterOf,
  parseListenAddress,
} from './option-checks.ts'
import type { KafkaSecurity, ListenAddress } from './option-checks.ts'
import { mergeRaw, valuesOf } from './option-values.ts'
import type { RawValues, ValuesOf } from './option-values.ts'
import type { CommandName } from './option-spec.ts'
import { partitionsByResource, resourceSelections } from './resource-selections.ts'
import type { ResourceSelection } from './resource-selections.ts'

type SelectionKey = 'resources' | 'namespace' | 'selector' | 'fieldSelector' | 'partitions'

/** Options of `run`: the flags of the same names, except what is said otherwise. Durations are milliseconds. */
export interface RunOptions extends Omit<
  ValuesOf<'run'>,
  SelectionKey | 'to' | 'cluster' | 'format' | 'metricsListen' | 'config'
> {
  readonly to: string
  readonly cluster: string
  /** What -r, -n, -l, --field-selector and the file's `resources` say together; names as given, '*' included. */
  readonly resources: readonly ResourceSelection[]
  /** --partitions: resource as given -> partitions of its topic when it is created. */
  readonly partitions: ReadonlyMap<string, number>
  readonly format: 'avro' | 'json'
  readonly metricsListen: ListenAddress
}

/** Options of `topics plan` and `topics apply`. */
export interface TopicsOptions extends Omit<
  ValuesOf<'topics'>,
  'resources' | 'partitions' | 'to' | 'cluster' | 'output' | 'config'
> {
  readonly action: 'plan' | 'apply'
  readonly to: string
  readonly cluster: string
  readonly resources: readonly ResourceSelection[]
  readonly partitions: ReadonlyMap<string, number>
  readonly output: 'table' | 'json'
}

/** Options of `tail`; either `resource` and `cluster` are there or `topic` is. */
export interface TailOptions extends Omit<ValuesOf<'tail'>, 'from' | 'output' | 'config'> {
  readonly from: string
  /** As given: plural[.group], kind or short name of a built-in kind. */
  readonly resource: string | undefined
  readonly output: 'wide' | 'json'
}

/** Options of `get`; either `resource` and `cluster` are there or `topic` is. */
export interface GetOptions extends Omit<ValuesOf<'get'>, 'from' | 'namespace' | 'config'> {
  readonly from: string
  /** As given: plural[.group], kind or short name of a built-in kind. */
  readonly resource: string | undefined
  readonly name: string | undefined
  /** undefined: kubectl's default namespace, or all with `allNamespaces`. */
  readonly namespace: string | undefined
}

/** Options of `verify`: what is selected is said as in `run`. */
export interface VerifyOptions extends Omit<ValuesOf<'verify'>, SelectionKey | 'from' | 'cluster' | 'config'> {
  readonly from: string
  readonly cluster: string
  readonly resources: readonly ResourceSelection[]
  readonly partitions: ReadonlyMap<string, number>
}

/** Options of `demo`. */
export interface DemoOptions extends ValuesOf<'demo'> {
  /** undefined: until it is told to end, or as long as it is worth while nobody watches. */
  readonly forMs: number | undefined
}

/** Everything that was said about the options of a command. */
export interface OptionSources {
  readonly flags: RawValues
  readonly environment: RawValues
  readonly file: ConfigFile
}

/** @throws KubedeltaError `usage`, `bad-selector` */
export function runOptions(sources: OptionSources): RunOptions {
  const { raw, values } = read('run', sources)
  const to = checkedLog('--to', values.to, values)
  checkElection(values)
  return {
    ...values,
    to,
    cluster: required(clusterOf(values.cluster, to), '--cluster NAME'),
    resources: resourceSelections({ raw, values, entries: sources.file.resources }),
    partitions: partitionsByResource(values.partitions),
    format: checkFormat(values),
    metricsListen: parseListenAddress(values.metricsListen),
  }
}

/** @throws KubedeltaError `usage`, `bad-selector` */
export function topicsOptions(action: TopicsOptions['action'], sources: OptionSources): TopicsOptions {
  const { raw, values } = read('topics', sources)
  const to = checkedLog('--to', values.to, values)
  const scope = { ...values, namespace: [], selector: undefined, fieldSelector: undefined }
  return {
    ...values,
    action,
    to,
    cluster: required(clusterOf(values.cluster, to), '--cluster NAME'),
    resources: resourceSelections({ raw, values: scope, entries: sources.file.resources }),
    partitions: partitionsByResource(values.partitions),
    output: oneOf(values.output ?? 'table', ['table', 'json']),
  }
}

/** @throws KubedeltaError `usage` */
export function tailOptions(resource: string | undefined, sources: OptionSources): TailOptions {
  const { values } = read('tail', sources)
  const from = checkedLog('--from', values.from, values)
  const cluster = clusterOf(values.cluster, from)
  if (values.topic === undefined) {
    required(resource, 'RESOURCE, or --topic NAME')
    required(cluster, '--cluster NAME, or --topic NAME')
  }
  return { ...values, from, cluster, resource, output: oneOf(values.output ?? 'wide', ['wide', 'json']) }
}

/** @throws KubedeltaError `usage`, `bad-selector` */
export function getOptions(
  { resource, name }: Pick<GetOptions, 'resource' | 'name'>,
  sources: OptionSources,
): GetOptions {
  const { values } = read('get', sources)
  const from = checkedLog('--from', values.from, values)
  const cluster = clusterOf(values.cluster, from)
  required(resource, 'RESOURCE')
  if (values.topic === undefined) required(cluster, '--cluster NAME, or --topic NAME')
  parseLabelSelector(values.selector ?? '')
  const [namespace, another] = values.namespace
  if (another !== undefined || (namespace !== undefined && values.allNamespaces)) {
    throw new KubedeltaError('usage', 'Cannot get: wanted one -n NAMESPACE, or -A for all: more are given')
  }
  return { ...values, from, cluster, resource, name, namespace }
}

/** @throws KubedeltaError `usage`, `bad-selector` */
export function verifyOptions(sources: OptionSources): VerifyOptions {
  const { raw, values } = read('verify', sources)
  const from = checkedLog('--from', values.from, values)
  const resources = resourceSelections({ raw, values, entries: sources.file.resources })
  if (values.digest) checkDigestedResources(resources)
  return {
    ...values,
    from,
    cluster: required(clusterOf(values.cluster, from), '--cluster NAME'),
    resources,
    partitions: new Map(),
  }
}

/** A digest covers all that its topic holds, and only a cluster knows what '*' stands for. */
function checkDigestedResources(resources: readonly ResourceSelection[]): void {
  for (const { resource, namespaces, labelSelector, fieldSelector } of resources) {
    if (resource === '*') {
      throw new KubedeltaError(
        'usage',
        "Cannot verify digests: wanted resources by name, -r pods,nodes: current value is '*'",
      )
    }
    if (namespaces.length > 0 || labelSelector !== '' || fieldSelector !== '') {
      throw new KubedeltaError(
        'usage',
        `Cannot verify digests of a part of ${resource}: wanted no namespaces and selectors with --digest: some are given`,
      )
    }
  }
}

/** @throws KubedeltaError `usage` */
export function demoOptions(sources: OptionSources): DemoOptions {
  const { values } = read('demo', sources)
  if (values.forMs !== undefined && values.forMs < MIN_DEMO_MS) {
    throw new KubedeltaError(
      'usage',
      `Cannot run the demo: wanted --for >= ${MIN_DEMO_MS / 1000}s: current value is ${values.forMs}ms`,
    )
  }
  return values
}

/** A bridge that is killed in the middle needs time to be missed, and to be back. */
const MIN_DEMO_MS = 5000

function read<C extends CommandName>(command: C, sources: OptionSources): { raw: RawValues; values: ValuesOf<C> } {
  const raw = mergeRaw(command, [sources.flags, sources.environment, sources.file.values])
  return { raw, values: valuesOf(command, raw) }
}

/** What is checked of every command that opens a log. */
interface LogValues extends KafkaSecurity, TlsValues {
  readonly prefix: string
  readonly cluster: string | undefined
  readonly server?: string | undefined
  readonly registry?: string | undefined
}

/** The URL of the log, once it is known to be there and the values that go with it fit. */
function checkedLog(flag: '--to' | '--from', log: string | undefined, values: LogValues): string {
  const url = required(log, `${flag} URL`)
  checkAddresses({ log: url, server: values.server, registry: values.registry })
  checkKafkaSecurity(values)
  checkTopicOptions(values)
  checkTls(values)
  return url
}

function required<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value
  throw new KubedeltaError('usage', `Cannot start: wanted ${what}: it is absent`)
}

function oneOf<T extends string>(value: string, wanted: readonly T[]): T {
  const found = wanted.find((candidate) => candidate === value)
  if (found !== undefined) return found
  throw new KubedeltaError(
    'usage',
    `Cannot read --output: wanted one of ${wanted.join(', ')}: current value is ${JSON.stringify(value)}`,
  )
}

/** Of the commands that reach an apiserver. */
type TlsValues = Partial<Pick<ValuesOf<'topics'>, 'insecureSkipTlsVerify' | 'certificateAuthority'>>

function checkTls(values: TlsValues): void {
  if (values.insecureSkipTlsVerify === true && values.certificateAuthority !== undefined) {
    throw new KubedeltaError(
      'usage',
      'Cannot use --certificate-authority with --insecure-skip-tls-verify: wanted one of them: both are set',
    )
  }
}
