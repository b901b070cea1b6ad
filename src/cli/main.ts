// The command line: reads it, runs one command, and says in one line what went wrong.

import { readFileSync } from 'node:fs'
import { systemClock } from '../base/clock.ts'
import { fromUnknown, KubedeltaError } from '../base/errors.ts'
import { createLogger } from '../base/log.ts'
import type { LogLevel } from '../base/log.ts'
import { parseCommandLine } from './command-line.ts'
import type { CommandLine } from './command-line.ts'
import { demoOptions, getOptions, runOptions, tailOptions, topicsOptions, verifyOptions } from './command-options.ts'
import type { OptionSources } from './command-options.ts'
import { readConfigFile } from './config-file.ts'
import { errorLine, processOutput } from './context.ts'
import type { CommandContext, Output } from './context.ts'
import { exitCodeOf } from './exit-code.ts'
import { environmentOf } from './option-spec.ts'
import { rawFromEnvironment } from './option-values.ts'

/** What a command is once its options are read and checked: ready to run, nothing done yet. */
interface Prepared {
  readonly logLevel: LogLevel
  /** @returns the exit code */
  readonly execute: (context: CommandContext) => Promise<number>
}

/**
 * Runs the command of this process to its end and sets the exit code.
 *
 * The first SIGTERM or SIGINT lets the command end by itself, the second ends the process at once.
 */
export async function main(args: readonly string[] = process.argv.slice(2)): Promise<void> {
  const stop = new AbortController()
  const output = processOutput(() => stop.abort())
  const removeSignals = onSignals(stop)
  try {
    process.exitCode = await execute(args, output, stop.signal)
  } finally {
    removeSignals()
    // A socket that a library forgot must not keep a finished command alive; unref: a clean end does not wait for this.
    setTimeout(() => process.exit(), LEFT_OPEN_MS).unref()
  }
}

const LEFT_OPEN_MS = 2000

async function execute(args: readonly string[], output: Output, signal: AbortSignal): Promise<number> {
  let log = createLogger()
  try {
    const version = readVersion()
    const line = await parseCommandLine(args, { version, width: Math.min(process.stdout.columns ?? 100, 120) })
    if (line.kind === 'print') {
      await output.write(line.text)
      return 0
    }
    const prepared = await prepare(line)
    log = createLogger({ level: prepared.logLevel })
    return await prepared.execute({ signal, log, output, environment: process.env, version, clock: systemClock })
  } catch (caught) {
    const error = fromUnknown(caught, 'Cannot go on')
    if (error.code === 'aborted' && signal.aborted) return 0
    if (error.code === 'internal') log.error('internal error', { stack: stackOf(error) })
    output.warn(errorLine(error))
    return exitCodeOf(error)
  }
}

/** Commands are loaded when asked for, so that `--help` and a wrong flag answer at once. */
async function prepare(line: Exclude<CommandLine, { kind: 'print' }>): Promise<Prepared> {
  const sources = optionSources(line)
  switch (line.kind) {
    case 'run': {
      const options = runOptions(sources)
      const { run } = await import('./run.ts')
      return { logLevel: options.logLevel, execute: async (context) => (await run(options, context), 0) }
    }
    case 'tail': {
      const options = tailOptions(line.resource, sources)
      const { tail } = await import('./tail.ts')
      return { logLevel: options.logLevel, execute: (context) => tail(options, context) }
    }
    case 'get': {
      const options = getOptions(line, sources)
      const { get } = await import('./get.ts')
      return { logLevel: options.logLevel, execute: (context) => get(options, context) }
    }
    case 'verify': {
      const options = verifyOptions(sources)
      if (options.digest) {
        const { verifyDigests } = await import('./verify-digest.ts')
        return { logLevel: options.logLevel, execute: (context) => verifyDigests(options, context) }
      }
      const { verify } = await import('./verify.ts')
      return { logLevel: options.logLevel, execute: (context) => verify(options, context) }
    }
    case 'topics': {
      const options = topicsOptions(line.action, sources)
      const { topics } = await import('./topics.ts')
      return { logLevel: options.logLevel, execute: (context) => topics(options, context) }
    }
    case 'demo': {
      const options = demoOptions(sources)
      const { demo } = await import('./demo.ts')
      return { logLevel: 'warn', execute: (context) => demo(options, context) }
    }
    default:
      return line satisfies never
  }
}

function optionSources({ flags }: Exclude<CommandLine, { kind: 'print' }>): OptionSources {
  const environment = rawFromEnvironment(process.env)
  const config = flags.get('config') ?? environment.get('config')
  if (config === undefined) return { flags, environment, file: { values: new Map() } }
  const path = typeof config.value === 'object' ? config.value.at(-1) : String(config.value)
  if (path === undefined || path === '') {
    throw new KubedeltaError(
      'usage',
      `Cannot read ${config.origin}: wanted a file: it is empty; leave out --config and ${environmentOf('config')} to go without`,
    )
  }
  return { flags, environment, file: readConfigFile(path) }
}

/** @returns a function that removes the listeners */
function onSignals(stop: AbortController): () => void {
  const numbers = { SIGINT: 2, SIGTERM: 15 } as const
  const onSignal = (signal: 'SIGINT' | 'SIGTERM'): void => {
    // The shell's convention for a process that a signal ended.
    if (stop.signal.aborted) process.exit(128 + numbers[signal])
    stop.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return () => process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown'
}

function stackOf(error: KubedeltaError): string {
  return (error.cause instanceof Error ? error.cause.stack : undefined) ?? error.stack ?? error.message
}
