// Joins -r, -n, -l, --field-selector and the file's `resources` into one list of what is selected.

import { KubedeltaError } from '../base/errors.ts'
import { parseFieldSelector } from '../object/field-selector.ts'
import { parseLabelSelector } from '../object/label-selector.ts'
import type { ResourceEntry } from './config-file.ts'
import { checkNamespace } from './option-checks.ts'
import type { RawValues } from './option-values.ts'
import type { OptionKey } from './options.ts'

/** One selected resource, as it was named: '*' and names that discovery does not know are still possible. */
export interface ResourceSelection {
  readonly resource: string
  /** Empty: all namespaces. */
  readonly namespaces: readonly string[]
  /** '' selects everything. */
  readonly labelSelector: string
  readonly fieldSelector: string
  /** Partitions of its topic when it is created; undefined where nobody said. */
  readonly partitions: number | undefined
}

export interface SelectionSources {
  readonly raw: RawValues
  readonly values: {
    readonly resources: readonly string[]
    readonly namespace: readonly string[]
    readonly selector: string | undefined
    readonly fieldSelector: string | undefined
    readonly exclude: readonly string[]
  }
  readonly entries: readonly ResourceEntry[] | undefined
}

/**
 * The selections in force. Resources named by flag or environment replace the file's; a scope given by flag or environment
 * replaces that of an entry, one from the file is the entry's default.
 * @throws KubedeltaError `usage`, `bad-selector`
 */
export function resourceSelections({ raw, values, entries = [] }: SelectionSources): readonly ResourceSelection[] {
  const named = values.resources.map((resource): ResourceEntry => ({
    resource,
    origin: raw.get('resources')?.origin ?? '',
  }))
  const chosen = named.length > 0 ? named : entries
  if (chosen.length === 0) {
    throw new KubedeltaError(
      'usage',
      "Cannot start: wanted -r RESOURCES, or resources in the configuration file: it is absent: -r '*' takes everything",
    )
  }
  if (values.exclude.length > 0 && !chosen.some(({ resource }) => resource === '*')) {
    throw new KubedeltaError('usage', "Cannot use --exclude: it takes from '*': wanted -r '*', or no --exclude")
  }
  return chosen.map((entry) => {
    const selection: ResourceSelection = {
      resource: entry.resource,
      namespaces: [...new Set(insists(raw, 'namespace') ? values.namespace : (entry.namespaces ?? values.namespace))],
      labelSelector: (insists(raw, 'selector') ? values.selector : (entry.labelSelector ?? values.selector)) ?? '',
      fieldSelector:
        (insists(raw, 'fieldSelector') ? values.fieldSelector : (entry.fieldSelector ?? values.fieldSelector)) ?? '',
      partitions: entry.partitions,
    }
    checkSelection(selection, raw, entry.origin)
    return selection
  })
}

/**
 * `--partitions pods=6`: resource -> partitions.
 * @throws KubedeltaError `usage`
 */
export function partitionsByResource(items: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    items.map((item) => {
      const [, resource, count] = /^([^=]+)=([1-9][0-9]{0,5})$/.exec(item) ?? []
      if (resource === undefined || count === undefined) {
        throw new KubedeltaError(
          'usage',
          `Cannot read --partitions: wanted RESOURCE=N like pods=6: current value is ${JSON.stringify(item)}`,
        )
      }
      return [resource, Number(count)]
    }),
  )
}

/** Whether somebody said it for this start, and not for the configuration file. */
function insists(raw: RawValues, key: OptionKey): boolean {
  const given = raw.get(key)
  return given !== undefined && given.from !== 'file'
}

/** The selectors are only parsed, for their errors: which fields a resource knows is the apiserver's to say. */
function checkSelection(selection: ResourceSelection, raw: RawValues, entryOrigin: string): void {
  const namespaceOrigin = raw.get('namespace')?.origin ?? entryOrigin
  for (const namespace of selection.namespaces) checkNamespace(namespace, namespaceOrigin)
  parseLabelSelector(selection.labelSelector)
  parseFieldSelector(selection.fieldSelector)
}
