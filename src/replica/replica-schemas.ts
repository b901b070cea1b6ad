// Finds the schemas that records were written with: in control records as they come, and at a registry when one is asked for.

import type { Clock } from '../base/clock.ts'
import { Backoff } from '../base/backoff.ts'
import { KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { RecordDecoder } from '../codec/codec.ts'
import type { ObjectBytes } from '../codec/json.ts'
import { SchemaStore } from '../codec/schema-source.ts'

/** Fetches a schema by the id that a registry gave it. @throws KubedeltaError */
export type FetchSchema = (id: number) => Promise<string>

export interface ReplicaSchemasOptions {
  /** undefined where there is no registry. */
  readonly fetchSchema: FetchSchema | undefined
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** What `object` of decoded records is. @default 'copies' */
  readonly objects?: ObjectBytes
}

/** Names a schema that is not known: a fingerprint, or an id of a registry. */
export type SchemaName = string

/** The decoder of a replica, and what it knows of schemas. */
export class ReplicaSchemas {
  readonly decoder: RecordDecoder
  readonly #options: ReplicaSchemasOptions
  readonly #store = new SchemaStore()
  readonly #learned = new Map<string, string>()
  /** Id -> why the registry does not give it, and when it said so. */
  readonly #refused = new Map<number, { readonly error: KubedeltaError; readonly atMs: number }>()

  constructor(options: ReplicaSchemasOptions) {
    this.#options = options
    this.decoder = new RecordDecoder(this.#store, options)
  }

  isKnown(schema: SchemaName): boolean {
    const [, id] = /^id ([0-9]+)$/.exec(schema) ?? []
    return (id === undefined ? this.#store.byFingerprint(schema) : this.#store.byId(Number(id))) !== undefined
  }

  /** Takes over what a control record holds: fingerprint -> schema text. Whether any of it was new. */
  learn(schemas: Readonly<Record<string, string>>): boolean {
    const isNew = Object.keys(schemas).some((fingerprint) => !this.isKnown(fingerprint))
    if (isNew) {
      this.#store.learn(schemas)
      for (const [fingerprint, text] of Object.entries(schemas)) this.#learned.set(fingerprint, text)
    }
    return isNew
  }

  /** All that control records have held so far: fingerprint -> schema text. */
  learned(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#learned)
  }

  /**
   * Fetches a schema, however long the registry cannot be reached: a record that is passed over would not come again. An id that was
   * refused is asked for again after a minute.
   * @throws KubedeltaError `unknown-schema` when there is no registry, or it has no such Avro schema, or refuses; the signal's reason
   */
  async fetch(id: number, signal: AbortSignal): Promise<void> {
    const { fetchSchema, clock, random, log } = this.#options
    const refused = this.#refused.get(id)
    if (refused !== undefined && clock.now() - refused.atMs < ASK_AGAIN_MS) throw refused.error
    if (fetchSchema === undefined) throw noRegistry(id)
    const backoff = new Backoff(clock, random)
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#store.learnId(id, await fetchSchema(id))
        this.#refused.delete(id)
        if (attempt > 1) log.info('schema registry answers again', { id, attempt })
        return
      } catch (error) {
        if (!(error instanceof KubedeltaError)) throw error
        if (!error.retriable) throw this.#refuse(id, error)
        if (attempt === 1) log.warn('waiting for the schema registry', { id, error })
        await clock.sleep(backoff.delay(), signal)
      }
    }
  }

  #refuse(id: number, cause: KubedeltaError): KubedeltaError {
    const error = new KubedeltaError('unknown-schema', cause.message, { cause, fields: { id } })
    this.#refused.set(id, { error, atMs: this.#options.clock.now() })
    return error
  }
}

const ASK_AGAIN_MS = 60_000

function noRegistry(id: number): KubedeltaError {
  return new KubedeltaError(
    'unknown-schema',
    `Cannot decode record: its schema must be known: current value is id ${id} of a schema registry: name that with 'registry'`,
    { fields: { id } },
  )
}

/** The name of the schema that an `unknown-schema` error is about; undefined where it does not say. */
export function schemaNameOf({ fields: { fingerprint, id } }: KubedeltaError): SchemaName | undefined {
  if (typeof fingerprint === 'string') return fingerprint
  return typeof id === 'number' ? `id ${id}` : undefined
}
