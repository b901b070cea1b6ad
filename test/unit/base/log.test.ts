import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { createLogger, silentLogger, type LogLevel } from '../../../src/base/log.ts'

function logTo(level?: LogLevel): {
  log: ReturnType<typeof createLogger>
  lines: () => Array<Record<string, unknown>>
} {
  const written: string[] = []
  const destination = { write: (line: string) => void written.push(line) }
  const log = createLogger({ destination, ...(level === undefined ? {} : { level }) })
  return { log, lines: () => written.map((line): Record<string, unknown> => JSON.parse(line)) }
}

test('a line is JSON with time, level, message and fields', () => {
  const { log, lines } = logTo()
  log.info('relisting', { resource: 'pods', reason: 'expired' })
  const [line] = lines()
  assert.match(String(line?.['time']), /^\d{4}-\d\d-\d\dT/)
  assert.deepEqual(
    { ...line, time: '' },
    { level: 'info', time: '', resource: 'pods', reason: 'expired', msg: 'relisting' },
  )
})

test('lines below the level are not written', () => {
  const { log, lines } = logTo('warn')
  log.debug('a')
  log.info('b')
  log.warn('c')
  log.error('d')
  assert.deepEqual(
    lines().map((line) => line['msg']),
    ['c', 'd'],
  )
})

test('a logger with fields adds them to every line', () => {
  const { log, lines } = logTo()
  log.with({ resource: 'pods' }).with({ topic: 't' }).info('listed', { items: 3 })
  const { resource, topic, items } = lines()[0] ?? {}
  assert.deepEqual({ resource, topic, items }, { resource: 'pods', topic: 't', items: 3 })
})

test('an error keeps its code and its message', () => {
  const { log, lines } = logTo()
  log.error('failed', { error: new KubedeltaError('fenced', 'Cannot write') })
  log.error('failed', { error: new Error('plain') })
  log.error('failed', { error: 'text' })
  assert.deepEqual(
    lines().map((line) => line['error']),
    [{ code: 'fenced', message: 'Cannot write' }, { message: 'plain' }, 'text'],
  )
})

test('the silent logger says nothing, also with fields', () => {
  assert.equal(silentLogger.with({ resource: 'pods' }), silentLogger)
  silentLogger.debug('a')
  silentLogger.info('b')
  silentLogger.warn('c')
  silentLogger.error('d')
})
