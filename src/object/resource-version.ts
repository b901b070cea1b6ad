// Compares resourceVersions without ever making a number of them.

/** Whether a resourceVersion can be compared: digits, no leading zero, so neither '' nor '0'. */
export function isComparable(resourceVersion: string): boolean {
  // Digit by digit: a regular expression took ten times as long, and every record of a topic passes here.
  for (let at = 0; at < resourceVersion.length; at += 1) {
    const digit = resourceVersion.charCodeAt(at) - ZERO
    if (digit < 0 || digit > 9 || (digit === 0 && at === 0)) return false
  }
  return resourceVersion !== ''
}

/**
 * Negative, zero or positive as `a` is older than, equal to or newer than `b`; undefined where one cannot be compared.
 * The shorter is older, equal lengths compare as text (apimachinery pkg/util/resourceversion).
 */
export function compareResourceVersions(a: string, b: string): number | undefined {
  if (!isComparable(a) || !isComparable(b)) return undefined
  if (a.length !== b.length) return a.length - b.length
  return a < b ? -1 : a > b ? 1 : 0
}

/** The newer of two, where '' and what cannot be compared count as older than anything. */
export function newerResourceVersion(a: string, b: string): string {
  if (!isComparable(b)) return a
  if (!isComparable(a)) return b
  return (compareResourceVersions(a, b) ?? 0) >= 0 ? a : b
}

const ZERO = 0x30
