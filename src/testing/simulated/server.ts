// Listens on loopback and hands each request on; can go down and come back on the same port.

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { Exchange } from './exchange.ts'
import { StatusFailure } from './status.ts'

export type Answer = (exchange: Exchange) => Promise<void>

/** An HTTP server whose open connections are its to end. */
export class LoopbackServer implements AsyncDisposable {
  readonly #answer: Answer
  readonly #running = new Set<Promise<void>>()
  #server: Server | undefined
  #port = 0
  #bug: { readonly error: unknown } | undefined

  constructor(answer: Answer) {
    this.#answer = answer
  }

  /** `127.0.0.1:port` */
  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  /** Listens; without a port on any free one. @throws Error when the port is taken */
  async listen(port = this.#port): Promise<void> {
    // Watches have no end that a server knows of.
    const server = createServer({ requestTimeout: 0, keepAliveTimeout: 60_000 }, (request, response) => {
      const run = this.#serve(new Exchange(request, response))
      this.#running.add(run)
      void run.finally(() => this.#running.delete(run))
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    this.#port = typeof address === 'object' && address !== null ? address.port : port
    this.#server = server
  }

  /** Resets all connections and refuses new ones, until `listen` is called again. */
  async goDown(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
    await Promise.all(this.#running)
  }

  /** @throws whatever a request failed with that is neither a refusal nor a lost connection: a bug here */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.goDown()
    if (this.#bug !== undefined) throw this.#bug.error
  }

  async #serve(exchange: Exchange): Promise<void> {
    try {
      await this.#answer(exchange)
    } catch (error) {
      this.#bug ??= { error }
      const failure = { code: 500, reason: 'InternalError', message: String(error), details: null }
      if (exchange.hasBegun) exchange.reset()
      else exchange.refuse(new StatusFailure(failure))
    }
  }
}
