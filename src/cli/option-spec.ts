// What there is to say about one process option, and its names as flag and environment variable.

export type CommandName = 'run' | 'tail' | 'get' | 'verify' | 'topics' | 'demo'

export type OptionGroup = 'What' | 'Kubernetes' | 'Kafka' | 'Topics' | 'Leader election' | 'Output' | 'Process'

interface OptionBase {
  /** One sentence for `--help`; durations and bytes name their unit. */
  readonly description: string
  readonly commands: readonly CommandName[]
  readonly group: OptionGroup
  readonly short?: string
  /** What stands for the value in help and in messages. */
  readonly placeholder?: string
  /** What help shows where the default is not a value of the option. */
  readonly defaultText?: string
  /** Whether it cannot stand in a configuration file. @default false */
  readonly outsideFile?: boolean
}

export type OptionSpec = OptionBase &
  (
    | { readonly type: 'string'; readonly default?: string }
    | { readonly type: 'choice'; readonly choices: readonly string[]; readonly default?: string }
    | { readonly type: 'boolean' }
    | { readonly type: 'integer'; readonly minimum: number; readonly default?: number }
    /** Text like `1h30m`; the value is in milliseconds. */
    | { readonly type: 'duration'; readonly default?: string }
    /** Repeatable, and comma separated. */
    | { readonly type: 'list' }
  )

/** `startupTimeout` -> `startup-timeout`. */
export function flagOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** `startupTimeout` -> `KUBEDELTA_STARTUP_TIMEOUT`. */
export function environmentOf(key: string): string {
  return `KUBEDELTA_${flagOf(key).replaceAll('-', '_').toUpperCase()}`
}
