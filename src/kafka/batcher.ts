// Gathers a lane's groups into batches and encodes several at once, handing them on in order.

import { MAX_IN_FLIGHT } from './lane.ts'
import { GroupQueue } from './group-queue.ts'
import type { PendingGroup } from './outstanding.ts'
import type { PreparedBatch } from './prepare.ts'

export interface BatcherOptions {
  /** Batches that the lane has not seen acknowledged, and how many of them it has not sent yet. */
  readonly underWay: () => { readonly all: number; readonly unsent: number }
  readonly prepare: (groups: readonly PendingGroup[]) => Promise<readonly PreparedBatch[]>
  readonly deliver: (batch: PreparedBatch) => void
}

/** Batches encoded, or being compressed, ahead of those in flight. */
const PREPARE_AHEAD = 4

/** Groups linger for one turn of the event loop, and longer only while as many batches are under way as may be in flight. */
export class Batcher {
  readonly #options: BatcherOptions
  readonly #queue = new GroupQueue()
  /** In the order of their groups; a result is delivered only when all before it are. */
  readonly #preparing: Array<{ result?: readonly PreparedBatch[] }> = []
  #turn: NodeJS.Immediate | undefined
  #stopped = false

  constructor(options: BatcherOptions) {
    this.#options = options
  }

  add(group: PendingGroup): void {
    this.#queue.push(group)
    this.schedule()
  }

  /** Looks in the next turn whether a batch can be made. */
  schedule(): void {
    if (this.#stopped) return
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined
      this.#fill()
    })
  }

  stop(): void {
    this.#stopped = true
    clearImmediate(this.#turn)
  }

  /** Takes groups into batches as long as that gains time. */
  #fill(): void {
    while (this.#queue.length > 0) {
      const { all, unsent } = this.#options.underWay()
      if (unsent + this.#preparing.length >= PREPARE_AHEAD) return
      const busy = all + this.#preparing.length >= MAX_IN_FLIGHT
      if (busy && !this.#queue.holdsFullBatch) return
      const slot: { result?: readonly PreparedBatch[] } = {}
      this.#preparing.push(slot)
      void this.#prepare(slot, this.#queue.take())
    }
  }

  async #prepare(slot: { result?: readonly PreparedBatch[] }, groups: readonly PendingGroup[]): Promise<void> {
    slot.result = await this.#options.prepare(groups)
    while (!this.#stopped && this.#preparing[0]?.result !== undefined) {
      for (const batch of this.#preparing.shift()?.result ?? []) this.#options.deliver(batch)
    }
    this.schedule()
  }
}
