// The columns of deployments and replicasets, as kubectl has them.

import { entriesAt, listAt, numberAt, textAt, textsAt } from '../base/fields.ts'
import { AGE, column, NAME, wideColumn, type Column } from './columns.ts'

const CONTAINERS: readonly Column[] = [
  wideColumn('CONTAINERS', (object) => containerValues(object, 'name')),
  wideColumn('IMAGES', (object) => containerValues(object, 'image')),
  wideColumn('SELECTOR', (object) => selectorText(object) || '<none>'),
]

export const DEPLOYMENT_COLUMNS: readonly Column[] = [
  NAME,
  column('READY', (object) => `${numberAt(object, 'status', 'readyReplicas')}/${numberAt(object, 'spec', 'replicas')}`),
  column('UP-TO-DATE', (object) => String(numberAt(object, 'status', 'updatedReplicas'))),
  column('AVAILABLE', (object) => String(numberAt(object, 'status', 'availableReplicas'))),
  AGE,
  ...CONTAINERS,
]

export const REPLICASET_COLUMNS: readonly Column[] = [
  NAME,
  column('DESIRED', (object) => String(numberAt(object, 'spec', 'replicas'))),
  column('CURRENT', (object) => String(numberAt(object, 'status', 'replicas'))),
  column('READY', (object) => String(numberAt(object, 'status', 'readyReplicas'))),
  AGE,
  ...CONTAINERS,
]

function containerValues(object: unknown, member: string): string {
  return listAt(object, 'spec', 'template', 'spec', 'containers')
    .map((container) => textAt(container, member))
    .join(',')
}

/** apimachinery pkg/apis/meta/v1, FormatLabelSelector: requirements sorted by key. */
function selectorText(object: unknown): string {
  const labels = entriesAt(object, 'spec', 'selector', 'matchLabels').map(([key, value]) => ({
    key,
    text: `${key}=${String(value)}`,
  }))
  const expressions = listAt(object, 'spec', 'selector', 'matchExpressions').map((expression) => {
    const key = textAt(expression, 'key')
    const values = textsAt(expression, 'values').toSorted(byText).join(',')
    return { key, text: requirementText(key, textAt(expression, 'operator'), values) }
  })
  return [...labels, ...expressions]
    .toSorted((a, b) => byText(a.key, b.key))
    .map(({ text }) => text)
    .join(',')
}

function requirementText(key: string, operator: string, values: string): string {
  switch (operator) {
    case 'In':
      return `${key} in (${values})`
    case 'NotIn':
      return `${key} notin (${values})`
    case 'DoesNotExist':
      return `!${key}`
    default:
      return key
  }
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
