// All that ever happened to a fake collection, so that it can be shown as it was.

import type { RawObject } from '../object/raw-object.ts'

export class FakePast {
  readonly #changes: Array<{ resourceVersion: number; key: string; object: RawObject | undefined }> = []

  /** Notes the state of a key from this resourceVersion on; undefined: it is gone. */
  note(resourceVersion: number, key: string, object: RawObject | undefined): void {
    this.#changes.push({ resourceVersion, key, object })
  }

  /** The objects as they were at this resourceVersion. */
  at(resourceVersion: number): readonly RawObject[] {
    const objects = new Map<string, RawObject>()
    for (const change of this.#changes) {
      if (change.resourceVersion > resourceVersion) break
      if (change.object === undefined) objects.delete(change.key)
      else objects.set(change.key, change.object)
    }
    return [...objects.values()]
  }
}
