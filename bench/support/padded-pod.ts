// Makes small pods of a given size.

/** Who a pod is. */
export interface PodIdentity {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
}

/** The names by which the n-th pod goes. */
export function podIdentity(index: number, resourceVersion: number, namespaces = 100): PodIdentity {
  return {
    namespace: `namespace-${index % namespaces}`,
    name: `cart-7f9c5d6b8-${index}`,
    uid: `0a1b2c3d-0000-4000-8000-${String(index).padStart(12, '0')}`,
    resourceVersion: String(resourceVersion),
  }
}

/** The pod as JSON of so many bytes; longer only where its identity alone is. */
export function paddedPod(metadata: PodIdentity, bytes: number): Buffer {
  const head = JSON.stringify({ kind: 'Pod', apiVersion: 'v1', metadata })
  const padding = 'x'.repeat(Math.max(0, bytes - head.length - '"text":"",'.length))
  return Buffer.from(`${head.slice(0, -1)},"text":"${padding}"}`)
}
