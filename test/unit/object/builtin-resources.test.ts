import assert from 'node:assert/strict'
import { test } from 'node:test'
import { builtinResourceName } from '../../../src/object/builtin-resources.ts'

const names: ReadonlyArray<readonly [given: string, name: string]> = [
  ['pods', 'pods'],
  ['po', 'pods'],
  ['Pod', 'pods'],
  ['deploy', 'deployments.apps'],
  ['Deployment.apps', 'deployments.apps'],
  ['deployments', 'deployments.apps'],
  ['ev', 'events'],
  ['events.events.k8s.io', 'events.events.k8s.io'],
  ['crd', 'customresourcedefinitions.apiextensions.k8s.io'],
  ['widgets.example.com', 'widgets.example.com'],
  ['pods.example.com', 'pods.example.com'],
  ['constructor', 'constructor'],
]
for (const [given, name] of names) {
  test(`${given} is ${name}`, () => assert.equal(builtinResourceName(given), name))
}
