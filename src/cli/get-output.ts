// The forms in which `get` prints objects.

import { stringify } from 'yaml'
import { KubedeltaError } from '../base/errors.ts'
import { at, textAt } from '../base/fields.ts'
import { customColumns } from '../print/custom-columns.ts'
import type { Column } from '../print/columns.ts'
import { jsonPathTemplate } from '../print/json-path.ts'
import { columnsOf, type ColumnChoice } from '../print/kind-columns.ts'
import { printTable } from '../print/table.ts'
import { escapeText } from './terminal-text.ts'

/** What was asked for: a list, or the one object of a name. */
export interface ToPrint {
  readonly kind: 'list' | 'one'
  readonly values: readonly unknown[]
}

/** Prints one document, or a table whose columns depend on the resource. */
export type ObjectPrinter =
  | { readonly kind: 'document'; readonly print: (toPrint: ToPrint) => string }
  | {
      readonly kind: 'table'
      readonly columns: (resource: string, choice: TableChoice) => readonly Column[]
      readonly print: (columns: readonly Column[], values: readonly unknown[], nowMs: number) => string
    }

export interface TableChoice extends Pick<ColumnChoice, 'namespace'> {
  readonly additional: readonly Column[] | undefined
}

/**
 * The printer of a `-o`.
 * @param output `json`, `yaml`, `name`, `wide`, `jsonpath=TEMPLATE`, `custom-columns=NAME:PATH,...`; undefined: the table
 * @throws KubedeltaError `usage` for another one
 */
export function objectPrinter(output: string | undefined): ObjectPrinter {
  const [, form = output ?? '', argument] = /^([a-z-]+)=(.*)$/s.exec(output ?? '') ?? []
  if (argument !== undefined && form === 'jsonpath') return jsonPathPrinter(argument)
  if (argument !== undefined && form === 'custom-columns') {
    const columns = customColumns(argument)
    return { kind: 'table', columns: () => columns, print: tablePrint }
  }
  if (argument === undefined) {
    switch (form) {
      case '':
      case 'wide':
        return { kind: 'table', columns: tableColumns(form === 'wide'), print: tablePrint }
      case 'json':
        return { kind: 'document', print: (toPrint) => `${JSON.stringify(readable(toPrint), undefined, 4)}\n` }
      case 'yaml':
        return { kind: 'document', print: (toPrint) => stringify(readable(toPrint), { lineWidth: 0 }) }
      case 'name':
        return { kind: 'document', print: ({ values }) => values.map((value) => `${nameOf(value)}\n`).join('') }
      default:
    }
  }
  throw new KubedeltaError(
    'usage',
    `Cannot read --output: wanted one of json, yaml, wide, name, jsonpath=TEMPLATE, custom-columns=NAME:PATH,...: current value is ${JSON.stringify(output)}`,
  )
}

function jsonPathPrinter(text: string): ObjectPrinter {
  const template = jsonPathTemplate(text)
  return { kind: 'document', print: (toPrint) => template(documentOf(toPrint)) }
}

function tableColumns(wide: boolean): (resource: string, choice: TableChoice) => readonly Column[] {
  return (resource, { namespace, additional }) =>
    columnsOf(resource, { wide, namespace, ...(additional !== undefined && { additional }) })
}

// Control characters in names are legal; on a terminal they would be obeyed.
function tablePrint(columns: readonly Column[], values: readonly unknown[], nowMs: number): string {
  const safe = columns.map((each) => ({
    ...each,
    cell: (object: unknown, now: number) => escapeText(each.cell(object, now)),
  }))
  return printTable(safe, values, nowMs)
}

/** As kubectl, which leaves managedFields out of what it prints for people (cli-runtime pkg/printers/managedfields.go). */
function readable(toPrint: ToPrint): unknown {
  return documentOf({ ...toPrint, values: toPrint.values.map(withoutManagedFields) })
}

function withoutManagedFields(value: unknown): unknown {
  const metadata = at(value, 'metadata')
  if (typeof value !== 'object' || typeof metadata !== 'object') return value
  const entries = Object.entries(metadata ?? {}).filter(([name]) => name !== 'managedFields')
  return { ...value, metadata: Object.fromEntries(entries) }
}

function documentOf({ kind, values }: ToPrint): unknown {
  if (kind === 'one') return values[0]
  return { apiVersion: 'v1', items: values, kind: 'List', metadata: { resourceVersion: '' } }
}

/** `pod/cart-0`, `deployment.apps/web`. */
function nameOf(value: unknown): string {
  const group = /^(.+)\//.exec(textAt(value, 'apiVersion'))?.[1]
  const kind = textAt(value, 'kind').toLowerCase()
  return `${group === undefined ? kind : `${kind}.${group}`}/${textAt(value, 'metadata', 'name')}`
}
