// The objects of a cluster's life, as users and controllers write them.

import type { Chance } from './chance.ts'
import { membersAt, textAt, type JsonObject } from './json.ts'
import { ownerReference } from './life-world.ts'
import { uidOf } from './metadata.ts'

/** Names of what runs in the cluster. */
export const APPS: readonly string[] = [
  'cart',
  'checkout',
  'catalog',
  'search',
  'payment',
  'profile',
  'mailer',
  'gateway',
]

/** A node that is up. */
export function node(index: number, at: string): JsonObject {
  const name = `node-${index}`
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'topology.kubernetes.io/zone': `zone-${'abc'.charAt(index % 3)}`,
      },
    },
    spec: { podCIDR: `10.${index}.0.0/24`, podCIDRs: [`10.${index}.0.0/24`] },
    status: {
      capacity: { cpu: '8', memory: '32Gi', pods: '110' },
      allocatable: { cpu: '7800m', memory: '30Gi', pods: '110' },
      conditions: [nodeReady('True', at)],
      addresses: [{ type: 'InternalIP', address: `192.168.0.${index}` }],
    },
  }
}

/** The condition that says whether a node is up. */
export function nodeReady(status: 'True' | 'Unknown', at: string): JsonObject {
  const isUp = status === 'True'
  return {
    type: 'Ready',
    status,
    lastHeartbeatTime: at,
    lastTransitionTime: at,
    reason: isUp ? 'KubeletReady' : 'NodeStatusUnknown',
    message: isUp ? 'kubelet is posting ready status' : 'Kubelet stopped posting node status.',
  }
}

/** A Deployment with one container. */
export function deployment(name: string, namespace: string, replicas: number): JsonObject {
  const labels = { app: name }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels: { ...labels, team: `team-${name.length % 4}` } },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: podTemplate(name, '1.0.0') },
    },
  }
}

function podTemplate(app: string, version: string): JsonObject {
  return {
    containers: [
      {
        name: app,
        image: `registry.example.com/${app}:${version}`,
        ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
        env: SETTINGS.map((name) => ({ name, value: `${name.toLowerCase().replaceAll('_', '-')}.${app}.example.com` })),
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
        readinessProbe: {
          httpGet: { path: '/ready', port: 'http', scheme: 'HTTP' },
          periodSeconds: 10,
          failureThreshold: 3,
        },
        livenessProbe: {
          httpGet: { path: '/live', port: 'http', scheme: 'HTTP' },
          periodSeconds: 10,
          failureThreshold: 3,
        },
        volumeMounts: [{ name: 'settings', mountPath: '/etc/settings', readOnly: true }],
      },
    ],
    volumes: [{ name: 'settings', configMap: { name: `${app}-settings`, defaultMode: 420 } }],
  }
}

const SETTINGS = [
  'DATABASE_HOST',
  'CACHE_HOST',
  'QUEUE_HOST',
  'TRACING_ENDPOINT',
  'METRICS_ENDPOINT',
  'FEATURE_FLAGS_HOST',
]

/** The ReplicaSet of a Deployment's template as it is now. */
export function replicaSet(owner: JsonObject, hash: string, replicas: number): JsonObject {
  const { namespace } = membersAt(owner, 'metadata')
  const name = textAt(owner, 'metadata', 'name')
  const labels = { ...membersAt(owner, 'spec', 'selector', 'matchLabels'), 'pod-template-hash': hash }
  const spec = membersAt(owner, 'spec', 'template', 'spec')
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: `${name}-${hash}`, namespace, labels, ownerReferences: [ownerReference(owner)] },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  }
}

export interface PodOptions {
  /** Pads it to about so many bytes. */
  readonly bytes: number
}

/** A pod that a ReplicaSet or a Job asks for. */
export function pod(owner: JsonObject, chance: Chance, { bytes }: PodOptions): JsonObject {
  const { namespace } = membersAt(owner, 'metadata')
  const name = textAt(owner, 'metadata', 'name')
  const template = membersAt(owner, 'spec', 'template')
  const metadata = {
    name: `${name}-${chance.suffix()}`,
    generateName: `${name}-`,
    namespace,
    labels: membersAt(template, 'metadata', 'labels'),
    ownerReferences: [ownerReference(owner)],
  }
  const made = { apiVersion: 'v1', kind: 'Pod', metadata, spec: membersAt(template, 'spec') }
  // What metadata, defaults and status add later.
  const missing = bytes - JSON.stringify(made).length - 2_000
  if (missing <= 0) return made
  return { ...made, metadata: { ...metadata, annotations: { 'example.com/notes': 'n'.repeat(missing) } } }
}

/** The status of a pod whose containers run. */
export function running(object: JsonObject, at: string, restarts = 0): JsonObject {
  const [container] = names(object)
  const uid = uidOf(object)
  const index = Number(uid.replaceAll(/[^0-9]/g, '').slice(0, 4)) || 1
  return {
    phase: 'Running',
    conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
      type,
      status: 'True',
      lastTransitionTime: at,
    })),
    hostIP: '192.168.0.1',
    podIP: `10.${index % 250}.${(index >> 3) % 250}.${1 + (index % 250)}`,
    startTime: at,
    containerStatuses: [
      {
        name: container ?? 'main',
        state: { running: { startedAt: at } },
        lastState: restarts === 0 ? {} : { terminated: { exitCode: 137, reason: 'OOMKilled', finishedAt: at } },
        ready: true,
        restartCount: restarts,
        image: 'registry.example.com/image',
        imageID: `registry.example.com/image@sha256:${uid.replaceAll('-', '').repeat(2)}`,
        started: true,
      },
    ],
    qosClass: 'Burstable',
  }
}

function names(object: JsonObject): readonly string[] {
  const containers = membersAt(object, 'spec')['containers']
  return Array.isArray(containers) ? containers.map((container) => textAt(container, 'name')) : []
}

/** The status of a Deployment or ReplicaSet with so many pods that are up. */
export function replicaStatus(object: JsonObject, replicas: number): JsonObject {
  const observedGeneration = membersAt(object, 'metadata')['generation'] ?? 1
  return { observedGeneration, replicas, readyReplicas: replicas, availableReplicas: replicas }
}

/** An Event about an object. */
export function event(
  about: JsonObject,
  what: { readonly reason: string; readonly message: string },
  at: string,
  suffix: string,
): JsonObject {
  const { namespace, uid, resourceVersion } = membersAt(about, 'metadata')
  const name = textAt(about, 'metadata', 'name')
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.${suffix}`, namespace: namespace ?? 'default' },
    involvedObject: { kind: about['kind'], namespace, name, uid, apiVersion: about['apiVersion'], resourceVersion },
    ...what,
    source: { component: 'simulated' },
    firstTimestamp: at,
    lastTimestamp: at,
    count: 1,
    type: what.reason === 'Evicted' || what.reason === 'BackOff' ? 'Warning' : 'Normal',
  }
}

/** A Job of one pod. */
export function job(name: string, namespace: string): JsonObject {
  const labels = { 'job-name': name }
  const spec = { restartPolicy: 'Never', containers: [{ name: 'job', image: 'registry.example.com/job:1' }] }
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace, labels },
    spec: { parallelism: 1, completions: 1, backoffLimit: 6, template: { metadata: { labels }, spec } },
  }
}
