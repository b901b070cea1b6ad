// Columns that a user or the definition of a custom resource asks for by path.

import { KubedeltaError } from '../base/errors.ts'
import { at, listAt, numberAt, textAt } from '../base/fields.ts'
import { ageSince } from './age.ts'
import { AGE, column, type Column } from './columns.ts'
import { shown, valuesAt } from './json-path.ts'

/**
 * `NAME:.metadata.name,NODE:.spec.nodeName`: a column each, `<none>` where the path leads nowhere.
 * @throws KubedeltaError `usage` for a column without a path, or a path that cannot be read
 */
export function customColumns(text: string): readonly Column[] {
  return splitColumns(text).map((part) => {
    const colon = part.indexOf(':')
    const name = part.slice(0, colon)
    const path = part.slice(colon + 1).replace(/^\{(.*)\}$/s, '$1')
    if (colon < 1 || path === '') {
      throw new KubedeltaError(
        'usage',
        `Cannot read custom columns: wanted NAME:PATH like NODE:.spec.nodeName: current value is ${JSON.stringify(part)}`,
      )
    }
    valuesAt(path, {})
    return column(name, (object) => cellOf(valuesAt(path, object), '<none>'))
  })
}

/**
 * The columns of `additionalPrinterColumns` of a CustomResourceDefinition for a version, AGE if it names none
 * (apiextensions-apiserver pkg/registry/customresource/tableconvertor).
 * @param definition a CustomResourceDefinition, parsed
 */
export function additionalColumns(definition: unknown, version: string): readonly Column[] {
  const served = listAt(definition, 'spec', 'versions').find((each) => textAt(each, 'name') === version)
  const columns = listAt(served, 'additionalPrinterColumns').map((each): Column => {
    const path = textAt(each, 'jsonPath')
    const isDate = textAt(each, 'type') === 'date'
    const cell: Column['cell'] = (object, nowMs) => {
      // The apiserver takes the first match, and shows nothing where there is none.
      const [value] = valuesAt(path, object)
      if (value === undefined || value === null) return ''
      return isDate ? ageSince(typeof value === 'string' ? value : '', nowMs) : shown(value)
    }
    return { name: textAt(each, 'name').toUpperCase(), cell, wide: numberAt(each, 'priority') > 0 }
  })
  return at(served, 'additionalPrinterColumns') === undefined || columns.length === 0 ? [AGE] : columns
}

function cellOf(values: readonly unknown[], none: string): string {
  return values.length === 0 ? none : values.map(shown).join(',')
}

// A comma within brackets belongs to a path: .status.conditions[?(@.type in (a,b))].
function splitColumns(text: string): readonly string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let position = 0; position < text.length; position++) {
    const character = text[position]
    if (character === '[' || character === '(') depth++
    else if (character === ']' || character === ')') depth--
    else if (character === ',' && depth === 0) {
      parts.push(text.slice(start, position))
      start = position + 1
    }
  }
  return [...parts, text.slice(start)]
}
