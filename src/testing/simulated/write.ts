// Carries out writes as the apiserver does: create, update, patch, delete, each once and whole.

import type { Clock } from '../../base/clock.ts'
import { resourceName } from '../../object/resource.ts'
import type { Catalogue } from './catalogue.ts'
import { DEFINITIONS } from './catalogue.ts'
import type { Chance } from './chance.ts'
import { withVersion, type Entry } from './collection.ts'
import { createdBody, updatedBody } from './defaults.ts'
import { at, isSameJson, membersAt, textAt, without, type JsonObject } from './json.ts'
import type { ServedKind } from './kinds.ts'
import { arranged, createdMetadata, hasFinalizers, timestamp, uidOf, updatedMetadata } from './metadata.ts'
import { alreadyExists, badRequest, conflict, invalid, notFound, quote, StatusFailure } from './status.ts'
import type { Store } from './store.ts'
import { checkDefinition, checkedObject, checkName, type Place } from './validation.ts'

export interface ObjectPlace extends Place {
  readonly name: string
  /** Whether the status is meant, and nothing but the status. */
  readonly isStatus: boolean
}

/** What must hold for a delete. */
export interface Preconditions {
  readonly uid?: string
  readonly resourceVersion?: string
}

/** What a write did: the object as it is now, or as it was when it went. */
export interface Written {
  readonly entry: Entry
  readonly isGone: boolean
}

export interface WriterOptions {
  readonly store: Store
  readonly catalogue: Catalogue
  readonly clock: Clock
  readonly chance: Chance
  /** Told of each change, to do what controllers do. */
  readonly onWritten: (kind: ServedKind, written: Written) => void
}

/** The rules of pkg/registry/generic/registry/store.go, without admission. Every method throws a StatusFailure for what is refused. */
export class Writer {
  readonly #options: WriterOptions
  /** Collections whose next change no watch hears of. */
  readonly #forgetting = new Set<string>()

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /** Keeps the next change of a collection from every watch. */
  forgetNext(collection: string): void {
    this.#forgetting.add(collection)
  }

