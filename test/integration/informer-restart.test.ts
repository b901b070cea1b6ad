// needs: control-plane
// An informer outlives its apiserver: what it missed comes with deletes first, in their last known state.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { silentLogger } from '../../src/base/log.ts'
import { informerFactory } from '../../src/watch/informer-factory.ts'
import { configMap } from '../support/cluster-objects.ts'
import { startControlPlane } from '../support/control-plane.ts'
import { kubeconfigText } from '../support/control-plane-config.ts'
import { assertEqualsKubectl, runFactory, until } from '../support/informers.ts'
import type { AnyObject } from '../support/informers.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { startApiserverProxy } from '../support/apiserver-proxy.ts'

const signal = AbortSignal.timeout(240_000)

for (const watchList of [true, false]) {
  test(`an apiserver that is killed and started again (${watchList ? 'streamed' : 'paged'} lists)`, async () => {
    await using plane = await startControlPlane()
    await using proxy = await startApiserverProxy(plane)
    const namespace = ['-n', 'default']
    const apply = async (...names: readonly string[]): Promise<void> => {
      const stdin = names.map((name) => JSON.stringify(configMap(name, { at: String(performance.now()) }))).join('\n')
      await plane.kubectl(['apply', ...namespace, '-f', '-'], { stdin })
    }
    await apply('gone', 'changed', 'kept')

    await using run = runFactory(proxy.kubeconfig)
    const informer = run.factory.informer<AnyObject>('configmaps', { namespace: 'default', watchList })
    const calls: string[] = []
    informer.addHandler({
      onAdd: ({ metadata }, { initial }) => void calls.push(`add ${metadata.name}${initial ? ' initial' : ''}`),
      onUpdate: ({ metadata }, after) => {
        // A relist shows what did not change as well: the same state twice.
        if (metadata.resourceVersion !== after.metadata.resourceVersion) calls.push(`update ${metadata.name}`)
      },
      onDelete: ({ metadata }, { finalStateUnknown }) => {
        calls.push(`delete ${metadata.name}${finalStateUnknown ? ' unknown' : ''} of ${informer.size()}`)
      },
    })
    await informer.whenLive(signal)
    const before = informer.get('default/gone')
    calls.length = 0

    await plane.killApiserver()
    await proxy.cut()
    await plane.startApiserver()
    await plane.kubectl(['delete', 'configmap', 'gone', ...namespace])
    await apply('changed', 'new')
    // An apiserver's history begins when it starts: for one that starts now, what the informer saw last is too old.
    await plane.restartApiserver()
    await proxy.mend()
    await until(informer, () => informer.get('default/new') !== undefined && calls.length >= 3, signal)

    assert.equal(calls[0], 'delete gone unknown of 3')
    assert.deepEqual(calls.toSorted(), ['add new', 'delete gone unknown of 3', 'update changed'])
    assert.ok(before !== undefined)
    await assertEqualsKubectl(informer, plane, 'configmaps', namespace)

    await plane.kubectl(['delete', 'configmap', 'kept', ...namespace])
    await until(informer, () => calls.length === 4, signal)
    assert.equal(calls[3], 'delete kept of 2')
  })
}

test('an informer that starts before its apiserver goes live when that comes up', async () => {
  await using plane = await startControlPlane()
  await using proxy = await startApiserverProxy(plane)
  await proxy.cut()
  await using run = runFactory(proxy.kubeconfig)
  const failures: string[] = []
  const told = Promise.withResolvers<void>()
  const informer = run.factory.informer<AnyObject>('namespaces', {
    watchErrorHandler: ({ code }) => {
      failures.push(code)
      told.resolve()
    },
  })
  await told.promise
  assert.deepEqual(failures, ['unreachable'])
  assert.equal(informer.hasSynced(), false)
  await proxy.mend()
  await run.factory.whenLive(signal)
  await assertEqualsKubectl(informer, plane, 'namespaces', [])
})

test('an informer that is stopped while its apiserver hangs ends at once and leaves no connection', async () => {
  using folder = temporaryFolder('hanging')
  const server = createServer((socket) => socket.resume())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port }: { readonly port?: number } = Object(server.address())
  const kubeconfig = join(folder.path, 'kubeconfig')
  writeFileSync(kubeconfig, kubeconfigText(`https://127.0.0.1:${port}`, '', 'nobody', 'no-token'))

  const factory = informerFactory({ kubeconfig, log: silentLogger })
  const informer = factory.informer('pods')
  const stopping = new AbortController()
  const running = factory.run(stopping.signal)
  const connected = await once(server, 'connection')
  const closed = Promise.all(connected.map((socket) => once(socket, 'close')))
  // Before the connection's own timeout, of 10 s.
  const soon = AbortSignal.timeout(8_000)
  const waiting = assert.rejects(informer.whenLive(soon), /was stopped before/)
  stopping.abort()
  await Promise.all([running, waiting, closed])
  soon.throwIfAborted()
  server.close()
  await once(server, 'close')
})
