// One HTTP request and its answer, as far as the apiserver cares.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { parseJson, type JsonObject } from './json.ts'
import { badRequest, type StatusFailure, unsupportedMediaType } from './status.ts'

/** Where the frames of a watch go. */
export interface FrameSink {
  /** @returns whether it takes more at once */
  write(text: string): boolean
}

/** A request whose body has not been read yet. */
export class Exchange {
  readonly method: string
  readonly url: URL
  /** Aborts when the connection is gone. */
  readonly signal: AbortSignal
  readonly #request: IncomingMessage
  readonly #response: ServerResponse

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.method = request.method ?? 'GET'
    this.url = new URL(request.url ?? '/', 'http://simulated')
    this.#request = request
    this.#response = response
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    this.signal = gone.signal
  }

  /** Whether a part of the answer was sent. */
  get hasBegun(): boolean {
    return this.#response.headersSent
  }

  header(name: string): string {
    return [this.#request.headers[name]].flat().join(',')
  }

  /** `application/json` of `application/json; charset=utf-8`. */
  get mediaType(): string {
    return (this.header('content-type').split(';')[0] ?? '').trim().toLowerCase()
  }

  /**
   * The body as JSON; undefined where there is none.
   * @throws StatusFailure 400 when it is none, 415 when it says that it is something else
   */
  async body(): Promise<unknown> {
    const content = await text(this.#request)
    if (content === '') return undefined
    const { mediaType } = this
    if (mediaType !== '' && !mediaType.endsWith('json')) throw unsupportedMediaType(['application/json'])
    try {
      return parseJson(content)
    } catch (error) {
      if (error instanceof SyntaxError) {
        throw badRequest(`the object provided is unrecognized: json parse error: ${error.message}`)
      }
      throw error
    }
  }

  /** Answers with one document. People (a browser, curl, `?pretty=true`) get it indented. */
  send(status: number, document: string | JsonObject, contentType = 'application/json'): void {
    const whole = typeof document === 'string' ? document : `${JSON.stringify(document)}\n`
    const isPretty = this.url.searchParams.get('pretty') === 'true' || /^(curl|Mozilla)/.test(this.header('user-agent'))
    const printed = isPretty ? JSON.stringify(parseJson(whole), null, 2) : whole
    this.#response.writeHead(status, {
      ...HEADERS,
      'content-type': contentType,
      'content-length': Buffer.byteLength(printed),
    })
    this.#response.end(printed)
  }

  /** Answers with words, as what is no API does. */
  sendText(status: number, words: string): void {
    this.#response.writeHead(status, { ...HEADERS, 'content-type': 'text/plain; charset=utf-8' })
    this.#response.end(words)
  }

  /** Answers with a refusal. */
  refuse({ httpStatus, status, retryAfterSeconds }: StatusFailure): void {
    if (retryAfterSeconds !== undefined) this.#response.setHeader('retry-after', String(retryAfterSeconds))
    this.send(httpStatus, status)
  }

  /** Begins an answer that goes on; `onDrain` is called when the connection takes more again. */
  open(onDrain: () => void): FrameSink & { end(): void } {
    this.#response.writeHead(200, { ...HEADERS, 'content-type': 'application/json' })
    this.#response.flushHeaders()
    this.#response.on('drain', onDrain)
    return { write: (frame) => this.#response.write(frame), end: () => this.#response.end() }
  }

  /** Sends the first part of a document and resets the connection. */
  cut(document: string): void {
    const half = document.slice(0, Math.ceil(document.length / 2))
    this.#response.writeHead(200, { ...HEADERS, 'content-type': 'application/json' })
    // Only what has left this process is seen before the reset.
    this.#response.write(half, () => this.reset())
  }

  /** Resets the connection. */
  reset(): void {
    this.#request.socket.resetAndDestroy()
  }
}

const HEADERS = { 'cache-control': 'no-cache, private' }
