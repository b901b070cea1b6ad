// Holds the open watches of a simulated cluster, so that they can be struck together.

import { resourceName } from '../../object/resource.ts'
import type { Exchange, FrameSink } from './exchange.ts'
import { refusal, type SimulatedFault } from './faults.ts'
import type { ServedKind } from './kinds.ts'
import type { ListOptions } from './list-options.ts'
import type { StatusFailure } from './status.ts'
import { OpenWatch, type WatchContext } from './watch.ts'

export interface WatchRequestFacts {
  readonly kind: ServedKind
  readonly namespace: string
  readonly options: ListOptions
  readonly fault: SimulatedFault | undefined
}

/** One open watch, and how its connection is broken. */
interface Held {
  readonly watch: OpenWatch
  readonly exchange: Exchange
}

export interface WatchesOptions extends Omit<WatchContext, 'isServed'> {
  /** Whether the collection is still served. */
  readonly isServed: (kind: ServedKind) => boolean
}

/** Every open watch; `resource` is `pods`, `deployments.apps`, or undefined for all. */
export class Watches {
  readonly #options: WatchesOptions
  readonly #open = new Set<Held>()

  constructor(options: WatchesOptions) {
    this.#options = options
  }

  /** How many are open. */
  count(resource?: string): number {
    return this.#of(resource).length
  }

  /** Serves one watch to its end. @throws StatusFailure before it is open */
  async serve(exchange: Exchange, { kind, namespace, options, fault }: WatchRequestFacts): Promise<void> {
    const { isServed } = this.#options
    const context = { ...this.#options, isServed: () => isServed(kind) }
    const watch = new OpenWatch({ kind, namespace, options, signal: exchange.signal }, context)
    const sink = exchange.open(() => watch.drained())
    if (fault?.kind === 'corrupt') watch.corruptNext()
    if (fault?.kind === 'error-event') watch.fail(refusal({ ...fault, kind: 'refuse' }))
    const held = { watch, exchange }
    this.#open.add(held)
    try {
      await watch.run(fault?.kind === 'cut' ? cutting(exchange) : sink)
    } finally {
      this.#open.delete(held)
    }
    sink.end()
  }

  /** Resets their connections. */
  drop(resource?: string): void {
    for (const { exchange } of this.#of(resource)) exchange.reset()
  }

  /** Ends them as a server that goes down in peace does. */
  close(resource?: string): void {
    for (const { watch } of this.#of(resource)) watch.close()
  }

  /** Ends them with an ERROR event. */
  fail(error: StatusFailure, resource?: string): void {
    for (const { watch } of this.#of(resource)) watch.fail(error)
  }

  /** Breaks the next event of each. */
  corrupt(resource?: string): void {
    for (const { watch } of this.#of(resource)) watch.corruptNext()
  }

  /** Sends each a bookmark now. */
  bookmark(resource?: string): void {
    for (const { watch } of this.#of(resource)) watch.bookmark()
  }

  #of(resource: string | undefined): readonly Held[] {
    return [...this.#open].filter(({ watch }) => resource === undefined || resourceName(watch.call.kind) === resource)
  }
}

/** Resets the connection in place of the first frame. */
function cutting(exchange: Exchange): FrameSink {
  return {
    write: () => {
      exchange.reset()
      return true
    },
  }
}
