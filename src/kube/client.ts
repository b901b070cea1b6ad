// Asks the apiserver: rate-limited, authorized requests whose failures are KubedeltaErrors.

import { Agent, ProxyAgent, type Dispatcher } from 'undici'
import { abortable } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { hasCode, KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Authorization, Credentials, TlsOptions } from './credentials.ts'
import { exchange } from './http-exchange.ts'
import { networkError } from './network-error.ts'
import { RateLimiter } from './rate-limiter.ts'
import { parseStatusBody, statusError } from './status-error.ts'

export interface KubeClientOptions {
  readonly credentials: Credentials
  /** Requests a second in the long run. @default 50 */
  readonly qps?: number
  /** Requests at once. @default 100 */
  readonly burst?: number
  /** `kubedelta/1.2.3`. One that begins with `curl` or `Mozilla` would get pretty-printed JSON. */
  readonly userAgent: string
  readonly clock: Clock
  readonly log: Logger
}

export interface KubeRequest {
  readonly signal: AbortSignal
  /** Empty and undefined values are left out. */
  readonly query?: Readonly<Record<string, string | undefined>>
  /** What is being done, for messages. @default `Cannot GET <path>` */
  readonly action?: string
  /** @default 'application/json' */
  readonly accept?: string
  /** How long the server may say nothing, before and within the answer, in milliseconds. @default 300,000 */
  readonly silenceMs?: number
}

export interface KubeAnswer {
  /** Always 2xx: others are thrown. */
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /**
   * What has come since the last look, in order.
   * Must be iterated: that it ends, fails or is left is what frees the connection. Not pulling it stops the socket.
   */
  readonly body: AsyncIterable<readonly Buffer[]>
}

/**
 * A connection to one apiserver.
 *
 * - One attempt a call; who calls decides on a further one. Only a 401 is tried once more, if fresh credentials differ.
 * - HTTP/1.1: a watch has a connection to itself, so a slow one holds back no other.
 * - Both methods throw `expired`, `too-large-resource-version`, `throttled` (`fields.retryAfterMs`), `unauthorized`, `forbidden`,
 *   `not-found`, `server` (`fields.status`, `fields.reason`) for what the apiserver refuses, `unreachable` (`fields.refused`,
 *   `fields.opening`) where the connection fails, and the signal's reason when it aborts.
 */
export interface KubeClient extends AsyncDisposable {
  /** The apiserver's URL, for messages. */
  readonly server: string
  /**
   * The parsed answer.
   * @throws KubedeltaError as above; `server` also when the answer is no JSON
   */
  get(path: string, request: KubeRequest): Promise<unknown>
  /** An answer as it comes; what fails within its body is `unreachable` with `fields.opening` false. */
  stream(path: string, request: KubeRequest): Promise<KubeAnswer>
}

/** What is sent to be stored. */
export interface KubeWrite extends KubeRequest {
  readonly method: 'POST' | 'PUT'
  /** An object, sent as JSON. */
  readonly body: unknown
}

/** A client that may write as well: only who has to write holds one. */
export interface WritingKubeClient extends KubeClient {
  /**
   * The parsed answer: the object as it is stored now.
   * @throws KubedeltaError as `get`; a conflict is `server` with `fields.status` 409
   */
  write(path: string, request: KubeWrite): Promise<unknown>
}

/** A client that connects on its first request. Disposing of it ends what is still open. */
export function createKubeClient(options: KubeClientOptions): KubeClient {
  return new HttpKubeClient(options)
}

/** As `createKubeClient`, for who has to write. */
export function createWritingKubeClient(options: KubeClientOptions): WritingKubeClient {
  return new HttpKubeClient(options)
}

/** Longer than an apiserver's own limit of 60 s for a request that is no watch. */
const DEFAULT_SILENCE_MS = 300_000

const CONNECT_TIMEOUT_MS = 10_000

/** As client-go: below the 60 s after which common load balancers forget an idle connection. */
const KEEPALIVE_PROBE_MS = 30_000

/** client-go rest/request.go, longThrottleLatency. */
const LONG_WAIT_MS = 1_000

/** More than any discovery document or Status; what is larger is not held in memory. */
const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024

type AnyRequest = KubeRequest | KubeWrite

class HttpKubeClient implements WritingKubeClient {
  readonly server: string
  readonly #options: KubeClientOptions
  readonly #limiter: RateLimiter
  readonly #url: URL
  /** The dispatcher in use, and what it trusts and shows: rotated certificates make a new one. */
  #current: { readonly fingerprint: string; readonly dispatcher: Dispatcher } | undefined
  /** Every dispatcher that may still carry a request. */
  readonly #open = new Set<Dispatcher>()
  /** Ends sockets that are still connecting: a dispatcher that is destroyed would wait for them. */
  #closing = new AbortController()

  constructor(options: KubeClientOptions) {
    const { credentials, qps = 50, burst = 100, clock } = options
    this.server = credentials.server
    this.#options = options
    this.#limiter = new RateLimiter({ qps, burst, clock })
    this.#url = new URL(credentials.server)
  }

  write(path: string, request: KubeWrite): Promise<unknown> {
    return this.get(path, request)
  }

  async get(path: string, request: AnyRequest): Promise<unknown> {
    const { action = actionOf(path, request) } = request
    const answer = await this.stream(path, request)
    const text = await readText(answer.body, action)
    try {
      return JSON.parse(text)
    } catch (error) {
      throw new KubedeltaError(
        'server',
        `${action}: wanted JSON from ${this.server}: the answer begins ${quote(text)}`,
        {
          cause: error,
          fields: { status: answer.status },
        },
      )
    }
  }

