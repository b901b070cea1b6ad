// Fills in what a pod's spec leaves out, as the apiserver does for pods and for templates of pods.

import { isJsonObject, itemsAt, textAt, type Json, type JsonObject } from './json.ts'

/** What admission adds to a pod, but not to a template. */
export const ADMITTED: JsonObject = {
  tolerations: ['not-ready', 'unreachable'].map((name) => ({
    key: `node.kubernetes.io/${name}`,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 300,
  })),
  priority: 0,
  enableServiceLinks: true,
  preemptionPolicy: 'PreemptLowerPriority',
}

/** The spec with its defaults (pkg/apis/core/v1/defaults.go), in the order of Go's struct where it was left out. */
export function podSpec(spec: JsonObject, admitted: JsonObject): JsonObject {
  const { initContainers, containers: _containers, ...rest } = spec
  return {
    ...(initContainers !== undefined && { initContainers: itemsAt(spec, 'initContainers').map(container) }),
    containers: itemsAt(spec, 'containers').map(container),
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
    ...admitted,
    ...rest,
  }
}

function container(asked: Json): Json {
  if (!isJsonObject(asked)) return asked
  return {
    ...asked,
    resources: asked['resources'] ?? {},
    terminationMessagePath: asked['terminationMessagePath'] ?? '/dev/termination-log',
    terminationMessagePolicy: asked['terminationMessagePolicy'] ?? 'File',
    imagePullPolicy: asked['imagePullPolicy'] ?? (isLatest(textAt(asked, 'image')) ? 'Always' : 'IfNotPresent'),
  }
}

function isLatest(image: string): boolean {
  const tag = /:([^/@]+)(@|$)/.exec(image)?.[1]
  return !image.includes('@') && (tag === undefined || tag === 'latest')
}
