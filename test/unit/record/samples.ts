// Records for tests: one of fixed content, and any that the types allow.

import * as fc from 'fast-check'
import type { KubeRecord } from '../../../src/record/record.ts'

/** An Add of the pod shop/cart-0, with the given fields instead. */
export function sampleRecord(fields: Partial<KubeRecord> = {}): KubeRecord {
  return {
    op: 'ADDED',
    cause: 'WATCH',
    finalStateUnknown: false,
    initial: false,
    cluster: 'prod',
    group: '',
    version: 'v1',
    resource: 'pods',
    kind: 'Pod',
    namespace: 'shop',
    name: 'cart-0',
    uid: 'c8a1b2d3-0000-4000-8000-000000000001',
    resourceVersion: '10482',
    previous: null,
    observedAt: 1_760_000_000_123,
    epoch: 3,
    object: Buffer.from(
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"cart-0","generation":9223372036854775807}}',
    ),
    ...fields,
  }
}

const text = fc.string({ unit: 'binary' })
// avsc rounds longs beyond 2 ** 52; no timestamp and no epoch comes near.
const integer = fc.integer({ min: -(2 ** 51), max: 2 ** 51 })

/** Bytes of a JSON object, as JSON.stringify writes it. */
export const objectBytes: fc.Arbitrary<Buffer> = fc
  .dictionary(text, fc.jsonValue({ maxDepth: 3 }))
  .map((value) => Buffer.from(JSON.stringify(value)))

/** Any record whose numbers stay under 2 ** 51. */
export const anyRecord: fc.Arbitrary<KubeRecord> = fc.record(
  {
    op: fc.constantFrom('UNKNOWN', 'ADDED', 'UPDATED', 'DELETED'),
    cause: fc.constantFrom('UNKNOWN', 'WATCH', 'LIST', 'RELIST', 'RESYNC', 'RECOVERY', 'SELECTOR', 'POLICY'),
    finalStateUnknown: fc.boolean(),
    initial: fc.boolean(),
    cluster: text,
    group: text,
    version: text,
    resource: text,
    kind: text,
    namespace: fc.option(text),
    name: text,
    uid: text,
    resourceVersion: text,
    previous: fc.option(fc.record({ uid: text, resourceVersion: text }, { noNullPrototype: true })),
    observedAt: integer,
    epoch: integer,
    object: fc.option(objectBytes),
  },
  { noNullPrototype: true },
)
