// The door to yargs: arguments to a command with its raw flags, or to text to print.

import yargs from 'yargs'
import type { Argv, Options as YargsOption } from 'yargs'
import { KubedeltaError } from '../base/errors.ts'
import type { RawValue } from './option-values.ts'
import { environmentOf, flagOf } from './option-spec.ts'
import { isOptionOf, optionKeys, optionOf } from './options.ts'
import type { CommandName, OptionSpec } from './option-spec.ts'
import type { OptionKey } from './options.ts'
import { didYouMean } from './suggest.ts'

export type CommandLine =
  /** `--help`, `--version`: print it and be done. */
  | { readonly kind: 'print'; readonly text: string }
  | { readonly kind: 'run'; readonly flags: ReadonlyMap<OptionKey, RawValue> }
  | { readonly kind: 'tail'; readonly flags: ReadonlyMap<OptionKey, RawValue>; readonly resource: string | undefined }
  | {
      readonly kind: 'get'
      readonly flags: ReadonlyMap<OptionKey, RawValue>
      readonly resource: string | undefined
      readonly name: string | undefined
    }
  | { readonly kind: 'verify'; readonly flags: ReadonlyMap<OptionKey, RawValue> }
  | { readonly kind: 'topics'; readonly flags: ReadonlyMap<OptionKey, RawValue>; readonly action: 'plan' | 'apply' }
  | { readonly kind: 'demo'; readonly flags: ReadonlyMap<OptionKey, RawValue> }

export interface CommandLineOptions {
  readonly version: string
  /** Columns that help may use. */
  readonly width: number
}

/** What help says below the options. */
const EPILOGUE = `Each option is also an environment variable, ${environmentOf('startupTimeout')} for --startup-timeout, and a key of the --config file, startupTimeout.`

type Arguments = Readonly<Record<string, unknown>>

/**
 * Reads the command line; values are not looked at yet.
 * @throws KubedeltaError `usage` for an unknown command or flag, a flag without its value, or what is left over
 */
export async function parseCommandLine(args: readonly string[], options: CommandLineOptions): Promise<CommandLine> {
  let chosen: CommandLine | undefined
  let printed = ''
  const choose = (line: CommandLine): void => void (chosen = line)
  const parser = commands(yargs([]), choose)
    .scriptName('kubedelta')
    .usage('$0 COMMAND [OPTIONS]: puts a Kubernetes cluster on Kafka as typed records')
    .locale('en')
    .version(options.version)
    .help()
    .alias('help', 'h')
    .updateStrings({ string: 'value', boolean: 'flag' })
    .wrap(options.width)
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'duplicate-arguments-array': true,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': false,
    })
    .exitProcess(false)
    .fail((message, error) => {
      throw parsingError(message, error)
    })
  await parser.parseAsync(args.flatMap(splitShort), {}, (error, _arguments, output) => {
    if (error) throw error
    printed = output
  })
  if (printed !== '') return { kind: 'print', text: `${printed}\n` }
  if (chosen === undefined) throw unknownCommand(args)
  return chosen
}

const commandNames = ['run', 'tail', 'get', 'verify', 'topics', 'demo'] as const satisfies readonly CommandName[]

function commands(parser: Argv, choose: (line: CommandLine) => void): Argv {
  return parser
    .command(
      'run',
      'Write what happens to objects to their topics',
      (command) =>
        withOptions(command, 'run')
          .example("$0 run --to kafka://kafka:9092 --cluster prod -r '*'", 'Everything that can be listed and watched')
          .example('$0 run --to kafka://kafka:9092 --cluster prod -r pods -n shop -l app=cart', 'Some pods'),
      (argv) => choose({ kind: 'run', flags: flagsOf('run', argv, 1) }),
    )
    .command(
      'tail [resource]',
      'Show the records of a resource as they come',
      (command) =>
        withOptions(command, 'tail')
          .positional('resource', { type: 'string', describe: 'plural[.group], or short name of a built-in kind' })
          .example('$0 tail pods --from kafka://kafka:9092 --cluster prod -o json', 'One JSON line a record'),
      (argv) => choose({ kind: 'tail', flags: flagsOf('tail', argv, 1), resource: argv.resource }),
    )
    .command(
      'get [resource] [name]',
      'Show the objects of a topic as kubectl shows them',
      (command) =>
        withOptions(command, 'get')
          .positional('resource', { type: 'string', describe: 'plural[.group], or short name of a built-in kind' })
          .positional('name', { type: 'string', describe: 'only this object; read from its partition alone' })
          .example('$0 get pods --from kafka://kafka:9092 --cluster prod -n shop -l app=cart', 'Some pods'),
      (argv) => choose({ kind: 'get', flags: flagsOf('get', argv, 1), resource: argv.resource, name: argv.name }),
    )
    .command(
      'verify',
      'Compare topics with the cluster; ends with 0 when they are equal, 1 when they differ, 3 when it could not tell',
      (command) =>
        withOptions(command, 'verify').example(
          '$0 verify --from kafka://kafka:9092 --cluster prod -r pods,deployments.apps',
          'One JSON line a resource',
        ),
      (argv) => choose({ kind: 'verify', flags: flagsOf('verify', argv, 1) }),
    )
    .command('topics', 'Plan and create topics', (command) =>
      topicsCommand(topicsCommand(command, 'plan', choose), 'apply', choose),
    )
    .command(
      'demo',
      'Show all of it on this machine: a simulated cluster, the bridge, a log in a directory, caches; no cluster and no Kafka needed',
      (command) =>
        withOptions(command, 'demo').example('$0 demo --for 20s --keep ./demo-log', 'Leaves a log for tail and get'),
      (argv) => choose({ kind: 'demo', flags: flagsOf('demo', argv, 1) }),
    )
}

