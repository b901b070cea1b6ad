// Runs one reader of the rebuild benchmark as a process of its own.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ReaderFigures, ReaderQuestion } from './rebuild-reader.ts'

/** @throws Error with what the process said when it fails or takes longer than two minutes */
export async function runReader(question: ReaderQuestion, nodeArgs: readonly string[] = []): Promise<ReaderFigures> {
  const command = fileURLToPath(new URL('rebuild-reader.ts', import.meta.url))
  const args = ['--expose-gc', ...nodeArgs, command, JSON.stringify(question)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 120_000 })
  const figures: ReaderFigures = JSON.parse(stdout)
  return figures
}
