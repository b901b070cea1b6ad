// Selects from a cache by namespace, labels and fields, and gives typed views of it.

import { KubedeltaError } from '../base/errors.ts'
import { parseFieldSelector, type FieldSelector } from '../object/field-selector.ts'
import { keyOf } from '../object/key.ts'
import { matchesLabels, parseLabelSelector, type LabelSelector } from '../object/label-selector.ts'
import type { Entry } from './entry.ts'
import { NAMESPACE_INDEX } from './index-function.ts'
import { labelsOf } from './metadata.ts'
import type { Store } from './store.ts'

/** Field label -> its value on an object: `{ 'spec.nodeName': (pod) => pod.spec?.nodeName ?? '' }`. */
export type SelectableFields<T> = Readonly<Record<string, (object: T) => string>>

/** What a list holds: all of the conditions apply, an absent one selects everything. */
export interface ListOptions {
  /** @default '', all namespaces */
  readonly namespace?: string
  /** As kubectl's `-l`: `app=cart,tier in (web,api),!legacy`. @default everything */
  readonly labels?: string | LabelSelector
  /** As kubectl's `--field-selector`, over metadata.name, metadata.namespace and the fields that the cache declares. @default everything */
  readonly fields?: string | FieldSelector
}

/** Reads of one collection. */
export interface Lister<T> {
  /** A snapshot in no promised order. @throws KubedeltaError `bad-selector` */
  list(options?: ListOptions): T[]
  /** The object of a cluster-scoped collection; undefined where there is none. */
  get(name: string): T | undefined
  /** Reads of one namespace; '' lists all of them. */
  namespace(namespace: string): NamespaceLister<T>
}

/** Reads of one namespace of a collection. */
export interface NamespaceLister<T> {
  /** A snapshot in no promised order. @throws KubedeltaError `bad-selector` */
  list(options?: Omit<ListOptions, 'namespace'>): T[]
  get(name: string): T | undefined
}

/** A typed view of a cache in the form of client-go's listers: `createLister(pods).namespace('shop').get('cart-0')`. */
export function createLister<T>(cache: {
  get(key: string): T | undefined
  list(options?: ListOptions): T[]
}): Lister<T> {
  return {
    list: (options) => cache.list(options),
    get: (name) => cache.get(name),
    namespace: (namespace) => ({
      list: (options) => cache.list({ ...options, namespace }),
      get: (name) => cache.get(keyOf(namespace, name)),
    }),
  }
}

/**
 * The entries that a list holds; a namespace is looked up in the namespace index, which the store must have.
 * @throws KubedeltaError `bad-selector` for a wrong selector or a field that is not declared
 */
export function selectEntries<T>(store: Store<T>, options: ListOptions, fields: SelectableFields<T>): Entry<T>[] {
  const { namespace = '', labels, fields: fieldSelector } = options
  const checks = [...labelChecks<T>(labels), ...fieldChecks(fieldSelector, fields)]
  const candidates = namespace === '' ? store.entries() : store.entriesBy(NAMESPACE_INDEX, namespace)
  const selected: Entry<T>[] = []
  for (const entry of candidates) if (checks.every((check) => check(entry))) selected.push(entry)
  return selected
}

/** Whether an entry is selected. */
export type Check<T> = (entry: Entry<T>) => boolean

function labelChecks<T>(labels: string | LabelSelector | undefined): Check<T>[] {
  if (labels === undefined) return []
  const selector = typeof labels === 'string' ? parseLabelSelector(labels) : labels
  if (selector.requirements.length === 0) return []
  return [(entry) => matchesLabels(selector, labelsOf(entry.object))]
}

/**
 * One check for each requirement.
 * @throws KubedeltaError `bad-selector` for a wrong selector or a field that is not declared
 */
export function fieldChecks<T>(text: string | FieldSelector | undefined, fields: SelectableFields<T>): Check<T>[] {
  if (text === undefined) return []
  const { requirements } = typeof text === 'string' ? parseFieldSelector(text) : text
  return requirements.map(({ field, operator, value }) => {
    const valueOf = fieldReader(field, fields)
    return (entry) => (valueOf(entry) === value) === (operator === '=')
  })
}

function fieldReader<T>(field: string, fields: SelectableFields<T>): (entry: Entry<T>) => string {
  // Known without parsing the object.
  if (field === 'metadata.name') return (entry) => entry.name
  if (field === 'metadata.namespace') return (entry) => entry.namespace
  const read = Object.hasOwn(fields, field) ? fields[field] : undefined
  if (read !== undefined) return (entry) => read(entry.object)
  const known = ['metadata.name', 'metadata.namespace', ...Object.keys(fields)].join(', ')
  throw new KubedeltaError(
    'bad-selector',
    `Cannot select by field: wanted one of ${known}: current value is ${JSON.stringify(field)}`,
    { fields: { field } },
  )
}
