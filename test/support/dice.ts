// Chance that comes out the same for the same seed.

import { crc32 } from 'node:zlib'

export interface Dice {
  /** From 0 up to, but not including, 1. */
  random(): number
  /** A whole number from 0 up to, but not including, the limit. */
  below(limit: number): number
  pick<T>(choices: readonly [T, ...T[]]): T
  shuffled<T>(things: readonly T[]): T[]
}

/** Independent streams of one seed have different names: one that draws more often leaves the others as they are. */
export function dice(seed: number, stream: string): Dice {
  let state = crc32(stream, seed)
  const random = (): number => {
    // Mulberry32 (public domain, Tommy Ettinger).
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(random() * limit)
  return {
    random,
    below,
    pick: (choices) => choices[below(choices.length)] ?? choices[0],
    shuffled: (things) =>
      things
        .map((thing) => ({ thing, rank: random() }))
        .toSorted((a, b) => a.rank - b.rank)
        .map(({ thing }) => thing),
  }
}
