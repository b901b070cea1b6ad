// Decodes the values of a topic with the writer schemas that are met on the way, or that a registry knows.

import { hasCode, KubedeltaError } from '../base/errors.ts'
import { RecordDecoder } from '../codec/codec.ts'
import { SchemaStore } from '../codec/schema-source.ts'
import { fromHeaders, isReservedKey } from '../record/control.ts'
import type { KubeRecord } from '../record/record.ts'
import { SchemaRegistry } from '../registry/registry.ts'
import type { StoredRecord } from '../topic/port.ts'

/** Writer schemas as they are met: in progress records, and from a registry when an id is asked for. */
export class RecordSchemas {
  readonly #store = new SchemaStore()
  readonly #decoder = new RecordDecoder(this.#store)
  readonly #registry: SchemaRegistry | undefined

  constructor(registryUrl: string | undefined) {
    this.#registry = registryUrl === undefined ? undefined : new SchemaRegistry({ url: registryUrl })
  }

  /** @throws KubedeltaError `corrupt` for a control record with damaged headers */
  learn({ key, value, headers }: StoredRecord): void {
    if (value !== null) return
    const name = key.toString('utf8')
    const control = isReservedKey(name) ? fromHeaders(name, headers) : undefined
    if (control !== undefined) this.#store.learn(control.schemas)
  }

  async decode(value: Buffer): Promise<KubeRecord> {
    try {
      return this.#decoder.decode(value)
    } catch (error) {
      if (!hasCode(error, 'unknown-schema') || typeof error.fields.id !== 'number') throw error
      if (this.#registry === undefined) {
        throw new KubedeltaError('unknown-schema', `${error.message}: pass --registry URL`, { cause: error })
      }
      await this.#registry.load(error.fields.id, this.#store)
      return this.#decoder.decode(value)
    }
  }
}
