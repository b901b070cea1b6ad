// The snapshots of a directory as a test keeps, puts back and damages them.

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What befalls a snapshot: one bit is another one, or what stands behind a place is missing. `share`: where, of its length. */
export interface SnapshotDamage {
  readonly kind: 'flip' | 'cut'
  readonly share: number
}

/** The snapshots that stand in a directory now: name -> content. */
export function snapshotFiles(directory: string): ReadonlyMap<string, Buffer> {
  const names = readdirSync(directory).filter((name) => name.endsWith('.snapshot'))
  return new Map(names.map((name) => [name, readFileSync(join(directory, name))]))
}

/** Makes these the snapshots that stand there. */
export function putSnapshotFiles(directory: string, files: ReadonlyMap<string, Buffer>): void {
  for (const name of snapshotFiles(directory).keys()) rmSync(join(directory, name))
  for (const [name, bytes] of files) writeFileSync(join(directory, name), bytes)
}

/** Damages every snapshot that stands there. */
export function damageSnapshots(directory: string, { kind, share }: SnapshotDamage): void {
  for (const [name, bytes] of snapshotFiles(directory)) {
    const at = Math.floor(share * (bytes.length - 1))
    if (kind === 'flip') bytes[at] = (bytes[at] ?? 0) ^ 0x04
    writeFileSync(join(directory, name), kind === 'flip' ? bytes : bytes.subarray(0, at))
  }
}
