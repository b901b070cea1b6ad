// Says where the files of a topic lie, and makes its directory appear complete or not at all.

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { fromUnknown, KubedeltaError } from '../base/errors.ts'
import { makeDirectory } from '../base/make-directory.ts'

/** The files of one topic, in a directory of its own. SQLite adds `log.db-wal` and `log.db-shm`. */
export interface TopicFiles {
  readonly topic: string
  readonly directory: string
  /** The records. */
  readonly database: string
  /** Held locked by the one writer for as long as it lives; always empty. */
  readonly lock: string
  /** Touched after each commit, so that readers in other processes wake up; always empty. */
  readonly appended: string
}

export function topicFiles(root: string, topic: string): TopicFiles {
  const directory = join(root, topic)
  return {
    topic,
    directory,
    database: join(directory, 'log.db'),
    lock: join(directory, 'lock'),
    appended: join(directory, 'appended'),
  }
}

/**
 * Kafka's rule for names, except that none begins with a dot: such directories are topics being made.
 * https://github.com/apache/kafka/blob/4.1/clients/src/main/java/org/apache/kafka/common/internals/Topic.java
 */
export function isTopicName(name: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,248}$/.test(name)
}

/** Topics that stand in the directory; none where it is missing. @throws KubedeltaError as `fileError` */
export function listTopics(root: string): readonly string[] {
  try {
    const entries = readdirSync(root, { withFileTypes: true })
    return entries
      .filter((entry) => entry.isDirectory() && isTopicName(entry.name))
      .map(({ name }) => name)
      .filter((name) => existsSync(topicFiles(root, name).database))
  } catch (error) {
    if (fileCode(error) === 'ENOENT') return []
    throw fileError(error, `read ${root}`)
  }
}

/**
 * Makes a topic's directory: filled under another name, then renamed, so that a crash leaves no half of it.
 * @throws KubedeltaError as `fileError`, and what `fill` throws
 */
export function createTopicDirectory(
  root: string,
  topic: string,
  fill: (files: TopicFiles) => void,
): 'created' | 'exists' {
  const final = topicFiles(root, topic)
  if (existsSync(final.database)) return 'exists'
  const action = `create topic ${topic} in ${root}`
  let draft: string | undefined
  try {
    makeDirectory(root)
    removeOldDrafts(root)
    draft = join(root, `${DRAFT_PREFIX}${randomUUID()}`)
    mkdirSync(draft, { mode: 0o700 })
    const files = { ...topicFiles(root, topic), ...topicFiles(draft, '.'), topic }
    for (const path of [files.database, files.lock, files.appended]) closeSync(openSync(path, 'wx', 0o600))
    fill(files)
    syncDirectory(draft)
    renameSync(draft, final.directory)
    syncDirectory(root)
    return 'created'
  } catch (error) {
    if (draft !== undefined) rmSync(draft, { recursive: true, force: true })
    const code = fileCode(error)
    if ((code === 'ENOTEMPTY' || code === 'EEXIST') && existsSync(final.database)) return 'exists'
    throw fileError(error, action)
  }
}

/**
 * A failure of the file system as one that a caller may handle; anything else comes back as fromUnknown has it.
 * @returns KubedeltaError `forbidden` for permissions and read-only file systems, `usage` for a path that cannot be a directory,
 * `rejected` for a full or failing disk
 */
export function fileError(error: unknown, action: string): KubedeltaError {
  const code = fileCode(error)
  if (code === undefined || !(error instanceof Error)) return fromUnknown(error, `Cannot ${action}`)
  const options = { cause: error }
  switch (code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new KubedeltaError(
        'forbidden',
        `Cannot ${action}: wanted a directory that this user may write to: ${error.message}`,
        options,
      )
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EEXIST':
    case 'ENOTEMPTY':
    case 'ENAMETOOLONG':
    case 'ELOOP':
      return new KubedeltaError('usage', `Cannot ${action}: wanted the path of a directory: ${error.message}`, options)
    default:
      return new KubedeltaError('rejected', `Cannot ${action}: ${error.message}`, options)
  }
}

/** Which file stands at a path now; undefined where there is none. A topic that was removed and made anew has another one. */
export function fileIdentity(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? undefined : `${found.dev}:${found.ino}`
}

/** Which file stands at a path, told apart from any that stood there before it: numbers of files are given out again. */
export function fileBirth(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true })
  return found === undefined ? undefined : `${found.dev}:${found.ino}:${found.birthtimeNs}`
}

function fileCode(error: unknown): string | undefined {
  return error instanceof Error && 'syscall' in error && 'code' in error ? String(error.code) : undefined
}

const DRAFT_PREFIX = '.creating-'
const DRAFT_IS_LEFT_OVER_MS = 3_600_000

/** A draft lives for milliseconds; an old one belongs to a process that was killed. */
function removeOldDrafts(root: string): void {
  for (const name of readdirSync(root)) {
    if (!name.startsWith(DRAFT_PREFIX)) continue
    const path = join(root, name)
    const changedAtMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (changedAtMs !== undefined && Date.now() - changedAtMs > DRAFT_IS_LEFT_OVER_MS) {
      rmSync(path, { recursive: true, force: true })
    }
  }
}

/** A rename lasts once the directory that holds the name is on disk. */
function syncDirectory(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
