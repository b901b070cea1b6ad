import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KubedeltaError, type ErrorCode } from '../../../src/base/errors.ts'
import { checkIdentity, type FoundIdentity, type WantedIdentity } from '../../../src/bridge/identity-check.ts'
import type { Control } from '../../../src/record/control.ts'

const control: Control = {
  kind: 'progress',
  clusterId: 'id-1',
  cluster: 'prod',
  streamId: 's',
  epoch: 3,
  producerId: '9',
  holder: 'host_1',
  asOf: 0,
  partitions: 1,
  scope: 'pods; namespaces: *; labels: *; fields: *',
  policy: 'none',
  schemas: {},
  synced: true,
  resourceVersion: '5',
}
const wanted: WantedIdentity = {
  topic: 'kubedelta.prod.pods',
  clusterId: 'id-1',
  cluster: 'prod',
  scope: control.scope,
  partitions: 1,
  adoptTopic: false,
  applyScopeChange: false,
}
const found: FoundIdentity = { control, clusters: new Set(['prod']), keys: 2 }
const untold: FoundIdentity = { control: undefined, clusters: new Set(['prod']), keys: 2 }

const accepted: ReadonlyArray<
  readonly [string, FoundIdentity, Partial<WantedIdentity>, 'same-cluster' | 'other-cluster']
> = [
  ['its own topic', found, {}, 'same-cluster'],
  ['an empty topic', { control: undefined, clusters: new Set(), keys: 0 }, {}, 'same-cluster'],
  ['its own records when all control records have expired', untold, {}, 'same-cluster'],
  ['a topic of another cluster if told to', found, { clusterId: 'id-2', adoptTopic: true }, 'other-cluster'],
  ['another scope if told to', found, { scope: 'other', applyScopeChange: true }, 'same-cluster'],
]
for (const [claim, topic, changes, kind] of accepted) {
  test(`identity check accepts ${claim}`, () => {
    assert.deepEqual(checkIdentity(topic, { ...wanted, ...changes }), { kind })
  })
}

const refused: ReadonlyArray<readonly [string, FoundIdentity, Partial<WantedIdentity>, ErrorCode, RegExp]> = [
  [
    'a topic of another cluster',
    found,
    { clusterId: 'id-2' },
    'topic-foreign',
    /id-1: current value is .*id-2.*--adopt-topic/,
  ],
  [
    'another scope',
    found,
    { scope: 'other' },
    'scope-changed',
    /'pods; .*': current value is 'other'.*--apply-scope-change/,
  ],
  ['another partition count', found, { partitions: 6 }, 'partitions-changed', /1 partitions: current value is 6/],
  [
    'another partition count, told to adopt or not',
    found,
    { partitions: 6, adoptTopic: true },
    'partitions-changed',
    /./,
  ],
  ['records of another cluster', { ...untold, clusters: new Set(['dev']) }, {}, 'topic-foreign', /cluster 'dev'/],
  ['records of nobody', { ...untold, clusters: new Set() }, {}, 'topic-foreign', /no kubedelta bridge/],
]
for (const [claim, topic, changes, code, message] of refused) {
  test(`identity check refuses ${claim}`, () => {
    assert.throws(
      () => checkIdentity(topic, { ...wanted, ...changes }),
      (error) => error instanceof KubedeltaError && error.code === code && message.test(error.message),
    )
  })
}
