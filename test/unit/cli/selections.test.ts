import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { followSelections } from '../../../src/cli/selections.ts'
import type { Selection } from '../../../src/bridge/bridge-options.ts'
import type { ResourceSelection } from '../../../src/cli/resource-selections.ts'
import type { Catalogue } from '../../../src/kube/catalogue.ts'
import { resourceName, type Resource } from '../../../src/object/resource.ts'

function served(resource: string, group = '', version = 'v1'): Resource {
  const kind = resource.slice(0, -1)
  return { group, version, resource, kind, namespaced: true, singular: kind, shortNames: [], verbs: ['list', 'watch'] }
}

const GROUP = 'shop.example.com'
const pods = served('pods')
const secrets = served('secrets')
const carts = served('carts', GROUP)
const orders = served('orders', GROUP)

function select(resource: string): ResourceSelection {
  return { resource, namespaces: [], labelSelector: '', fieldSelector: '', partitions: undefined }
}

/** The selection of the last of these catalogues, for a start with the first. */
async function after(
  names: readonly string[],
  catalogues: readonly [Catalogue, ...Catalogue[]],
  exclude: readonly string[] = [],
): Promise<Selection> {
  const options = { resources: names.map(select), exclude, partitions: new Map<string, number>() }
  const [current] = catalogues
  const follow = followSelections(options, {
    current,
    async *catalogues() {
      yield* catalogues
    },
  })
  const selections = await Array.fromAsync(follow(new AbortController().signal))
  const last = selections.at(-1)
  assert.ok(last !== undefined)
  return last
}

function namesOf({ resources }: Selection): readonly string[] {
  return resources.map(({ resource }) => resourceName(resource))
}

const start: Catalogue = { resources: [pods, secrets, carts], unreachableGroups: [] }

describe('what is selected later', () => {
  test("with '*' is what has come since, without Secrets", async () => {
    const now = { ...start, resources: [...start.resources, orders] }
    assert.deepEqual(namesOf(await after(['*'], [start, now])), ['pods', `carts.${GROUP}`, `orders.${GROUP}`])
  })

  test('without it is nothing new', async () => {
    const now = { ...start, resources: [...start.resources, orders] }
    assert.deepEqual(namesOf(await after(['pods'], [start, now])), ['pods'])
  })

  test('by name stays the same collection when another one comes to have that name', async () => {
    const other = served('carts', 'another.example.com')
    const now = { ...start, resources: [other, ...start.resources] }
    assert.deepEqual(namesOf(await after(['carts'], [start, now])), [`carts.${GROUP}`])
  })

  test('leaves out what was excluded, also when that comes back', async () => {
    const gone = { ...start, resources: [pods] }
    assert.deepEqual(namesOf(await after(['*'], [start, gone], ['carts'])), ['pods'])
    assert.deepEqual(namesOf(await after(['*'], [start, gone, start], ['carts'])), ['pods'])
    assert.equal((await after(['*'], [start, gone], ['carts'])).ifGone(`carts.${GROUP}`), undefined)
  })

  test('is served as it was only in the same version', async () => {
    const both = { ...start, resources: [pods, { ...carts, version: 'v2' }, carts] }
    assert.equal((await after(['*'], [start, both])).serves(carts), true)
    const other = { ...start, resources: [pods, { ...carts, version: 'v2' }] }
    assert.equal((await after(['*'], [start, other])).serves(carts), false)
  })
})

describe('a topic whose collection is not served', () => {
  const gone = { ...start, resources: [pods, secrets] }

  test("is one of '*'", async () => {
    const selected = (await after(['*'], [gone])).ifGone(`carts.${GROUP}`)
    assert.deepEqual([selected?.resource.group, selected?.resource.resource, selected?.named], [GROUP, 'carts', false])
  })

  test('is none of those who named what they want', async () => {
    assert.equal((await after(['pods'], [gone])).ifGone(`carts.${GROUP}`), undefined)
  })

  test('is left alone while its group is out of reach, and while it is served', async () => {
    const unknown = { ...gone, unreachableGroups: [GROUP] }
    assert.equal((await after(['*'], [unknown])).ifGone(`carts.${GROUP}`), undefined)
    assert.equal((await after(['*'], [start])).ifGone(`carts.${GROUP}`), undefined)
    assert.equal((await after(['*'], [start])).ifGone('secrets'), undefined)
  })
})
