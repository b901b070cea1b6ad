// A collection of an apiserver in memory that lists, watches, forgets its history and fails on demand.

import type { KubedeltaError } from '../base/errors.ts'
import { keyOf } from '../object/key.ts'
import type { RawObject } from '../object/raw-object.ts'
import type { Resource } from '../object/resource.ts'
import type { ListFrame, ListRequest, ListWatch, WatchFrame, WatchRequest } from '../watch/source.ts'
import { fakeObject, PODS, type FakeObject } from './fake-objects.ts'
import {
  corruptError,
  cutError,
  expiredError,
  invalidError,
  opened,
  serverError,
  tooLargeError,
  type FakeFault,
} from './fake-faults.ts'
import { FakePast } from './fake-past.ts'
import { FakeWatch } from './fake-watch.ts'

export type FakeRequest = ({ readonly kind: 'list' } & ListRequest) | ({ readonly kind: 'watch' } & WatchRequest)

export interface FakeSourceOptions {
  /** @default pods */
  readonly resource?: Resource
  /** Whether a watch with sendInitialEvents is understood. @default true */
  readonly watchList?: boolean
  /** Whether lists of RV "0" and N come from a cache, which knows no pages. @default true */
  readonly watchCache?: boolean
  /** The collection's resourceVersion before the first change. @default 0, where no real apiserver ever is */
  readonly resourceVersion?: number
}

export interface FakeChange {
  /** The change happens and no watch hears of it, as when events were lost. @default false */
  readonly dropWatch?: boolean
}

/**
 * The apiserver of a test, after client-go's FakeControllerSource (tools/cache/testing/fake_controller_source.go).
 *
 * - Each change takes the next integer as resourceVersion.
 * - A watch gets what came after its resourceVersion; it is `expired` where the history was flushed, an error where that is yet to come.
 * - Faults are taken in the order in which they were given, each by one request.
 *
 * @example
 * const source = new FakeSource()
 * source.add({ name: 'cart-0' })
 * source.failNext('watch', { kind: 'close' })
 */
export class FakeSource implements ListWatch {
  readonly resource: Resource
  readonly name: string
  /** Every request made, in order. */
  readonly requests: FakeRequest[] = []
  readonly #options: Required<Pick<FakeSourceOptions, 'watchList' | 'watchCache'>>
  readonly #objects = new Map<string, RawObject>()
  readonly #watches = new Set<FakeWatch>()
  readonly #faults: Record<'list' | 'watch', FakeFault[]> = { list: [], watch: [] }
  #history: Array<{ readonly resourceVersion: number; readonly frame: WatchFrame; readonly dropped: boolean }> = []
  readonly #past = new FakePast()
  #lag = 0
  #resourceVersion: number
  // The oldest resourceVersion that a watch may start from.
  #oldest = 0
  #open = 0
  #pages = new Map<string, { readonly rest: readonly RawObject[]; readonly resourceVersion: string }>()
  #continues = 0
  #observers: Array<() => void> = []

  constructor(options: FakeSourceOptions = {}) {
    const { resource = PODS, watchList = true, watchCache = true, resourceVersion = 0 } = options
    this.resource = resource
    this.name = resource.resource
    this.#options = { watchList, watchCache }
    this.#resourceVersion = resourceVersion
  }

