// Keeps a catalogue up to date: asks again every so often, and soon when somebody has a reason to.

import { abortable } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { fromUnknown } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { Permits } from '../base/permits.ts'
import type { Resource } from '../object/resource.ts'
import { presenceOf, type Catalogue } from './catalogue.ts'

export interface CatalogueWatchOptions {
  /** Asks the cluster what it serves. */
  readonly discover: (signal: AbortSignal) => Promise<Catalogue>
  /** What it served when it was asked last. */
  readonly catalogue: Catalogue
  /** Milliseconds between two questions. */
  readonly everyMs: number
  /** Whether it is asked without a reason too; otherwise only while somebody waits for a collection to come back. */
  readonly always: boolean
  readonly clock: Clock
  readonly log: Logger
}

/** What a cluster serves, as that changes. */
export class CatalogueWatch {
  readonly #options: CatalogueWatchOptions
  // Those who ask at the same time share one discovery.
  readonly #turn = new Permits(1)
  #current: Catalogue
  #read = Promise.withResolvers<void>()
  #isNudged = false
  #wake = (): void => {}
  #waiting = 0
  #isTroubled = false

  constructor(options: CatalogueWatchOptions) {
    this.#options = options
    this.#current = options.catalogue
  }

  get current(): Catalogue {
    return this.#current
  }

  /**
   * Asks now.
   * @throws KubedeltaError as discovery does; the signal's reason when it aborts first
   */
  async look(signal: AbortSignal): Promise<Catalogue> {
    const asked = this.#current
    const release = await this.#turn.acquire(signal)
    try {
      if (this.#current === asked) this.#take(await this.#options.discover(signal))
      return this.#current
    } finally {
      release()
    }
  }

  /** Asks soon, and once more a little later: discovery shows a new definition some time after its object is there. */
  nudge(): void {
    this.#isNudged = true
    this.#wake()
  }

  /** The catalogue that is known, then each one that is read; of several while nobody took one, the last. Ends by the signal's reason. */
  async *catalogues(signal: AbortSignal): AsyncGenerator<Catalogue> {
    for (let last: Catalogue | undefined; ;) {
      if (this.#current === last) await abortable(this.#read.promise, signal)
      signal.throwIfAborted()
      last = this.#current
      yield last
    }
  }

  /** Whether the cluster says, asked now, that it does not serve a collection in any version. False where that cannot be told. */
  async isGone(resource: Pick<Resource, 'group' | 'resource'>, signal: AbortSignal): Promise<boolean> {
    try {
      return presenceOf(await this.look(signal), resource) === 'gone'
    } catch (error) {
      signal.throwIfAborted()
      this.#failed(error)
      return false
    }
  }

  /** Resolves once the cluster serves the collection. @throws the signal's reason when it aborts first */
  async untilServed(resource: Pick<Resource, 'group' | 'resource'>, signal: AbortSignal): Promise<void> {
    this.#waiting++
    try {
      for await (const catalogue of this.catalogues(signal)) {
        if (presenceOf(catalogue, resource) === 'served') return
      }
    } finally {
      this.#waiting--
    }
  }

  /** Resolves when the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { everyMs, always } = this.#options
    let waits: readonly number[] = []
    while (!signal.aborted) {
      const [next = everyMs, ...later] = waits
      const isDue = await this.#sleep(next, { isDeaf: waits.length === SETTLING_MS.length, signal })
      if (signal.aborted) return
      waits = isDue ? later : SETTLING_MS
      if (!isDue || !(always || this.#waiting > 0 || next < everyMs)) continue
      await this.look(signal).catch((error: unknown) => {
        if (!signal.aborted) this.#failed(error)
      })
    }
  }

  /** Whether the time has passed; false when somebody has nudged before. */
  async #sleep(
    ms: number,
    { isDeaf, signal }: { readonly isDeaf: boolean; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const over = new AbortController()
    if (!isDeaf) {
      if (this.#isNudged) over.abort()
      this.#wake = () => over.abort()
    }
    const isDue = await this.#options.clock.sleep(ms, AbortSignal.any([signal, over.signal])).then(
      () => true,
      // Aborted, by a nudge or by the signal, which the caller looks at.
      () => false,
    )
    this.#wake = () => {}
    if (!isDue) this.#isNudged = false
    return isDue
  }

  #take(catalogue: Catalogue): void {
    if (this.#isTroubled) this.#options.log.info('discovery answers again', {})
    this.#isTroubled = false
    this.#current = catalogue
    const read = this.#read
    this.#read = Promise.withResolvers()
    read.resolve()
  }

  /** What was known stays; whether the cluster can be reached at all is for those who list to say. */
  #failed(cause: unknown): void {
    const error = fromUnknown(cause, 'Cannot discover resources')
    if (error.code === 'internal') throw error
    if (!this.#isTroubled)
      this.#options.log.warn('what the cluster serves cannot be read, going on with what is known', { error })
    this.#isTroubled = true
  }
}

const SETTLING_MS: readonly number[] = [1_000, 9_000]
