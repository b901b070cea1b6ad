// Durations as Go and kubectl write them: 500ms, 30s, 5m, 1h30m.

import { KubedeltaError } from './errors.ts'

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/**
 * Milliseconds of a duration, rounded; `0` needs no unit.
 * @param name what the text was given as, for the message: `--resync`
 * @throws KubedeltaError `usage` when it is not one, or negative
 */
export function parseDuration(text: string, name: string): number {
  if (text === '0') return 0
  const parts = [...text.matchAll(/([0-9]+(?:\.[0-9]+)?)(ms|h|m|s)/g)]
  const ms = parts.reduce((sum, [, amount = '', unit = '']) => sum + Number(amount) * (UNIT_MS[unit] ?? 0), 0)
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text || !Number.isSafeInteger(Math.round(ms))) {
    throw new KubedeltaError(
      'usage',
      `Cannot read ${name}: wanted a duration like 500ms, 30s, 5m or 1h30m: current value is ${JSON.stringify(text)}`,
    )
  }
  return Math.round(ms)
}
