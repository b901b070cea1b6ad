// Registers this version's schema at a schema registry and fetches the schemas that others registered.

import { request } from 'undici'
import { KubedeltaError, messageOf, type ErrorCode } from '../base/errors.ts'
import { at } from '../base/fields.ts'

export interface SchemaRegistryOptions {
  /** Base URL, such as `http://registry:8081`; may have a path. */
  readonly url: string
  /** How long one request may take. @default 10_000 */
  readonly timeoutMs?: number
}

/** Takes over what `SchemaRegistry.load` fetched. */
export interface SchemaSink {
  learnId(id: number, text: string): void
}

/**
 * A client of a Confluent-compatible schema registry (Confluent, Karapace, Apicurio's ccompat).
 *
 * - Each question is asked once: answers are kept for good, since a registry never changes what an id means, and
 *   questions asked meanwhile share the request. A failure is not kept: the next call asks again.
 * - One call is one attempt; retrying is the caller's.
 */
export class SchemaRegistry {
  readonly #base: string
  readonly #timeoutMs: number
  readonly #registered = new Map<string, Promise<number>>()
  readonly #fetched = new Map<number, Promise<string>>()

  /** @throws KubedeltaError `usage` when the URL is not http or https, or holds credentials */
  constructor({ url, timeoutMs = 10_000 }: SchemaRegistryOptions) {
    const parsed = URL.parse(url)
    const fits =
      parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.password === ''
    if (!fits) {
      throw new KubedeltaError('usage', 'Cannot use schema registry: wanted an http or https URL without credentials')
    }
    this.#base = parsed.href.replace(/\/+$/, '')
    this.#timeoutMs = timeoutMs
  }

  /**
   * Registers a schema as the value schema of a topic (subject `<topic>-value`), or finds it registered.
   * @returns the id that Confluent frames carry
   * @throws KubedeltaError `rejected` (incompatible with what is registered), `unauthorized`, `forbidden`, `unreachable`,
   *   `timeout`, `throttled`, `server`
   */
  register(topic: string, schemaText: string): Promise<number> {
    return once(this.#registered, `${topic}\n${schemaText}`, async () => {
      const action = `Cannot register schema of topic ${topic}`
      const path = `/subjects/${encodeURIComponent(`${topic}-value`)}/versions`
      const answer = await this.#ask(action, path, JSON.stringify({ schema: schemaText, schemaType: 'AVRO' }))
      return idOf(answer, action)
    })
  }

  /**
   * Fetches a schema by the id of a Confluent frame.
   * @throws KubedeltaError `unknown-schema` when the registry does not know it, or it is no Avro schema; otherwise as `register`
   */
  fetch(id: number): Promise<string> {
    return once(this.#fetched, id, async () => {
      const action = `Cannot fetch schema ${id}`
      return schemaOf(await this.#ask(action, `/schemas/ids/${id}`), action)
    })
  }

  /** Fetches a schema into a store, so that the decoder finds it. @throws as `fetch` */
  async load(id: number, into: SchemaSink): Promise<void> {
    into.learnId(id, await this.fetch(id))
  }

  async #ask(action: string, path: string, body?: string): Promise<unknown> {
    const { status, text } = await this.#exchange(action, path, body)
    if (status >= 200 && status < 300) return parseAnswer(text, action)
    throw new KubedeltaError(
      codeOfStatus(status, body === undefined),
      `${action}: the schema registry must accept it: current value is HTTP ${status} ${reasonOf(text)}`,
      { fields: { status } },
    )
  }

  async #exchange(
    action: string,
    path: string,
    body: string | undefined,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const signal = AbortSignal.timeout(this.#timeoutMs)
    const headers = { accept: MEDIA_TYPE, ...(body === undefined ? {} : { 'content-type': MEDIA_TYPE }) }
    try {
      const method = body === undefined ? 'GET' : 'POST'
      // `reset` closes the connection: questions are rare, and nothing is left open between them.
      const answer = await request(this.#base + path, { method, headers, body: body ?? null, signal, reset: true })
      return { status: answer.statusCode, text: await answer.body.text() }
    } catch (error) {
      if (signal.aborted) {
        const message = `${action}: the schema registry must answer within ${this.#timeoutMs} ms: current value is no answer`
        throw new KubedeltaError('timeout', message, { cause: error })
      }
      const reason = messageOf(error)
      throw new KubedeltaError('unreachable', `${action}: the schema registry must be reachable: ${reason}`, {
        cause: error,
      })
    }
  }
}

const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json'

/** One request a key: kept when it succeeds, forgotten when it fails. */
async function once<K, V>(kept: Map<K, Promise<V>>, key: K, ask: () => Promise<V>): Promise<V> {
  const known = kept.get(key)
  if (known !== undefined) return known
  const asked = ask()
  kept.set(key, asked)
  try {
    return await asked
  } catch (error) {
    kept.delete(key)
    throw error
  }
}

function codeOfStatus(status: number, isLookup: boolean): ErrorCode {
  if (status === 401) return 'unauthorized'
  if (status === 403) return 'forbidden'
  if (status === 429) return 'throttled'
  if (status === 404 && isLookup) return 'unknown-schema'
  return status >= 500 ? 'server' : 'rejected'
}

function parseAnswer(text: string, action: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new KubedeltaError(
      'unsupported',
      `${action}: the schema registry must answer JSON: current value is other text`,
      {
        cause: error,
      },
    )
  }
}

function idOf(answer: unknown, action: string): number {
  const id = at(answer, 'id')
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < 2 ** 32) return id
  throw new KubedeltaError('unsupported', `${action}: the answer must hold an id of 32 bits: current value is none`)
}

function schemaOf(answer: unknown, action: string): string {
  const type = at(answer, 'schemaType') ?? 'AVRO'
  const schema = at(answer, 'schema')
  if (type === 'AVRO' && typeof schema === 'string') return schema
  throw new KubedeltaError(
    'unknown-schema',
    `${action}: it must be an Avro schema: current value is of type ${JSON.stringify(type)}`,
  )
}

/** The `message` of the registry's error, which names what is incompatible. */
function reasonOf(text: string): string {
  try {
    const message = at(JSON.parse(text), 'message')
    if (typeof message === 'string') return message.slice(0, 500)
  } catch {
    // A proxy's page: its status says enough.
  }
  return ''
}
