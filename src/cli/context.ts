// What a command is given besides its options: its way to end, its outputs, its surroundings.

import type { KubedeltaError } from '../base/errors.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { escapeText } from './terminal-text.ts'

export interface CommandContext {
  /** Aborts at the first SIGTERM or SIGINT, and when nobody reads stdout any more. */
  readonly signal: AbortSignal
  readonly log: Logger
  readonly output: Output
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Version of this program. */
  readonly version: string
  readonly clock: Clock
}

/** Where results go. */
export interface Output {
  /** Writes text to stdout; resolves when more may be written, at once where nobody reads any more. */
  write(text: string): Promise<void>
  /** One line on stderr for a person, beside results that go on. */
  warn(line: string): void
}

/**
 * The outputs of this process.
 * @param onClosed called once when the reader of stdout has gone (`| head`)
 */
export function processOutput(onClosed: () => void): Output {
  let closed = false
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    // Whoever read has seen enough: what is not written any more is missed by nobody.
    if (!closed) onClosed()
    closed = true
  })
  return {
    write(text) {
      if (closed || process.stdout.write(text)) return Promise.resolve()
      return new Promise((resolve) => {
        const done = (): void => {
          process.stdout.off('drain', done).off('error', done).off('close', done)
          resolve()
        }
        process.stdout.on('drain', done).on('error', done).on('close', done)
      })
    },
    warn(line) {
      process.stderr.write(`${line}\n`)
    },
  }
}

/** The one line that a failed command leaves on stderr. */
export function errorLine(error: KubedeltaError): string {
  return `kubedelta: ${escapeText(error.message.replaceAll(/\s*\n\s*/g, ' '))}`
}
