// Compares resourceVersions without ever making a number of them.

/** Whether a resourceVersion can be compared: digits, no leading zero, so neither '' nor '0'. */
export function isComparable(resourceVersion: string): boolean {
  return /^[1-9][0-9]*$/.test(resourceVersion)
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
