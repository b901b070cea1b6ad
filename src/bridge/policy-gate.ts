// Lets objects pass to the topic as their policy wants them, or not at all; counts and logs what it does.

import type { Logger } from '../base/log.ts'
import { splitKey } from '../object/key.ts'
import type { RawObject } from '../object/raw-object.ts'
import type { Policy } from '../policy/policy.ts'
import type { BridgeMetrics } from './bridge-metrics.ts'
import { UNREADABLE_HASH, WITHHELD_HASH, hashOf } from './topic-index.ts'

/** An object as it is published. */
export interface Passed {
  readonly object: RawObject
  /** null where it is withheld. */
  readonly bytes: Buffer | null
  /** Of the bytes, for the index. */
  readonly hash: string
}

export interface PolicyGateOptions {
  /** For labels. */
  readonly resource: string
  readonly policy: Policy
  readonly metrics: BridgeMetrics
  readonly log: Logger
}

export class PolicyGate {
  readonly #options: PolicyGateOptions

  constructor(options: PolicyGateOptions) {
    this.#options = options
  }

  pass(key: string, raw: RawObject): Passed {
    const { resource, policy, metrics, log } = this.#options
    if (raw.unreadable !== undefined) {
      metrics.objectsWithheld.inc({ resource, reason: raw.unreadable })
      log.error('object withheld: its bytes are broken', { key, reason: raw.unreadable })
      return { object: raw, bytes: null, hash: UNREADABLE_HASH }
    }
    const outcome = policy.apply(raw)
    switch (outcome.kind) {
      case 'unchanged':
        return { object: raw, bytes: raw.bytes, hash: hashOf(raw.bytes) }
      case 'changed':
        metrics.policy.inc({ resource, action: outcome.action })
        return { object: outcome.object, bytes: outcome.object.bytes, hash: hashOf(outcome.object.bytes) }
      case 'withheld':
        metrics.objectsWithheld.inc({ resource, reason: outcome.reason })
        log.error('object withheld: its policy cannot be applied', { key, reason: outcome.message })
        return { object: raw, bytes: null, hash: WITHHELD_HASH }
      default:
        return outcome satisfies never
    }
  }

  /** What an earlier run published, perhaps under another policy, as the one in force wants it; null where it is withheld. */
  passAgain(key: string, published: Buffer): Buffer | null {
    return this.pass(key, { ...factsOf(published), ...splitKey(key), bytes: published }).bytes
  }
}

/** Where it is no object of ours the facts are empty: a policy that depends on them withholds it. */
function factsOf(bytes: Buffer): Omit<RawObject, 'bytes' | 'namespace' | 'name'> {
  const object = parse(bytes)
  const textOf = (field: string): string => {
    const value = Object.getOwnPropertyDescriptor(object, field)?.value
    return typeof value === 'string' ? value : ''
  }
  return { kind: textOf('kind'), apiVersion: textOf('apiVersion'), uid: '', resourceVersion: '' }
}

function parse(bytes: Buffer): object {
  try {
    return Object(JSON.parse(bytes.toString()))
  } catch {
    // Nothing is lost: a policy withholds what it cannot read.
    return {}
  }
}
