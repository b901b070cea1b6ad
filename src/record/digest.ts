// Sums up what one partition of a topic holds, so that its writer and its readers can tell whether they hold the same.

import { hash } from 'node:crypto'

/** Names the way in which digests are made; a reader passes over those made in another way. */
export const DIGEST_ALGORITHM = 'xor-sha256-64/1'

/** What a partition holds, in short. */
export interface DigestSum {
  /** How many keys hold an object. */
  readonly count: number
  /** 64 bits as 16 hexadecimal digits; zeros where there is no key. */
  readonly digest: string
}

/** Who an object is; that its bytes are right is for the log's own checksums. */
export interface DigestedObject {
  readonly key: string
  readonly uid: string
  readonly resourceVersion: string
}

/**
 * A digest that is kept up to date object by object.
 *
 * - It is the XOR over all objects of the first 64 bits of SHA-256(key, 0, uid, 0, resourceVersion), each in UTF-8 and 0 a zero byte:
 *   no order is needed, and what was added is taken out by adding it again.
 * - It guards against accidents, not against somebody who wants two contents to look alike.
 */
export class Digest {
  #count = 0
  #high = 0
  #low = 0

  add(object: DigestedObject): void {
    this.#count += 1
    this.#flip(object)
  }

  /** Takes out what was added before, in the same state. */
  remove(object: DigestedObject): void {
    this.#count -= 1
    this.#flip(object)
  }

  /** Another one that goes on from here by itself. */
  copy(): Digest {
    const copy = new Digest()
    copy.#count = this.#count
    copy.#high = this.#high
    copy.#low = this.#low
    return copy
  }

  sum(): DigestSum {
    return { count: this.#count, digest: hex(this.#high) + hex(this.#low) }
  }

  #flip({ key, uid, resourceVersion }: DigestedObject): void {
    // Neither a key nor what Kubernetes gives out holds a zero byte.
    const sha = hash('sha256', `${key}\0${uid}\0${resourceVersion}`, 'buffer')
    this.#high ^= sha.readInt32BE(0)
    this.#low ^= sha.readInt32BE(4)
  }
}

export function isSameSum(a: DigestSum, b: DigestSum): boolean {
  return a.count === b.count && a.digest === b.digest
}

function hex(bits: number): string {
  return (bits >>> 0).toString(16).padStart(8, '0')
}
