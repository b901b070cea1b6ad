// Starts the thread that commits for the writers of one log, and passes on what it says.

import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { fromUnknown, KubedeltaError } from '../base/errors.ts'
import type { FromCommitter, ToCommitter, WriterNews } from './messages.ts'
import type { TopicFiles } from './topic-files.ts'

/** One writer's line to the thread. */
export interface CommitLine {
  /** @param bytes packed records; they belong to the thread from now on */
  append(bytes: ArrayBuffer): void
  close(): void
}

/**
 * A thread of its own: a flush to disk takes milliseconds and a checkpoint up to tenths of a second, in which the main thread would
 * neither read watches nor answer probes. One for all topics, because each costs megabytes and the disk is one as well.
 *
 * It starts with the first writer, and ends when it is disposed, after its writers.
 */
export class CommitThread implements AsyncDisposable {
  readonly #listeners = new Map<number, (news: WriterNews) => void>()
  #running: { readonly worker: Worker; readonly ended: Promise<void> } | undefined
  #writers = 0

  /** Opens a topic for writing; `listen` hears `opened` or `failed` first, and `closed` last. */
  open(files: TopicFiles, listen: (news: WriterNews) => void): CommitLine {
    const { worker } = (this.#running ??= this.#start())
    const writer = this.#writers++
    this.#listeners.set(writer, listen)
    const say = (message: ToCommitter, transfer: ArrayBuffer[] = []): void => worker.postMessage(message, transfer)
    say({ kind: 'open', writer, files })
    return {
      append: (bytes) => say({ kind: 'append', writer, bytes }, [bytes]),
      close: () => say({ kind: 'close', writer }),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const end: ToCommitter = { kind: 'end' }
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread has no origin
    this.#running?.worker.postMessage(end)
    await this.#running?.ended
  }

  #start(): { readonly worker: Worker; readonly ended: Promise<void> } {
    // .ts in a checkout, .js when it is built.
    const worker = new Worker(new URL(`./commit-worker${extname(import.meta.filename)}`, import.meta.url))
    worker.on('message', ({ writer, news }: FromCommitter) => this.#tell(writer, news))
    worker.on('error', (error) => this.#fail(fromUnknown(error, 'Cannot write the log')))
    const ended = new Promise<void>((resolve) => {
      worker.once('exit', () => {
        this.#fail(new KubedeltaError('internal', 'Cannot write the log: its thread has ended'))
        this.#running = undefined
        resolve()
      })
    })
    return { worker, ended }
  }

  #tell(writer: number, news: WriterNews): void {
    const listen = this.#listeners.get(writer)
    if (news.kind === 'closed') this.#listeners.delete(writer)
    listen?.(news)
  }

  /** A thread that died has let go of everything. */
  #fail({ code, message, fields }: KubedeltaError): void {
    for (const writer of this.#listeners.keys()) {
      this.#tell(writer, { kind: 'failed', code, message, fields })
      this.#tell(writer, { kind: 'closed' })
    }
  }
}
