// Against an HTTP server on loopback that stands for the registry.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import type { ErrorCode } from '../../../src/base/errors.ts'
import { SchemaStore } from '../../../src/codec/schema-source.ts'
import { SchemaRegistry } from '../../../src/registry/registry.ts'

test('a schema is registered under the topic with -value, once, and its id is kept', async () => {
  await using server = await startServer(() => [200, { id: 42 }])
  const registry = new SchemaRegistry({ url: `${server.url}/apis/ccompat/v7/` })
  const ids = await Promise.all([
    registry.register('kubedelta.prod.pods', '"int"'),
    registry.register('kubedelta.prod.pods', '"int"'),
  ])
  assert.deepEqual([...ids, await registry.register('kubedelta.prod.pods', '"int"')], [42, 42, 42])
  assert.deepEqual(server.requests, [
    'POST /apis/ccompat/v7/subjects/kubedelta.prod.pods-value/versions {"schema":"\\"int\\"","schemaType":"AVRO"}',
  ])
})

test('a schema is fetched once, by all who ask for it', async () => {
  await using server = await startServer(() => [200, { schema: '"int"' }])
  const registry = new SchemaRegistry({ url: server.url })
  assert.deepEqual(await Promise.all([registry.fetch(7), registry.fetch(7)]), ['"int"', '"int"'])
  const store = new SchemaStore()
  await registry.load(7, store)
  assert.equal(store.byId(7), '"int"')
  assert.deepEqual(server.requests, ['GET /schemas/ids/7 '])
})

test('a failure is not kept: the next call asks again', async () => {
  let attempts = 0
  await using server = await startServer(() => (attempts++ === 0 ? [503, {}] : [200, { schema: '"int"' }]))
  const registry = new SchemaRegistry({ url: server.url })
  await assert.rejects(registry.fetch(7), (error) => hasCode(error, 'server') && error.retriable)
  assert.equal(await registry.fetch(7), '"int"')
})

const answers: ReadonlyArray<readonly [what: string, status: number, body: unknown, code: ErrorCode]> = [
  ['no credentials', 401, {}, 'unauthorized'],
  ['no permission', 403, {}, 'forbidden'],
  ['too many questions', 429, {}, 'throttled'],
  ['an unknown id', 404, { error_code: 40403, message: 'Schema not found' }, 'unknown-schema'],
  ['another schema language', 200, { schema: '{}', schemaType: 'JSON' }, 'unknown-schema'],
  ['a page of a proxy', 200, '<html>', 'unsupported'],
  ['a page of a failing proxy', 502, '<html>', 'server'],
]
for (const [what, status, body, code] of answers) {
  test(`${what} is ${code}`, async () => {
    await using server = await startServer(() => [status, body])
    await assert.rejects(new SchemaRegistry({ url: server.url }).fetch(7), (error) => hasCode(error, code))
  })
}

test('an incompatible schema is rejected in the words of the registry', async () => {
  await using server = await startServer(() => [409, { error_code: 409, message: 'reader field lacks a default' }])
  await assert.rejects(
    new SchemaRegistry({ url: server.url }).register('t', '"int"'),
    (error) => hasCode(error, 'rejected') && error.message.includes('reader field lacks a default'),
  )
})

test('a registry that does not listen is unreachable', async () => {
  const server = await startServer(() => [200, {}])
  await server[Symbol.asyncDispose]()
  await assert.rejects(new SchemaRegistry({ url: server.url }).fetch(7), (error) => hasCode(error, 'unreachable'))
})

test('a registry that does not answer in time is a timeout', async () => {
  await using server = await startServer(() => undefined)
  const registry = new SchemaRegistry({ url: server.url, timeoutMs: 20 })
  await assert.rejects(registry.fetch(7), (error) => hasCode(error, 'timeout'))
})

test('a URL of another protocol, or with credentials, is refused without being shown', () => {
  for (const url of ['registry:8081', 'kafka://registry', 'http://me:secret@registry', '']) {
    assert.throws(
      () => new SchemaRegistry({ url }),
      (error) => hasCode(error, 'usage') && !error.message.includes('secret'),
    )
  }
})

interface TestServer extends AsyncDisposable {
  readonly url: string
  /** `METHOD path body` of each request. */
  readonly requests: readonly string[]
}

/** @param answer status and body of the next answer; undefined: none comes */
async function startServer(answer: () => readonly [number, unknown] | undefined): Promise<TestServer> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      requests.push(`${request.method} ${request.url} ${body}`)
      const given = answer()
      if (given === undefined) return
      response.statusCode = given[0]
      response.end(typeof given[1] === 'string' ? given[1] : JSON.stringify(given[1]))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
