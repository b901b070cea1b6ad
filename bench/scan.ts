// Measures the byte scanner beside JSON.parse and JSON.stringify of the same pods, in one run.

import { ListScanner, WatchScanner } from '../src/watch/scan.ts'
import { print } from './support/report.ts'

const PODS = Number(process.argv[2] ?? 3000)
const ROUNDS = 7
const CHUNK_BYTES = [64 * 1024, 16 * 1024, 4 * 1024]
const DEFAULTS = { apiVersion: 'v1', kind: 'Pod' }

const SPEC_FIELDS = [
  'f:containers',
  'f:dnsPolicy',
  'f:restartPolicy',
  'f:schedulerName',
  'f:securityContext',
  'f:image',
  'f:env',
  'f:ports',
  'f:resources',
]
const STATUS_FIELDS = [
  'f:conditions',
  'f:containerStatuses',
  'f:hostIP',
  'f:phase',
  'f:podIP',
  'f:podIPs',
  'f:startTime',
]

const pods = Array.from({ length: PODS }, (_, index) => pod(index))
const items = pods.map((item) => JSON.stringify(item))
const list = Buffer.from(
  `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"${PODS}"},"items":[${items.join(',')}]}`,
)
const events = Buffer.from(
  items.map((item) => `{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1",${item.slice(1)}}\n`).join(''),
)
const bytesOfItem = Math.round(items.reduce((sum, item) => sum + item.length, 0) / PODS)
print(`${PODS} pods of ${bytesOfItem} bytes`)

const parseRate = measure('JSON.parse + JSON.stringify', list.length, () => {
  for (const item of items) Buffer.from(JSON.stringify(JSON.parse(item)))
})
for (const size of CHUNK_BYTES) {
  const chunks = split(list, size)
  report(
    parseRate,
    measure(`ListScanner, chunks of ${size} bytes`, list.length, () => {
      const scanner = new ListScanner(DEFAULTS)
      let count = 0
      for (const chunk of chunks) count += scanner.push(chunk).length
      scanner.end()
      if (count !== PODS) throw new Error(`Cannot measure: wanted ${PODS} items: current value is ${count}`)
    }),
  )
}
for (const size of CHUNK_BYTES) {
  const chunks = split(events, size)
  report(
    parseRate,
    measure(`WatchScanner, chunks of ${size} bytes`, events.length, () => {
      const scanner = new WatchScanner(DEFAULTS)
      let count = 0
      for (const chunk of chunks) count += scanner.push(chunk).length
      if (count !== PODS) throw new Error(`Cannot measure: wanted ${PODS} events: current value is ${count}`)
    }),
  )
}

/** The best of some rounds in MB/s: what disturbs a round is not the scanner's. */
function measure(name: string, bytes: number, round: () => void): number {
  let best = Infinity
  for (let index = 0; index < ROUNDS; index++) {
    const start = performance.now()
    round()
    best = Math.min(best, performance.now() - start)
  }
  const rate = bytes / 1e6 / (best / 1e3)
  print(`${name}: ${rate.toFixed(0)} MB/s, ${((PODS / best) * 1e3).toFixed(0)} objects/s`)
  return rate
}

function report(base: number, rate: number): void {
  print(`  ${(rate / base).toFixed(1)} times parse and stringify`)
}

function split(bytes: Buffer, size: number): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) chunks.push(Buffer.from(bytes.subarray(at, at + size)))
  return chunks
}

function pod(index: number): object {
  const name = `cart-${(index * 2654435761) % 2 ** 32}-${index.toString(36).padStart(5, '0')}`
  const uid = `${index.toString(16).padStart(8, '0')}-5b1e-4c57-9e0f-${(index * 7919).toString(16).padStart(12, '0')}`
  return {
    metadata: {
      name,
      generateName: 'cart-',
      namespace: `shop-${index % 40}`,
      uid,
      resourceVersion: String(100_000 + index),
      generation: 1,
      creationTimestamp: '2026-03-01T10:00:00Z',
      labels: { app: 'cart', 'app.kubernetes.io/part-of': 'shop', 'pod-template-hash': '7d9c6b8f5' },
      annotations: { 'prometheus.io/scrape': 'true', 'example.com/note': 'written "by hand", then \\ by tools' },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'cart-7d9c6b8f5',
          uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
      managedFields: [managedFields('kube-controller-manager', SPEC_FIELDS), managedFields('kubelet', STATUS_FIELDS)],
    },
    spec: {
      volumes: [
        {
          name: 'kube-api-access',
          projected: {
            defaultMode: 420,
            sources: [
              { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
              { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            ],
          },
        },
      ],
      containers: ['cart', 'proxy'].map((container) => ({
        name: container,
        image: `registry.example.com/shop/${container}:v1.${index % 10}.0@sha256:${'0123456789abcdef'.repeat(4)}`,
        args: ['--listen=0.0.0.0:8080', '--log-level=info'],
        ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
        env: Array.from({ length: 5 }, (_, n) => ({
          name: `SETTING_${n}`,
          value: `http://service-${n}.shop.svc:80${n}/path`,
        })),
        resources: { limits: { cpu: '500m', memory: '512Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
        volumeMounts: [
          { name: 'kube-api-access', readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
        ],
        livenessProbe: {
          httpGet: { path: '/livez', port: 'http', scheme: 'HTTP' },
          timeoutSeconds: 1,
          periodSeconds: 10,
          successThreshold: 1,
          failureThreshold: 3,
        },
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        imagePullPolicy: 'IfNotPresent',
      })),
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      nodeName: `node-${index % 100}`,
      securityContext: {},
      tolerations: [
        { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      ],
    },
    status: {
      phase: 'Running',
      conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
        type,
        status: 'True',
        lastProbeTime: null,
        lastTransitionTime: '2026-03-01T10:00:05Z',
      })),
      hostIP: '10.0.0.7',
      podIP: `10.1.${index % 256}.9`,
      startTime: '2026-03-01T10:00:00Z',
      containerStatuses: ['cart', 'proxy'].map((container) => ({
        name: container,
        state: { running: { startedAt: '2026-03-01T10:00:04Z' } },
        lastState: {},
        ready: true,
        restartCount: index % 3,
        image: `registry.example.com/shop/${container}`,
        containerID: `containerd://${'fedcba9876543210'.repeat(4)}`,
        started: true,
      })),
      qosClass: 'Burstable',
    },
  }
}

function managedFields(manager: string, fields: readonly string[]): object {
  const tree = Object.fromEntries(
    fields.map((field) => [field, { '.': {}, 'k:{"type":"Ready"}': { '.': {}, 'f:status': {}, 'f:type': {} } }]),
  )
  return {
    manager,
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-03-01T10:00:05Z',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:spec': tree },
  }
}
