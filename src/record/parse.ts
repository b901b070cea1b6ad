// Makes a KubeRecord of what a decoder read, and nothing else of anything else.

import { KubedeltaError } from '../base/errors.ts'
import { isFields } from '../base/fields.ts'
import type { Cause, KubeRecord, Operation, Previous } from './record.ts'

/**
 * Checks decoded fields and fills in what an older writer left out, with the defaults of schemas/record.avsc.
 * Unknown fields are ignored; an unknown `op` or `cause` becomes UNKNOWN, as Avro's enum default does it.
 *
 * @param value the fields by name; `object` is a Buffer of JSON text or null
 * @throws KubedeltaError `corrupt` when a field without a default is missing, or one has the wrong type
 */
export function parseRecord(value: unknown): KubeRecord {
  if (!isFields(value)) throw corrupt('fields', 'a map of fields', value)
  return {
    op: symbol(value.op, OPERATIONS, 'op'),
    cause: symbol(value.cause, CAUSES, 'cause'),
    finalStateUnknown: flag(value.finalStateUnknown, 'finalStateUnknown'),
    initial: flag(value.initial, 'initial'),
    cluster: text(value.cluster, 'cluster'),
    group: text(value.group, 'group'),
    version: text(value.version, 'version'),
    resource: text(value.resource, 'resource'),
    kind: text(value.kind, 'kind'),
    namespace: value.namespace === undefined || value.namespace === null ? null : text(value.namespace, 'namespace'),
    name: text(value.name, 'name'),
    uid: text(value.uid, 'uid'),
    resourceVersion: text(value.resourceVersion, 'resourceVersion'),
    previous: previous(value.previous),
    observedAt: integer(value.observedAt, 'observedAt'),
    epoch: value.epoch === undefined ? 0 : integer(value.epoch, 'epoch'),
    object: object(value.object),
  }
}

const OPERATIONS: { readonly [name in Operation]: name } = {
  UNKNOWN: 'UNKNOWN',
  ADDED: 'ADDED',
  UPDATED: 'UPDATED',
  DELETED: 'DELETED',
}

const CAUSES: { readonly [name in Cause]: name } = {
  UNKNOWN: 'UNKNOWN',
  WATCH: 'WATCH',
  LIST: 'LIST',
  RELIST: 'RELIST',
  RESYNC: 'RESYNC',
  RECOVERY: 'RECOVERY',
  SELECTOR: 'SELECTOR',
  POLICY: 'POLICY',
}

function symbol<T extends string>(
  value: unknown,
  symbols: Readonly<Record<T, T>> & { readonly UNKNOWN: T },
  field: string,
): T {
  if (value === undefined) return symbols.UNKNOWN
  const name = text(value, field)
  return has(symbols, name) ? symbols[name] : symbols.UNKNOWN
}

function has<T extends string>(symbols: Readonly<Record<T, T>>, name: string): name is T {
  return Object.hasOwn(symbols, name)
}

function previous(value: unknown): Previous | null {
  if (value === undefined || value === null) return null
  if (!isFields(value)) throw corrupt('previous', 'null or a map of fields', value)
  return {
    uid: text(value.uid, 'previous.uid'),
    resourceVersion: text(value.resourceVersion, 'previous.resourceVersion'),
  }
}

function object(value: unknown): Buffer | null {
  if (value === undefined || value === null) return null
  if (!Buffer.isBuffer(value)) throw corrupt('object', 'null or JSON text', value)
  return value
}

function flag(value: unknown, field: string): boolean {
  if (value === undefined) return false
  if (typeof value !== 'boolean') throw corrupt(field, 'a boolean', value)
  return value
}

function text(value: unknown, field: string): string {
  if (typeof value !== 'string') throw corrupt(field, 'text', value)
  return value
}

function integer(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw corrupt(field, 'an integer', value)
  return value
}

// The value itself stays out of the message: it may be a part of an object.
function corrupt(field: string, wanted: string, value: unknown): KubedeltaError {
  const found = value === undefined ? 'missing' : value === null ? 'null' : typeof value
  return new KubedeltaError('corrupt', `Cannot decode record: '${field}' must be ${wanted}: current value is ${found}`)
}
