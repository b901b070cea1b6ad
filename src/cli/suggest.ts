// Finds what someone most likely meant to type.

import { editDistance } from '../base/edit-distance.ts'

/** The candidate nearest to a word, where it is near enough to be a slip: two edits, or a third of its length. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  return nearestFew(word, candidates, 1)[0]
}

/** The nearest candidates, best first, as for `nearest`. */
export function nearestFew(word: string, candidates: readonly string[], limit: number): readonly string[] {
  const bound = Math.max(2, Math.floor(word.length / 3))
  return candidates
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= bound && distance < candidate.length)
    .toSorted((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, limit)
    .map(({ candidate }) => candidate)
}

/** `: did you mean 'x'`, or nothing: the end of a message about an unknown word. */
export function didYouMean(word: string, candidates: readonly string[], prefix = ''): string {
  const guess = nearest(word, candidates)
  return guess === undefined ? '' : `: did you mean ${prefix}${guess}`
}
