// Fills a cluster with pods as large as real ones.

import { Pool } from 'undici'
import type { ControlPlane } from '../../test/support/control-plane.ts'

export interface FillOptions {
  readonly pods: number
  /** Told now and then how many stand in the cluster. */
  readonly onProgress: (made: number) => void
}

/** Namespaces over which the pods are spread. */
export const POD_NAMESPACES = 20

/** A dispatcher to the apiserver that trusts its certificate and shows the administrator's token. */
export function openPool({ server, ca }: { readonly server: string; readonly ca: string }, connections: number): Pool {
  return new Pool(server, { connections, allowH2: false, connect: { ca } })
}

/**
 * Creates the pods with their status, by POST and PUT as a ReplicaSet controller and a kubelet would: about 6.4 KB each once the apiserver
 * has put defaults and managedFields.
 */
export async function fillWithPods(
  cluster: ControlPlane,
  ca: string,
  { pods, onProgress }: FillOptions,
): Promise<void> {
  await using pool = disposable(openPool({ server: cluster.server, ca }, WRITERS))
  const write = async (method: 'POST' | 'PUT', path: string, manager: string, body: string): Promise<string> => {
    const answer = await pool.request({
      path: `${path}?fieldManager=${manager}`,
      method,
      headers: { authorization: `Bearer ${cluster.token}`, 'content-type': 'application/json' },
      body,
    })
    const text = await answer.body.text()
    if (answer.statusCode < 300) return text
    throw new Error(`Cannot ${method} ${path}: the apiserver says ${answer.statusCode}: ${text}`)
  }
  for (let index = 0; index < Math.min(pods, POD_NAMESPACES); index++) {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: podNamespace(index) } }
    await write('POST', '/api/v1/namespaces', 'bench', JSON.stringify(namespace))
  }
  let next = 0
  let made = 0
  async function writer(): Promise<void> {
    for (let index = next++; index < pods; index = next++) {
      const path = `/api/v1/namespaces/${podNamespace(index)}/pods`
      const { metadata, spec, status } = podAt(index)
      const manifest = { apiVersion: 'v1', kind: 'Pod', metadata, spec }
      await write('POST', path, 'kube-controller-manager', JSON.stringify(manifest))
      await write('PUT', `${path}/${metadata.name}/status`, 'kubelet', JSON.stringify({ ...manifest, status }))
      made++
      if (made % PROGRESS_EVERY === 0) onProgress(made)
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, writer))
}

/** `namespace/name` of a pod. */
export function podKey(index: number): { readonly namespace: string; readonly name: string } {
  return { namespace: podNamespace(index), name: podName(index) }
}

/** Requests at once: enough that the apiserver, not the way to it, is what takes time. */
const WRITERS = 16
const PROGRESS_EVERY = 1_000

/** undici's pools close by `close()`; this lets `await using` do it. */
export function disposable(pool: Pool): Pool & AsyncDisposable {
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.close() })
}

function podNamespace(index: number): string {
  return `shop-${index % POD_NAMESPACES}`
}

function podName(index: number): string {
  return `cart-7d9c6b8f5-${index.toString(36).padStart(5, '0')}`
}

interface Pod {
  readonly metadata: { readonly name: string; readonly [field: string]: unknown }
  readonly spec: object
  readonly status: object
}

function podAt(index: number): Pod {
  const containers = ['cart', 'proxy']
  const uid = `${index.toString(16).padStart(8, '0')}-5b1e-4c57-9e0f-${(index * 7919).toString(16).padStart(12, '0')}`
  return {
    metadata: {
      name: podName(index),
      generateName: 'cart-7d9c6b8f5-',
      labels: { app: 'cart', 'app.kubernetes.io/part-of': 'shop', 'pod-template-hash': '7d9c6b8f5' },
      annotations: { 'prometheus.io/scrape': 'true', 'example.com/note': 'written "by hand", then by tools' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'cart-7d9c6b8f5', uid, controller: true }],
    },
    spec: {
      nodeName: `node-${index % 100}`,
      volumes: [{ name: 'settings', configMap: { name: `settings-${index % 50}` } }],
      containers: containers.map((name) => ({
        name,
        image: `registry.example.com/shop/${name}:v1.${index % 10}.0@sha256:${(index * 48_271).toString(16).padStart(64, '0')}`,
        args: ['--listen=0.0.0.0:8080', '--log-level=info'],
        ports: [{ name: 'http', containerPort: 8080 }],
        env: ENVIRONMENT,
        resources: { limits: { cpu: '500m', memory: '512Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
        volumeMounts: [{ name: 'settings', readOnly: true, mountPath: '/etc/settings' }],
      })),
      tolerations: [
        { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      ],
    },
    status: {
      phase: 'Running',
      conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
        type,
        status: 'True',
        lastTransitionTime: '2026-03-01T10:00:05Z',
      })),
      hostIP: '10.0.0.7',
      podIP: `10.1.${(index >> 8) % 256}.${index % 256}`,
      podIPs: [{ ip: `10.1.${(index >> 8) % 256}.${index % 256}` }],
      startTime: '2026-03-01T10:00:00Z',
      containerStatuses: containers.map((name) => ({
        name,
        state: { running: { startedAt: '2026-03-01T10:00:04Z' } },
        ready: true,
        restartCount: index % 3,
        image: `registry.example.com/shop/${name}:v1.${index % 10}.0`,
        containerID: `containerd://${(index * 69_621).toString(16).padStart(64, '0')}`,
        started: true,
      })),
      qosClass: 'Burstable',
    },
  }
}

const ENVIRONMENT = Array.from({ length: 2 }, (_, index) => ({
  name: `SETTING_${index}`,
  value: `http://service-${index}.shop.svc:80${index}/path`,
}))
