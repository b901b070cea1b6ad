// Decides which objects a request selects: by namespace, labels and fields.

import { matchesLabels, parseLabelSelector } from '../../object/label-selector.ts'
import { parseFieldSelector, type FieldRequirement } from '../../object/field-selector.ts'
import { KubedeltaError } from '../../base/errors.ts'
import type { Entry } from './collection.ts'
import { membersAt, textAt, type JsonObject } from './json.ts'
import type { ServedKind } from './kinds.ts'
import { badRequest, quote } from './status.ts'

export interface SelectionRequest {
  /** '' for all. */
  readonly namespace: string
  readonly labelSelector: string
  readonly fieldSelector: string
}

/**
 * The predicate of a request.
 * @throws StatusFailure 400 for a selector that does not parse or a field that the kind does not offer
 */
export function selection(kind: ServedKind, request: SelectionRequest): (entry: Entry) => boolean {
  const labels = parsed(() => parseLabelSelector(request.labelSelector))
  const fields = parsed(() => parseFieldSelector(request.fieldSelector)).requirements
  const readers = fields.map((requirement) => ({ requirement, read: readerOf(kind, requirement) }))
  const prefix = request.namespace === '' ? '' : `${request.namespace}/`
  return ({ key, object }) =>
    key.startsWith(prefix) &&
    (labels.requirements.length === 0 || matchesLabels(labels, labelsOf(object))) &&
    readers.every(({ requirement, read }) => (read(object) === requirement.value) === (requirement.operator === '='))
}

/** The labels of an object. */
export function labelsOf(object: JsonObject): Readonly<Record<string, string>> {
  const labels = Object.entries(membersAt(object, 'metadata', 'labels'))
  return Object.fromEntries(labels.flatMap(([key, value]) => (typeof value === 'string' ? [[key, value]] : [])))
}

function readerOf(kind: ServedKind, { field }: FieldRequirement): (object: JsonObject) => string {
  if (field === 'metadata.name') return (object) => textAt(object, 'metadata', 'name')
  if (field === 'metadata.namespace') return (object) => textAt(object, 'metadata', 'namespace')
  const read = Object.hasOwn(kind.fields, field) ? kind.fields[field] : undefined
  if (read !== undefined) return read
  const offersMore = Object.keys(kind.fields).length > 0 || kind.isCustom
  throw badRequest(
    offersMore
      ? `field label not supported: ${field}`
      : `${quote(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
  )
}

function parsed<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof KubedeltaError) throw badRequest(error.message)
    throw error
  }
}
