// Selects the part of a topic that a cache keeps.

import { KubedeltaError } from '../base/errors.ts'
import type { Entry } from '../cache/entry.ts'
import { fieldChecks, type SelectableFields } from '../cache/lister.ts'
import { asLabels, labelsOf as labelsOfObject } from '../cache/metadata.ts'
import { parseFieldSelector, type FieldSelector } from '../object/field-selector.ts'
import { matchesLabels, parseLabelSelector, type LabelSelector } from '../object/label-selector.ts'
import { scanLabels } from '../object/scan-labels.ts'

/** Which objects a cache keeps: all conditions apply, an absent one selects everything. */
export interface SelectionOptions {
  /** Objects of these alone; '' is cluster scope. Told from the key, so that nothing else of a record is read. @default all */
  readonly namespaces?: readonly string[]
  /** As kubectl's `-l`, over the object as it stands on the topic, before a transform. @default everything */
  readonly labels?: string | LabelSelector
  /**
   * As kubectl's `--field-selector`, over metadata.name, metadata.namespace and the fields of `selectableFields`, before a transform; for
   * the latter each object is parsed. @default everything
   */
  readonly fields?: string | FieldSelector
}

/** A checked selection. */
export interface Selection<T> {
  /** Whether objects under this key are selected as far as the key says. */
  readonly admits: (key: string) => boolean
  /** Whether a state is selected, its key being so. @throws what a field's function throws */
  readonly selects: (entry: Entry<T>) => boolean
  /** Equal for selections that say the same; for a snapshot's fingerprint. */
  readonly text: Readonly<Record<string, unknown>>
  /** Functions of the program decide too. */
  readonly hasFunctions: boolean
}

/**
 * undefined where everything is selected.
 * @throws KubedeltaError `bad-selector` for a wrong selector or a field that is not declared, `usage` for an empty list of namespaces
 */
export function createSelection<T>(
  { namespaces, labels: labelSelector, fields: fieldSelector }: SelectionOptions,
  selectable: SelectableFields<T> = {},
): Selection<T> | undefined {
  if (namespaces === undefined && labelSelector === undefined && fieldSelector === undefined) return undefined
  if (namespaces?.length === 0) {
    throw new KubedeltaError(
      'usage',
      "Cannot create cache: 'namespaces' must name at least one: current value is []: leave it out for all",
    )
  }
  const wanted = namespaces && new Set(namespaces)
  const labels = typeof labelSelector === 'string' ? parseLabelSelector(labelSelector) : labelSelector
  const fields = typeof fieldSelector === 'string' ? parseFieldSelector(fieldSelector) : fieldSelector
  const checks = fieldChecks<T>(fields, selectable)
  return {
    admits: (key) => wanted === undefined || wanted.has(namespaceOf(key)),
    selects: (entry) =>
      checks.every((check) => check(entry)) && (labels === undefined || matchesLabels(labels, labelsOf(entry))),
    text: { namespaces: wanted && [...wanted].toSorted(), labels: labels?.text, fields: fields?.text },
    hasFunctions: fields?.requirements.some(({ field }) => Object.hasOwn(selectable, field)) ?? false,
  }
}

function namespaceOf(key: string): string {
  return key.slice(0, Math.max(0, key.indexOf('/')))
}

/** Parses the labels alone. */
function labelsOf<T>(entry: Entry<T>): Readonly<Record<string, string>> {
  return entry.bytes === undefined ? labelsOfObject(entry.object) : asLabels(scanLabels(entry.bytes))
}
