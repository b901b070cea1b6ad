// Sends one request and hands out the answer's body in whatever pieces have come since the last look.

import type { Dispatcher } from 'undici'

export interface ExchangeOptions {
  /** @default 'GET' */
  readonly method?: 'GET' | 'POST' | 'PUT'
  /** Text that is sent along. @default none */
  readonly body?: string
  readonly origin: string
  /** With the query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** How long the server may say nothing before the answer, in milliseconds. */
  readonly headersTimeout: number
  /** How long the server may say nothing within the answer, in milliseconds. */
  readonly bodyTimeout: number
  readonly signal: AbortSignal
}

export interface ExchangeAnswer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Must be iterated: that it ends, fails or is left is what frees the connection. Not pulling it stops the socket. */
  readonly body: AsyncIterable<readonly Buffer[]>
}

/**
 * Resolves when the answer begins.
 *
 * An apiserver sends each event of a watch, and each 4 KB of a list, as a chunk of its own, and Node drains its queues after each. Through
 * a stream of chunks that costs more than all that is done with the bytes, so a turn of the event loop is handed out at once.
 *
 * @throws what the client or the socket says; the signal's reason when it aborts, then also within the body
 */
export function exchange(
  dispatcher: Pick<Dispatcher, 'dispatch'>,
  { signal, method = 'GET', ...request }: ExchangeOptions,
): Promise<ExchangeAnswer> {
  signal.throwIfAborted()
  const answer = new AnswerReceiver(signal)
  try {
    dispatcher.dispatch({ ...request, method }, answer)
  } catch (error) {
    answer.fail(error)
  }
  return answer.begun
}

/** What is held of a body that nobody pulls; the socket stops then. */
const MAX_HELD_BYTES = 128 * 1024

class AnswerReceiver implements Dispatcher.DispatchHandler {
  readonly #signal: AbortSignal
  readonly #begun = Promise.withResolvers<ExchangeAnswer>()
  readonly #onAbort = (): void => this.#giveUp(this.#signal.reason)
  #controller: Dispatcher.DispatchController | undefined
  #chunks: Buffer[] = []
  #heldBytes = 0
  #end: { readonly error: Error | undefined } | undefined
  #wake = (): void => {}
  #isWaking = false

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  get begun(): Promise<ExchangeAnswer> {
    return this.#begun.promise
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#signal.aborted) this.#onAbort()
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: ExchangeAnswer['headers'],
  ): void {
    // 1xx: the answer is still to come.
    if (statusCode >= 200) this.#begun.resolve({ statusCode, headers, body: this.#body() })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes >= MAX_HELD_BYTES) controller.pause()
    this.#wakeSoon()
  }

  onResponseEnd(): void {
    this.#ended(undefined)
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error)
  }

  /** What came before is handed out first. */
  fail(reason: unknown): void {
    const error = reason instanceof Error ? reason : new Error(String(reason))
    this.#begun.reject(error)
    this.#ended(error)
  }

  async *#body(): AsyncGenerator<readonly Buffer[]> {
    try {
      for (;;) {
        const chunks = this.#take()
        if (chunks.length > 0) yield chunks
        else if (this.#end === undefined) await new Promise<void>((resolve) => (this.#wake = resolve))
        else if (this.#end.error === undefined) return
        else throw this.#end.error
      }
    } finally {
      // Left early: nobody wants the rest.
      if (this.#end === undefined) this.#giveUp(new Error('the answer was left'))
    }
  }

  #take(): readonly Buffer[] {
    const chunks = this.#chunks
    this.#chunks = []
    this.#heldBytes = 0
    if (this.#controller?.paused === true) this.#controller.resume()
    return chunks
  }

  #giveUp(reason: unknown): void {
    this.#chunks = []
    this.fail(reason)
    this.#controller?.abort(new Error('nobody waits for the answer any more', { cause: reason }))
  }

  #ended(error: Error | undefined): void {
    this.#end ??= { error }
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#wakeSoon()
  }

  #wakeSoon(): void {
    if (this.#isWaking) return
    this.#isWaking = true
    setImmediate(() => {
      this.#isWaking = false
      this.#wake()
    })
  }
}
