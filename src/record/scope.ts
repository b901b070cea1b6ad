// What a bridge selects for one topic, as canonical text: equal selections give equal text, however they were written.

import { parseFieldSelector } from '../object/field-selector.ts'
import { parseLabelSelector } from '../object/label-selector.ts'
import { resourceName } from '../object/resource.ts'
import type { Resource } from '../object/resource.ts'

export interface Scope {
  readonly resource: Pick<Resource, 'group' | 'resource'>
  /** Empty: all namespaces. */
  readonly namespaces: readonly string[]
  /** As on the command line; '' selects everything. */
  readonly labelSelector: string
  /** As on the command line; '' selects everything. */
  readonly fieldSelector: string
}

/**
 * `pods; namespaces: shop,web; labels: app=cart; fields: *`.
 *
 * Namespaces and the terms of a selector are sorted and named once, `==` is `=`. Selections that only happen to match the same
 * objects stay different texts. People read it when a bridge refuses a topic of another scope.
 *
 * @throws KubedeltaError `bad-selector`
 */
export function scopeText({ resource, namespaces, labelSelector, fieldSelector }: Scope): string {
  const named = [...new Set(namespaces)].toSorted()
  return [
    resourceName(resource),
    `namespaces: ${named.join(',') || '*'}`,
    `labels: ${parseLabelSelector(labelSelector).text || '*'}`,
    `fields: ${parseFieldSelector(fieldSelector).text || '*'}`,
  ].join('; ')
}