function topicsCommand(parser: Argv, action: 'plan' | 'apply', choose: (line: CommandLine) => void): Argv {
  const does = {
    plan: 'Show topics to create or wrong, partitions and ACLs; ends with 0 when nothing is to do, 1 otherwise, 3 when it could not tell',
    apply: 'Create the topics that are missing',
  }
  return parser.command(
    action,
    does[action],
    (command) =>
      withOptions(command, 'topics').example(
        `$0 topics ${action} --to kafka://kafka:9092 --cluster prod -r pods,deployments.apps`,
        '',
      ),
    (argv) => choose({ kind: 'topics', flags: flagsOf('topics', argv, 2), action }),
  )
}

function withOptions(parser: Argv, command: CommandName): Argv {
  const keys = optionKeys.filter((key) => isOptionOf(command, key))
  return parser
    .epilogue(EPILOGUE)
    .options(Object.fromEntries(keys.map((key) => [flagOf(key), yargsOption(optionOf(key))])))
}

/** Defaults are only shown: they are filled in after environment and file. */
function yargsOption(spec: OptionSpec): YargsOption {
  const shown = spec.defaultText ?? ('default' in spec ? String(spec.default) : undefined)
  return {
    describe: describe(spec),
    group: `${spec.group}:`,
    ...(spec.type === 'boolean' ? { type: 'boolean' } : { type: 'string', requiresArg: true }),
    ...(spec.short === undefined ? {} : { alias: spec.short }),
    ...(shown === undefined ? {} : { defaultDescription: shown }),
  }
}

function describe(spec: OptionSpec): string {
  switch (spec.type) {
    case 'choice':
      return `${spec.description} (${spec.choices.join(', ')})`
    case 'duration':
      return `${spec.description} (${spec.placeholder ?? 'DURATION'} like 500ms, 30s, 1h30m)`
    case 'list':
      return `${spec.description} (${spec.placeholder ?? 'LIST'}, repeatable, comma separated)`
    case 'string':
    case 'integer':
      return `${spec.description} (${spec.placeholder ?? 'TEXT'})`
    case 'boolean':
      return spec.description
    default:
      return spec satisfies never
  }
}

/** The flags given, each checked to be known; `words` is how many words the command and its arguments may have. */
function flagsOf(command: CommandName, argv: Arguments, words: number): ReadonlyMap<OptionKey, RawValue> {
  const keys = optionKeys.filter((key) => isOptionOf(command, key))
  const known = new Set(['_', '$0', 'help', 'h', 'version', 'resource', 'name'])
  for (const key of keys) known.add(flagOf(key)).add(optionOf(key).short ?? '_')
  const unknown = Object.keys(argv).find((name) => !known.has(name))
  if (unknown !== undefined) throw unknownFlag(command, unknown)
  const leftOver = Array.isArray(argv._) ? argv._.slice(words) : []
  if (leftOver.length > 0) {
    throw new KubedeltaError(
      'usage',
      `Cannot read command line: unknown argument ${JSON.stringify(String(leftOver[0]))}: see kubedelta ${command} --help`,
    )
  }
  return new Map(keys.flatMap((key) => rawFlag(key, argv[flagOf(key)])))
}

function rawFlag(key: OptionKey, value: unknown): ReadonlyArray<readonly [OptionKey, RawValue]> {
  if (value === undefined) return []
  const last: unknown = Array.isArray(value) && optionOf(key).type === 'boolean' ? value.at(-1) : value
  const raw = Array.isArray(last) ? last.map(String) : typeof last === 'boolean' ? last : String(last)
  return [[key, { value: raw, from: 'flag', origin: `--${flagOf(key)}` }]]
}

function unknownFlag(command: CommandName, name: string): KubedeltaError {
  const flags = optionKeys.filter((key) => isOptionOf(command, key)).map(flagOf)
  const dashes = name.length === 1 ? '-' : '--'
  return new KubedeltaError(
    'usage',
    `Cannot read command line: unknown flag ${dashes}${name}${didYouMean(name, flags, '--') || `: see kubedelta ${command} --help`}`,
  )
}

function unknownCommand(args: readonly string[]): KubedeltaError {
  const [first, second] = args.filter((argument) => !argument.startsWith('-'))
  if (first === 'topics') {
    const hint = didYouMean(second ?? '', ['plan', 'apply'])
    return new KubedeltaError('usage', `Cannot read command line: wanted topics plan or topics apply${hint}`)
  }
  if (first === undefined) {
    return new KubedeltaError(
      'usage',
      `Cannot read command line: wanted a command: ${commandNames.join(', ')}: see kubedelta --help`,
    )
  }
  return new KubedeltaError(
    'usage',
    `Cannot read command line: unknown command ${JSON.stringify(first)}${didYouMean(first, commandNames) || `: wanted one of ${commandNames.join(', ')}`}`,
  )
}

/** yargs' own complaints become usage errors; what a handler threw stays what it is. */
function parsingError(message: string | null, error: Error | undefined): Error {
  if (error !== undefined && error.name !== 'YError') return error
  const text = message ?? error?.message ?? ''
  const flag = /^Not enough arguments following: (\S+)/.exec(text)?.[1]
  const problem =
    flag === undefined ? text : `wanted a value for ${flag.length === 1 ? '-' : '--'}${flag}: it is absent`
  return new KubedeltaError('usage', `Cannot read command line: ${problem}`)
}

/** `-ojson` as kubectl takes it: -o json. */
function splitShort(argument: string): readonly string[] {
  const [, short, value] = /^(-[lnor])([^=-].*)$/.exec(argument) ?? []
  const isLong = optionKeys.some((key) => `-${flagOf(key)}` === argument.split('=', 1)[0])
  return short === undefined || value === undefined || isLong ? [argument] : [short, value]
}
