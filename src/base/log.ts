// The door to pino: JSON lines on stderr, readable ones on a terminal.

import { pino, type DestinationStream } from 'pino'
import pretty from 'pino-pretty'

export type LogFields = Readonly<Record<string, unknown>>

/** Constant messages, everything variable in fields: `log.info('relisting', { resource, reason })`. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds these fields to every line. */
  with(fields: LogFields): Logger
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LogOptions {
  /** Lowest level written. @default 'info' */
  readonly level?: LogLevel
  /** Where lines go. @default stderr, readable where it is a terminal, JSON otherwise */
  readonly destination?: DestinationStream
}

/** A logger whose lines carry `time` (ISO 8601), `level` and `msg`; an error in field `error` keeps message and code. */
export function createLogger(options: LogOptions = {}): Logger {
  const { level = 'info' } = options
  const destination =
    options.destination ??
    (process.stderr.isTTY
      ? pretty({
          destination: 2,
          sync: true,
          ignore: 'pid,hostname',
          translateTime: 'SYS:HH:MM:ss.l',
          singleLine: true,
        })
      : pino.destination({ dest: 2, sync: true }))
  return wrap(
    pino(
      {
        level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        serializers: { error: serializeError },
      },
      destination,
    ),
  )
}

/** A logger that writes nothing. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silentLogger,
}

/** The same logger with what is only worth knowing moved to `debug`: for commands whose result is the news. */
export function quieter(log: Logger): Logger {
  return { ...log, info: (message, fields) => log.debug(message, fields), with: (fields) => quieter(log.with(fields)) }
}

// Fields are merged here rather than in pino's children, which would print a field twice that is given twice.
function wrap(inner: pino.Logger, fixed: LogFields = {}): Logger {
  return {
    debug: (message, fields) => inner.debug({ ...fixed, ...fields }, message),
    info: (message, fields) => inner.info({ ...fixed, ...fields }, message),
    warn: (message, fields) => inner.warn({ ...fixed, ...fields }, message),
    error: (message, fields) => inner.error({ ...fixed, ...fields }, message),
    with: (fields) => wrap(inner, { ...fixed, ...fields }),
  }
}

function serializeError(value: unknown): unknown {
  if (!(value instanceof Error)) return String(value)
  return 'code' in value ? { code: value.code, message: value.message } : { message: value.message }
}
