// Does at once what controllers of a real cluster do soon: empties namespaces, serves definitions, collects garbage.

import type { Clock } from '../../base/clock.ts'
import { resourceName } from '../../object/resource.ts'
import { DEFINITIONS, isEstablished, type Catalogue } from './catalogue.ts'
import type { Entry } from './collection.ts'
import { at, itemsAt, membersAt, textAt, type Json, type JsonObject } from './json.ts'
import type { ServedKind } from './kinds.ts'
import { isOwnedBy, timestamp, uidOf } from './metadata.ts'
import type { Store } from './store.ts'
import type { Writer, Written } from './write.ts'

export interface ControllerOptions {
  readonly store: Store
  readonly catalogue: Catalogue
  readonly writer: Writer
  readonly clock: Clock
}

/** Reacts to one change; what it writes is reacted to as well. */
export function react(kind: ServedKind, { entry, isGone }: Written, options: ControllerOptions): void {
  const name = resourceName(kind)
  const isEnding = textAt(entry.object, 'metadata', 'deletionTimestamp') !== ''
  if (name === 'namespaces' && isEnding && !isGone) emptyNamespace(entry.key, options)
  if (name === DEFINITIONS && !isGone) define(kind, entry, isEnding, options)
  if (isGone) {
    if (OWNERS.has(name)) collectGarbage(entry.object, options)
    if (kind.namespaced) finishNamespace(textAt(entry.object, 'metadata', 'namespace'), options)
  }
}

/** Kinds whose objects own others, in every cluster. */
const OWNERS: ReadonlySet<string> = new Set([
  'deployments.apps',
  'replicasets.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'cronjobs.batch',
  'jobs.batch',
])

function emptyNamespace(namespace: string, options: ControllerOptions): void {
  for (const { kind, entry } of contentOf(namespace, options)) remove(kind, entry, options)
  finishNamespace(namespace, options)
}

function finishNamespace(namespace: string, options: ControllerOptions): void {
  const { store, catalogue, writer } = options
  const found = store.collection('namespaces').get(namespace)
  const kind = catalogue.named('namespaces')
  if (found === undefined || kind === undefined || textAt(found.object, 'metadata', 'deletionTimestamp') === '') return
  if (contentOf(namespace, options).next().done === true) writer.finish(kind, namespace)
}

interface Content {
  readonly kind: ServedKind
  readonly entry: Entry
}

function* contentOf(namespace: string, { store, catalogue }: ControllerOptions): Generator<Content> {
  for (const kind of catalogue.kinds()) {
    if (!kind.namespaced) continue
    for (const entry of store.collection(resourceName(kind)).entries()) {
      if (entry.key.startsWith(`${namespace}/`)) yield { kind, entry }
    }
  }
}

/** Deletes what owners that are gone leave behind (kube-controller-manager's garbage collector, in the background). */
function collectGarbage(owner: JsonObject, options: ControllerOptions): void {
  const uid = uidOf(owner)
  const namespace = textAt(owner, 'metadata', 'namespace')
  const owned = [...contentOf(namespace, options)].filter(({ entry }) => isOwnedBy(entry.object, uid))
  for (const { kind, entry } of owned) remove(kind, entry, options)
}

/** Deletes an object unless another reaction was faster. */
function remove(kind: ServedKind, { key }: Entry, { store, writer }: ControllerOptions): void {
  const entry = store.collection(resourceName(kind)).get(key)
  if (entry === undefined) return
  const metadata = at(entry.object, 'metadata')
  const [namespace, name] = [textAt(metadata, 'namespace'), textAt(metadata, 'name')]
  writer.delete({ kind, namespace, name, isStatus: false })
}

function define(kind: ServedKind, entry: Entry, isEnding: boolean, options: ControllerOptions): void {
  const { writer, clock, store, catalogue } = options
  const { object } = entry
  const place = { kind, namespace: '', name: entry.key, isStatus: true }
  const at = timestamp(clock.now())
  if (isEnding) {
    const custom = catalogue.kinds().find(({ isCustom, ...other }) => isCustom && definitionName(other) === entry.key)
    const left = custom === undefined ? [] : store.collection(resourceName(custom)).entries()
    if (custom !== undefined) for (const each of left) remove(custom, each, options)
    writer.finish(kind, entry.key)
    return
  }
  if (isEstablished(object)) return
  const isNamed = itemsAt(object, 'status', 'conditions').length > 0
  const names = membersAt(object, 'spec', 'names')
  writer.patch(place, (current) => ({
    ...current,
    status: {
      conditions: [
        condition('NamesAccepted', 'True', { reason: 'NoConflicts', message: 'no conflicts found' }, at),
        condition('Established', isNamed ? 'True' : 'False', isNamed ? ESTABLISHED : INSTALLING, at),
      ],
      acceptedNames: names,
      storedVersions: membersAt(current, 'status')['storedVersions'] ?? [],
    },
  }))
}

const ESTABLISHED = { reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' }
const INSTALLING = { reason: 'Installing', message: 'the initial names have been accepted' }

function condition(
  type: string,
  status: string,
  why: { readonly reason: string; readonly message: string },
  at: string,
): Json {
  return { type, status, lastTransitionTime: at, ...why }
}

function definitionName({ resource, group }: Pick<ServedKind, 'resource' | 'group'>): string {
  return `${resource}.${group}`
}
