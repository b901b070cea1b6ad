// What the apiserver fills in or refuses to take over when a built-in object is created.

import { resourceName } from '../../object/resource.ts'
import { at, isJsonObject, membersAt, textAt, without, type Json, type JsonObject } from './json.ts'
import type { ServedKind } from './kinds.ts'
import { ADMITTED, podSpec } from './pod-defaults.ts'

/** The members besides kind, apiVersion and metadata that a created object has. */
export function createdBody(kind: ServedKind, object: JsonObject): JsonObject {
  const body = updatedBody(kind, without(object, 'kind', 'apiVersion', 'metadata'))
  const fill = FILLS[resourceName(kind)]
  if (fill !== undefined) return fill(body)
  // The status of a new object is its controllers' to write.
  if (kind.isCustom) return kind.hasStatus ? without(body, 'status') : body
  return kind.hasStatus ? { ...without(body, 'status'), status: {} } : body
}

/** The members that an updated object has: what is left out is filled in, whoever writes. */
export function updatedBody(kind: ServedKind, body: JsonObject): JsonObject {
  return DEFAULTS[resourceName(kind)]?.(body) ?? body
}

const DEFAULTS: Readonly<Record<string, (body: JsonObject) => JsonObject>> = {
  secrets: withStringData,
  pods: (body) => ({ ...body, spec: podSpec(membersAt(body, 'spec'), ADMITTED) }),
  'deployments.apps': (body) => ({
    ...body,
    spec: {
      replicas: 1,
      ...workload(body),
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      ...without(membersAt(body, 'spec'), 'replicas', 'selector', 'template'),
    },
  }),
  'replicasets.apps': (body) => ({ ...body, spec: { replicas: 1, ...workload(body) } }),
  'statefulsets.apps': (body) => ({ ...body, spec: { replicas: 1, ...workload(body) } }),
  'daemonsets.apps': (body) => ({ ...body, spec: workload(body) }),
  'jobs.batch': (body) => ({ ...body, spec: workload(body) }),
}

/** What is filled in for what is created, beyond that; the status is the kind's first one. */
const FILLS: Readonly<Record<string, (body: JsonObject) => JsonObject>> = {
  namespaces: () => ({ spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }),
  // A kubelet writes the status of its node when it registers.
  nodes: (body) => ({ spec: {}, ...body, status: body['status'] ?? {} }),
  pods: (body) => ({ ...without(body, 'status'), status: { phase: 'Pending', qosClass: 'BestEffort' } }),
  secrets: (body) => ({ ...body, type: body['type'] ?? 'Opaque' }),
  services: (body) => ({
    ...body,
    spec: { type: 'ClusterIP', sessionAffinity: 'None', ...membersAt(body, 'spec') },
    status: { loadBalancer: {} },
  }),
  events: (body) => ({
    source: {},
    firstTimestamp: null,
    lastTimestamp: null,
    eventTime: null,
    reportingComponent: '',
    reportingInstance: '',
    ...body,
  }),
  'replicasets.apps': (body) => ({ ...without(body, 'status'), status: { replicas: 0 } }),
  'statefulsets.apps': (body) => ({ ...without(body, 'status'), status: { replicas: 0, availableReplicas: 0 } }),
  'poddisruptionbudgets.policy': (body) => ({
    ...body,
    status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
  }),
  'ingresses.networking.k8s.io': (body) => ({ ...body, status: { loadBalancer: {} } }),
  'customresourcedefinitions.apiextensions.k8s.io': (body) => ({
    ...body,
    spec: { ...membersAt(body, 'spec'), names: definitionNames(body), conversion: { strategy: 'None' } },
    status: { conditions: null, acceptedNames: { plural: '', kind: '' }, storedVersions: [storedVersion(body)] },
  }),
}

function workload(body: JsonObject): JsonObject {
  const spec = membersAt(body, 'spec')
  const template = membersAt(spec, 'template')
  return { ...spec, template: { ...template, spec: podSpec(membersAt(template, 'spec'), {}) } }
}

function withStringData(body: JsonObject): JsonObject {
  const { stringData, ...rest } = body
  if (!isJsonObject(stringData)) return rest
  const encoded = Object.entries(stringData).map(([name, value]): readonly [string, Json] => [
    name,
    Buffer.from(typeof value === 'string' ? value : '').toString('base64'),
  ])
  return { ...rest, data: { ...membersAt(body, 'data'), ...Object.fromEntries(encoded) } }
}

function definitionNames(body: JsonObject): JsonObject {
  const names = membersAt(body, 'spec', 'names')
  const kind = textAt(names, 'kind')
  return { singular: kind.toLowerCase(), listKind: `${kind}List`, ...names }
}

function storedVersion(body: JsonObject): string {
  const versions = at(body, 'spec', 'versions')
  const stored = Array.isArray(versions) ? versions.find((version: Json) => at(version, 'storage') === true) : undefined
  return textAt(stored, 'name')
}
