// Cuts what a socket receives into whole answers, each in memory of its own that is written once.

/**
 * Puts the answers of a connection together.
 *
 * Source of the form, a length of four bytes before each: https://kafka.apache.org/protocol#protocol_common
 */
export class Frames {
  readonly #head = Buffer.alloc(HEAD_BYTES)
  #headFilled = 0
  /** The answer that is under way, its length included; undefined between two of them. */
  #frame: Buffer | undefined
  #filled = 0

  /**
   * Takes what was received, which may be overwritten afterwards.
   * @param onFrame is given each answer that is whole now, its length included
   * @throws RangeError for a length that no answer has
   */
  take(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    for (let at = 0; at < chunk.length;) {
      const frame = this.#frame ?? this.#begin(chunk, at)
      if (frame === undefined) return
      // What was read of the length stands in the frame already.
      if (this.#frame === undefined) {
        at += HEAD_BYTES - this.#headFilled
        this.#frame = frame
        this.#filled = HEAD_BYTES
      }
      const copied = chunk.copy(frame, this.#filled, at)
      at += copied
      this.#filled += copied
      if (this.#filled < frame.length) return
      this.#frame = undefined
      this.#headFilled = 0
      onFrame(frame)
    }
  }

  /** The frame whose length ends in the chunk; undefined where the chunk ends before. */
  #begin(chunk: Buffer, at: number): Buffer | undefined {
    const missing = HEAD_BYTES - this.#headFilled
    const copied = chunk.copy(this.#head, this.#headFilled, at, at + missing)
    if (copied < missing) {
      this.#headFilled += copied
      return undefined
    }
    const length = this.#head.readInt32BE(0)
    if (length < 0 || length > LONGEST) {
      throw new RangeError(
        `Cannot read answer: wanted a length of at most ${LONGEST} bytes: current value is ${length}: is this a Kafka broker?`,
      )
    }
    // Not from Node's pool: what is cut out of an answer may be kept, and would pin others.
    const frame = Buffer.allocUnsafeSlow(HEAD_BYTES + length)
    this.#head.copy(frame)
    return frame
  }
}

const HEAD_BYTES = 4
/** Bytes. Far above any fetch that is asked for, and a bound for what a peer of another protocol says by chance. */
const LONGEST = 1 << 30
