// Holds what users can import: a name that comes or goes is a change of README, CHANGELOG and this list.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as main from '../../src/index.ts'

const values = [
  'Bridge',
  'ByteBudget',
  'DeltaQueue',
  'KubedeltaError',
  'LeaderElection',
  'NAMESPACE_INDEX',
  'OWNER_INDEX',
  'RecordDecoder',
  'Reflector',
  'SchemaStore',
  'bytesStorage',
  'connect',
  'createBridgeMetrics',
  'createHttpSource',
  'createIndexer',
  'createInformer',
  'createKubeClient',
  'createLeaseStore',
  'createLister',
  'createLogger',
  'createMetrics',
  'createResourceClient',
  'createWritingKubeClient',
  'discover',
  'encodeRecord',
  'everything',
  'filteringHandler',
  'findResource',
  'fromHeaders',
  'informerFactory',
  'isReservedKey',
  'loadCredentials',
  'namespaceIndex',
  'objectStorage',
  'ownerIndex',
  'partitionOf',
  'readClusterId',
  'reservedKeys',
  'resourceName',
  'silentLogger',
  'steadyClock',
  'systemClock',
  'toHeaders',
  'topicName',
  'waitForCacheSync',
]

test('the main entry exports these values and no others', () => {
  assert.deepEqual(Object.keys(main).toSorted(), values)
})

test('entries are lists of named exports', () => {
  const text = readFileSync(new URL('../../src/index.ts', import.meta.url), 'utf8')
  assert.doesNotMatch(text, /export \*|export (const|function|class|default)/)
})
