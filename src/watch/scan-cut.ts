// Cuts one JSON value after the other out of a stream of chunks.

import { copyOf } from '../object/json-text.ts'
import { INCOMPLETE, INVALID, type JsonScan } from '../object/json-scan.ts'

/** A value that has been cut; it is good until the next one is begun. */
export interface CutValue {
  /** What the pass over the value noted. */
  readonly scan: JsonScan
  /** The value's bytes, perhaps within a chunk: not to be kept. */
  view(): Buffer
  /** The value's bytes in memory of their own. */
  own(): Buffer
}

/**
 * Cuts values that may cross any number of chunk borders.
 *
 * - Each byte is looked at once and copied once, into memory of its own.
 * - Chunks that hold a part of an unfinished value are kept, so they must not change; at most `maxBytes` of the value are.
 */
export class ValueCutter implements CutValue {
  readonly scan: JsonScan
  readonly #maxBytes: number
  readonly #pieces: Buffer[] = []
  #view: Buffer | undefined
  #owned = false

  constructor(scan: JsonScan, maxBytes: number) {
    this.scan = scan
    this.#maxBytes = maxBytes
  }

  /** Whether a value has begun and has not ended. */
  get isCutting(): boolean {
    return this.#pieces.length > 0
  }

  /**
   * Begins a value at `from`, or goes on with the one that has begun.
   * @returns the offset after the value, INCOMPLETE, INVALID or TOO_LARGE
   */
  advance(chunk: Buffer, from: number): number {
    if (!this.isCutting) this.scan.reset()
    const end = this.scan.advance(chunk, from)
    if (end === INVALID) return INVALID
    if (this.scan.length > this.#maxBytes) return TOO_LARGE
    if (end === INCOMPLETE) {
      this.#pieces.push(chunk.subarray(from))
      return INCOMPLETE
    }
    this.#owned = this.isCutting
    const last = chunk.subarray(from, end)
    this.#view = this.#owned ? join([...this.#pieces, last], this.scan.length) : last
    this.#pieces.length = 0
    return end
  }

  view(): Buffer {
    return this.#view ?? EMPTY
  }

  own(): Buffer {
    return this.#owned ? this.view() : copyOf(this.view())
  }
}

/** The value has more bytes than it may. */
export const TOO_LARGE = -3

const EMPTY = Buffer.alloc(0)

function join(pieces: readonly Buffer[], length: number): Buffer {
  const joined = Buffer.allocUnsafeSlow(length)
  let at = 0
  for (const piece of pieces) at += piece.copy(joined, at)
  return joined
}
