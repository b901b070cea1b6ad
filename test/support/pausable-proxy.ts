// Stands before a server on loopback and can hold back everything that passes, with all connections open.

import { once } from 'node:events'
import { createServer, connect } from 'node:net'
import type { Socket } from 'node:net'
import { reservePorts } from './ports.ts'

/** A proxy of plain bytes. Disposing cuts everyone off. */
export interface PausableProxy extends AsyncDisposable {
  readonly port: number
  /** Passes nothing on, in neither direction; new connections open and get no answer. */
  pause(): void
  /** Passes on what was held back, and what comes. */
  resume(): void
}

/** Starts a proxy that passes everything on to a port of 127.0.0.1. */
export async function startPausableProxy(upstreamPort: number): Promise<PausableProxy> {
  const reservation = await reservePorts(1)
  const [port = 0] = reservation.ports
  const sockets = new Set<Socket>()
  let isPaused = false
  const server = createServer((client) => {
    const upstream = connect(upstreamPort, '127.0.0.1')
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      // Either end goes when the other does; what failed is for the ends to say.
      socket.on('error', () => {})
      socket.once('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.on('data', (chunk) => void other.write(chunk))
      if (isPaused) socket.pause()
    }
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port,
    pause() {
      isPaused = true
      for (const socket of sockets) socket.pause()
    },
    resume() {
      isPaused = false
      for (const socket of sockets) socket.resume()
    },
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await reservation[Symbol.asyncDispose]()
    },
  }
}
