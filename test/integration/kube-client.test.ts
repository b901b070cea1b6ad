// The client of the apiserver over real sockets: what it sends, how it fails, and what it leaves behind.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { describe, test } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { hasCode } from '../../src/base/errors.ts'
import { silentLogger, type LogFields, type Logger } from '../../src/base/log.ts'
import { createKubeClient, type KubeClient, type KubeClientOptions } from '../../src/kube/client.ts'
import type { Credentials } from '../../src/kube/credentials.ts'
import type { Resource } from '../../src/object/resource.ts'
import { createHttpSource } from '../../src/watch/http-source.ts'
import { collect } from '../unit/kube/collect.ts'

const { signal } = new AbortController()

interface Loopback extends AsyncDisposable {
  readonly url: string
  readonly requests: readonly IncomingMessage[]
  /** Sockets that are open now. */
  connections(): Promise<number>
  destroySockets(): void
}

async function listen(answer: RequestListener): Promise<Loopback> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
    destroySockets: () => server.closeAllConnections(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Credentials whose tokens are used up one after the other, the last for ever. */
function credentialsOf(server: string, ...tokens: readonly string[]): Credentials {
  let used = 0
  return {
    server,
    source: 'test',
    namespace: undefined,
    proxy: undefined,
    authorize: async () => ({ headers: { authorization: `Bearer ${tokens[used] ?? 'token'}` }, tls: {} }),
    refresh: () => {
      used = Math.min(used + 1, Math.max(0, tokens.length - 1))
    },
  }
}

function clientOf(server: string, options: Partial<KubeClientOptions> = {}): KubeClient {
  return createKubeClient({
    credentials: credentialsOf(server),
    userAgent: 'kubedelta/test',
    clock: systemClock,
    log: silentLogger,
    ...options,
  })
}

function json(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
}

test('client sends token, agent, identity encoding and only what the query holds', async () => {
  await using server = await listen((_, response) => json(response, 200, { ok: true }))
  await using client = clientOf(`${server.url}/prefix/`.replace(/\/$/, ''))
  const query = { limit: '5', labelSelector: 'a in (b,c)', continue: '', resourceVersion: undefined }
  assert.deepEqual(await client.get('/api/v1/pods', { signal, query }), { ok: true })
  const [request] = server.requests
  assert.equal(request?.url, '/prefix/api/v1/pods?limit=5&labelSelector=a+in+%28b%2Cc%29')
  assert.equal(request?.headers.authorization, 'Bearer token')
  assert.equal(request?.headers['user-agent'], 'kubedelta/test')
  assert.equal(request?.headers.accept, 'application/json')
  assert.equal(request?.headers['accept-encoding'], 'identity')
})

test('client reads a refusal with its Retry-After', async () => {
  const status = { kind: 'Status', code: 429, reason: 'TooManyRequests', message: 'slow down' }
  await using server = await listen((_, response) => json(response, 429, status, { 'retry-after': '3' }))
  await using client = clientOf(server.url)
  await assert.rejects(
    client.get('/api', { signal, action: 'Cannot list pods' }),
    (error) =>
      hasCode(error, 'throttled') &&
      error.fields['retryAfterMs'] === 3000 &&
      error.message.startsWith('Cannot list pods: '),
  )
  assert.equal(server.requests.length, 1)
})

test('client says when a 200 is no JSON', async () => {
  await using server = await listen((_, response) => response.end('<html>login'))
  await using client = clientOf(server.url)
  await assert.rejects(
    client.get('/api', { signal }),
    (error) => hasCode(error, 'server') && error.message.endsWith('the answer begins "<html>login"'),
  )
})

describe('a refused token', () => {
  const answer: RequestListener = (request, response) =>
    request.headers.authorization === 'Bearer fresh'
      ? json(response, 200, {})
      : json(response, 401, { kind: 'Status', code: 401, reason: 'Unauthorized', message: 'Unauthorized' })

  test('is replaced once', async () => {
    await using server = await listen(answer)
    await using client = clientOf(server.url, { credentials: credentialsOf(server.url, 'stale', 'fresh') })
    await client.get('/api', { signal })
    assert.equal(server.requests.length, 2)
  })

  test('is not tried again when there is no other', async () => {
    await using server = await listen(answer)
    await using client = clientOf(server.url, { credentials: credentialsOf(server.url, 'stale') })
    await assert.rejects(client.get('/api', { signal }), (error) => hasCode(error, 'unauthorized'))
    assert.equal(server.requests.length, 1)
  })
})

test('a refused connection is told from others', async () => {
  const server = await listen(() => {})
  const { url } = server
  await server[Symbol.asyncDispose]()
  await using client = clientOf(url)
  await assert.rejects(client.get('/api', { signal }), (error) => {
    return hasCode(error, 'unreachable') && error.fields['refused'] === true && error.fields['opening'] === true
  })
})

test('a reset before the answer is unreachable while opening', async () => {
  await using server = await listen((request) => request.socket.resetAndDestroy())
  await using client = clientOf(server.url)
  await assert.rejects(client.get('/api', { signal }), (error) => {
    return hasCode(error, 'unreachable') && error.fields['refused'] === false && error.fields['opening'] === true
  })
})

test('a reset within the answer is unreachable no longer opening', async () => {
  await using server = await listen((request, response) => {
    response.write('{', () => request.socket.resetAndDestroy())
  })
  await using client = clientOf(server.url)
  await assert.rejects(client.get('/api', { signal }), (error) => {
    return hasCode(error, 'unreachable') && error.fields['opening'] === false
  })
})

test('a server that falls silent is given up', async () => {
  await using server = await listen((_, response) => {
    response.write('{')
  })
  await using client = clientOf(server.url)
  await assert.rejects(client.get('/api', { signal, silenceMs: 100 }), (error) => {
    return hasCode(error, 'unreachable') && /fell silent/.test(error.message)
  })
})

test('an abort ends a request with the reason of the signal, before and within the answer', async () => {
  await using server = await listen((request, response) => {
    if (request.url === '/begun') response.write('{')
  })
  await using client = clientOf(server.url)
  for (const path of ['/silent', '/begun']) {
    const abort = new AbortController()
    const asking = client.get(path, { signal: abort.signal })
    const reason = new Error('enough')
    setImmediate(() => abort.abort(reason))
    await assert.rejects(asking, reason)
  }
  await assert.rejects(client.get('/silent', { signal: AbortSignal.abort(new Error('before')) }), /before/)
})

test('requests beyond the burst wait, and a long wait is logged', async () => {
  await using server = await listen((_, response) => json(response, 200, {}))
  const lines: Array<[string, LogFields | undefined]> = []
  const log: Logger = { ...silentLogger, info: (message, fields) => void lines.push([message, fields]) }
  const slept: number[] = []
  const clock = { now: () => 0, sleep: async (ms: number) => void slept.push(ms) }
  await using client = clientOf(server.url, { qps: 1, burst: 1, clock, log })
  await client.get('/api', { signal })
  await client.get('/api', { signal })
  await client.get('/apis', { signal })
  assert.deepEqual(slept, [1000, 2000])
  assert.deepEqual(lines, [['waited for --qps and --burst', { path: '/apis', waitedMs: 2000 }]])
})

test('disposing of the client ends an open watch', async () => {
  await using server = await listen((_, response) => {
    response.write('{}\n')
  })
  const client = clientOf(server.url)
  const answer = await client.stream('/watch', { signal })
  const reading = collect(answer.body)
  await client[Symbol.asyncDispose]()
  await assert.rejects(reading, (error) => hasCode(error, 'unreachable'))
})

const configMaps: Resource = {
  group: '',
  version: 'v1',
  resource: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
  singular: 'configmap',
  shortNames: [],
  verbs: [],
}

function event(index: number): string {
  const metadata = { name: `n${index}`, namespace: 'shop', uid: 'u', resourceVersion: String(index) }
  const object = { kind: 'ConfigMap', apiVersion: 'v1', metadata, data: { padding: 'x'.repeat(10_000) } }
  return `${JSON.stringify({ type: 'ADDED', object })}\n`
}

test('not pulling a watch stops the socket, and pulling on loses nothing', async () => {
  const EVENTS = 5_000
  let sent = 0
  const stalled = Promise.withResolvers<void>()
  await using server = await listen((_, response) => {
    function send(): void {
      while (sent < EVENTS) {
        sent += 1
        if (!response.write(event(sent))) {
          const patience = setTimeout(() => stalled.resolve(), 300)
          response.once('drain', () => {
            clearTimeout(patience)
            send()
          })
          return
        }
      }
      response.end()
    }
    send()
  })
  await using client = clientOf(server.url)
  const source = createHttpSource({ client, resource: configMaps })
  const frames = source.watch({ resourceVersion: '1', timeoutSeconds: 300 }, signal)[Symbol.asyncIterator]()
  const first = await frames.next()
  // The server has not got rid of an event for as long as its patience lasts: nobody takes them.
  await stalled.promise
  assert.ok(sent < EVENTS / 2, `${sent} of ${EVENTS} events of 10 kB were taken`)
  let seen = first.value?.length ?? 0
  for (let next = await frames.next(); !next.done; next = await frames.next()) seen += next.value.length
  assert.equal(seen, EVENTS)
})

test('leaving a watch closes its socket', async () => {
  const closed = Promise.withResolvers<void>()
  await using server = await listen((request, response) => {
    request.socket.once('close', () => closed.resolve())
    response.write(event(1))
  })
  await using client = clientOf(server.url)
  const source = createHttpSource({ client, resource: configMaps })
  for await (const frames of source.watch({ resourceVersion: '1', timeoutSeconds: 300 }, signal)) {
    if (frames.length > 0) break
  }
  await closed.promise
  assert.equal(await server.connections(), 0)
})

test('a watch that is reset ends without an error', async () => {
  await using server = await listen((request, response) => {
    response.write(event(1), () => request.socket.resetAndDestroy())
  })
  await using client = clientOf(server.url)
  const source = createHttpSource({ client, resource: configMaps })
  await collect(source.watch({ resourceVersion: '1', timeoutSeconds: 300 }, signal))
})

test('an aborted watch ends with the reason of the signal', async () => {
  await using server = await listen((_, response) => {
    response.write(event(1))
  })
  await using client = clientOf(server.url)
  const source = createHttpSource({ client, resource: configMaps })
  const abort = new AbortController()
  const reason = new Error('enough')
  await assert.rejects(async () => {
    for await (const _ of source.watch({ resourceVersion: '1', timeoutSeconds: 300 }, abort.signal)) abort.abort(reason)
  }, reason)
})
