// Finds resources by the names users give them, asking for discovery as seldom as possible.

import { hasCode } from '../base/errors.ts'
import { Permits } from '../base/permits.ts'
import type { Resource } from '../object/resource.ts'
import { findServed, type Catalogue } from './catalogue.ts'
import type { KubeClient } from './client.ts'
import { discover } from './discovery.ts'

/** Finds what one cluster serves. What a catalogue lacks is looked for in a new one: a CRD may have come since. */
export class ResourceFinder {
  readonly #client: KubeClient
  // Those who ask at the same time share one discovery.
  readonly #turn = new Permits(1)
  #catalogue: Catalogue | undefined

  constructor(client: KubeClient) {
    this.#client = client
  }

  /**
   * The resource that a user names, see `findResource`.
   * @throws KubedeltaError `unknown-resource`; as `discover` does; the signal's reason when it aborts first
   */
  async find(name: string, signal: AbortSignal): Promise<Resource> {
    const asked = this.#catalogue
    const known = this.#known(name)
    if (known !== undefined) return known
    const release = await this.#turn.acquire(signal)
    try {
      const current = this.#catalogue
      const fresh = current === undefined || current === asked ? await discover(this.#client, signal) : current
      this.#catalogue = fresh
      return findServed(fresh, name)
    } finally {
      release()
    }
  }

  #known(name: string): Resource | undefined {
    if (this.#catalogue === undefined) return undefined
    try {
      return findServed(this.#catalogue, name)
    } catch (error) {
      if (hasCode(error, 'unknown-resource')) return undefined
      throw error
    }
  }
}
