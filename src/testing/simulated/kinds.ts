// Describes a collection as the apiserver has to know it, and gives the built-in ones.

import { parseApiVersion, type Resource } from '../../object/resource.ts'
import { BUILTIN_ROWS, type KindRow } from './builtin-rows.ts'
import { at, type Json } from './json.ts'

/** A collection in one version, with what the apiserver has to know of it. */
export interface ServedKind extends Resource {
  readonly apiVersion: string
  readonly listKind: string
  readonly categories: readonly string[]
  /** Whether `status` is written through its own subresource alone. */
  readonly hasStatus: boolean
  readonly hasGeneration: boolean
  /** Defined by a CustomResourceDefinition: prints with sorted members, and its list items name their kind. */
  readonly isCustom: boolean
  /** Selectable fields besides metadata.name and metadata.namespace, and how they are read. */
  readonly fields: Readonly<Record<string, (object: Json) => string>>
  /** Members that an empty object prints besides kind, apiVersion and metadata: a bookmark carries them. */
  readonly blank: Readonly<Record<string, Json>>
}

/** The kinds that are there from the start. */
export function builtinKinds(): readonly ServedKind[] {
  return BUILTIN_ROWS.map(served)
}

const ALL_VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

function served(row: KindRow): ServedKind {
  const { group, version } = parseApiVersion(row.api)
  const { resource, kind } = row
  return {
    group,
    version,
    resource,
    kind,
    namespaced: row.cluster !== true,
    singular: kind.toLowerCase(),
    shortNames: row.short ?? [],
    // Namespaces alone are not deleted together.
    verbs: resource === 'namespaces' ? ALL_VERBS.filter((verb) => verb !== 'deletecollection') : ALL_VERBS,
    apiVersion: row.api,
    listKind: `${kind}List`,
    categories: row.all === true ? ['all'] : resource === 'customresourcedefinitions' ? ['api-extensions'] : [],
    hasStatus: row.status === true,
    hasGeneration: row.generation === true,
    isCustom: false,
    fields: Object.fromEntries(
      Object.entries(row.fields ?? {}).map(([field, whenAbsent]) => [field, reader(field, whenAbsent)]),
    ),
    blank: row.blank ?? {},
  }
}

function reader(field: string, whenAbsent: Json): (object: Json) => string {
  const path = (FIELD_PATHS[field] ?? field).split('.')
  return (object) => {
    const value = at(object, ...path) ?? whenAbsent
    return typeof value === 'string' ? value : JSON.stringify(value)
  }
}

/** Selectable fields that are named otherwise than what they read (pkg/apis/batch/v1/conversion.go, core/v1/conversion.go). */
const FIELD_PATHS: Readonly<Record<string, string>> = {
  'status.successful': 'status.succeeded',
  source: 'source.component',
}
