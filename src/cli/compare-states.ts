// Compares what a cluster lists with what a topic holds, telling real differences from changes on their way.

import { textAt } from '../base/fields.ts'
import { keyOf } from '../object/key.ts'
import { compareResourceVersions } from '../object/resource-version.ts'

export interface State {
  readonly uid: string
  readonly resourceVersion: string
}

/** Key -> what is there. */
export type States = ReadonlyMap<string, State>

export interface Difference {
  /** Keys that only the list has: real where the object still exists, on its way where it was deleted since. Sorted, as the others. */
  readonly missing: readonly string[]
  /** Keys that only the topic has, and had when the list was made. */
  readonly extra: readonly string[]
  /** Keys of which the topic has another version, and had it when the list was made. */
  readonly stale: readonly string[]
}

/**
 * What differs between a consistent list and a topic that has come at least as far.
 *
 * The topic may be ahead: what it has from after the list is no difference.
 * @param listedAt the list's resourceVersion; the topic holds everything up to it
 */
export function compareStates(cluster: States, topic: States, listedAt: string): Difference {
  const isAhead = ({ resourceVersion }: State): boolean => (compareResourceVersions(resourceVersion, listedAt) ?? 0) > 0
  const missing = [...cluster.keys()].filter((key) => !topic.has(key))
  const extra: string[] = []
  const stale: string[] = []
  for (const [key, held] of topic) {
    const listed = cluster.get(key)
    if (isAhead(held)) continue
    if (listed === undefined) extra.push(key)
    else if (listed.uid !== held.uid || listed.resourceVersion !== held.resourceVersion) stale.push(key)
  }
  return { missing: missing.toSorted(byText), extra: extra.toSorted(byText), stale: stale.toSorted(byText) }
}

/** The missing keys whose object still exists, by a later list: nobody has deleted it, so the topic lacks it. */
export function stillThere(missing: readonly string[], before: States, later: States): readonly string[] {
  return missing.filter((key) => before.get(key)?.uid === later.get(key)?.uid)
}

/** The states of these objects. */
export function statesOf(objects: readonly unknown[]): States {
  return new Map(
    objects.map((object) => [
      keyOf(textAt(object, 'metadata', 'namespace'), textAt(object, 'metadata', 'name')),
      { uid: textAt(object, 'metadata', 'uid'), resourceVersion: textAt(object, 'metadata', 'resourceVersion') },
    ]),
  )
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
