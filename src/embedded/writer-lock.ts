// Keeps a topic to one writer by a lock of the kernel, which ends with the process that holds it.

import { KubedeltaError } from '../base/errors.ts'
import { openDatabase, sqliteCode, SQLITE } from './sqlite.ts'
import { readHolder } from './topic-database.ts'
import type { TopicFiles } from './topic-files.ts'

/**
 * The right to write one topic.
 *
 * - It is SQLite's EXCLUSIVE lock on an empty file: refused while the holder lives, stopped or not, free at once when it is
 *   killed. The log itself cannot carry it, since readers could not get in then.
 * - The file must not be opened by other means in this process: closing it would drop the lock. (fcntl(2), https://sqlite.org/howtocorrupt.html 2.2)
 */
export interface WriterLock extends Disposable {}

/** @throws KubedeltaError `fenced` while another writer holds it */
export function takeWriterLock(files: TopicFiles): WriterLock {
  const database = openDatabase(files.lock, { readOnly: false, busyTimeoutMs: 0 })
  try {
    // Nothing is ever written, so a journal on disk would only be left behind.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (sqliteCode(error) !== SQLITE.busy) throw error
    const holder = readHolder(files) ?? 'another process'
    throw new KubedeltaError(
      'fenced',
      `Cannot write to topic ${files.topic}: wanted to be its only writer: ${holder} writes to ${files.directory}: stop that one, or use another directory`,
      { cause: error, fields: { topic: files.topic, holder } },
    )
  }
  return { [Symbol.dispose]: () => database.close() }
}
