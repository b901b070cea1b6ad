import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { parseConfig } from '../../../src/cli/config-file.ts'

function valuesIn(text: string): Readonly<Record<string, unknown>> {
  return Object.fromEntries([...parseConfig(text, 'x.yaml').values].map(([key, { value }]) => [key, value]))
}

describe('parseConfig', () => {
  test('takes options by their camelCase names, scalars as they are written', () => {
    const text = `
to: kafka://kafka:9092
startupTimeout: 1m
kafkaTls: true
qps: 20
namespace: [shop, web]
exclude: events
`
    assert.deepEqual(valuesIn(text), {
      to: 'kafka://kafka:9092',
      startupTimeout: '1m',
      kafkaTls: 'true',
      qps: '20',
      namespace: ['shop', 'web'],
      exclude: ['events'],
    })
  })

  test('takes resources as names and as entries with a scope of their own', () => {
    const text = `
resources:
  - pods
  - resource: deployments.apps
    namespaces: [shop]
    labelSelector: app=cart
    fieldSelector: metadata.name=cart
    partitions: 6
`
    assert.deepEqual(parseConfig(text, 'x.yaml').resources, [
      { resource: 'pods', origin: 'x.yaml:3:5' },
      {
        resource: 'deployments.apps',
        namespaces: ['shop'],
        labelSelector: 'app=cart',
        fieldSelector: 'metadata.name=cart',
        partitions: 6,
        origin: 'x.yaml:4:5',
      },
    ])
  })

  test('remembers where a value stands', () => {
    assert.deepEqual(parseConfig('a: 1\n'.replace('a', 'qps'), 'x.yaml').values.get('qps'), {
      value: '1',
      from: 'file',
      origin: 'x.yaml:1:1 (qps)',
    })
  })

  for (const text of ['', '# nothing\n', 'qps:\n']) {
    test(`finds nothing in ${JSON.stringify(text)}`, () => assert.deepEqual(valuesIn(text), {}))
  }

  const bad: ReadonlyArray<readonly [what: string, text: string, message: RegExp]> = [
    [
      'an unknown key',
      'to: x\nstartupTimeuot: 1s\n',
      /x\.yaml:2:1: unknown key "startupTimeuot": did you mean startupTimeout$/,
    ],
    ['an option that no file has', 'output: json\n', /x\.yaml:1:1: unknown key "output"$/],
    ['a flag in kebab case', 'startup-timeout: 1s\n', /unknown key "startup-timeout": did you mean startupTimeout$/],
    [
      'an unknown key of a resource',
      'resources:\n- resource: pods\n  namespace: a\n',
      /x\.yaml:3:3: unknown key "namespace": did you mean namespaces$/,
    ],
    ['broken YAML', 'to: "kafka\nqps: 1\n', /x\.yaml:[0-9]+:[0-9]+: /],
    ['a key that stands twice', 'qps: 1\nqps: 2\n', /x\.yaml:2:1: Map keys must be unique$/],
    [
      'a list instead of options',
      '- to\n',
      /Cannot read x\.yaml:1:1: wanted a mapping of options: current value is a list$/,
    ],
    [
      'a mapping instead of a value',
      'qps: {a: 1}\n',
      /x\.yaml:1:1 \(qps\): wanted a single value: current value is a mapping$/,
    ],
    ['a resource without its name', 'resources:\n- partitions: 2\n', /x\.yaml:2:3: wanted 'resource' in each entry/],
    [
      'partitions that are none',
      'resources:\n- {resource: pods, partitions: 0}\n',
      /\(partitions\): wanted a whole number >= 1: current value is 0$/,
    ],
  ]
  for (const [what, text, message] of bad) {
    test(`refuses ${what} with its place`, () => {
      assert.throws(
        () => parseConfig(text, 'x.yaml'),
        (error) => {
          assert.ok(hasCode(error, 'usage'))
          assert.match(error.message, message)
          return true
        },
      )
    })
  }
})
