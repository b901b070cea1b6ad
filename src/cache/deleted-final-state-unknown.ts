// A deletion that was missed, as a store is told of it.

import { deepFreeze } from './deep-freeze.ts'

/** Stands for an object that vanished unseen: its key, and its last known state where there is one. */
export class DeletedFinalStateUnknown<T> {
  readonly key: string
  readonly object: T | undefined

  constructor(key: string, object: T | undefined) {
    this.key = key
    this.object = deepFreeze(object)
  }
}
