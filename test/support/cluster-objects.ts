// Objects for a test's cluster, as a user would have written them.

/** A pod of about 2 KB, as a controller makes them. */
export function pod(name: string, namespace: string): object {
  const env = Array.from({ length: 8 }, (_, index) => ({
    name: `SETTING_${index}`,
    value: `value ${index} of ${name}, "quoted" \\ ü ✓`,
  }))
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels: { app: 'cart', tier: namespace },
      annotations: { 'example.com/note': `${name}: ${'text '.repeat(40)}` },
    },
    spec: { containers: [{ name: 'cart', image: 'registry.example.com/cart:1.2.3', env }] },
  }
}

export function configMap(name: string, data: Readonly<Record<string, string>> = { step: '0' }): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { app: name } }, data }
}

export function deployment(name: string, replicas: number): object {
  const labels = { app: name }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'main:1' }] } }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: { replicas, selector: { matchLabels: labels }, template },
  }
}

export function secret(name: string, values: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: values }
}

/** Defines Carts in the group shop.example.com, which may hold anything. */
export const CART_DEFINITION: object = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'carts.shop.example.com' },
  spec: {
    group: 'shop.example.com',
    scope: 'Namespaced',
    names: { plural: 'carts', singular: 'cart', kind: 'Cart', shortNames: ['ct'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}

export function cart(name: string): object {
  return {
    apiVersion: 'shop.example.com/v1',
    kind: 'Cart',
    metadata: { name },
    spec: { big: 9_007_199_254_740_991, list: [{ kind: 'inner' }, null], text: 'ü "quoted" \\ \u2028 <tag>' },
  }
}
