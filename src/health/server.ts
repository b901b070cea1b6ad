// Serves /livez, /readyz and /metrics from a thread of its own, so that a blocked main thread shows.

import { once } from 'node:events'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { abortable, aborted } from '../base/abort.ts'
import { fromUnknown, KubedeltaError } from '../base/errors.ts'
import type { Metrics } from '../base/metrics.ts'
import type { FromServer, ServerStart, ToServer } from './messages.ts'
import type { HealthReport } from './report.ts'

/** What is asked for its health. Both answer at once, from what is known. */
export interface HealthSource {
  /** False only for what a restart mends. */
  live(): HealthReport
  ready(): HealthReport
}

export interface HealthServerOptions {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly source: HealthSource
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>
  /** How long the event loop may stand still before /livez fails. @default 10_000 */
  readonly blockedAfterMs?: number
  /** How often the event loop shows that it turns, and live() is asked. @default 1000 */
  readonly beatEveryMs?: number
  /** How long /readyz and /metrics wait for the main thread before they answer 503. @default 5000 */
  readonly answerWithinMs?: number
}

export interface HealthServer extends AsyncDisposable {
  /** `http://127.0.0.1:9464` */
  readonly url: string
  /**
   * Resolves when the signal aborts; the server goes on until it is disposed, so that a stopping process still answers.
   * @throws KubedeltaError `internal` when the server or its source fails
   */
  run(signal: AbortSignal): Promise<void>
}

/**
 * Starts the server; it listens when this resolves.
 *
 * A main thread that is blocked cannot answer itself, and a probe that only times out says nothing: the server's thread reads a
 * heartbeat in shared memory and answers 503.
 *
 * @throws KubedeltaError `usage` where it cannot listen, with `fields.busy` true for a port in use
 */
export async function openHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const { host, port, source, metrics } = options
  const { blockedAfterMs = 10_000, beatEveryMs = 1000, answerWithinMs = 5000 } = options
  const heartbeat = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)
  const beats = new BigInt64Array(heartbeat)
  const beat = (): void => void Atomics.store(beats, 0, process.hrtime.bigint())
  const start: ServerStart = { host, port, heartbeat, blockedAfterMs, answerWithinMs }
  beat()
  // .ts in a checkout, .js when it is built.
  const worker = new Worker(new URL(`./server-worker${extname(import.meta.filename)}`, import.meta.url), {
    workerData: start,
    // Answers are short-lived and small: without a bound V8 lets them pile up to tens of megabytes.
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  })
  const failed = new AbortController()
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread has no origin
  const say = (message: ToServer): void => worker.postMessage(message)
  const guard = (step: () => void): void => {
    try {
      step()
    } catch (error) {
      failed.abort(fromUnknown(error, 'Cannot tell health'))
    }
  }
  const turn = (): void => {
    beat()
    guard(() => say({ kind: 'live', report: source.live() }))
  }

  worker.on('error', (error) => failed.abort(fromUnknown(error, 'Cannot serve health')))
  const bound = await listening(worker, options)
  worker.on('message', (message: FromServer) => {
    if (message.kind !== 'ask') return
    const { id } = message
    if (message.what === 'ready') return guard(() => say({ kind: 'ready', id, report: source.ready() }))
    metrics.text().then(
      (text) => say({ kind: 'metrics', id, text, contentType: metrics.contentType }),
      (error: unknown) => failed.abort(fromUnknown(error, 'Cannot print metrics')),
    )
  })
  turn()
  const timer = setInterval(turn, beatEveryMs)

  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    run: (signal) => abortable(aborted(signal), failed.signal),
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      const exited = worker.threadId === -1 ? undefined : once(worker, 'exit')
      say({ kind: 'close' })
      await exited
    },
  }
}

/** The port, once the worker listens. */
async function listening(worker: Worker, { host, port }: HealthServerOptions): Promise<number> {
  // Listened for from the start: a thread that says that it cannot listen may have ended before the next turn.
  const exited = new Promise((resolve) => worker.once('exit', resolve))
  const [message]: FromServer[] = await once(worker, 'message')
  if (message?.kind === 'listening') return message.port
  if (message?.kind !== 'cannot-listen') throw new TypeError('Cannot serve health: wanted to hear where it listens')
  await exited
  const busy = message.code === 'EADDRINUSE'
  throw new KubedeltaError(
    'usage',
    `Cannot serve health and metrics: wanted a free address for --metrics-listen: current value is ${host}:${port}: ${busy ? 'it is in use' : message.message}`,
    { fields: { busy } },
  )
}
