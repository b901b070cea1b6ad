// Holds the chart's values, their schema and their comments to each other and to the table of options.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { z } from 'zod'
import manifest from '../../package.json' with { type: 'json' }
import schema from '../../helm/values.schema.json' with { type: 'json' }
import type { OptionSpec } from '../../src/cli/option-spec.ts'
import { isOptionOf, optionKeys, optionOf, type OptionKey } from '../../src/cli/options.ts'
import { instructionsOf } from '../support/dockerfile.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const valuesText = read('helm/values.yaml')
const objectSchema = z.record(z.string(), z.unknown())
const values = objectSchema.parse(parse(valuesText))
const config = objectSchema.parse(values['config'])

/** Required, and values of their own. */
const required = ['to', 'cluster']
/** What a parent chart may set, which has no meaning here. */
const ofParents = ['enabled', 'global']
const configKeys = optionKeys.filter(
  (key) => isOptionOf('run', key) && optionOf(key).outsideFile !== true && !required.includes(key),
)

describe('config in the schema', () => {
  test('has exactly the options of run that a configuration file may have', () => {
    assert.deepEqual(Object.keys(schema.properties.config.properties).toSorted(), configKeys.toSorted())
    assert.equal(schema.properties.config.additionalProperties, false)
  })

  for (const key of configKeys) {
    test(`${key} is what the table of options says`, () => {
      const actual = objectSchema.parse(objectSchema.parse(schema.properties.config.properties)[key])
      assert.deepEqual(actual, { description: optionOf(key).description, ...shapeOf(key, optionOf(key)) })
    })
  }
})

describe('values.yaml', () => {
  test('explains each option of config, set or commented out', () => {
    for (const key of configKeys) {
      const spec = optionOf(key)
      const choices = spec.type === 'choice' ? ` (${spec.choices.join(', ')})` : ''
      const fallback = key === 'metricsListen' ? undefined : defaultOf(spec)
      const comment = `  # ${spec.description}${choices}${fallback === undefined ? '' : `. Default: ${fallback}`}\n`
      const line = key in config ? `  ${key}: ` : `  # ${key}: `
      assert.ok(valuesText.includes(comment + line), `wanted in values.yaml:\n${comment}${line}...`)
    }
  })

  test('sets of config only what a bridge in a pod needs to start and to be probed', () => {
    assert.deepEqual(config, { resources: ['*'], metricsListen: '0.0.0.0:9464' })
  })

  test('has the keys of the schema, and nothing else', () => {
    const { config: ofBridge, ...ofChart } = values
    assert.deepEqual(ofBridge, config)
    const described = Object.entries(schema.properties).filter(
      ([key]) => ![...required, ...ofParents, 'config'].includes(key),
    )
    const ofSchema = described.flatMap(([key, node]) => pathsOfSchema(node, key))
    assert.deepEqual(pathsOfValues(ofChart, new Set(ofSchema)).toSorted(), ofSchema.toSorted())
  })

  test('shows what is required, commented out, since it has no default', () => {
    assert.deepEqual(schema.required, required)
    for (const key of required) assert.match(valuesText, new RegExp(`^# ${key}: `, 'm'))
  })
})

test('the chart has the version of the package, for itself and for its image', () => {
  const chart = objectSchema.parse(parse(read('helm/Chart.yaml')))
  assert.deepEqual([chart['version'], chart['appVersion']], [manifest.version, manifest.version])
})

test('the pod runs as the user of the image', () => {
  const user = instructionsOf(read('Dockerfile')).findLast(([instruction]) => instruction === 'USER')?.[1]
  const { runAsUser, runAsGroup } = objectSchema.parse(values['podSecurityContext'])
  assert.equal(`${String(runAsUser)}:${String(runAsGroup)}`, user)
})

/** What the schema says of an option, besides its description. */
function shapeOf(key: OptionKey, spec: OptionSpec): object {
  // One list in the configuration file, with more than names in it.
  if (key === 'resources') return { $ref: '#/definitions/selection' }
  // A pod is probed from outside, so that a loopback address makes no sense.
  if (key === 'metricsListen') return { type: 'string', pattern: '^(0\\.0\\.0\\.0|\\[::\\])?:[0-9]{1,5}$' }
  switch (spec.type) {
    case 'string':
      return { type: 'string', minLength: 1 }
    case 'choice':
      return { enum: spec.choices }
    case 'boolean':
      return { type: 'boolean' }
    case 'integer':
      return { type: 'integer', minimum: spec.minimum }
    case 'duration':
      return { $ref: '#/definitions/duration' }
    case 'list':
      return { $ref: '#/definitions/list' }
    default:
      return spec satisfies never
  }
}

function defaultOf(spec: OptionSpec): string | undefined {
  if (spec.type === 'boolean') return 'false'
  const { defaultText } = spec
  return 'default' in spec && spec.default !== undefined ? String(spec.default) : defaultText
}

/** Paths of what the schema describes, `image.tag`, down to where it leaves the content open. */
function pathsOfSchema(node: unknown, path: string): readonly string[] {
  const { properties } = objectSchema.parse(node)
  if (properties === undefined) return [path]
  return Object.entries(objectSchema.parse(properties)).flatMap(([key, value]) =>
    pathsOfSchema(value, `${path}.${key}`),
  )
}

/** Paths of values, no deeper than the known ones. */
function pathsOfValues(node: object, known: ReadonlySet<string>, prefix = ''): readonly string[] {
  return Object.entries(node).flatMap(([key, value]: [string, unknown]) => {
    const path = `${prefix}${key}`
    const isLeaf = known.has(path) || typeof value !== 'object' || value === null
    return isLeaf ? [path] : pathsOfValues(value, known, `${path}.`)
  })
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}
