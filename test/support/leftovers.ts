// Ends child processes and removes folders when the process that made them ends, however it ends.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const cleanups = new Set<() => void>()
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs `cleanup` when this process exits or is told to end, newest first.
 * @returns the function that forgets it again, for a regular end
 */
export function atProcessEnd(cleanup: () => void): () => void {
  if (cleanups.size === 0) listen()
  cleanups.add(cleanup)
  return () => {
    cleanups.delete(cleanup)
    if (cleanups.size === 0) unlisten()
  }
}

/** A folder of its own, gone when disposed or when the process ends. */
export interface TemporaryFolder extends Disposable {
  readonly path: string
}

/** Makes a temporary folder in `parent` whose name starts with `kubedelta-<purpose>-`. */
export function temporaryFolder(purpose: string, parent: string = tmpdir()): TemporaryFolder {
  const path = mkdtempSync(join(parent, `kubedelta-${purpose}-`))
  const remove = (): void => rmSync(path, { recursive: true, force: true, maxRetries: 5 })
  const forget = atProcessEnd(remove)
  return {
    path,
    [Symbol.dispose]() {
      forget()
      remove()
    },
  }
}

function cleanUp(): void {
  for (const cleanup of [...cleanups].toReversed()) cleanup()
  cleanups.clear()
}

function onSignal(signal: NodeJS.Signals): void {
  cleanUp()
  unlisten()
  // Node leaves the default action out once anyone listens; another listener (a test runner's) decides for itself.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
}

function listen(): void {
  process.on('exit', cleanUp)
  for (const signal of SIGNALS) process.on(signal, onSignal)
}

function unlisten(): void {
  process.off('exit', cleanUp)
  for (const signal of SIGNALS) process.off(signal, onSignal)
}
