// needs: control-plane
// examples/informer, run as its README says: names are printed as a Deployment is scaled up and down.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deployment } from '../support/cluster-objects.ts'
import { startControlPlane } from '../support/control-plane.ts'
import { readmeCommands, startExample } from '../support/example-process.ts'

test('scaling up prints the names that are added, scaling down those that are deleted', async () => {
  await using plane = await startControlPlane({ controllerManager: true })
  const [command = ''] = readmeCommands('informer')
  await using example = startExample(command, { KUBECONFIG: plane.kubeconfig })
  await example.line((line) => line === 'watching 0 pods')
  const names = (what: string): string[] =>
    example.lines.filter((line) => line.startsWith(`${what} default/web-`)).map((line) => line.split(' ')[1] ?? '')

  await plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(deployment('web', 3)) })
  await example.line(() => names('added').length === 3)
  await plane.kubectl(['scale', 'deployment', 'web', '--replicas=1'])
  await example.line(() => names('deleted').length === 2)

  const left = names('added').filter((name) => !names('deleted').includes(name))
  const { stdout } = await plane.kubectl(['get', 'pods', '-o', 'name'])
  assert.deepEqual(
    left.map((name) => name.replace('default/', 'pod/')),
    stdout.trim().split('\n'),
  )
  example.interrupt()
  assert.equal((await example.ended).stderr, '')
})
