// A TCP proxy before an apiserver: counts what its clients send, and cuts them off on demand.

import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { ControlPlane } from './control-plane.ts'
import { temporaryFolder } from './leftovers.ts'
import { reservePorts } from './ports.ts'

/** A proxy before one apiserver. */
export interface ApiserverProxy extends AsyncDisposable {
  /** Path of the administrator's kubeconfig, by way of the proxy. */
  readonly kubeconfig: string
  /** Connections and bytes that clients have sent so far: a request is never less than one of either more. */
  sent(): { readonly connections: number; readonly bytes: number }
  /** Ends all connections and refuses new ones. */
  cut(): Promise<void>
  /** Takes connections again. */
  mend(): Promise<void>
}

/** Starts a proxy before an apiserver. */
export async function startApiserverProxy(plane: Pick<ControlPlane, 'server' | 'kubeconfig'>): Promise<ApiserverProxy> {
  await using stack = new AsyncDisposableStack()
  const [port = 0] = stack.use(await reservePorts(1)).ports
  const folder = stack.use(temporaryFolder('proxy')).path
  const kubeconfig = join(folder, 'kubeconfig')
  writeFileSync(
    kubeconfig,
    readFileSync(plane.kubeconfig, 'utf8').replaceAll(plane.server, `https://127.0.0.1:${port}`),
    { mode: 0o600 },
  )
  const upstreamPort = Number(new URL(plane.server).port)
  const open = new Set<Socket>()
  let connections = 0
  let bytes = 0
  const server = createServer((client) => {
    connections += 1
    const upstream = connect(upstreamPort, '127.0.0.1')
    client.on('data', (chunk) => (bytes += chunk.length))
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket)
      // Either end goes when the other does, however it went.
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        open.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  })
  async function mend(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: '127.0.0.1', port }, () => resolve())
    })
  }
  async function cut(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const socket of open) socket.destroy()
    await closed
  }
  await mend()
  stack.defer(cut)
  const life = stack.move()
  return {
    kubeconfig,
    sent: () => ({ connections, bytes }),
    cut,
    mend,
    [Symbol.asyncDispose]: () => life.disposeAsync(),
  }
}
