// Reserves loopback ports that stay free until a server takes them, and again after it has stopped.

import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import type { Server } from 'node:net'

// Below the kernel's range for outgoing connections (net.ipv4.ip_local_port_range starts at 32768), so that none of
// those sits on the port while its server is down for a restart.
const FIRST = 12_000
const LAST = 31_999

// Each reservation is a listener at the same port of a second loopback address: test processes see one another's, and
// the kernel frees it with its process. Only Linux has all of 127.0.0.0/8.
const RESERVATIONS = process.platform === 'linux' ? '127.77.0.1' : undefined

/** Ports on 127.0.0.1 that no other test process picks until this is disposed. */
export interface PortReservation extends AsyncDisposable {
  readonly ports: readonly number[]
}

/** Reserves `count` ports on which nothing listens. */
export async function reservePorts(count: number): Promise<PortReservation> {
  const ports: number[] = []
  const holders: Server[] = []
  while (ports.length < count) {
    const port = randomInt(FIRST, LAST + 1)
    if (ports.includes(port)) continue
    const holder = RESERVATIONS === undefined ? undefined : await listen(RESERVATIONS, port)
    if (RESERVATIONS !== undefined && holder === undefined) continue
    const trial = await listen('127.0.0.1', port)
    if (trial === undefined) {
      await close(holder)
      continue
    }
    await close(trial)
    if (holder !== undefined) holders.push(holder.unref())
    ports.push(port)
  }
  return {
    ports,
    async [Symbol.asyncDispose]() {
      await Promise.all(holders.map(close))
    },
  }
}

/** A listener there, or undefined when the port is taken. */
async function listen(host: string, port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy())
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen({ host, port, exclusive: true }, () => resolve(server))
  })
}

async function close(server: Server | undefined): Promise<void> {
  if (server === undefined) return
  await new Promise<void>((resolve) => server.close(() => resolve()))
}
