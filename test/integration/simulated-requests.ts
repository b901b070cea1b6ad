// The requests by which the simulated cluster is held to a real apiserver.

import type { ComparedRequest, KnownDifference } from './simulated-compare.ts'

const CORE = '/api/v1/namespaces/shop'
const MAPS = `${CORE}/configmaps`
const PODS = `${CORE}/pods`
const DEPLOYMENTS = '/apis/apps/v1/namespaces/shop/deployments'
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const CARTS = '/apis/shop.example.com/v1/namespaces/shop/carts'

const MERGE = { 'content-type': 'application/merge-patch+json' }
const STRATEGIC = { 'content-type': 'application/strategic-merge-patch+json' }
const JSON_PATCH = { 'content-type': 'application/json-patch+json' }
const VERSION = ['metadata', 'resourceVersion']

function post(name: string, path: string, body: unknown): ComparedRequest {
  return { name, method: 'POST', path, body }
}

function put(name: string, path: string, body: unknown): ComparedRequest {
  return { name, method: 'PUT', path, body }
}

function patch(name: string, path: string, headers: Readonly<Record<string, string>>, body: unknown): ComparedRequest {
  return { name, method: 'PATCH', path, headers, body }
}

function remove(name: string, path: string, body?: unknown): ComparedRequest {
  return { name, method: 'DELETE', path, ...(body === undefined ? {} : { body }) }
}

function configMap(name: string, more: object = {}): object {
  return { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name, ...more }, data: { key: 'value' } }
}

function pod(name: string): object {
  return {
    metadata: { name, labels: { tier: name, app: 'web' } },
    spec: { containers: [{ name: 'main', image: 'main:1' }] },
  }
}

const DEPLOYMENT = {
  metadata: { name: 'web' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'main:1' }] } },
  },
}

const DEFINITION = {
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
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}

function cart(name: string, more: object = {}): object {
  return {
    apiVersion: 'shop.example.com/v1',
    kind: 'Cart',
    metadata: { name },
    zeta: 1,
    spec: { b: 1, a: [{ d: 1, c: 2 }] },
    ...more,
  }
}

/** A watch that ends by itself after so many seconds. */
function watch(name: string, path: string, query: string, seconds = 1): ComparedRequest {
  return { name, path: `${path}?watch=true&timeoutSeconds=${seconds}&${query}` }
}

const STREAMED = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'

