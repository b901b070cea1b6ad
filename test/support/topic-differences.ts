// What a bridge has to append to a topic so that it equals the cluster again, worked out without the bridge.

import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { RecordDecoder } from '../../src/codec/codec.ts'
import { SchemaStore } from '../../src/codec/schema-source.ts'
import { keyOf } from '../../src/object/key.ts'
import { fromHeaders, isReservedKey, type Control } from '../../src/record/control.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import { parseTombstone } from '../../src/record/tombstone.ts'
import { textAt, type JsonObject } from '../../src/testing/simulated/json.ts'
import type { StoredRecord } from '../../src/topic/port.ts'

/** A record of a topic, decoded. */
export type Entry = { readonly partition: number; readonly offset: number; readonly key: string } & (
  | { readonly kind: 'record'; readonly record: KubeRecord; readonly object: unknown }
  | { readonly kind: 'tombstone'; readonly epoch: number; readonly uid: string; readonly resourceVersion: string }
  | { readonly kind: 'control'; readonly control: Control }
)

export type RecordEntry = Extract<Entry, { readonly kind: 'record' }>

/** One record that a bridge appends, or should. */
export interface Change {
  readonly key: string
  /** `UPDATED RECOVERY shop/a@12 (3f1c), was 10 (3f1c)`; `tombstone shop/a@12 (3f1c)`. */
  readonly line: string
  /** undefined for a tombstone. */
  readonly object: unknown
}

/** The object as it should stand on the topic. */
export type Publish = (object: JsonObject) => unknown

const decoder = new RecordDecoder(new SchemaStore())

/** @throws AssertionError for a record that no bridge writes */
export function entryOf({ partition, offset, key: bytes, value, headers }: StoredRecord): Entry {
  const key = bytes.toString()
  const place = { partition, offset, key }
  if (value !== null) {
    const record = decoder.decode(value)
    const object: unknown = record.object === null ? null : JSON.parse(record.object.toString())
    return { ...place, kind: 'record', record, object }
  }
  if (isReservedKey(key)) {
    const control = fromHeaders(key, headers)
    assert.ok(control !== undefined, `a control record of this version: ${key}`)
    return { ...place, kind: 'control', control }
  }
  const tombstone = parseTombstone(headers)
  assert.ok(tombstone !== undefined, `a tombstone says whose it is: ${key}`)
  return { ...place, kind: 'tombstone', ...tombstone }
}

/** Per key the last record, unless it was deleted. */
export function heldBy(entries: readonly Entry[]): ReadonlyMap<string, RecordEntry> {
  const held = new Map<string, RecordEntry>()
  for (const entry of entries) {
    if (entry.kind === 'record') held.set(entry.key, entry)
    if (entry.kind === 'tombstone') held.delete(entry.key)
  }
  return held
}

/** What a start has to append, key by key: each deletion with the state that the topic held last. */
export function differences(
  before: readonly Entry[],
  objects: readonly JsonObject[],
  publish: Publish,
): ReadonlyMap<string, readonly Change[]> {
  const held = heldBy(before)
  const isSynced = before.some((entry) => entry.kind === 'control' && isSyncedProgress(entry.control))
  const added = isSynced ? 'ADDED RECOVERY' : 'ADDED LIST'
  const wanted = new Map<string, readonly Change[]>()
  const present = new Set<string>()
  for (const item of objects) {
    const key = keyOf(textAt(item, 'metadata', 'namespace'), textAt(item, 'metadata', 'name'))
    present.add(key)
    const [uid, resourceVersion] = [textAt(item, 'metadata', 'uid'), textAt(item, 'metadata', 'resourceVersion')]
    const now = { uid, resourceVersion }
    const object = publish(item)
    const last = held.get(key)
    if (last === undefined) {
      wanted.set(key, [{ key, line: `${added} ${stateText(key, now)}`, object }])
    } else if (last.record.uid !== uid) {
      const again = { key, line: `ADDED RECOVERY ${stateText(key, now)}`, object }
      wanted.set(key, [...deletion(last, publish), again])
    } else if (last.record.resourceVersion !== resourceVersion || !isDeepStrictEqual(last.object, object)) {
      const cause = last.record.resourceVersion === resourceVersion ? 'POLICY' : 'RECOVERY'
      const line = `UPDATED ${cause} ${stateText(key, now)}, was ${versionText(last.record)}`
      wanted.set(key, [{ key, line, object }])
    }
  }
  for (const [key, last] of held) if (!present.has(key)) wanted.set(key, deletion(last, publish))
  return wanted
}

