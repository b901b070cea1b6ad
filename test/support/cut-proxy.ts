// Stands before a server on loopback and can cut whoever comes through it off.

import { once } from 'node:events'
import { createServer, connect } from 'node:net'
import type { Server, Socket } from 'node:net'
import { reservePorts } from './ports.ts'

/** A proxy of plain bytes. Disposing cuts everyone off. */
export interface CutProxy extends AsyncDisposable {
  readonly port: number
  /** Resolves once exactly so many connections are open. @throws Error after `timeoutMs` (default 30 s) */
  untilConnections(count: number, timeoutMs?: number): Promise<void>
  /** Resets every connection and refuses new ones. */
  cut(): Promise<void>
  /** Takes connections again. */
  restore(): Promise<void>
}

/** Starts a proxy that passes everything on to a port of 127.0.0.1. */
export async function startCutProxy(upstreamPort: number): Promise<CutProxy> {
  const reservation = await reservePorts(1)
  const [port = 0] = reservation.ports
  const clients = new Set<Socket>()
  const watchers = new Set<() => void>()
  let server: Server | undefined

  function serve(client: Socket): void {
    const upstream = connect(upstreamPort, '127.0.0.1')
    clients.add(client)
    // Either end goes when the other does; what failed is for the ends to say.
    client
      .on('error', () => {})
      .once('close', () => {
        upstream.destroy()
        clients.delete(client)
        for (const look of watchers) look()
      })
    upstream.on('error', () => {}).once('close', () => client.destroy())
    client.pipe(upstream).pipe(client)
  }

  async function restore(): Promise<void> {
    server = createServer(serve)
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }

  async function cut(): Promise<void> {
    if (server === undefined) return
    const closed = once(server, 'close')
    // The port is given up first: whoever is reset must find nobody to come back to.
    server.close()
    server = undefined
    for (const client of clients) client.resetAndDestroy()
    await closed
  }

  await restore()
  return {
    port,
    cut,
    restore,
    async untilConnections(count, timeoutMs = 120_000) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const look = (): void => {
        if (clients.size === count) resolve()
      }
      const timer = setTimeout(
        () => reject(new Error(`Cannot wait for ${count} connections: ${clients.size} are open after ${timeoutMs} ms`)),
        timeoutMs,
      )
      watchers.add(look)
      look()
      await promise.finally(() => {
        clearTimeout(timer)
        watchers.delete(look)
      })
    },
    async [Symbol.asyncDispose]() {
      await cut()
      await reservation[Symbol.asyncDispose]()
    },
  }
}
