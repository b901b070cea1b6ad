// Keeps a small projection of all pods beside a program, on disk as well: started again, it answers within a second.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { createLogger, createMetrics, topicCache } from 'kubedelta/consumer'
import { answer } from './answer.ts'
import { projected, type Pod } from './pod.ts'

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: 'kafka://localhost:9092' },
    cluster: { type: 'string' },
    directory: { type: 'string', default: 'cache' },
    port: { type: 'string', default: '8080' },
  },
})

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())

const metrics = createMetrics()
const pods = topicCache<Pod>({
  from: values.from,
  ...(values.cluster !== undefined && { cluster: values.cluster }),
  resource: 'pods',
  indexers: { node: ({ spec }) => [spec?.nodeName ?? ''] },
  transform: projected,
  // Another version whenever `projected` changes: what is on disk was made by it.
  snapshot: { directory: values.directory, version: '1' },
  metrics,
  log: createLogger({ level: 'warn' }),
})

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost')
  if (url.pathname === '/metrics') {
    void metrics.text().then((text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text))
    return
  }
  const { status, body } = answer(pods, url)
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
})
server.listen({ host: '127.0.0.1', port: Number(values.port) })
await once(server, 'listening')
const { port }: Partial<AddressInfo> = Object(server.address())
process.stdout.write(`listening on http://127.0.0.1:${port}\n`)

const startedAt = performance.now()
try {
  await Promise.all([pods.run(stopping.signal), sayWhenLive()])
} catch (error) {
  // Interrupted, whatever ends it is its way to end.
  if (!stopping.signal.aborted) {
    process.stderr.write(`cache-sidecar: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
} finally {
  stopping.abort()
  server.close()
  server.closeAllConnections()
}

async function sayWhenLive(): Promise<void> {
  await pods.whenLive(stopping.signal)
  const ms = Math.round(performance.now() - startedAt)
  const isWarm = /^kubedelta_cache_snapshot_reads_total\{.*result="resumed".*\} 1$/m.test(await metrics.text())
  process.stdout.write(`live: ${pods.size()} pods, warm: ${isWarm}, ${ms} ms\n`)
}
