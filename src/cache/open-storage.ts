// Makes the storage that a cache was asked to have.

import { bytesStorage } from './bytes-storage.ts'
import { objectStorage } from './object-storage.ts'
import type { ObjectStorage, StorageMode } from './storage.ts'

/**
 * The storage of a mode, or the one that was given.
 * @throws TypeError for a mode that there is not
 */
export function openStorage<T>(storage: StorageMode | ObjectStorage<T> = 'bytes'): ObjectStorage<T> {
  if (typeof storage === 'object') return storage
  switch (storage) {
    case 'bytes':
      return bytesStorage()
    case 'object':
      return objectStorage()
    default:
      // From JavaScript, or from a configuration.
      storage satisfies never
      throw new TypeError(
        `Cannot create cache: 'storage' must be 'bytes' or 'object': current value is ${String(storage)}`,
      )
  }
}
