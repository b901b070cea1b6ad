// The one place where real time and loopback are needed: what is claimed is that a thread answers while another stands still.

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { hasCode } from '../../../src/base/errors.ts'
import { createMetrics } from '../../../src/base/metrics.ts'
import { openHealthServer } from '../../../src/health/server.ts'
import type { HealthServerOptions, HealthSource } from '../../../src/health/server.ts'
import type { HealthReport } from '../../../src/health/report.ts'

const healthy: HealthReport = { ok: true, checks: [{ name: 'watch pods', ok: true, detail: '' }] }
const silent: HealthReport = { ok: false, checks: [{ name: 'watch pods', ok: false, detail: 'open 42 s past' }] }

function options(source: Partial<HealthSource>, more: Partial<HealthServerOptions> = {}): HealthServerOptions {
  return {
    host: '127.0.0.1',
    port: 0,
    source: { live: () => healthy, ready: () => healthy, ...source },
    metrics: createMetrics(),
    ...more,
  }
}

async function get(url: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(url)
  return { status: answer.status, text: await answer.text() }
}

test('/livez and /readyz say ok, or what failed', async () => {
  let ready = healthy
  await using server = await openHealthServer(options({ ready: () => ready }))
  assert.deepEqual(await get(`${server.url}/livez`), { status: 200, text: 'ok' })
  assert.deepEqual(await get(`${server.url}/livez?verbose`), {
    status: 200,
    text: '[+]event-loop ok\n[+]watch pods ok\nlivez check passed\n',
  })
  assert.deepEqual(await get(`${server.url}/readyz`), { status: 200, text: 'ok' })
  ready = silent
  assert.deepEqual(await get(`${server.url}/readyz`), {
    status: 503,
    text: '[-]watch pods failed: open 42 s past\nreadyz check failed\n',
  })
})

test('/livez turns 503 for a silent watch', async () => {
  await using server = await openHealthServer(options({ live: () => silent }))
  const { status, text } = await get(`${server.url}/livez`)
  assert.equal(status, 503)
  assert.match(text, /^\[-\]watch pods failed: open 42 s past$/m)
})

test('/livez answers 503 while the main thread is blocked, and 200 again afterwards', async () => {
  await using server = await openHealthServer(options({}, { blockedAfterMs: 200, beatEveryMs: 20 }))
  await untilLive(server.url)
  const answer = askWhileBlocked(`${server.url}/livez`, 503)
  assert.match(answer, /^503 \[-\]event-loop failed: blocked for [0-9.]+ s$/m)
  await untilLive(server.url)
})

test('/metrics prints the metrics of the main thread', async () => {
  const metrics = createMetrics()
  metrics.counter('kubedelta_fenced_total', 'Times this bridge was fenced', []).inc({}, 3)
  await using server = await openHealthServer(options({}, { metrics }))
  const answer = await fetch(`${server.url}/metrics`)
  assert.equal(answer.headers.get('content-type'), metrics.contentType)
  assert.match(await answer.text(), /^kubedelta_fenced_total 3$/m)
})

test('an unknown path is 404 and names the known ones', async () => {
  await using server = await openHealthServer(options({}))
  assert.deepEqual(await get(`${server.url}/`), {
    status: 404,
    text: 'not found: wanted /livez, /readyz or /metrics\n',
  })
})

test('a busy port is a usage error that says so', async () => {
  await using other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const address = other.address()
  assert.ok(typeof address === 'object' && address !== null)
  await assert.rejects(openHealthServer(options({}, { port: address.port })), (error) => {
    assert.ok(hasCode(error, 'usage'))
    assert.equal(error.fields.busy, true)
    assert.match(error.message, /--metrics-listen: current value is 127\.0\.0\.1:[0-9]+: it is in use$/)
    return true
  })
})

test('run ends with the signal, and fails when the source throws', async () => {
  const stop = new AbortController()
  await using server = await openHealthServer(options({}))
  const running = server.run(stop.signal)
  stop.abort()
  await running

  await using broken = await openHealthServer(
    options({
      live: () => {
        throw new RangeError('a bug')
      },
    }),
  )
  await assert.rejects(broken.run(new AbortController().signal), (error) => hasCode(error, 'internal'))
})

/** A machine that is busy with something else may keep this thread from its beats for a while. */
async function untilLive(url: string): Promise<void> {
  while ((await get(`${url}/livez`)).status !== 200);
}

/** Asks from another thread and blocks this one until the wanted status is there; returns status and body. */
function askWhileBlocked(url: string, wanted: number): string {
  const shared = new SharedArrayBuffer(4096)
  const length = new Int32Array(shared, 0, 1)
  const asker = new Worker(
    `const { workerData } = require('node:worker_threads')
     const length = new Int32Array(workerData.shared, 0, 1)
     const bytes = new Uint8Array(workerData.shared, 4)
     async function ask() {
       for (;;) {
         const answer = await fetch(workerData.url)
         const text = answer.status + ' ' + (await answer.text())
         if (answer.status !== workerData.wanted) continue
         const { written } = new TextEncoder().encodeInto(text, bytes)
         Atomics.store(length, 0, written)
         Atomics.notify(length, 0)
         return
       }
     }
     ask()`,
    { eval: true, workerData: { url, wanted, shared } },
  )
  asker.unref()
  assert.notEqual(Atomics.wait(length, 0, 0, 60_000), 'timed-out')
  return Buffer.from(new Uint8Array(shared, 4, Atomics.load(length, 0)).slice()).toString()
}
