// The columns of nodes, as kubectl has them.

import { at, entriesAt, listAt, textAt } from '../base/fields.ts'
import { AGE, column, NAME, wideColumn, type Column } from './columns.ts'

export const NODE_COLUMNS: readonly Column[] = [
  NAME,
  column('STATUS', statusText),
  column('ROLES', rolesText),
  AGE,
  column('VERSION', (node) => textAt(node, 'status', 'nodeInfo', 'kubeletVersion')),
  wideColumn('INTERNAL-IP', (node) => address(node, 'InternalIP')),
  wideColumn('EXTERNAL-IP', (node) => address(node, 'ExternalIP')),
  wideColumn('OS-IMAGE', (node) => textAt(node, 'status', 'nodeInfo', 'osImage') || '<unknown>'),
  wideColumn('KERNEL-VERSION', kernelText),
  wideColumn(
    'CONTAINER-RUNTIME',
    (node) => textAt(node, 'status', 'nodeInfo', 'containerRuntimeVersion') || '<unknown>',
  ),
]

const ROLE_PREFIX = 'node-role.kubernetes.io/'

function statusText(node: unknown): string {
  const ready = listAt(node, 'status', 'conditions').find((condition) => textAt(condition, 'type') === 'Ready')
  const word = ready === undefined ? 'Unknown' : textAt(ready, 'status') === 'True' ? 'Ready' : 'NotReady'
  return at(node, 'spec', 'unschedulable') === true ? `${word},SchedulingDisabled` : word
}

function rolesText(node: unknown): string {
  const roles = entriesAt(node, 'metadata', 'labels').flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX)) return [key.slice(ROLE_PREFIX.length)]
    return key === 'kubernetes.io/role' ? [String(value)] : []
  })
  return [...new Set(roles.filter((role) => role !== ''))].toSorted().join(',') || '<none>'
}

function address(node: unknown, type: string): string {
  const found = listAt(node, 'status', 'addresses').find((each) => textAt(each, 'type') === type)
  return textAt(found, 'address') || '<none>'
}

// The version 1.36 of kubectl's server adds the architecture behind the kernel.
function kernelText(node: unknown): string {
  const kernel = textAt(node, 'status', 'nodeInfo', 'kernelVersion') || '<unknown>'
  const architecture = textAt(node, 'status', 'nodeInfo', 'architecture')
  return architecture === '' ? kernel : `${kernel} (${architecture})`
}
