// Builds a Go program under test/ into the cache, once for each version of its sources.

import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { cached, cachePath, progress, runBuild } from './cache.ts'

export interface GoTool {
  /** The Go module's folder. */
  readonly module: string
  /** Name of the cache folder, to which a hash of the module's sources is added. @default the module folder's name */
  readonly name?: string
  /** The package to build, relative to the module. @default '.' */
  readonly package?: string
  /** Name of the binary. @default the package's last element, or `name` */
  readonly binary?: string
  /** @default '-s -w' */
  readonly ldflags?: string
  /** How long it takes the first time, for the line of progress. @default 'about a minute' */
  readonly duration?: string
}

/** Where the binary lies, or will. */
export function goToolPath(tool: GoTool): string {
  const { module, name = basename(module), package: target = '.' } = tool
  const { binary = target === '.' ? name : basename(target) } = tool
  return join(cachePath(`${name}-${hashOf(module)}`), binary)
}

/** The path of the binary, built when these sources have not been built yet. @throws Error with the compiler's output */
export async function goTool(tool: GoTool): Promise<string> {
  const { module, package: target = '.', ldflags = '-s -w', duration = 'about a minute' } = tool
  const path = goToolPath(tool)
  return cached(path, async (output) => {
    progress(`building ${basename(path)} (${duration} the first time)...`)
    await runBuild('go', ['build', '-trimpath', '-ldflags', ldflags, '-o', output, target], { cwd: module })
  })
}

function hashOf(module: string): string {
  const hash = createHash('sha256')
  const files = readdirSync(module, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.go$|^go\.(mod|sum)$/.test(entry.name))
    .map((entry) => relative(module, join(entry.parentPath, entry.name)))
    .toSorted()
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(module, file)))
      .update('\0')
  return hash.digest('hex').slice(0, 12)
}
