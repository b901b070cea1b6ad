// Finds or builds etcd, kube-apiserver, kube-controller-manager and kubectl.

import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { goTool, goToolPath } from './go-tool.ts'
import type { GoTool } from './go-tool.ts'

/** The version that is built; also in control-plane/go.mod. */
export const KUBERNETES_VERSION = '1.36.3'

export type ControlPlaneBinary = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kubectl'

const DURATIONS: Readonly<Record<ControlPlaneBinary, string>> = {
  etcd: 'about a minute',
  'kube-apiserver': 'about 8 minutes',
  'kube-controller-manager': 'about 3 minutes',
  kubectl: 'about a minute',
}

/**
 * The path of `binary`: in the folder that KUBEBUILDER_ASSETS names, for kubectl on PATH, else built from Go modules
 * into the cache. A kubectl older than the server is used all the same: what tests ask of it has not changed in years.
 */
export async function controlPlaneBinary(binary: ControlPlaneBinary): Promise<string> {
  return providedBinary(binary) ?? goTool(sourceOf(binary))
}

/** Whether `binary` is there without a build. */
export function hasControlPlaneBinary(binary: ControlPlaneBinary): boolean {
  return providedBinary(binary) !== undefined || existsSync(goToolPath(sourceOf(binary)))
}

function providedBinary(binary: ControlPlaneBinary): string | undefined {
  const assets = process.env['KUBEBUILDER_ASSETS']
  if (assets) {
    const path = join(assets, binary)
    if (existsSync(path)) return path
  }
  return binary === 'kubectl' ? onPath('kubectl') : undefined
}

/** The path of `command` when PATH has it. */
export function onPath(command: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, command)).find((path) => existsSync(path))
}

// Release builds are stamped by their linker flags; unstamped ones call themselves v0.0.0-master, and clients that
// compare versions take that at its word. (kubernetes/kubernetes hack/lib/version.sh)
function sourceOf(binary: ControlPlaneBinary): GoTool {
  const [major = '', minor = ''] = KUBERNETES_VERSION.split('.')
  const stamps = {
    gitVersion: `v${KUBERNETES_VERSION}`,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: 'clean',
    gitCommit: `v${KUBERNETES_VERSION}`,
    buildDate: '2026-01-01T00:00:00Z',
  }
  const flags = Object.entries(stamps).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
  return {
    module: fileURLToPath(new URL('control-plane', import.meta.url)),
    name: `control-plane-${KUBERNETES_VERSION}`,
    package: `./cmd/${binary}`,
    ldflags: ['-s', '-w', ...flags].join(' '),
    duration: DURATIONS[binary],
  }
}
