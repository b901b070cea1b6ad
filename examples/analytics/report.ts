// Questions to the database, and how answers are printed.

import type { AnalyticsStore } from './store.ts'

const QUESTIONS: Readonly<Record<string, string>> = {
  'Pods by node': `
    SELECT coalesce(object ->> '$.spec.nodeName', '(none)') AS node, count(*) AS pods
    FROM objects WHERE resource = 'pods' GROUP BY node ORDER BY pods DESC, node LIMIT 20`,
  'Changes by hour': `
    SELECT strftime('%Y-%m-%d %H:00', observed_at / 1000, 'unixepoch') AS hour,
      sum(op = 'ADDED') AS added, sum(op = 'UPDATED') AS updated, sum(op = 'DELETED') AS deleted
    FROM changes GROUP BY hour ORDER BY hour DESC LIMIT 24`,
  'Most changed objects': `
    SELECT topic, key, count(*) AS changes FROM changes GROUP BY topic, key ORDER BY changes DESC, topic, key LIMIT 10`,
}

/** The answers to all questions, as text. */
export function report(store: AnalyticsStore): string {
  return Object.entries(QUESTIONS)
    .map(([title, question]) => `${title}\n${table(store.ask(question))}\n`)
    .join('\n')
}

function table(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const [first] = rows
  if (first === undefined) return '(nothing yet)'
  const columns = Object.keys(first)
  const lines = [columns, ...rows.map((row) => columns.map((column) => String(row[column])))]
  const widths = columns.map((_column, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)))
  return lines
    .map((line) =>
      line
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
