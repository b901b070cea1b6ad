// Which columns the objects of a resource have.

import { AGE, NAME, NAMESPACE, type Column } from './columns.ts'
import { NODE_COLUMNS } from './node-columns.ts'
import { POD_COLUMNS } from './pod-columns.ts'
import { SERVICE_COLUMNS } from './service-columns.ts'
import { DEPLOYMENT_COLUMNS, REPLICASET_COLUMNS } from './workload-columns.ts'

const BUILTIN: Readonly<Record<string, readonly Column[]>> = {
  pods: POD_COLUMNS,
  services: SERVICE_COLUMNS,
  nodes: NODE_COLUMNS,
  'deployments.apps': DEPLOYMENT_COLUMNS,
  'replicasets.apps': REPLICASET_COLUMNS,
}

export interface ColumnChoice {
  /** Also those of `-o wide`. */
  readonly wide: boolean
  /** With NAMESPACE first: where several namespaces are shown. */
  readonly namespace: boolean
  /** Those that the definition of a custom resource asks for, between NAME and AGE. */
  readonly additional?: readonly Column[]
}

/**
 * The columns of a resource.
 * @param resource `deployments.apps`
 */
export function columnsOf(resource: string, { wide, namespace, additional }: ColumnChoice): readonly Column[] {
  const all = additional === undefined ? (BUILTIN[resource] ?? [NAME, AGE]) : [NAME, ...additional]
  const shown = wide
    ? all.map((column) => ({ ...column, cell: column.wideCell ?? column.cell }))
    : all.filter((column) => column.wide !== true)
  return namespace ? [NAMESPACE, ...shown] : shown
}
