// Builds helm from Go modules, once per machine, and runs it.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { cached, cachePath, progress, runBuild } from './cache.ts'
import type { TemporaryFolder } from './leftovers.ts'

/** The version that is built; a helm of PATH is left alone, since what it renders and says differs between versions. */
export const HELM_VERSION = '3.22.0'

export interface HelmResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface HelmOptions {
  /** Where helm keeps its own files. */
  readonly home: TemporaryFolder
  /** @default none: helm reaches no cluster */
  readonly kubeconfig?: string
}

/** Runs helm to its end. */
export async function helm(args: readonly string[], options: HelmOptions): Promise<HelmResult> {
  const { home, kubeconfig = '/dev/null' } = options
  const env = { PATH: process.env['PATH'], HOME: home.path, KUBECONFIG: kubeconfig }
  const child = spawn(await helmBinary(), args, { stdio: ['ignore', 'pipe', 'pipe'], env })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve)
  })
  const [code, stdout, stderr] = await Promise.all([ended, buffer(child.stdout), buffer(child.stderr)])
  return { code, stdout: stdout.toString(), stderr: stderr.toString() }
}

/** Whether helm is there without a build. */
export function hasHelmBinary(): boolean {
  return existsSync(helmFolder())
}

/** The path of helm, built when this version has not been built yet. @throws Error with the compiler's output */
export async function helmBinary(): Promise<string> {
  const folder = await cached(helmFolder(), async (output) => {
    progress(`building helm ${HELM_VERSION} (about 3 minutes the first time)...`)
    await mkdir(output)
    const what = ['-trimpath', '-ldflags', '-s -w', `helm.sh/helm/v3/cmd/helm@v${HELM_VERSION}`]
    await runBuild('go', ['install', ...what], {
      cwd: output,
      env: { ...process.env, GOBIN: output, GOFLAGS: '-mod=mod' },
    })
  })
  return join(folder, 'helm')
}

function helmFolder(): string {
  return cachePath(`helm-${HELM_VERSION}`)
}