/** Story -> its requests, sent in this order; the stories too build on one another. */
export const STORIES: Readonly<Record<string, readonly ComparedRequest[]>> = {
  'creating objects': [
    post('namespace', '/api/v1/namespaces', { metadata: { name: 'shop' } }),
    {
      ...post('config map', MAPS, { metadata: { name: 'a', labels: { b: '1', a: '2' } }, data: { key: 'value' } }),
      keep: { old: VERSION },
    },
    post('same name', MAPS, configMap('a')),
    post('generated name', MAPS, { metadata: { generateName: 'made-', labels: { made: 'yes' } } }),
    post('no name', MAPS, { metadata: {} }),
    post('bad name', MAPS, configMap('A_b')),
    post('missing namespace', '/api/v1/namespaces/nowhere/configmaps', configMap('a')),
    post('other namespace', MAPS, configMap('b', { namespace: 'other' })),
    post('other kind', MAPS, { kind: 'Secret', apiVersion: 'v1', metadata: { name: 'b' } }),
    post('other version', MAPS, { ...configMap('b'), apiVersion: 'v2' }),
    post('with a resourceVersion', MAPS, configMap('b', { resourceVersion: '5' })),
    post('in all namespaces', '/api/v1/configmaps', configMap('b')),
    post('over a name', `${MAPS}/a`, configMap('a')),
    post('unknown resource', `${CORE}/carts`, configMap('a')),
    post('unknown group', '/apis/nowhere.example.com/v1/carts', configMap('a')),
    post('unknown version', '/apis/apps/v2/deployments', configMap('a')),
    post('secret', `${CORE}/secrets`, { metadata: { name: 's' }, data: { a: 'YQ==' }, stringData: { b: 'b' } }),
    post('service', `${CORE}/services`, {
      metadata: { name: 'web' },
      spec: { ports: [{ port: 80 }], selector: { app: 'web' } },
    }),
    post('node', '/api/v1/nodes', { metadata: { name: 'node-1' }, spec: { podCIDR: '10.1.0.0/24' } }),
    post('event', `${CORE}/events`, {
      metadata: { name: 'e' },
      involvedObject: { kind: 'Pod', namespace: 'shop', name: 'p1' },
      reason: 'Started',
      message: 'm',
      type: 'Normal',
    }),
    post('pod 1', PODS, pod('p1')),
    post('pod 2', PODS, pod('p2')),
    post('pod 3', PODS, pod('p3')),
    post('deployment', DEPLOYMENTS, DEPLOYMENT),
  ],
  'reading objects': [
    { name: 'get', path: `${MAPS}/a` },
    { name: 'get missing', path: `${MAPS}/missing` },
    { name: 'get of a resourceVersion to come', path: `${MAPS}/a?resourceVersion=9999999` },
    { name: 'get status', path: `${PODS}/p1/status` },
    { name: 'get status where there is none', path: `${MAPS}/a/status` },
    { name: 'get node', path: '/api/v1/nodes/node-1' },
    { name: 'get namespace', path: '/api/v1/namespaces/shop' },
  ],
  'listing objects': [
    { name: 'list', path: MAPS },
    { name: 'list of anything', path: `${MAPS}?resourceVersion=0` },
    { name: 'list not older', path: `${MAPS}?resourceVersion={old}&resourceVersionMatch=NotOlderThan` },
    {
      name: 'list not older, with a limit',
      path: `${PODS}?resourceVersion={old}&resourceVersionMatch=NotOlderThan&limit=1`,
    },
    { name: 'list exactly', path: `${MAPS}?resourceVersion={old}&resourceVersionMatch=Exact` },
    { name: 'list exactly, by a limit', path: `${MAPS}?resourceVersion={old}&limit=5` },
    { name: 'list of what is to come', path: `${MAPS}?resourceVersion=9999999` },
    { name: 'list exactly of what is to come', path: `${MAPS}?resourceVersion=9999999&resourceVersionMatch=Exact` },
    { name: 'match without a version', path: `${MAPS}?resourceVersionMatch=Exact` },
    { name: 'exactly anything', path: `${MAPS}?resourceVersion=0&resourceVersionMatch=Exact` },
    { name: 'unknown match', path: `${MAPS}?resourceVersion=1&resourceVersionMatch=Near` },
    { name: 'initial events of a list', path: `${MAPS}?sendInitialEvents=true&resourceVersionMatch=NotOlderThan` },
    { name: 'version that is none', path: `${MAPS}?resourceVersion=new` },
    { name: 'limit that is none', path: `${MAPS}?limit=x` },
    { name: 'negative limit', path: `${PODS}?limit=-1` },
    { name: 'list of nowhere', path: '/api/v1/namespaces/nowhere/pods' },
  ],
  'listing in pages': [
    { name: 'page 1', path: `${PODS}?limit=2`, keep: { token: ['metadata', 'continue'] } },
    { name: 'page 2', path: `${PODS}?limit=2&continue={token}` },
    { name: 'page 2, of anything', path: `${PODS}?limit=2&continue={token}&resourceVersion=0` },
    { name: 'page 2, of a version', path: `${PODS}?limit=2&continue={token}&resourceVersion=5` },
    { name: 'page 2, whole', path: `${PODS}?continue={token}` },
    { name: 'limit, of anything', path: `${PODS}?limit=2&resourceVersion=0` },
    { name: 'page of a selection', path: `${PODS}?limit=2&labelSelector=app=web` },
    { name: 'token that is none', path: `${PODS}?limit=2&continue=xyz` },
    { name: 'page as large as the rest', path: `${PODS}?limit=3` },
  ],
  'selecting objects': [
    { name: 'labels', path: `${PODS}?labelSelector=app%3Dweb,tier%20notin%20(p1)` },
    { name: 'labels that are none', path: `${PODS}?labelSelector=a%20b%20c` },
    { name: 'name', path: `${PODS}?fieldSelector=metadata.name%3Dp2` },
    { name: 'phase', path: `${PODS}?fieldSelector=status.phase!%3DPending` },
    { name: 'no node', path: `${PODS}?fieldSelector=spec.nodeName%3D,metadata.namespace%3Dshop&limit=1` },
    { name: 'unknown field of pods', path: `${PODS}?fieldSelector=spec.color%3Dred` },
    { name: 'unknown field of config maps', path: `${MAPS}?fieldSelector=data.key%3Dvalue` },
    { name: 'field that is none', path: `${PODS}?fieldSelector=color` },
    { name: 'type', path: `${CORE}/secrets?fieldSelector=type%3DOpaque` },
    { name: 'involved object', path: `${CORE}/events?fieldSelector=involvedObject.kind%3DPod,reason%3DStarted` },
    { name: 'unschedulable', path: '/api/v1/nodes?fieldSelector=spec.unschedulable%3Dfalse' },
  ],
  'updating objects': [
    { name: 'before', path: MAPS, keep: { before: VERSION } },
    put('replace', `${MAPS}/a`, { ...configMap('a'), data: { key: 'other' } }),
    put('replace with an old version', `${MAPS}/a`, configMap('a', { resourceVersion: '{old}' })),
    put('replace what is missing', `${MAPS}/missing`, configMap('missing')),
    put('replace under another name', `${MAPS}/a`, configMap('b')),
    put('replace with another uid', `${MAPS}/a`, configMap('a', { uid: '11111111-2222-4333-8444-555555555555' })),
    put('replace by the same', `${MAPS}/a`, { ...configMap('a'), data: { key: 'other' } }),
    put('replace a collection', MAPS, configMap('a')),
    patch('merge', `${MAPS}/a`, MERGE, {
      data: { key: null, more: '1' },
      metadata: { annotations: { z: '1', a: '2' } },
    }),
    patch('merge nothing new', `${MAPS}/a`, MERGE, { data: { more: '1' } }),
    patch('merge with an old version', `${MAPS}/a`, MERGE, { metadata: { resourceVersion: '{old}' } }),
    patch('JSON patch', `${MAPS}/a`, JSON_PATCH, [
      { op: 'test', path: '/data/more', value: '1' },
      { op: 'add', path: '/data/again', value: '2' },
      { op: 'remove', path: '/data/more' },
    ]),
    patch('JSON patch whose test fails', `${MAPS}/a`, JSON_PATCH, [{ op: 'test', path: '/data/again', value: '3' }]),
    patch('unknown patch', `${MAPS}/a`, { 'content-type': 'application/json' }, {}),
    patch('patch what is missing', `${MAPS}/missing`, MERGE, {}),
    patch('strategic', `${DEPLOYMENTS}/web`, STRATEGIC, {
      spec: {
        template: {
          spec: {
            containers: [
              { name: 'side', image: 'side:1' },
              { name: 'main', image: 'main:2' },
            ],
          },
        },
      },
    }),
    patch('strategic with a directive', `${DEPLOYMENTS}/web`, STRATEGIC, {
      spec: { template: { spec: { containers: [{ name: 'side', $patch: 'delete' }] } } },
    }),
    patch('only labels', `${DEPLOYMENTS}/web`, MERGE, { metadata: { labels: { a: 'b' } } }),
    patch('status', `${DEPLOYMENTS}/web/status`, MERGE, { status: { replicas: 2 }, spec: { replicas: 9 } }),
    patch('status beside', `${DEPLOYMENTS}/web`, MERGE, { status: { replicas: 7 } }),
    patch('status of a pod', `${PODS}/p1/status`, MERGE, {
      status: { phase: 'Running' },
      metadata: { labels: { ready: 'yes' } },
    }),
  ],
  'watching objects': [
    watch('changes', MAPS, 'resourceVersion={before}'),
    watch('anything', MAPS, 'resourceVersion=0'),
    watch('without a version', MAPS, ''),
    watch('streamed list', MAPS, STREAMED),
    watch('streamed list of pods', PODS, STREAMED),
    watch('streamed list without bookmarks', MAPS, 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan'),
    watch('streamed list of nothing', `${CORE}/services`, `${STREAMED}&labelSelector=none`),
    watch('streamed list not older', MAPS, `${STREAMED}&resourceVersion={before}`),
    watch('streamed list of what is to come', MAPS, `${STREAMED}&resourceVersion=9999999`, 5),
    watch('no initial events', MAPS, 'sendInitialEvents=false&resourceVersionMatch=NotOlderThan'),
    watch('what is to come', MAPS, 'resourceVersion=9999999'),
    watch('initial events without match', MAPS, 'sendInitialEvents=true'),
    watch('match without initial events', MAPS, 'resourceVersionMatch=NotOlderThan&resourceVersion=1'),
    watch('initial events exactly', MAPS, 'sendInitialEvents=true&resourceVersionMatch=Exact'),
    watch('unknown field', PODS, 'fieldSelector=spec.color%3Dred'),
    watch('version that is none', PODS, 'resourceVersion=new'),
  ],
  'watching a selection': [
    { ...post('selected', MAPS, configMap('sel', { labels: { app: 'x' } })), keep: { selected: VERSION } },
    patch('changed', `${MAPS}/sel`, MERGE, { data: { key: '1' } }),
    patch('leaves', `${MAPS}/sel`, MERGE, { data: { key: '2' }, metadata: { labels: { app: 'y' } } }),
    patch('outside', `${MAPS}/sel`, MERGE, { data: { key: '3' } }),
    patch('enters', `${MAPS}/sel`, MERGE, { data: { key: '4' }, metadata: { labels: { app: 'x' } } }),
    watch('the selection', MAPS, 'labelSelector=app%3Dx&resourceVersion={selected}'),
    watch('running pods', PODS, 'fieldSelector=status.phase%3DRunning&resourceVersion={old}'),
  ],
  'deleting objects': [
    { name: 'before', path: MAPS, keep: { undeleted: VERSION } },
    remove('delete', `${MAPS}/sel`),
    remove('delete missing', `${MAPS}/missing`),
    remove('delete another uid', `${MAPS}/a`, { preconditions: { uid: '11111111-2222-4333-8444-555555555555' } }),
    remove('delete another version', `${MAPS}/a`, { preconditions: { resourceVersion: '1' } }),
    post('with finalizer', MAPS, configMap('fin', { finalizers: ['example.com/wait'] })),
    remove('delete with finalizer', `${MAPS}/fin`),
    remove('delete again', `${MAPS}/fin`),
    patch('last finalizer', `${MAPS}/fin`, MERGE, { metadata: { finalizers: null } }),
    { name: 'gone', path: `${MAPS}/fin` },
    remove('delete a selection', `${MAPS}?labelSelector=made%3Dyes`),
    watch('deletes', MAPS, 'resourceVersion={undeleted}'),
    remove('delete pod', `${PODS}/p1`),
    watch('end of pods', PODS, 'resourceVersion={undeleted}'),
    remove('delete deployment', `${DEPLOYMENTS}/web`),
    remove('delete nothing', `${MAPS}?labelSelector=none%3Dnone`),
    remove('delete all namespaces', '/api/v1/namespaces'),
  ],
  'defining a resource': [
    { name: 'before', path: DEFINITIONS, keep: { undefined: VERSION } },
    post('bad definition', DEFINITIONS, { ...DEFINITION, metadata: { name: 'other.shop.example.com' } }),
    post('definition', DEFINITIONS, DEFINITION),
    watch('definitions', DEFINITIONS, 'resourceVersion={undefined}', 2),
  ],
  'custom resources': [
    { ...post('cart', CARTS, cart('c1', { status: { phase: 'Full' } })), keep: { cart: VERSION } },
    post('cart 2', CARTS, cart('c2')),
    post('cart again', CARTS, cart('c1')),
    post('cart without kind', CARTS, { metadata: { name: 'c3' } }),
    { name: 'carts', path: CARTS },
    { name: 'page of carts', path: `${CARTS}?limit=1`, keep: { cartToken: ['metadata', 'continue'] } },
    { name: 'page 2 of carts', path: `${CARTS}?limit=1&continue={cartToken}` },
    { name: 'cart', path: `${CARTS}/c1` },
    { name: 'missing cart', path: `${CARTS}/missing` },
    put('replace a cart without a version', `${CARTS}/c1`, cart('c1')),
    patch('merge a cart', `${CARTS}/c1`, MERGE, { zeta: 2 }),
    patch('strategic patch of a cart', `${CARTS}/c1`, STRATEGIC, { zeta: 2 }),
    patch('status of a cart', `${CARTS}/c1/status`, MERGE, {
      status: { phase: 'Paid' },
      zeta: 9,
      metadata: { labels: { a: 'b' } },
    }),
    watch('carts', CARTS, 'resourceVersion={cart}'),
    watch('streamed list of carts', '/apis/shop.example.com/v1/carts', STREAMED),
    { name: 'unknown field of carts', path: `${CARTS}?fieldSelector=zeta%3D2` },
    remove('delete a cart', `${CARTS}/c2`),
    { name: 'group', path: '/apis/shop.example.com' },
  ],
  'ending a namespace': [remove('delete namespace', '/api/v1/namespaces/shop')],
  'other paths': [
    { name: 'no path', path: '/nowhere' },
    { name: 'no group', path: '/apis/nowhere.example.com' },
    { name: 'health', path: '/readyz' },
    { name: 'group apps', path: '/apis/apps' },
  ],
}

/** Where the simulated cluster answers otherwise, on purpose. */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    pattern: / \$\S*\.(spec|status)\S* order of members/,
    why: 'within spec and status members keep the order in which they were written: Go prints the order of its structs',
  },
  {
    pattern: /^(event|involved object) \$\S* order of members/,
    why: 'the same, of a kind that has its members at the top',
  },
  { pattern: /^service \$\S*\.spec\./, why: 'services get no address and ports no defaults: nothing routes to them' },
  {
    pattern: /^(node|get node|unschedulable) \$\S*\.spec\./,
    why: 'nodes are ready when they are created, and have one range of addresses',
  },
  {
    pattern: /^(node|get node|unschedulable) \$\S*\.status\./,
    why: 'members of a status that hold nothing are not printed',
  },
  { pattern: /^bad name \$\S*message/, why: 'the message about a name says less' },
  { pattern: /^other (kind|version) \$\.body\.message/, why: 'the message says nothing of conversions in Go' },
  { pattern: /^cart without kind \$\.body\.message/, why: 'the message does not repeat the object' },
  { pattern: /^token that is none \$\.body\.message/, why: 'the message does not quote a parser of Go' },
  {
    pattern: /^(labels|field) that (are|is) none \$\.body\.message/,
    why: 'messages of this parser, which name the position',
  },
  { pattern: /^replace with another uid \$\.body\.message/, why: 'the message does not quote etcd' },
  { pattern: /^unknown patch \$\.body\./, why: 'the refusal names the types that it takes' },
  { pattern: /^strategic patch of a cart \$\.body\.message/, why: 'no server-side apply' },
]
