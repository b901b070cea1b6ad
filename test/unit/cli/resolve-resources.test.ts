import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import type { ErrorCode } from '../../../src/base/errors.ts'
import { resolveResources } from '../../../src/cli/resolve-resources.ts'
import type { ResolveOptions } from '../../../src/cli/resolve-resources.ts'
import type { ResourceSelection } from '../../../src/cli/resource-selections.ts'
import type { Catalogue } from '../../../src/kube/catalogue.ts'
import { resourceName } from '../../../src/object/resource.ts'
import type { Resource } from '../../../src/object/resource.ts'

function served(resource: string, kind: string, group: string, shortName: string, namespaced: boolean): Resource {
  const verbs = ['list', 'watch']
  return {
    group,
    version: 'v1',
    resource,
    kind,
    namespaced,
    singular: kind.toLowerCase(),
    shortNames: [shortName],
    verbs,
  }
}

const catalogue: Catalogue = {
  resources: [
    served('pods', 'Pod', '', 'po', true),
    served('secrets', 'Secret', '', 'sec', true),
    served('nodes', 'Node', '', 'no', false),
    served('deployments', 'Deployment', 'apps', 'deploy', true),
  ],
  unreachableGroups: [],
}

function selection(resource: string, more: Partial<ResourceSelection> = {}): ResourceSelection {
  return { resource, namespaces: [], labelSelector: '', fieldSelector: '', partitions: undefined, ...more }
}

function resolve(resources: readonly ResourceSelection[], more: Partial<ResolveOptions> = {}): readonly string[] {
  const options = { resources, exclude: [], partitions: new Map<string, number>(), ...more }
  return resolveResources(options, catalogue).map(({ resource, named, partitions, namespaces }) =>
    [
      resourceName(resource),
      ...(named ? ['named'] : []),
      ...(partitions === undefined ? [] : [partitions]),
      ...namespaces,
    ].join(' '),
  )
}

describe('resolveResources', () => {
  test('finds plurals, kinds and short names', () => {
    assert.deepEqual(resolve([selection('po'), selection('Deployment'), selection('nodes')]), [
      'pods named',
      'deployments.apps named',
      'nodes named',
    ])
  })

  test('takes one resource once, under whatever names', () => {
    assert.deepEqual(resolve([selection('pods'), selection('po')]), ['pods named'])
  })

  test('a star takes the rest, without Secrets and what is excluded', () => {
    assert.deepEqual(resolve([selection('*')], { exclude: ['no'] }), ['pods', 'deployments.apps'])
  })

  test('a named resource wins over the star', () => {
    assert.deepEqual(resolve([selection('*'), selection('secrets'), selection('pods', { partitions: 2 })]), [
      'secrets named',
      'pods named 2',
      'nodes',
      'deployments.apps',
    ])
  })

  test('a star within namespaces leaves out what has none', () => {
    assert.deepEqual(resolve([selection('*', { namespaces: ['shop'] })]), ['pods shop', 'deployments.apps shop'])
  })

  test('partitions by flag win over those of an entry, under any name of the resource', () => {
    const partitions = new Map([['deploy', 6]])
    assert.deepEqual(resolve([selection('deployments.apps', { partitions: 2 }), selection('pods')], { partitions }), [
      'deployments.apps named 6',
      'pods named',
    ])
  })

  const bad: ReadonlyArray<
    readonly [what: string, code: ErrorCode, resources: readonly ResourceSelection[], more?: Partial<ResolveOptions>]
  > = [
    ['an unknown resource', 'unknown-resource', [selection('podz')]],
    ['a namespace of a cluster-scoped resource', 'usage', [selection('nodes', { namespaces: ['shop'] })]],
    ['one resource in two ways', 'usage', [selection('pods'), selection('po', { labelSelector: 'a=b' })]],
    ['partitions of what is not selected', 'usage', [selection('pods')], { partitions: new Map([['nodes', 2]]) }],
  ]
  for (const [what, code, resources, more] of bad) {
    test(`refuses ${what}`, () =>
      assert.throws(
        () => resolve(resources, more),
        (error) => hasCode(error, code),
      ))
  }
})
