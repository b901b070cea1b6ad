// Keeps one snapshot in a directory: replaced as a whole, set aside when it cannot be used.

import { createHash, randomUUID } from 'node:crypto'
import { access, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { KubedeltaError, messageOf } from '../base/errors.ts'
import { makeDirectory } from '../base/make-directory.ts'
import { openSnapshot, writeSnapshot, type SnapshotFile, type SnapshotSize } from './snapshot-file.ts'
import type { SnapshotRow } from './snapshot-layout.ts'

export interface SnapshotPlaceOptions {
  /** Created when it is missing. */
  readonly directory: string
  /** The file's name without its ending; of a long one the rest is a hash. */
  readonly name: string
}

/**
 * The place of a snapshot, `DIRECTORY/NAME.snapshot`.
 *
 * - A snapshot appears whole or not at all: written under a name of its own, synced, renamed, the directory synced.
 * - Several processes may share it: each writes a draft of its own, the last rename stands, and whoever reads has opened one whole file.
 */
export class SnapshotPlace {
  readonly path: string
  readonly #directory: string
  readonly #name: string

  constructor({ directory, name }: SnapshotPlaceOptions) {
    this.#directory = directory
    this.#name = fileName(name)
    this.path = join(directory, `${this.#name}.snapshot`)
  }

  /** Makes the directory and tries whether it can be written to. @throws KubedeltaError `usage` when it cannot */
  async prepare(): Promise<void> {
    const directory = this.#directory
    try {
      makeDirectory(directory)
      await this.#removeOldDrafts()
      const draft = this.#draft()
      await (await open(draft, 'wx', 0o600)).close()
      await rm(draft)
    } catch (error) {
      const reason = messageOf(error)
      throw new KubedeltaError(
        'usage',
        `Cannot keep snapshots in ${directory}: wanted a directory that this user may write to: ${reason}`,
        { cause: error, fields: { path: directory } },
      )
    }
  }

  /** Opens what stands there; undefined where nothing does. @throws as `openSnapshot` */
  open(): Promise<SnapshotFile | undefined> {
    return openSnapshot(this.path)
  }

  /** Replaces what stands there, in a directory that may have been cleared away. @throws the signal's reason, and what the file system throws; what stood there still does then */
  async write(header: unknown, rows: Iterable<SnapshotRow>, signal: AbortSignal): Promise<SnapshotSize> {
    const draft = this.#draft()
    try {
      makeDirectory(this.#directory)
      const file = await open(draft, 'wx', 0o600)
      let size: SnapshotSize
      try {
        size = await writeSnapshot(file, header, rows, signal)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(draft, this.path)
      await syncDirectory(this.#directory)
      return size
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
  }

  /**
   * Renames what stands there, so that it is neither read again nor lost: to `.foreign`, or to the first free of `.corrupt-1` to
   * `.corrupt-3`; the last of them is overwritten. Returns the new path.
   */
  async setAside(as: 'corrupt' | 'foreign'): Promise<string> {
    const aside = as === 'foreign' ? `${this.path}.foreign` : await this.#freeCorrupt()
    await rename(this.path, aside)
    await syncDirectory(this.#directory)
    return aside
  }

  async #freeCorrupt(): Promise<string> {
    const paths = Array.from({ length: MAX_CORRUPT }, (_, index) => `${this.path}.corrupt-${index + 1}`)
    for (const path of paths) {
      try {
        await access(path)
      } catch {
        // Nothing stands there: that is what is looked for. What cannot be seen for another reason fails the rename.
        return path
      }
    }
    return paths.at(-1) ?? `${this.path}.corrupt-1`
  }

  #draft(): string {
    return join(this.#directory, `.${this.#name}.${randomUUID()}${DRAFT}`)
  }

  /** A draft lives for seconds; an old one belongs to a process that was killed. */
  async #removeOldDrafts(): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      if (!name.startsWith('.') || !name.endsWith(DRAFT)) continue
      const path = join(this.#directory, name)
      // Gone meanwhile: another process removed it, or it was finished.
      const changedAtMs = await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => undefined,
      )
      if (changedAtMs !== undefined && Date.now() - changedAtMs > DRAFT_IS_LEFT_OVER_MS) await rm(path, { force: true })
    }
  }
}

const DRAFT = '.draft'
const DRAFT_IS_LEFT_OVER_MS = 3_600_000
const MAX_CORRUPT = 3

/** File systems take 255 bytes, with what drafts and files set aside have beside the name; topics alone may have 249. */
function fileName(name: string): string {
  if (name.length <= MAX_NAME) return name
  const hash = createHash('sha256').update(name).digest('hex')
  return `${name.slice(0, MAX_NAME - 17)}-${hash.slice(0, 16)}`
}

const MAX_NAME = 180

/** A rename lasts once the directory that holds the name is on disk. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
