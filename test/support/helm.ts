// Builds helm from Go modules, once per machine, and runs it.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { cached, cachePath, progress, runBuild } from './cache.ts'

/** The version that is built; a helm on PATH is not used, since what it renders and says differs between versions. */
export const HELM_VERSION = '3.22.0'

/** The folder of the chart. */
export const CHART = fileURLToPath(new URL('../../helm', import.meta.url))

export interface HelmResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Whether helm is there without a build. */
export function hasHelmBinary(): boolean {
  return existsSync(helmFolder())
}

/** The path of helm, built when this version has not been built yet. @throws Error with the compiler's output */
export async function helmBinary(): Promise<string> {
  const folder = await cached(helmFolder(), async (output) => {
    progress(`building helm ${HELM_VERSION} (about 4 minutes the first time)...`)
    const flags = ['-trimpath', '-ldflags', '-s -w']
    await runBuild('go', ['install', ...flags, `helm.sh/helm/v3/cmd/helm@v${HELM_VERSION}`], {
      cwd: cachePath(),
      env: { ...process.env, GOBIN: output, GOFLAGS: '-mod=mod' },
    })
  })
  return join(folder, 'helm')
}

/** Runs helm to its end, with `home` for its own files and no cluster. */
export async function helm(args: readonly string[], { home }: { readonly home: string }): Promise<HelmResult> {
  const env = { PATH: process.env['PATH'], HOME: home, KUBECONFIG: '/dev/null' }
  const child = spawn(await helmBinary(), args, { stdio: ['ignore', 'pipe', 'pipe'], env })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve)
  })
  const [code, stdout, stderr] = await Promise.all([ended, buffer(child.stdout), buffer(child.stderr)])
  return { code, stdout: stdout.toString(), stderr: stderr.toString() }
}

function helmFolder(): string {
  return cachePath(`helm-${HELM_VERSION}`)
}
