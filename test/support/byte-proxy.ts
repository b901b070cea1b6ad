// A plain HTTP proxy before an apiserver that breaks what it passes on: one byte becomes another, whatever it is part of.

import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import type { ControlPlane } from './control-plane.ts'
import { temporaryFolder } from './leftovers.ts'
import { reservePorts } from './ports.ts'

export interface ByteProxy extends AsyncDisposable {
  /** Path of the administrator's kubeconfig, by way of the proxy. */
  readonly kubeconfig: string
  /** From now on bytes pass as they are. */
  mend(): void
  /** Ends all connections; new ones are taken at once. */
  cut(): void
}

/** Starts a proxy that turns the byte of the ASCII character `from` into `to`. */
export async function startByteProxy(
  plane: Pick<ControlPlane, 'server' | 'caFile' | 'token'>,
  { from, to }: { readonly from: string; readonly to: number },
): Promise<ByteProxy> {
  await using stack = new AsyncDisposableStack()
  const [port = 0] = stack.use(await reservePorts(1)).ports
  const kubeconfig = join(stack.use(temporaryFolder('byte-proxy')).path, 'kubeconfig')
  writeFileSync(kubeconfig, kubeconfigOf(`http://127.0.0.1:${port}`), { mode: 0o600 })
  const upstream = new URL(plane.server)
  const ca = readFileSync(plane.caFile)
  let isBroken = true
  const server = createServer((incoming, outgoing) => {
    // The proxy is the administrator: a client sends no token over a connection that anyone may read.
    const headers = { ...incoming.headers, authorization: `Bearer ${plane.token}`, 'accept-encoding': 'identity' }
    const options = { host: upstream.hostname, port: upstream.port, path: incoming.url, method: incoming.method }
    const call = request({ ...options, headers, ca }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(breaking()).pipe(outgoing)
      answer.on('error', () => outgoing.destroy())
    })
    call.on('error', () => outgoing.destroy())
    outgoing.on('close', () => call.destroy())
    incoming.pipe(call)
  })
  function breaking(): Transform {
    return new Transform({
      transform(chunk: Buffer, _encoding, done) {
        done(null, isBroken ? chunk.map((byte) => (byte === from.charCodeAt(0) ? to : byte)) : chunk)
      },
    })
  }
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const life = stack.move()
  return {
    kubeconfig,
    mend: () => void (isBroken = false),
    cut: () => server.closeAllConnections(),
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await life.disposeAsync()
    },
  }
}

function kubeconfigOf(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server } }],
    users: [{ name: 'test', user: {} }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  })
}
