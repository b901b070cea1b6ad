// How long ago something was, as kubectl writes it: 45s, 3m20s, 5d2h.

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/**
 * The time since a timestamp; `<unknown>` without one (kubernetes pkg/printers/internalversion, translateTimestampSince).
 * @param timestamp RFC 3339, '' for none
 * @param nowMs milliseconds since the Unix epoch
 */
export function ageSince(timestamp: string, nowMs: number): string {
  const then = Date.parse(timestamp)
  return Number.isNaN(then) ? '<unknown>' : humanDuration(nowMs - then)
}

/** apimachinery pkg/util/duration, HumanDuration: two units at most, the second only while it still says something. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / SECOND)
  const minutes = Math.trunc(ms / MINUTE)
  const hours = Math.trunc(ms / HOUR)
  const days = Math.trunc(hours / 24)
  const years = Math.trunc(days / 365)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  if (minutes < 10) return twoUnits(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  if (hours < 8) return twoUnits(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  if (hours < 24 * 8) return twoUnits(days, 'd', hours % 24, 'h')
  if (years < 2) return `${days}d`
  if (years < 8) return twoUnits(years, 'y', days % 365, 'd')
  return `${years}y`
}

function twoUnits(first: number, firstUnit: string, second: number, secondUnit: string): string {
  return second === 0 ? `${first}${firstUnit}` : `${first}${firstUnit}${second}${secondUnit}`
}