  create(place: Place, body: unknown): Entry {
    const { kind, namespace } = place
    const object = checkedObject(place, body)
    const asked = membersAt(object, 'metadata')
    if (textAt(asked, 'resourceVersion') !== '') {
      throw new StatusFailure({
        code: 500,
        reason: '',
        message: 'resourceVersion should not be set on objects to be created',
        details: null,
      })
    }
    const name = this.#nameFor(asked)
    checkName(place, name)
    this.#checkNamespace(place, name)
    if (resourceName(kind) === DEFINITIONS) checkDefinition(place, object)
    const key = keyIn(place, name)
    if (this.#options.store.collection(resourceName(kind)).get(key) !== undefined) throw alreadyExists(kind, name)
    const { chance, clock } = this.#options
    const metadata = createdMetadata(kind, asked, { name, namespace, uid: chance.uid(), atMs: clock.now() })
    return this.#put(kind, key, metadata, createdBody(kind, object))
  }

  update(place: ObjectPlace, body: unknown): Written {
    const { kind, name } = place
    const object = checkedObject(place, body)
    const asked = textAt(object, 'metadata', 'name')
    if (asked !== '' && asked !== name) {
      throw badRequest(`the name of the object (${asked}) does not match the name on the URL (${name})`)
    }
    const before = this.get(place)
    const version = textAt(object, 'metadata', 'resourceVersion')
    if (version === '' && mustNameVersion(kind)) {
      const message = 'Invalid value: 0: must be specified for an update'
      throw invalid([{ reason: 'FieldValueInvalid', message, field: 'metadata.resourceVersion' }], {
        // Custom resources are named by their plural here (apiextensions-apiserver pkg/registry/customresource).
        kind: kind.isCustom ? kind.resource : kind.kind,
        group: kind.group,
        name,
      })
    }
    if (version !== '' && version !== String(before.version)) throw conflict(kind, name)
    const uid = uidOf(object)
    if (uid !== '' && uid !== uidOf(before.object)) {
      throw conflict(
        kind,
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${uidOf(before.object)}`,
      )
    }
    return this.#replace(place, before, object)
  }

  /** Applies a function to the object as it is; the function may refuse. */
  patch(place: ObjectPlace, change: (object: JsonObject) => unknown): Written {
    return this.update(place, change(this.get(place).object))
  }

  delete(place: ObjectPlace, preconditions: Preconditions = {}): Written {
    const { kind, name } = place
    const before = this.get(place)
    checkPreconditions(kind, before, preconditions)
    const isMarked = textAt(before.object, 'metadata', 'deletionTimestamp') !== ''
    if (waits(kind, before)) {
      // A second delete of something that waits changes nothing.
      return { entry: isMarked ? before : this.#mark(place, before), isGone: false }
    }
    // A pod is first told to end; its kubelet then says that it has. This one needs no time for it.
    const last = resourceName(kind) === 'pods' && !isMarked ? this.#mark(place, before) : before
    return this.#remove(kind, { ...last, key: keyIn(place, name) })
  }

  get({ kind, namespace, name }: Omit<ObjectPlace, 'isStatus'>): Entry {
    const entry = this.#options.store.collection(resourceName(kind)).get(keyIn({ kind, namespace }, name))
    if (entry === undefined) throw notFound(kind, name)
    return entry
  }

  #replace(place: ObjectPlace, before: Entry, object: JsonObject): Written {
    const { kind, isStatus } = place
    const { metadata, body } = isStatus
      ? statusUpdate(kind, before.object, object)
      : wholeUpdate(kind, before.object, object)
    const next = arranged(kind, { ...metadata, ...raised(kind, before.object, body) }, body)
    if (isSameJson(next(String(before.version)), before.object)) return { entry: before, isGone: false }
    // The last finalizer is gone: so is the object, without an event in between.
    if (textAt(metadata, 'deletionTimestamp') !== '' && !hasFinalizers({ metadata }) && hasFinalizers(before.object)) {
      const last = { ...before, object: next(String(before.version)) }
      return { ...this.#remove(kind, before), entry: last }
    }
    const entry = this.#put(kind, before.key, { ...metadata, ...raised(kind, before.object, body) }, body)
    return { entry, isGone: false }
  }

  /** Says that an object is to go. */
  #mark(place: ObjectPlace, before: Entry): Entry {
    const { kind } = place
    const metadata = membersAt(before.object, 'metadata')
    const marked = {
      ...metadata,
      ...(kind.hasGeneration && { generation: Number(at(metadata, 'generation') ?? 0) + 1 }),
      deletionTimestamp: timestamp(this.#options.clock.now()),
      ...(waitsUnasked(kind) ? {} : { deletionGracePeriodSeconds: 0 }),
    }
    const body = bodyOf(before.object)
    if (resourceName(kind) === 'namespaces') {
      return this.#put(kind, before.key, marked, { ...body, status: { phase: 'Terminating' } })
    }
    return this.#put(kind, before.key, marked, body)
  }

  /** Takes away what waited, once that is done. */
  finish(kind: ServedKind, key: string): void {
    const entry = this.#options.store.collection(resourceName(kind)).get(key)
    if (entry !== undefined) this.#remove(kind, entry)
  }

  #put(kind: ServedKind, key: string, metadata: JsonObject, body: JsonObject): Entry {
    const collection = resourceName(kind)
    const make = arranged(kind, metadata, body)
    const isForgotten = this.#forgetting.delete(collection)
    const { after } = this.#options.store.write({ collection, key, make, isForgotten })
    if (after === undefined) throw new TypeError(`Cannot put ${key} into ${collection}: nothing was put`)
    this.#options.onWritten(kind, { entry: after, isGone: false })
    return after
  }

  #remove(kind: ServedKind, { key }: Entry): Written {
    const collection = resourceName(kind)
    const isForgotten = this.#forgetting.delete(collection)
    const { before, version } = this.#options.store.write({ collection, key, make: undefined, isForgotten })
    if (before === undefined) throw new TypeError(`Cannot remove ${key} from ${collection}: it is not there`)
    const object = withVersion(before.object, String(version))
    const written = { entry: { key, version, object }, isGone: true }
    this.#options.onWritten(kind, written)
    return written
  }

  #nameFor(asked: JsonObject): string {
    const [name, prefix] = [textAt(asked, 'name'), textAt(asked, 'generateName')]
    return name === '' && prefix !== '' ? `${prefix}${this.#options.chance.suffix()}` : name
  }

  #checkNamespace({ kind, namespace }: Place, name: string): void {
    if (!kind.namespaced) return
    const { store, catalogue } = this.#options
    const found = store.collection('namespaces').get(namespace)
    const namespaces = catalogue.named('namespaces')
    if (found === undefined && namespaces !== undefined) throw notFound(namespaces, namespace)
    if (found === undefined || textAt(found.object, 'metadata', 'deletionTimestamp') === '') return
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`
    throw new StatusFailure({
      code: 403,
      reason: 'Forbidden',
      message: `${resourceName(kind)} ${quote(name)} is forbidden: ${why}`,
      details: {
        name,
        ...(kind.group !== '' && { group: kind.group }),
        kind: kind.resource,
        causes: [
          {
            reason: 'NamespaceTerminating',
            message: `namespace ${namespace} is being terminated`,
            field: 'metadata.namespace',
          },
        ],
      },
    })
  }
}

/** The key of an object in its collection. */
function keyIn({ kind, namespace }: Place, name: string): string {
  return kind.namespaced ? `${namespace}/${name}` : name
}

interface Update {
  readonly metadata: JsonObject
  readonly body: JsonObject
}

function wholeUpdate(kind: ServedKind, before: JsonObject, object: JsonObject): Update {
  const metadata = updatedMetadata(membersAt(before, 'metadata'), membersAt(object, 'metadata'))
  const body = updatedBody(kind, bodyOf(object))
  if (!kind.hasStatus) return { metadata, body }
  const status = before['status']
  return { metadata, body: { ...without(body, 'status'), ...(status !== undefined && { status }) } }
}

/** Only pods take metadata along with their status (pkg/registry/core/pod/strategy.go). */
function statusUpdate(kind: ServedKind, before: JsonObject, object: JsonObject): Update {
  const old = membersAt(before, 'metadata')
  const metadata = resourceName(kind) === 'pods' ? updatedMetadata(old, membersAt(object, 'metadata')) : old
  const status = object['status']
  return { metadata, body: { ...without(bodyOf(before), 'status'), ...(status !== undefined && { status }) } }
}

/** The generation counts changes of what is wanted: not those of metadata and status. */
function raised(kind: ServedKind, before: JsonObject, body: JsonObject): JsonObject {
  if (!kind.hasGeneration) return {}
  const generation = Number(at(before, 'metadata', 'generation') ?? 0)
  const [was, is] = [bodyOf(before), body].map((whole) => (kind.hasStatus ? without(whole, 'status') : whole))
  return { generation: isSameJson(was, is) ? generation : generation + 1 }
}

function bodyOf(object: JsonObject): JsonObject {
  return without(object, 'kind', 'apiVersion', 'metadata')
}

/** Kinds whose strategy has AllowUnconditionalUpdate false. */
function mustNameVersion(kind: ServedKind): boolean {
  return kind.isCustom || resourceName(kind) === DEFINITIONS || resourceName(kind) === 'leases.coordination.k8s.io'
}

/** Whether an object only says that it is to go, and waits for those who have to do something first. */
function waits(kind: ServedKind, { object }: Entry): boolean {
  return waitsUnasked(kind) || hasFinalizers(object)
}

/** Kinds that are emptied before they go, whoever deletes them. */
function waitsUnasked(kind: ServedKind): boolean {
  return resourceName(kind) === 'namespaces' || resourceName(kind) === DEFINITIONS
}

function checkPreconditions(kind: ServedKind, { object, version }: Entry, wanted: Preconditions): void {
  const named = { ...kind, resource: kind.kind }
  const name = textAt(object, 'metadata', 'name')
  if (wanted.uid !== undefined && wanted.uid !== uidOf(object)) {
    const why = `the UID in the precondition (${wanted.uid}) does not match the UID in record (${uidOf(object)}). The object might have been deleted and then recreated`
    throw conflict(named, name, why)
  }
  if (wanted.resourceVersion !== undefined && wanted.resourceVersion !== String(version)) {
    const why = `the ResourceVersion in the precondition (${wanted.resourceVersion}) does not match the ResourceVersion in record (${version}). The object might have been modified`
    throw conflict(named, name, why)
  }
}
