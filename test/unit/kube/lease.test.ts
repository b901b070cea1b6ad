import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode, KubedeltaError } from '../../../src/base/errors.ts'
import type { KubeWrite, WritingKubeClient } from '../../../src/kube/client.ts'
import { createLeaseStore, microTime, type LeaseClaim } from '../../../src/kube/lease.ts'
import { fakeClient, type FakeAnswer } from './fake-client.ts'

const { signal } = new AbortController()
const COLLECTION = '/apis/coordination.k8s.io/v1/namespaces/shop/leases'
const claim: LeaseClaim = {
  holder: 'me',
  durationMs: 15_000,
  acquireTime: '2026-01-01T00:00:00.000000Z',
  renewTime: '2026-01-01T00:00:02.000000Z',
  transitions: 4,
}
const spec = {
  holderIdentity: 'me',
  leaseDurationSeconds: 15,
  acquireTime: '2026-01-01T00:00:00.000000Z',
  renewTime: '2026-01-01T00:00:02.000000Z',
  leaseTransitions: 4,
}
const stored = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'bridge', namespace: 'shop', resourceVersion: '7', labels: { kept: 'yes' } },
  spec: { ...spec, holderIdentity: 'other', strategy: 'OldestEmulationVersion' },
}

/** A store over an apiserver that holds `reads` and answers each write with `answers`, one after the other. */
function storeOver(reads: FakeAnswer, answers: ReadonlyArray<object | Error> = []) {
  const written: Array<{ readonly path: string; readonly method: string; readonly body: unknown }> = []
  const left = [...answers]
  const client: WritingKubeClient = {
    ...fakeClient({ [`${COLLECTION}/bridge`]: reads }),
    write: async (path, { method, body }: KubeWrite) => {
      written.push({ path, method, body })
      const answer = left.shift()
      if (answer instanceof Error) throw answer
      return answer
    },
  }
  return { store: createLeaseStore({ client, namespace: 'shop', name: 'bridge' }), written }
}

const refusal = (status: number): KubedeltaError =>
  new KubedeltaError('server', `Cannot PUT: the apiserver answered ${status}`, { fields: { status } })

describe('a Lease', () => {
  test('is read with its claim; a missing one is none, and empty fields are nobody', async () => {
    assert.deepEqual((await storeOver({ json: stored }).store.read(signal))?.claim, { ...claim, holder: 'other' })
    const absent = { error: new KubedeltaError('not-found', 'Cannot GET: not found') }
    assert.equal(await storeOver(absent).store.read(signal), undefined)
    const empty = { metadata: { resourceVersion: '1' }, spec: { holderIdentity: null } }
    assert.deepEqual((await storeOver({ json: empty }).store.read(signal))?.claim, {
      holder: '',
      durationMs: 0,
      acquireTime: '',
      renewTime: '',
      transitions: 0,
    })
  })

  test('that is none at all is an answer of the apiserver, which may change', async () => {
    for (const json of [undefined, {}, { metadata: {} }, { metadata: { resourceVersion: '1' }, spec: 'x' }]) {
      await assert.rejects(
        storeOver({ json }).store.read(signal),
        (error) => hasCode(error, 'server') && error.retriable,
      )
    }
  })

  test('is created in its namespace', async () => {
    const { store, written } = storeOver({ json: stored }, [{ ...stored, spec }])
    const outcome = await store.create(claim, signal)
    assert.deepEqual(outcome.kind === 'written' && outcome.lease.claim, claim)
    assert.deepEqual(written, [
      {
        path: COLLECTION,
        method: 'POST',
        body: { apiVersion: stored.apiVersion, kind: 'Lease', metadata: { name: 'bridge', namespace: 'shop' }, spec },
      },
    ])
  })

  test('is updated by its resourceVersion, and keeps what is not the claim', async () => {
    const { store, written } = storeOver({ json: stored }, [stored])
    const lease = await store.read(signal)
    assert.ok(lease !== undefined)
    await store.update(lease, claim, signal)
    const body = { ...stored, spec: { ...spec, strategy: 'OldestEmulationVersion' } }
    assert.deepEqual(written, [{ path: `${COLLECTION}/bridge`, method: 'PUT', body }])
  })

  test('that another was faster with is a conflict, and so is one that was deleted', async () => {
    const gone = new KubedeltaError('not-found', 'Cannot PUT: not found')
    const { store } = storeOver({ json: stored }, [refusal(409), refusal(409), gone, refusal(500)])
    const lease = await store.read(signal)
    assert.ok(lease !== undefined)
    assert.deepEqual(await store.create(claim, signal), { kind: 'conflict' })
    assert.deepEqual(await store.update(lease, claim, signal), { kind: 'conflict' })
    assert.deepEqual(await store.update(lease, claim, signal), { kind: 'conflict' })
    await assert.rejects(store.update(lease, claim, signal), refusal(500))
  })

  test('in a namespace that is missing names the way out', async () => {
    const { store } = storeOver({ json: stored }, [new KubedeltaError('not-found', 'namespaces "shop" not found')])
    await assert.rejects(
      store.create(claim, signal),
      (error) =>
        hasCode(error, 'usage') && /create 'shop', or name another with --leader-elect-namespace/.test(error.message),
    )
  })

  test('lasts whole seconds, never fewer than were meant', async () => {
    for (const [durationMs, seconds] of [
      [1, 1],
      [1_000, 1],
      [1_001, 2],
      [2_500, 3],
    ] as const) {
      const { store, written } = storeOver({ json: stored }, [stored])
      await store.create({ ...claim, durationMs }, signal)
      assert.match(JSON.stringify(written), new RegExp(`"leaseDurationSeconds":${seconds},`))
    }
  })
})

test('times have the six digits that the apiserver wants', () => {
  assert.equal(microTime(Date.UTC(2026, 10, 21, 11, 0, 0, 7)), '2026-11-21T11:00:00.007000Z')
})
