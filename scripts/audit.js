// Reads the answer of `npm audit --json` from stdin and says in one line what it means.

import { text } from 'node:stream/consumers'

const SEVERITIES = ['critical', 'high', 'moderate', 'low', 'info']

process.stdout.write(`dependency audit: ${summary(await text(process.stdin))}\n`)

/** @param {string} answer */
function summary(answer) {
  /** @type {unknown} */
  let report
  try {
    report = JSON.parse(answer)
  } catch {
    return `could not be run: npm answered ${JSON.stringify(answer.slice(0, 200))}`
  }
  const found = member(member(report, 'metadata'), 'vulnerabilities')
  if (found === undefined) {
    const reason = member(report, 'message') ?? member(member(report, 'error'), 'summary')
    return `could not be run: ${String(reason || 'npm gave no reason')}`
  }
  const counts = SEVERITIES.map((severity) => `${Number(member(found, severity) ?? 0)} ${severity}`)
  const named = Object.entries(member(report, 'vulnerabilities') ?? {}).map(
    ([name, { severity }]) => `${name} (${severity})`,
  )
  return [counts.join(', '), ...named].join('; ')
}

/**
 * @param {unknown} value
 * @param {string} name
 * @returns {any}
 */
function member(value, name) {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
