// Gives back the bytes of popped deltas: of each once its records are settled, and of all once those of all are.

import type { PoppedDeltas } from './arrival.ts'

/** Counts what is under way of one popped entry. */
export class Release {
  readonly #giveBack: PoppedDeltas['giveBack']
  readonly #release: PoppedDeltas['release']
  // Invariant: 1 for the unsealed entry itself, and 1 for each append not settled.
  #open = 1

  constructor({ giveBack, release }: Pick<PoppedDeltas, 'giveBack' | 'release'>) {
    // Not the entry, which holds the objects of all its deltas.
    this.#giveBack = giveBack
    this.#release = release
  }

  /** What to call once an append is acknowledged, replaced or has failed; `bytes` are those of its delta. */
  add(bytes: number): () => void {
    this.#open++
    return () => {
      this.#giveBack(bytes)
      this.seal()
    }
  }

  /** No more appends follow. */
  seal(): void {
    this.#open--
    if (this.#open === 0) this.#release()
  }
}
