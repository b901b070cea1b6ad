// Opens a directory of this machine as a log of topics.

import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { systemClock, type Clock } from '../base/clock.ts'
import { KubedeltaError } from '../base/errors.ts'
import { silentLogger, type Logger } from '../base/log.ts'
import type { TopicAdmin, TopicLog, TopicReader, TopicWriter, WriterOptions } from '../topic/port.ts'
import { EmbeddedAdmin } from './admin.ts'
import { CommitThread } from './commit-thread.ts'
import { EmbeddedReader } from './reader.ts'
import { fileError, isTopicName, topicFiles } from './topic-files.ts'
import { missingTopic } from './topic-database.ts'
import { openEmbeddedWriter, type EmbeddedWriter } from './writer.ts'

export interface EmbeddedLogOptions {
  /** Made with its first topic, where it is missing. On a local disk: locks and shared memory of network disks cannot be trusted. */
  readonly directory: string
  /** @default writes nothing */
  readonly log?: Logger
  /** @default the system's */
  readonly clock?: Clock
}

/**
 * Opens a directory, without making or writing anything in it.
 *
 * - Each topic is a directory of its own with its own lock: several processes may write different topics of one log.
 * - A topic has one writer. A later one opened by the same log takes over from the earlier one; one of another process is
 *   refused with `fenced` for as long as the first lives.
 *
 * @throws KubedeltaError `usage` where the path is something else, `forbidden` where it cannot be looked at
 */
export async function openEmbeddedLog({
  directory,
  log = silentLogger,
  clock = systemClock,
}: EmbeddedLogOptions): Promise<TopicLog> {
  const root = resolve(directory)
  assertDirectory(root)
  return new EmbeddedLog(root, log, clock)
}

class EmbeddedLog implements TopicLog {
  readonly admin: TopicAdmin
  readonly #root: string
  readonly #log: Logger
  readonly #clock: Clock
  readonly #thread = new CommitThread()
  readonly #readers = new Set<TopicReader>()
  /** The last writer of each topic, opened or being opened: the next one waits for it to end. */
  readonly #writers = new Map<string, Promise<EmbeddedWriter>>()

  constructor(root: string, log: Logger, clock: Clock) {
    this.#root = root
    this.#log = log
    this.#clock = clock
    this.admin = new EmbeddedAdmin(root)
  }

  async openWriter({ topic, signal }: WriterOptions): Promise<TopicWriter> {
    signal.throwIfAborted()
    if (!isTopicName(topic)) throw missingTopic(`write to topic ${topic}`, topic)
    const former = this.#writers.get(topic)
    const opening = this.#takeOver(topic, former)
    this.#writers.set(topic, opening)
    return await opening
  }

  async openReader({ signal }: { readonly signal: AbortSignal }): Promise<TopicReader> {
    signal.throwIfAborted()
    const reader = new EmbeddedReader({ root: this.#root, clock: this.#clock })
    this.#readers.add(reader)
    return reader
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Readers first: the last to close a database clears up its WAL, and readers may not.
    await Promise.all([...this.#readers].map(async (reader) => reader[Symbol.asyncDispose]()))
    for (const opening of await Promise.allSettled(this.#writers.values())) {
      if (opening.status === 'fulfilled') await opening.value[Symbol.asyncDispose]()
    }
    await this.#thread[Symbol.asyncDispose]()
  }

  async #takeOver(topic: string, former: Promise<EmbeddedWriter> | undefined): Promise<EmbeddedWriter> {
    // Whoever opened the former one has been told when that failed.
    const earlier = await former?.catch(() => undefined)
    await earlier?.fence()
    const files = topicFiles(this.#root, topic)
    return openEmbeddedWriter({ thread: this.#thread, files, clock: this.#clock, log: this.#log })
  }
}

function assertDirectory(root: string): void {
  try {
    const found = statSync(root, { throwIfNoEntry: false })
    if (found === undefined || found.isDirectory()) return
  } catch (error) {
    throw fileError(error, `open ${root}`)
  }
  throw new KubedeltaError('usage', `Cannot open ${root}: wanted a directory: it is a file`)
}
