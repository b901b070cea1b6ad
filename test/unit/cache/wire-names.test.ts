import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as models from '@kubernetes/client-node'
import { SCHEMA_WIRE_NAMES, WIRE_NAMES } from '../../../src/object/wire.ts'

test('every field that client-node renames has its wire name back', () => {
  const renamed: Record<string, string> = {}
  for (const model of Object.values(models)) {
    if (typeof model !== 'function' || !('attributeTypeMap' in model) || !Array.isArray(model.attributeTypeMap))
      continue
    for (const { name, baseName } of model.attributeTypeMap) if (name !== baseName) renamed[name] = baseName
  }
  assert.deepEqual(renamed, { ...WIRE_NAMES, ...SCHEMA_WIRE_NAMES })
})
