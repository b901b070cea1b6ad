// What the life of a simulated cluster sees of it and does to it.

import { hasCode } from '../../base/errors.ts'
import type { Clock } from '../../base/clock.ts'
import type { Chance } from './chance.ts'
import { at, itemsAt, membersAt, textAt, type JsonObject } from './json.ts'
import { isOwnedBy, timestamp, uidOf } from './metadata.ts'

/** One object of a cluster. */
export interface ObjectReference {
  /** `pods`, `deployments.apps` */
  readonly resource: string
  /** @default none, for cluster-scoped kinds */
  readonly namespace?: string
  readonly name: string
}

/** The part of a cluster that its life needs. */
export interface LivingCluster {
  /** The number of the last change. */
  readonly resourceVersion: string
  objects(resource: string): readonly JsonObject[]
  create(object: JsonObject): JsonObject
  patch(reference: ObjectReference, patch: JsonObject): JsonObject
  delete(reference: ObjectReference): void
}

/** Reads and writes a cluster as its controllers and users do: what is gone meanwhile is no failure. */
export class World {
  readonly chance: Chance
  readonly #cluster: LivingCluster
  readonly #clock: Clock
  /** What an activity has to itself. Invariant: whoever adds a uid deletes it again. */
  readonly busy = new Set<string>()

  constructor(cluster: LivingCluster, chance: Chance, clock: Clock) {
    this.#cluster = cluster
    this.chance = chance
    this.#clock = clock
  }

  /** The time as objects carry it. */
  now(): string {
    return timestamp(this.#clock.now())
  }

  /** The number of the last change. */
  get version(): string {
    return this.#cluster.resourceVersion
  }

  all(resource: string): readonly JsonObject[] {
    return this.#cluster.objects(resource)
  }

  /** The object as it is now; undefined when it is gone. */
  find({ resource, namespace = '', name }: ObjectReference): JsonObject | undefined {
    return this.all(resource).find(
      ({ metadata }) => textAt(metadata, 'name') === name && textAt(metadata, 'namespace') === namespace,
    )
  }

  /** @returns undefined when there is one of that name, or its namespace has gone */
  create(object: JsonObject): JsonObject | undefined {
    return this.#unlessGone(() => this.#cluster.create(object))
  }

  /** @returns undefined when it is gone */
  patch(resource: string, object: JsonObject, patch: JsonObject): JsonObject | undefined {
    return this.#unlessGone(() => this.#cluster.patch(referenceOf(resource, object), patch))
  }

  delete(resource: string, object: JsonObject): void {
    this.#unlessGone(() => this.#cluster.delete(referenceOf(resource, object)))
  }

  /** Those of a resource that this object owns. */
  ownedBy(owner: JsonObject, resource: string): readonly JsonObject[] {
    return this.all(resource).filter((object) => isOwnedBy(object, uidOf(owner)))
  }

  /** One that no activity has to itself. */
  anyFree(resource: string): JsonObject | undefined {
    return this.chance.oneOf(this.all(resource).filter((object) => !this.busy.has(uidOf(object))))
  }

  /** A node that is up. */
  anyNode(): string {
    const ready = this.all('nodes').filter((node) =>
      itemsAt(node, 'status', 'conditions').some(
        (each) => textAt(each, 'type') === 'Ready' && textAt(each, 'status') === 'True',
      ),
    )
    return textAt(this.chance.oneOf(ready), 'metadata', 'name')
  }

  #unlessGone<T>(write: () => T): T | undefined {
    try {
      return write()
    } catch (error) {
      // Somebody else was faster: a user over HTTP, or the end of a namespace. There is nothing left to do then.
      if (hasCode(error, 'not-found', 'forbidden') || isTaken(error)) return undefined
      throw error
    }
  }
}

/** The number at `spec.replicas`. */
export function replicasOf(object: JsonObject): number {
  return Number(at(object, 'spec', 'replicas') ?? 0)
}

/** The reference by which an owner is named. */
export function ownerReference(owner: JsonObject): JsonObject {
  const { name, uid } = membersAt(owner, 'metadata')
  return {
    apiVersion: owner['apiVersion'],
    kind: owner['kind'],
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  }
}

function referenceOf(resource: string, object: JsonObject): ObjectReference {
  const namespace = textAt(object, 'metadata', 'namespace')
  return { resource, name: textAt(object, 'metadata', 'name'), ...(namespace !== '' && { namespace }) }
}

function isTaken(error: unknown): boolean {
  return hasCode(error, 'server') && error.fields['reason'] === 'AlreadyExists'
}
