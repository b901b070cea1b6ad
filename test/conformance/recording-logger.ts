// A logger whose lines a test can look at.

import type { LogFields, Logger } from '../../src/base/log.ts'

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: LogFields
}

export interface RecordingLogger extends Logger {
  readonly lines: readonly LogLine[]
}

export function recordingLogger(): RecordingLogger {
  const lines: LogLine[] = []
  function write(level: LogLine['level'], message: string, fields: LogFields): void {
    lines.push({ level, message, fields })
  }
  function logger(common: LogFields): Logger {
    return {
      debug: (message, fields) => write('debug', message, { ...common, ...fields }),
      info: (message, fields) => write('info', message, { ...common, ...fields }),
      warn: (message, fields) => write('warn', message, { ...common, ...fields }),
      error: (message, fields) => write('error', message, { ...common, ...fields }),
      with: (fields) => logger({ ...common, ...fields }),
    }
  }
  return { ...logger({}), lines }
}
