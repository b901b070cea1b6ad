// needs: control-plane
// The control plane of the tests: its life, its users, its controllers.

import { after, before, describe, test } from 'node:test'
import assert from 'node:assert/strict'
import { startControlPlane } from '../support/control-plane.ts'
import type { ControlPlane } from '../support/control-plane.ts'
import { ready } from '../support/ready.ts'

describe('etcd and kube-apiserver', () => {
  let cluster: ControlPlane
  before(async () => {
    cluster = await startControlPlane()
  })
  after(() => cluster[Symbol.asyncDispose]())

  test('an object is there after the apiserver was stopped and after it crashed', async () => {
    await cluster.kubectl(['create', 'configmap', 'kept', '--from-literal=a=b'])
    await cluster.restartApiserver()
    await cluster.killApiserver()
    await assert.rejects(cluster.request('/readyz'))
    await cluster.startApiserver()
    const { stdout } = await cluster.kubectl(['get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}'])
    assert.equal(stdout, 'b')
  })

  test('a watch from before a restart is answered 410', async () => {
    const path = '/api/v1/namespaces/default/configmaps'
    const list: unknown = JSON.parse((await cluster.request(path)).body)
    const query = `watch=1&timeoutSeconds=5&resourceVersion=${resourceVersionOf(list)}`
    await cluster.kubectl(['create', 'configmap', 'later'])
    await cluster.restartApiserver()
    const { body } = await cluster.request(`${path}?${query}`)
    assert.match(body, /"code":410/)
  })

  test('a plain user may do nothing until a role is bound to him', async () => {
    const kubeconfig = cluster.userKubeconfig('plain1')
    const list = ['get', 'configmaps', '-n', 'default']
    const refused = await cluster.kubectl(list, { kubeconfig, check: false })
    assert.match(refused.stderr, /Forbidden/)
    await cluster.kubectl(['create', 'role', 'reader', '--verb=list', '--resource=configmaps', '-n', 'default'])
    await cluster.kubectl(['create', 'rolebinding', 'reader', '--role=reader', '--user=plain1', '-n', 'default'])
    // The authorizer follows the bindings by a watch of its own.
    await ready(() => cluster.kubectl(list, { kubeconfig }), { what: 'the permission of plain1' })
  })

  test('a service account is known by its token', async () => {
    const token = await cluster.tokenFor('bridge', 'default')
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
    const { body } = await cluster.request('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
      method: 'POST',
      body: review,
      token,
    })
    assert.match(body, /system:serviceaccount:default:bridge/)
  })

  test('a frozen etcd keeps a write waiting', async () => {
    cluster.pauseEtcd()
    const write = cluster.kubectl(['create', 'configmap', 'patient'])
    const read = await cluster.request('/livez?exclude=etcd')
    assert.equal(read.status, 200)
    cluster.resumeEtcd()
    await write
  })
})

test('with kube-controller-manager a Deployment becomes pods and a namespace ends', async () => {
  await using cluster = await startControlPlane({ controllerManager: true })
  await cluster.kubectl(['create', 'namespace', 'shop'])
  await cluster.kubectl(['create', 'deployment', 'cart', '-n', 'shop', '--image=cart:1', '--replicas=2'])
  await cluster.kubectl(['wait', '-n', 'shop', '--for=create', 'pod', '-l', 'app=cart', '--timeout=60s'])
  await cluster.kubectl(['delete', 'namespace', 'shop', '--wait=true', '--timeout=60s'])
})

function resourceVersionOf(list: unknown): string {
  assert.ok(typeof list === 'object' && list !== null && 'metadata' in list)
  const { metadata } = list
  assert.ok(typeof metadata === 'object' && metadata !== null && 'resourceVersion' in metadata)
  assert.equal(typeof metadata.resourceVersion, 'string')
  return String(metadata.resourceVersion)
}
