// Turns what flags, environment and file say into typed values: flags win over environment over file.

import { parseDuration } from '../base/duration.ts'
import { KubedeltaError } from '../base/errors.ts'
import { environmentOf } from './option-spec.ts'
import { isOptionOf, optionKeys, optionOf } from './options.ts'
import type { CommandName, OptionSpec } from './option-spec.ts'
import type { OptionKey, Options } from './options.ts'
import { didYouMean } from './suggest.ts'

/** What somebody wrote for one option. */
export interface RawValue {
  readonly value: string | boolean | readonly string[]
  readonly from: 'flag' | 'environment' | 'file'
  /** Where it stands, for messages: `--qps`, `KUBEDELTA_QPS`, `bridge.yaml:3:6 (qps)`. */
  readonly origin: string
}

export type RawValues = ReadonlyMap<OptionKey, RawValue>

type Absent<S> = S extends { readonly default: unknown } ? never : undefined

type Value<S extends OptionSpec> = S extends { readonly type: 'boolean' }
  ? boolean
  : S extends { readonly type: 'list' }
    ? readonly string[]
    : S extends { readonly choices: ReadonlyArray<infer Choice> }
      ? Choice | Absent<S>
      : S extends { readonly type: 'string' }
        ? string | Absent<S>
        : number | Absent<S>

type ValueKey<K extends OptionKey> = Options[K] extends { readonly type: 'duration' } ? `${K}Ms` : K

/** The options of a command with their values; durations are in milliseconds and their key ends in `Ms`. */
export type ValuesOf<C extends CommandName> = {
  readonly [K in OptionKey as C extends Options[K]['commands'][number] ? ValueKey<K> : never]: Value<Options[K]>
}

/** The layers in force for one command: the first that has a key wins. */
export function mergeRaw(command: CommandName, layers: readonly RawValues[]): RawValues {
  const merged = new Map<OptionKey, RawValue>()
  for (const key of optionKeys.filter((candidate) => isOptionOf(command, candidate))) {
    const winner = layers.map((layer) => layer.get(key)).find((raw) => raw !== undefined)
    if (winner !== undefined) merged.set(key, winner)
  }
  return merged
}

/**
 * What the environment says. Empty variables count as absent. Unknown `KUBEDELTA_` variables are left alone: Kubernetes
 * itself sets `KUBEDELTA_PORT` and the like in every pod beside a Service named kubedelta.
 */
export function rawFromEnvironment(environment: Readonly<Record<string, string | undefined>>): RawValues {
  const raw = new Map<OptionKey, RawValue>()
  for (const key of optionKeys) {
    const origin = environmentOf(key)
    const value = environment[origin]
    if (value !== undefined && value !== '') raw.set(key, { value, from: 'environment', origin })
  }
  return raw
}

/**
 * The typed values of a command's options, defaults filled in.
 * @throws KubedeltaError `usage` for the first value that does not fit its option
 */
export function valuesOf<C extends CommandName>(command: C, raw: RawValues): ValuesOf<C> {
  const values: Record<string, unknown> = {}
  for (const key of optionKeys.filter((candidate) => isOptionOf(command, candidate))) {
    const spec = optionOf(key)
    const given = raw.get(key)
    values[spec.type === 'duration' ? `${key}Ms` : key] =
      given === undefined ? defaultOf(key, spec) : parseValue(spec, given)
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the decode edge: the table that fills the record is the one the type is computed from
  return values as ValuesOf<C>
}

/** Items of a list option: repeated, comma separated, or both; empty items are dropped. */
export function splitList(value: RawValue['value']): readonly string[] {
  const items = typeof value === 'object' ? value : [String(value)]
  return items.flatMap((item) =>
    item
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  )
}

function defaultOf(key: OptionKey, spec: OptionSpec): unknown {
  switch (spec.type) {
    case 'boolean':
      return false
    case 'list':
      return []
    case 'duration':
      return spec.default === undefined ? undefined : parseDuration(spec.default, key)
    case 'string':
    case 'choice':
    case 'integer':
      return spec.default
    default:
      return spec satisfies never
  }
}

function parseValue(spec: OptionSpec, raw: RawValue): unknown {
  if (spec.type === 'list') return splitList(raw.value)
  if (spec.type === 'boolean') return parseBoolean(raw)
  const text = scalarText(raw)
  switch (spec.type) {
    case 'string':
      if (text === '') throw unfit(raw, 'text', text)
      return text
    case 'choice': {
      const choice = text.toLowerCase()
      if (spec.choices.includes(choice)) return choice
      throw unfit(raw, `one of ${spec.choices.join(', ')}`, text, didYouMean(text, spec.choices))
    }
    case 'integer': {
      const number = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN
      if (Number.isSafeInteger(number) && number >= spec.minimum) return number
      throw unfit(raw, `a whole number >= ${spec.minimum}`, text)
    }
    case 'duration':
      return parseDuration(text, raw.origin)
    default:
      return spec satisfies never
  }
}

function parseBoolean(raw: RawValue): boolean {
  const text = String(raw.value)
  if (text === 'true' || text === 'false') return text === 'true'
  throw unfit(raw, 'true or false', text)
}

/** A flag that is repeated counts as it was given last, as in kubectl. */
function scalarText(raw: RawValue): string {
  return typeof raw.value === 'object' ? (raw.value.at(-1) ?? '') : String(raw.value)
}

function unfit(raw: RawValue, wanted: string, current: string, hint = ''): KubedeltaError {
  return new KubedeltaError(
    'usage',
    `Cannot read ${raw.origin}: wanted ${wanted}: current value is ${JSON.stringify(current)}${hint}`,
  )
}
