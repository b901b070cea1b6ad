// Runs kubectl against one cluster.

import { spawn } from 'node:child_process'
import { buffer } from 'node:stream/consumers'

export interface KubectlOptions {
  /** What kubectl reads with `-f -`. */
  readonly stdin?: string
  /** Whether a failing command throws. @default true */
  readonly check?: boolean
  /** @default the cluster administrator's */
  readonly kubeconfig?: string
}

export interface KubectlResult {
  readonly stdout: string
  readonly stderr: string
  readonly code: number
}

/** @throws Error with kubectl's words when it fails, unless `check: false` */
export type Kubectl = (args: readonly string[], options?: KubectlOptions) => Promise<KubectlResult>

/** Binds kubectl to a kubeconfig. `cacheFolder` keeps discovery apart from other clusters that had the same port. */
export function kubectlFor(binary: string, kubeconfig: string, cacheFolder: string): Kubectl {
  return async (args, options = {}) => {
    const { stdin = '', check = true } = options
    const common = ['--kubeconfig', options.kubeconfig ?? kubeconfig, '--cache-dir', cacheFolder]
    const child = spawn(binary, [...common, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    const ended = new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve(code ?? -1))
    })
    // A kubectl that ends before it has read its input breaks the pipe; its exit code and words tell why.
    child.stdin.on('error', () => {})
    child.stdin.end(stdin)
    const [code, out, err] = await Promise.all([ended, buffer(child.stdout), buffer(child.stderr)])
    const result = { code, stdout: out.toString(), stderr: withoutSkewWarning(err.toString()) }
    if (check && code !== 0)
      throw new Error(`Cannot run kubectl ${args.join(' ')}: exit code ${code}: ${result.stderr}`)
    return result
  }
}

function withoutSkewWarning(text: string): string {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('WARNING: version difference'))
    .join('\n')
}
