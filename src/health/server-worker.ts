// The thread of the health server: answers HTTP while the main thread is busy or blocked.

import fastify from 'fastify'
import type { FastifyReply } from 'fastify'
import { parentPort, workerData } from 'node:worker_threads'
import { messageOf } from '../base/errors.ts'
import { loopCheck } from './liveness.ts'
import type { FromServer, ServerStart, ToServer } from './messages.ts'
import { healthText } from './report.ts'
import type { HealthReport } from './report.ts'

type Answer = Extract<ToServer, { readonly id: number }>

/** Not a library file: it runs only as the worker that `openHealthServer` starts. */
if (parentPort === null) throw new TypeError('Cannot serve health: wanted a worker thread: this is the main thread')

const main = parentPort
const start: ServerStart = workerData
const beat = new BigInt64Array(start.heartbeat)
const waiting = new Map<number, (answer: Answer | undefined) => void>()
let live: HealthReport = { ok: true, checks: [] }
let lastId = 0

const server = fastify({ forceCloseConnections: true })

server.get<{ Querystring: Readonly<Record<string, string>> }>('/livez', (request, reply) => {
  const silentMs = Number((process.hrtime.bigint() - Atomics.load(beat, 0)) / 1_000_000n)
  const loop = loopCheck(silentMs, start.blockedAfterMs)
  const report = { ok: loop.ok && live.ok, checks: [loop, ...live.checks] }
  return sendReport(reply, 'livez', report, request.query)
})

server.get<{ Querystring: Readonly<Record<string, string>> }>('/readyz', async (request, reply) => {
  const answer = await ask('ready')
  if (answer?.kind !== 'ready') return sendBusy(reply)
  return sendReport(reply, 'readyz', answer.report, request.query)
})

server.get('/metrics', async (_request, reply) => {
  const answer = await ask('metrics')
  if (answer?.kind !== 'metrics') return sendBusy(reply)
  return reply.header('content-type', answer.contentType).send(answer.text)
})

server.setNotFoundHandler((_request, reply) =>
  reply.code(404).type('text/plain; charset=utf-8').send('not found: wanted /livez, /readyz or /metrics\n'),
)

main.on('message', (message: ToServer) => {
  switch (message.kind) {
    case 'live':
      live = message.report
      return
    case 'ready':
    case 'metrics':
      waiting.get(message.id)?.(message)
      return
    case 'close':
      void close()
      return
    default:
      message satisfies never
  }
})

try {
  await server.listen({ host: start.host, port: start.port })
  const address = server.server.address()
  say({ kind: 'listening', port: typeof address === 'object' && address !== null ? address.port : start.port })
} catch (error) {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  say({ kind: 'cannot-listen', code, message: messageOf(error) })
  await close()
}

function say(message: FromServer): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread has no origin
  main.postMessage(message)
}

/** Asks the main thread; undefined where it does not answer in time. */
function ask(what: 'ready' | 'metrics'): Promise<Answer | undefined> {
  const id = ++lastId
  const { promise, resolve } = Promise.withResolvers<Answer | undefined>()
  const timer = setTimeout(() => resolve(undefined), start.answerWithinMs)
  waiting.set(id, resolve)
  say({ kind: 'ask', id, what })
  return promise.finally(() => {
    clearTimeout(timer)
    waiting.delete(id)
  })
}

function sendReport(
  reply: FastifyReply,
  endpoint: 'livez' | 'readyz',
  report: HealthReport,
  query: Readonly<Record<string, string>>,
): FastifyReply {
  return reply
    .code(report.ok ? 200 : 503)
    .headers({ 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
    .send(healthText(endpoint, report, 'verbose' in query ? 'verbose' : 'short'))
}

function sendBusy(reply: FastifyReply): FastifyReply {
  return reply
    .code(503)
    .type('text/plain; charset=utf-8')
    .send(`[-]event-loop failed: no answer within ${start.answerWithinMs} ms\n`)
}

async function close(): Promise<void> {
  await server.close()
  main.close()
}
