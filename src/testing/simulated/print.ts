// Prints objects as the apiserver does: in lists, alone, and in the events of a watch.

import { withVersion, type Change, type Entry } from './collection.ts'
import type { JsonObject } from './json.ts'
import type { ServedKind } from './kinds.ts'

/** An object alone, or in a watch. */
export function printObject(kind: ServedKind, entry: Entry): string {
  return printed(kind, entry).text
}

/** An object in a list: those of built-in kinds have no kind and apiVersion there. */
export function printItem(kind: ServedKind, entry: Entry): string {
  const { text, prefix } = printed(kind, entry)
  return kind.isCustom ? text : `{${text.slice(prefix)}`
}

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED'

/**
 * A change as a watch with this selection sees it; undefined where it sees nothing. What leaves the selection is deleted: with the
 * content before and the resourceVersion of the change.
 */
export function printChange(
  kind: ServedKind,
  { version, before, after }: Change,
  selects: (entry: Entry) => boolean,
): string | undefined {
  const was = before !== undefined && selects(before) ? before : undefined
  const is = after !== undefined && selects(after) ? after : undefined
  if (is !== undefined) return printEvent(was === undefined ? 'ADDED' : 'MODIFIED', printObject(kind, is))
  if (was === undefined) return undefined
  const gone = { ...was, version, object: withVersion(was.object, String(version)) }
  return printEvent('DELETED', printObject(kind, gone))
}

/** A frame of a watch, with its end of line. */
export function printEvent(type: EventType | 'BOOKMARK' | 'ERROR', object: string): string {
  return `{"type":"${type}","object":${object}}\n`
}

/** The object that a bookmark carries. */
export function printBookmark(kind: ServedKind, version: number, isInitialEventsEnd: boolean): string {
  const annotations = isInitialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
  const { apiVersion, kind: name } = kind
  const resourceVersion = String(version)
  const object: JsonObject = kind.isCustom
    ? { apiVersion, kind: name, metadata: { ...annotations, resourceVersion } }
    : { kind: name, apiVersion, metadata: { resourceVersion, ...annotations }, ...kind.blank }
  return printEvent('BOOKMARK', JSON.stringify(object))
}

interface Printed {
  readonly apiVersion: string
  readonly text: string
  /** Length of `{"kind":"Pod","apiVersion":"v1",`. */
  readonly prefix: number
}

// An object never changes, so that what was printed once holds for every watch that sends it.
const PRINTED = new WeakMap<JsonObject, Printed>()

function printed(kind: ServedKind, { object }: Entry): Printed {
  const found = PRINTED.get(object)
  if (found?.apiVersion === kind.apiVersion) return found
  const { apiVersion } = kind
  const text = JSON.stringify(object['apiVersion'] === apiVersion ? object : { ...object, apiVersion })
  const made = { apiVersion, text, prefix: `{"kind":${JSON.stringify(kind.kind)},"apiVersion":"${apiVersion}",`.length }
  PRINTED.set(object, made)
  return made
}