  get resourceVersion(): string {
    return String(this.#resourceVersion)
  }

  /** The objects as they are now, by key. */
  get objects(): ReadonlyMap<string, RawObject> {
    return this.#objects
  }

  /** Requests that have not ended; a reflector that has ended leaves none. */
  get openRequests(): number {
    return this.#open
  }

  add(object: FakeObject, change: FakeChange = {}): RawObject {
    return this.#change('added', object, change)
  }

  /** Modifies an object, keeping its uid unless another one is given. */
  modify(object: FakeObject, change: FakeChange = {}): RawObject {
    return this.#change('modified', object, change)
  }

  /** Deletes an object; the event carries its last state with the resourceVersion of the deletion. */
  delete(object: FakeObject, change: FakeChange = {}): RawObject {
    return this.#change('deleted', object, change)
  }

  /** Lets the resourceVersion grow through changes elsewhere, so that a bookmark brings news. */
  advanceTo(resourceVersion: number): void {
    this.#resourceVersion = Math.max(this.#resourceVersion, resourceVersion)
  }

  /** Sends all open watches a bookmark of the current resourceVersion. */
  bookmark(): void {
    this.emit({ kind: 'bookmark', resourceVersion: this.resourceVersion, initialEventsEnd: false })
  }

  /** Sends all open watches a frame. */
  emit(frame: WatchFrame): void {
    for (const watch of this.#watches) watch.push(frame)
  }

  /** Ends all open watches as the server does when their time is over. */
  closeWatches(): void {
    for (const watch of this.#watches) watch.close()
  }

  /** Ends all open watches with an error of the stream. */
  breakWatches(error: KubedeltaError): void {
    for (const watch of this.#watches) watch.fail(error)
  }

  /** Closes all watches and forgets the history, so that whoever comes back with an older resourceVersion is told `expired`. */
  resetWatch(): void {
    this.closeWatches()
    this.#history = []
    this.#oldest = this.#resourceVersion
  }

  /** Answers what may be cached (resourceVersion "0" or N) as of this many changes ago, not older than asked: one of several apiservers. */
  lagBehind(changes: number): void {
    this.#lag = changes
  }

  /** Lets every page that is yet to be asked for be `expired`. */
  expireContinue(): void {
    this.#pages.clear()
  }

  failNext(request: 'list' | 'watch', ...faults: readonly FakeFault[]): void {
    this.#faults[request].push(...faults)
  }

  /** Forgets the faults that no request has taken, and lags no more. */
  heal(): void {
    this.#faults.list = []
    this.#faults.watch = []
    this.#lag = 0
  }

  /** Resolves once so many requests were made. */
  async waitForRequests(count: number): Promise<void> {
    await this.#until(() => this.requests.length >= count)
  }

  /** Resolves once so many watches are open at the same time. */
  async waitForWatches(count: number): Promise<void> {
    await this.#until(() => this.#watches.size >= count)
  }

  async *list(request: ListRequest, signal: AbortSignal): AsyncGenerator<readonly ListFrame[]> {
    signal.throwIfAborted()
    this.requests.push({ kind: 'list', ...request })
    this.#open++
    this.#notify()
    try {
      const fault = this.#faults.list.shift()
      if (fault !== undefined && fault.kind !== 'status') await opened(fault, signal)
      const { items, page } = this.#page(request)
      const half =
        fault?.kind === 'status' || fault?.kind === 'cut' ? items.slice(0, Math.ceil(items.length / 2)) : items
      if (half.length > 0) yield half.map((object) => ({ kind: 'item', object }))
      signal.throwIfAborted()
      if (fault?.kind === 'status') throw serverError(fault.status)
      if (fault?.kind === 'cut') throw cutError()
      if (fault?.kind === 'corrupt' || fault?.kind === 'close') throw corruptError()
      yield [page]
    } finally {
      this.#open--
    }
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<readonly WatchFrame[]> {
    signal.throwIfAborted()
    this.requests.push({ kind: 'watch', ...request })
    const fault = this.#faults.watch.shift()
    const watch = new FakeWatch()
    this.#open++
    this.#notify()
    try {
      if (fault !== undefined) await opened(fault, signal)
      if (fault?.kind === 'frames') {
        for (const frame of fault.frames) watch.push(frame)
        if (fault.close) watch.close()
      } else if (fault?.kind === 'close') {
        watch.close()
      } else if (fault?.kind === 'corrupt') {
        watch.fail(corruptError())
      } else if (fault?.kind === 'status') {
        watch.push({ kind: 'error', error: fault.status })
        watch.close()
      } else {
        this.#replay(watch, request)
        if (fault?.kind === 'cut') watch.cut()
      }
      this.#watches.add(watch)
      this.#notify()
      yield* watch.frames(signal)
    } finally {
      this.#watches.delete(watch)
      this.#open--
    }
  }

  #change(kind: 'added' | 'modified' | 'deleted', object: FakeObject, { dropWatch = false }: FakeChange): RawObject {
    const resourceVersion = ++this.#resourceVersion
    const before = this.#objects.get(this.#keyOf(object))
    const uid = object.uid ?? (kind === 'added' ? undefined : before?.uid) ?? `${object.name}-${resourceVersion}`
    const raw = fakeObject(this.resource, { ...object, uid, resourceVersion: String(resourceVersion) })
    if (kind === 'deleted') this.#objects.delete(this.#keyOf(object))
    else this.#objects.set(this.#keyOf(object), raw)
    this.#past.note(resourceVersion, this.#keyOf(object), kind === 'deleted' ? undefined : raw)
    const frame: WatchFrame = { kind, object: raw }
    this.#history.push({ resourceVersion, frame, dropped: dropWatch })
    if (!dropWatch) this.emit(frame)
    return raw
  }

  #keyOf({ namespace, name }: FakeObject): string {
    return keyOf(namespace ?? (this.resource.namespaced ? 'default' : ''), name)
  }

  #page({ resourceVersion, limit = 0, continue: token }: ListRequest): {
    readonly items: readonly RawObject[]
    readonly page: ListFrame
  } {
    const found = token === undefined ? undefined : this.#pages.get(token)
    if (token !== undefined && found === undefined) throw expiredError('the continue parameter is too old')
    if (Number(resourceVersion) > this.#resourceVersion) throw tooLargeError(resourceVersion, this.resourceVersion)
    const snapshot = found === undefined ? this.#snapshot(resourceVersion) : undefined
    const all = snapshot?.objects ?? found?.rest ?? []
    const listed = snapshot?.resourceVersion ?? found?.resourceVersion ?? this.resourceVersion
    const isPaged =
      limit > 0 && all.length > limit && (token !== undefined || resourceVersion === '' || !this.#options.watchCache)
    if (!isPaged) return { items: all, page: { kind: 'page', resourceVersion: listed, continue: '' } }
    const next = `C${++this.#continues}`
    this.#pages.set(next, { rest: all.slice(limit), resourceVersion: listed })
    return { items: all.slice(0, limit), page: { kind: 'page', resourceVersion: listed, continue: next } }
  }

  #replay(watch: FakeWatch, { resourceVersion, sendInitialEvents = false }: WatchRequest): void {
    if (sendInitialEvents && !this.#options.watchList) throw invalidError()
    const from = Number(resourceVersion)
    if (from > this.#resourceVersion) throw tooLargeError(resourceVersion, this.resourceVersion)
    if (sendInitialEvents || resourceVersion === '' || resourceVersion === '0') {
      const snapshot = this.#snapshot(resourceVersion)
      for (const object of snapshot.objects) watch.push({ kind: 'added', object })
      if (sendInitialEvents) {
        watch.push({ kind: 'bookmark', resourceVersion: snapshot.resourceVersion, initialEventsEnd: true })
      }
      this.#catchUp(watch, Number(snapshot.resourceVersion))
      return
    }
    if (from < this.#oldest) throw expiredError(`too old resource version: ${from} (${this.#oldest})`)
    this.#catchUp(watch, from)
  }

  #catchUp(watch: FakeWatch, from: number): void {
    for (const event of this.#history) {
      if (event.resourceVersion > from && !event.dropped) watch.push(event.frame)
    }
  }

  /** The collection as a request that asks for this resourceVersion gets to see it. */
  #snapshot(asked: string): { readonly objects: readonly RawObject[]; readonly resourceVersion: string } {
    const oldest = Math.max(Number(asked), this.#oldest, this.#resourceVersion - this.#lag)
    if (asked === '' || this.#lag === 0 || oldest >= this.#resourceVersion) {
      return { objects: [...this.#objects.values()], resourceVersion: this.resourceVersion }
    }
    return { objects: this.#past.at(oldest), resourceVersion: String(oldest) }
  }

  #notify(): void {
    for (const observe of this.#observers.splice(0)) observe()
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#observers.push(resolve))
  }
}
