// What a column of kubectl's tables is, and the two that every kind has.

import { textAt } from '../base/fields.ts'
import { ageSince } from './age.ts'

export interface Column {
  /** As it stands above the column. */
  readonly name: string
  /** Only with `-o wide`. @default false */
  readonly wide?: boolean
  /** @param nowMs milliseconds since the Unix epoch, for ages */
  readonly cell: (object: unknown, nowMs: number) => string
  /** What `-o wide` shows in place of `cell`. @default the same */
  readonly wideCell?: Column['cell']
}

export const NAME: Column = { name: 'NAME', cell: (object) => textAt(object, 'metadata', 'name') }

export const NAMESPACE: Column = { name: 'NAMESPACE', cell: (object) => textAt(object, 'metadata', 'namespace') }

export const AGE: Column = {
  name: 'AGE',
  cell: (object, nowMs) => ageSince(textAt(object, 'metadata', 'creationTimestamp'), nowMs),
}

/** A column with one value of each object. */
export function column(name: string, cell: Column['cell']): Column {
  return { name, cell }
}

/** A column that `-o wide` adds. */
export function wideColumn(name: string, cell: Column['cell']): Column {
  return { name, cell, wide: true }
}
