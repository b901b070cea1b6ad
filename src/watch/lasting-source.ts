// Lists and watches a collection over what may befall a cluster: collections that go and come back, histories that go back.

import type { Clock } from '../base/clock.ts'
import { hasCode, KubedeltaError } from '../base/errors.ts'
import { compareResourceVersions, newerResourceVersion } from '../object/resource-version.ts'
import type { Resource } from '../object/resource.ts'
import type { ListFrame, ListRequest, ListWatch, WatchFrame, WatchRequest } from './source.ts'

/** What can be said about whether a cluster serves a collection. */
export interface Serving {
  /** Whether it is certain that it is not served, in no version. */
  isGone(resource: Resource, signal: AbortSignal): Promise<boolean>
  /** Resolves once it is served. @throws the signal's reason when it aborts first */
  untilServed(resource: Resource, signal: AbortSignal): Promise<void>
}

export interface LastingSourceOptions {
  readonly source: ListWatch
  readonly serving: Serving
  readonly clock: Clock
}

/**
 * A ListWatch for whoever holds what it listed before.
 *
 * - A collection that is gone lists as an empty one, no older than what was asked for; its watch lasts until it is served again, and is
 *   `expired` then. As long as it is not certain that it is gone, it is `not-found`.
 * - A watch from a resourceVersion that the cluster has not reached is `expired`: the apiserver takes it and says nothing until it
 *   has, so that whoever was there before an etcd was restored to an older state would miss all that happens (apiserver
 *   storage/cacher: a watch from the future waits). A small consistent list in front of each watch tells.
 */
export class LastingSource implements ListWatch {
  readonly resource: Resource
  readonly name: string
  readonly #options: LastingSourceOptions
  /** The highest resourceVersion that was asked from: what whoever asks holds already. */
  #highest = ''
  /** The last list was answered here, in place of a collection that is gone. */
  #isGone = false

  constructor(options: LastingSourceOptions) {
    this.resource = options.source.resource
    this.name = options.source.name
    this.#options = options
  }

  async *list(request: ListRequest, signal: AbortSignal): AsyncGenerator<readonly ListFrame[]> {
    this.#highest = newerResourceVersion(this.#highest, request.resourceVersion)
    try {
      yield* this.#options.source.list(request, signal)
      this.#isGone = false
    } catch (error) {
      // The pages of a list stand for one state: one that is gone half-way is listed anew.
      if (!hasCode(error, 'not-found') || request.continue !== undefined || this.#highest === '') throw error
      if (!(await this.#options.serving.isGone(this.resource, signal))) throw error
      this.#isGone = true
      yield [{ kind: 'page', resourceVersion: this.#highest, continue: '' }]
    }
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<readonly WatchFrame[]> {
    if (request.sendInitialEvents !== true) {
      this.#highest = newerResourceVersion(this.#highest, request.resourceVersion)
      if (this.#isGone) {
        if (await this.#isServedWithin(request.timeoutSeconds * 1_000, signal)) throw this.#isBack()
        return
      }
      await this.#checkHistory(request.resourceVersion, signal)
    }
    yield* this.#options.source.watch(request, signal)
  }

  async #isServedWithin(ms: number, signal: AbortSignal): Promise<boolean> {
    const { serving, clock } = this.#options
    const over = new AbortController()
    const both = AbortSignal.any([signal, over.signal])
    const served = serving.untilServed(this.resource, both).then(() => true)
    const late = clock.sleep(ms, both).then(() => false)
    try {
      return await Promise.race([served, late])
    } finally {
      over.abort()
      await Promise.allSettled([served, late])
    }
  }

  #isBack(): KubedeltaError {
    return new KubedeltaError('expired', `Cannot watch ${this.name} from before: it was gone and is served again`)
  }

  async #checkHistory(resourceVersion: string, signal: AbortSignal): Promise<void> {
    let current = ''
    for await (const frames of this.#options.source.list({ resourceVersion: '', limit: 1 }, signal)) {
      for (const frame of frames) if (frame.kind === 'page') current = frame.resourceVersion
    }
    // What cannot be compared is of an apiserver with an order of its own.
    if ((compareResourceVersions(current, resourceVersion) ?? 0) >= 0) return
    throw new KubedeltaError(
      'expired',
      `Cannot go on watching ${this.name}: wanted what comes after resourceVersion ${resourceVersion}: current value is ${current}: the cluster is older than it was before`,
    )
  }
}
