// needs: control-plane
// A Deployment is scaled: an informer of its pods sees them come and go.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OWNER_INDEX, ownerIndex } from '../../src/cache/index-function.ts'
import { deployment } from '../support/cluster-objects.ts'
import { startControlPlane } from '../support/control-plane.ts'
import { assertEqualsKubectl, runFactory, until } from '../support/informers.ts'
import type { AnyObject } from '../support/informers.ts'

const signal = AbortSignal.timeout(240_000)

test('scaling up adds pods, scaling down deletes them, and the owner index finds them', async () => {
  await using plane = await startControlPlane({ controllerManager: true })
  await using run = runFactory(plane.kubeconfig)
  const { factory } = run
  const indexers = { [OWNER_INDEX]: ownerIndex }
  const pods = factory.informer<AnyObject>('pods', { namespace: 'default', indexers })
  const replicaSets = factory.informer<AnyObject>('replicasets.apps', { namespace: 'default' })
  const seen = { added: 0, deleted: 0 }
  pods.addHandler({ onAdd: () => void (seen.added += 1), onDelete: () => void (seen.deleted += 1) })
  await factory.whenLive(signal)

  await plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(deployment('cart', 3)) })
  await until(pods, () => pods.size() === 3, signal)
  await until(replicaSets, () => replicaSets.size() === 1, signal)
  const [owner] = replicaSets.list()
  assert.equal(pods.byIndex(OWNER_INDEX, owner?.metadata.uid ?? '').length, 3)
  await plane.kubectl(['scale', 'deployment', 'cart', '--replicas=1'])
  await until(pods, () => pods.size() === 1 && seen.deleted === 2, signal)
  assert.deepEqual(seen, { added: 3, deleted: 2 })
  await assertEqualsKubectl(pods, plane, 'pods', ['-n', 'default'])
})
