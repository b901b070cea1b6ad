// Names, UIDs and choices out of one stream of random numbers, so that a seed repeats them.

/** Uniform values of [0, 1), the same for the same seed (Mulberry32 by Tommy Ettinger, public domain). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Draws what a cluster needs by chance. */
export class Chance {
  readonly random: () => number

  constructor(random: () => number) {
    this.random = random
  }

  /** An integer of [0, end). */
  below(end: number): number {
    return Math.floor(this.random() * end)
  }

  /** One of them; undefined of none. */
  oneOf<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)]
  }

  isTrue(probability: number): boolean {
    return this.random() < probability
  }

  /** A UUID of version 4. */
  uid(): string {
    const hex = Array.from({ length: 32 }, (_, index) => {
      if (index === 12) return '4'
      return (index === 16 ? 8 + this.below(4) : this.below(16)).toString(16)
    }).join('')
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  }

  /** What the apiserver puts behind a generateName; without vowels, so that no words come out (apimachinery util/rand). */
  suffix(length = 5): string {
    return Array.from({ length }, () => SAFE.charAt(this.below(SAFE.length))).join('')
  }
}

const SAFE = 'bcdfghjklmnpqrstvwxz2456789'
