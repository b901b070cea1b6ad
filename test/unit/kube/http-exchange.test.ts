import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, test } from 'node:test'
import type { Dispatcher } from 'undici'
import { exchange, type ExchangeAnswer } from '../../../src/kube/http-exchange.ts'

const { signal } = new AbortController()
const request = { origin: 'http://fake', path: '/', headers: {}, headersTimeout: 1, bodyTimeout: 1 }

/** A connection by hand: what the client does with it, and what the server says. */
class FakeConnection {
  readonly controller = {
    paused: false,
    aborted: false,
    reason: null,
    abort: () => void (this.controller.aborted = true),
    pause: () => void (this.controller.paused = true),
    resume: () => void (this.controller.paused = false),
  }
  #handler: Dispatcher.DispatchHandler = {}

  dispatch(_options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.#handler = handler
    return true
  }

  start(): void {
    this.#handler.onRequestStart?.(this.controller, undefined)
  }

  answer(): void {
    this.start()
    this.#handler.onResponseStart?.(this.controller, 200, {})
  }

  say(text: string): void {
    this.#handler.onResponseData?.(this.controller, Buffer.from(text))
  }

  end(): void {
    this.#handler.onResponseEnd?.(this.controller, {})
  }

  fail(error: Error): void {
    this.#handler.onResponseError?.(this.controller, error)
  }
}

async function begin(given: AbortSignal = signal): Promise<{ connection: FakeConnection; answer: ExchangeAnswer }> {
  const connection = new FakeConnection()
  const begun = exchange(connection, { ...request, signal: given })
  connection.answer()
  return { connection, answer: await begun }
}

async function textsOf(answer: ExchangeAnswer): Promise<readonly string[]> {
  const texts: string[] = []
  for await (const chunks of answer.body) texts.push(chunks.join('+'))
  return texts
}

describe('an answer', () => {
  test('hands out together what came in one turn of the event loop', async () => {
    const { connection, answer } = await begin()
    const texts = textsOf(answer)
    connection.say('a')
    connection.say('b')
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    connection.say('c')
    connection.end()
    assert.deepEqual(await texts, ['a+b', 'c'])
  })

  test('stops the socket when nobody pulls, and lets it go on when somebody does', async () => {
    const { connection, answer } = await begin()
    connection.say('x'.repeat(100_000))
    assert.equal(connection.controller.paused, false)
    connection.say('x'.repeat(100_000))
    assert.equal(connection.controller.paused, true)
    const body = answer.body[Symbol.asyncIterator]()
    await body.next()
    assert.equal(connection.controller.paused, false)
    await body.return?.()
  })

  test('that is left ends the request', async () => {
    const { connection, answer } = await begin()
    connection.say('a')
    for await (const chunks of answer.body) if (chunks.length > 0) break
    assert.equal(connection.controller.aborted, true)
  })

  test('that breaks hands out what came before', async () => {
    const { connection, answer } = await begin()
    connection.say('a')
    connection.fail(new Error('reset'))
    const body = answer.body[Symbol.asyncIterator]()
    assert.deepEqual(await body.next(), { value: [Buffer.from('a')], done: false })
    await assert.rejects(body.next(), /reset/)
  })

  test('that is aborted hands out nothing more', async () => {
    const abort = new AbortController()
    const { connection, answer } = await begin(abort.signal)
    connection.say('a')
    const reason = new Error('enough')
    abort.abort(reason)
    await assert.rejects(textsOf(answer), reason)
    assert.equal(connection.controller.aborted, true)
  })
})

describe('a request', () => {
  test('that is aborted before there is a connection fails at once, and ends when there is one', async () => {
    const abort = new AbortController()
    const connection = new FakeConnection()
    const begun = exchange(connection, { ...request, signal: abort.signal })
    const reason = new Error('enough')
    abort.abort(reason)
    await assert.rejects(begun, reason)
    connection.start()
    assert.equal(connection.controller.aborted, true)
  })

  test('that cannot be sent fails and leaves no listener', async () => {
    const abort = new AbortController()
    const broken = {
      dispatch: () => {
        throw new Error('destroyed')
      },
    }
    await assert.rejects(exchange(broken, { ...request, signal: abort.signal }), /destroyed/)
    assert.equal(getEventListeners(abort.signal, 'abort').length, 0)
  })
})
