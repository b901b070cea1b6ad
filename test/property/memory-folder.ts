// Folders of stories that are about files and not about disks: in memory where the machine has room for files there.

import { accessSync, constants, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { temporaryFolder, type TemporaryFolder } from '../support/leftovers.ts'

/** tmpfs on Linux. */
const IN_MEMORY = '/dev/shm'

/** Far more than a story needs that removes its files, and less than a container has. */
const ROOM_BYTES = 32 * 1024 * 1024

/**
 * Makes a temporary folder whose disk answers at once, where there is one. A topic is synced with each commit, so on a disk that others
 * keep busy thousands of stories take as many times longer as it is slow.
 */
export function memoryFolder(purpose: string): TemporaryFolder {
  return temporaryFolder(purpose, hasRoom(IN_MEMORY) ? IN_MEMORY : tmpdir())
}

function hasRoom(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    const { bavail, bsize } = statfsSync(path)
    return bavail * bsize >= ROOM_BYTES
  } catch {
    // It is missing, or not for this user: the usual place will do.
    return false
  }
}