/** What was appended, key by key, in order. */
export function appendedIn(entries: readonly Entry[]): ReadonlyMap<string, readonly Change[]> {
  const changes = entries.flatMap((entry) => changeOf(entry) ?? [])
  return new Map(Object.entries(Object.groupBy(changes, ({ key }) => key)).map(([key, of = []]) => [key, of]))
}

/** Fails unless the records of each key are a life, each delete has its tombstone beside it, and nothing stands there twice. */
export function assertWellWritten(entries: readonly Entry[]): void {
  const last = new Map<string, RecordEntry>()
  const seen = new Set<string>()
  const epochs = new Map<number, number>()
  for (const entry of entries) {
    const epoch = epochOf(entry)
    assert.ok(epoch >= (epochs.get(entry.partition) ?? 0), `nothing of an older leadership comes late: ${show(entry)}`)
    epochs.set(entry.partition, epoch)
    if (entry.kind === 'control') continue
    const { key } = entry
    const before = last.get(key)
    if (entry.kind === 'tombstone') {
      assert.equal(before?.record.op, 'DELETED', `a tombstone follows its delete: ${show(entry)}`)
      assert.equal(entry.offset, (before?.offset ?? NaN) + 1, `at once: ${show(entry)}`)
      last.delete(key)
      continue
    }
    assert.notEqual(before?.record.op, 'DELETED', `a delete has its tombstone: ${show(entry)}`)
    const previous = before === undefined ? null : versionText(before.record)
    const told = entry.record.previous === null ? null : versionText(entry.record.previous)
    assert.equal(told, previous, `what a record says stood before it did: ${show(entry)}`)
    const text = show(entry)
    assert.ok(!seen.has(text), `nothing stands there twice: ${text}`)
    seen.add(text)
    last.set(key, entry)
  }
}

/** By key, so that two of them can be compared. */
export function sorted(changes: ReadonlyMap<string, readonly Change[]>): readonly (readonly Change[])[] {
  return [...changes].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, of]) => of)
}

export function epochOf(entry: Entry): number {
  if (entry.kind === 'record') return entry.record.epoch
  return entry.kind === 'control' ? entry.control.epoch : entry.epoch
}

function deletion({ key, record, object }: RecordEntry, publish: Publish): readonly Change[] {
  const last = isObject(object) ? publish(object) : object
  const state = stateText(key, record)
  return [
    { key, line: `DELETED RECOVERY ${state}, was ${versionText(record)}, final state unknown`, object: last },
    { key, line: `tombstone ${state}`, object: undefined },
  ]
}

function changeOf(entry: Entry): Change | undefined {
  switch (entry.kind) {
    case 'control':
      return undefined
    case 'tombstone':
      return { key: entry.key, line: show(entry), object: undefined }
    case 'record':
      return { key: entry.key, line: show(entry), object: entry.object }
    default:
      return entry satisfies never
  }
}

function show(entry: Entry): string {
  if (entry.kind === 'control') return entry.control.kind
  if (entry.kind === 'tombstone') return `tombstone ${stateText(entry.key, entry)}`
  const { op, cause, previous, finalStateUnknown } = entry.record
  const was = previous === null ? '' : `, was ${versionText(previous)}`
  return `${op} ${cause} ${stateText(entry.key, entry.record)}${was}${finalStateUnknown ? ', final state unknown' : ''}`
}

interface Version {
  readonly uid: string
  readonly resourceVersion: string
}

function stateText(key: string, version: Version): string {
  return `${key}@${versionText(version)}`
}

function versionText({ uid, resourceVersion }: Version): string {
  return `${resourceVersion} (${uid})`
}

function isSyncedProgress(control: Control): boolean {
  return control.kind === 'progress' && control.synced
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