  async stream(path: string, request: AnyRequest): Promise<KubeAnswer> {
    // An exec plugin may take its time, or wait for someone.
    const authorization = await abortable(this.#options.credentials.authorize(), request.signal)
    try {
      return await this.#send(path, request, authorization)
    } catch (error) {
      if (!hasCode(error, 'unauthorized')) throw error
      // A token may have been rotated, or an exec plugin's revoked, before its time.
      this.#options.credentials.refresh()
      const fresh = await abortable(this.#options.credentials.authorize(), request.signal)
      if (fingerprintOf(fresh) === fingerprintOf(authorization)) throw error
      return await this.#send(path, request, fresh)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    this.#closing = new AbortController()
    await Promise.all([...this.#open].map((dispatcher) => dispatcher.destroy()))
    this.#open.clear()
    this.#current = undefined
  }

  async #send(path: string, request: AnyRequest, authorization: Authorization): Promise<KubeAnswer> {
    const {
      signal,
      action = actionOf(path, request),
      accept = 'application/json',
      silenceMs = DEFAULT_SILENCE_MS,
    } = request
    await this.#throttle(path, signal)
    const context = { action, server: this.server, signal }
    try {
      const answer = await exchange(this.#dispatcher(authorization.tls), {
        origin: this.#url.origin,
        path: `${this.#url.pathname.replace(/\/$/, '')}${path}${queryOf(request.query)}`,
        headers: {
          ...authorization.headers,
          accept,
          'user-agent': this.#options.userAgent,
          // Inflating costs more of this one thread than the bytes cost the network between an apiserver and its clients,
          // and a compressed watch would hold events back in the deflater's window.
          'accept-encoding': 'identity',
          ...('body' in request && { 'content-type': 'application/json' }),
        },
        ...('body' in request && { method: request.method, body: JSON.stringify(request.body) }),
        headersTimeout: silenceMs,
        bodyTimeout: silenceMs,
        signal,
      })
      const body = readBody(answer.body, context)
      if (answer.statusCode >= 200 && answer.statusCode < 300) {
        return { status: answer.statusCode, headers: answer.headers, body }
      }
      const status = parseStatusBody(await readText(body, action), {
        httpStatus: answer.statusCode,
        retryAfter: [answer.headers['retry-after']].flat()[0],
      })
      throw statusError(status, action)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      throw networkError(error, { ...context, opening: true })
    }
  }

  async #throttle(path: string, signal: AbortSignal): Promise<void> {
    const waitedMs = await this.#limiter.take(signal)
    if (waitedMs > LONG_WAIT_MS) this.#options.log.info('waited for --qps and --burst', { path, waitedMs })
  }

  #dispatcher(tls: TlsOptions): Dispatcher {
    const fingerprint = JSON.stringify(tls)
    if (this.#current?.fingerprint === fingerprint) return this.#current.dispatcher
    const retired = this.#current?.dispatcher
    const dispatcher = createDispatcher(tls, this.#options.credentials.proxy, this.#closing.signal)
    this.#open.add(dispatcher)
    this.#current = { fingerprint, dispatcher }
    if (retired !== undefined) this.#retire(retired)
    return dispatcher
  }

  /** Lets its watches run to their own end. */
  #retire(dispatcher: Dispatcher): void {
    dispatcher.close(() => this.#open.delete(dispatcher))
  }
}

function actionOf(path: string, request: AnyRequest): string {
  return `Cannot ${'method' in request ? request.method : 'GET'} ${path}`
}

function createDispatcher(tls: TlsOptions, proxy: string | undefined, closing: AbortSignal): Dispatcher {
  const limits = { allowH2: false, connectTimeout: CONNECT_TIMEOUT_MS }
  const socket = {
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_PROBE_MS,
    timeout: CONNECT_TIMEOUT_MS,
    allowH2: false,
    signal: closing,
  }
  if (proxy === undefined) return new Agent({ ...limits, connect: { ...socket, ...tls } })
  return new ProxyAgent({ ...limits, uri: proxy, requestTls: { ...socket, ...tls } })
}

function fingerprintOf(authorization: Authorization): string {
  return JSON.stringify(authorization)
}

function queryOf(query: KubeRequest['query']): string {
  const entries = Object.entries(query ?? {}).filter((entry): entry is [string, string] => Boolean(entry[1]))
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries).toString()}`
}

interface BodyContext {
  readonly action: string
  readonly server: string
  readonly signal: AbortSignal
}

async function* readBody(
  body: AsyncIterable<readonly Buffer[]>,
  context: BodyContext,
): AsyncGenerator<readonly Buffer[]> {
  try {
    yield* body
  } catch (error) {
    if (context.signal.aborted) throw context.signal.reason
    throw networkError(error, { ...context, opening: false })
  }
}

async function readText(body: AsyncIterable<readonly Buffer[]>, action: string): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const some of body) {
    chunks.push(...some)
    for (const { length } of some) size += length
    if (size > MAX_DOCUMENT_BYTES) {
      throw new KubedeltaError('server', `${action}: wanted at most ${MAX_DOCUMENT_BYTES} bytes: the answer is larger`)
    }
  }
  return Buffer.concat(chunks).toString('utf8')
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 200))
}
