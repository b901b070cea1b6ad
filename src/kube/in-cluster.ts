// Finds the ServiceAccount that Kubernetes mounts into a pod, or says which of its pieces are missing.

import { accessSync, constants, readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import type { Cluster, User } from '@kubernetes/client-node'
import { tokenFileProvider } from './kubeconfig.ts'

export type InCluster =
  | { readonly kind: 'found'; readonly cluster: Cluster; readonly user: User; readonly namespace: string | undefined }
  | { readonly kind: 'missing'; readonly missing: readonly string[] }

export interface InClusterOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** @default '/var/run/secrets/kubernetes.io/serviceaccount' */
  readonly folder: string | undefined
  /** Whether ca.crt is needed; not so where flags say what to trust. */
  readonly wantsCa: boolean
}

/** Looks for KUBERNETES_SERVICE_HOST and _PORT, the token and ca.crt (client-go rest/config.go, InClusterConfig). */
export function inCluster(options: InClusterOptions): InCluster {
  const { env, folder = SERVICE_ACCOUNT, wantsCa } = options
  const host = env['KUBERNETES_SERVICE_HOST'] ?? ''
  const port = env['KUBERNETES_SERVICE_PORT'] ?? ''
  const tokenFile = join(folder, 'token')
  const caFile = join(folder, 'ca.crt')
  const missing = [
    ...(host === '' ? ['KUBERNETES_SERVICE_HOST (not set)'] : []),
    ...(port === '' ? ['KUBERNETES_SERVICE_PORT (not set)'] : []),
    ...(isReadable(tokenFile) ? [] : [`${tokenFile} (absent or unreadable)`]),
    ...(!wantsCa || isReadable(caFile) ? [] : [`${caFile} (absent or unreadable)`]),
  ]
  if (missing.length > 0) return { kind: 'missing', missing }
  return {
    kind: 'found',
    cluster: {
      name: 'in-cluster',
      server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
      skipTLSVerify: false,
      ...(wantsCa && { caFile }),
    },
    user: { name: 'in-cluster', authProvider: tokenFileProvider(tokenFile) },
    namespace: readNamespace(join(folder, 'namespace')),
  }
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Whether this process may read a file. */
export function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    // The caller names the path.
    return false
  }
}

function readNamespace(path: string): string | undefined {
  return isReadable(path) ? readFileSync(path, 'utf8').trim() || undefined : undefined
}
