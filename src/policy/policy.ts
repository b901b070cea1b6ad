// What a policy is: it changes an object before publishing, and withholds what it cannot change safely.

import type { RawObject } from '../object/raw-object.ts'

/** What a policy did to an object: the `action` of `kubedelta_policy_total`. */
export type PolicyAction = 'masked'

/** Why an object is not published: the `reason` of `kubedelta_objects_withheld_total`. */
export type WithheldReason =
  | 'policy-failed' // the object could not be read, or the policy has a bug
  | 'unexpected-kind' // the policy does not know where such an object holds what it must hide

/** An object that must not be published; its record has `object: null`. */
export interface Withheld {
  readonly kind: 'withheld'
  readonly reason: WithheldReason
  /** For the log; never holds content of the object. */
  readonly message: string
}

/** What becomes of an object; the actions of changed objects are counted. */
export type PolicyResult =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'changed'; readonly object: RawObject; readonly action: PolicyAction }
  | Withheld

/**
 * What is done to each object of one resource.
 *
 * - Deterministic: the same bytes in, the same bytes out; the index compares what was published.
 * - Never throws, and never lets an object through that it could not handle.
 */
export interface Policy {
  /** Canonical: the same text if and only if the same is done. Stands in progress records, for example `mask-secrets/v1`. */
  readonly text: string
  apply(object: RawObject): PolicyResult
}

/** Leaves every object as it is. */
export const noPolicy: Policy = {
  text: 'none',
  apply: () => ({ kind: 'unchanged' }),
}

/** The same policy, but an object at which it throws is withheld: a bug in a policy must not let the raw object through. */
export function withholdingFailures(policy: Policy): Policy {
  return {
    text: policy.text,
    apply(object) {
      try {
        return policy.apply(object)
      } catch {
        // Nothing is lost: the object is withheld. The error is not shown, it could quote what must stay hidden.
        const message = `Cannot apply policy ${policy.text}: wanted a result: it threw instead`
        return { kind: 'withheld', reason: 'policy-failed', message }
      }
    },
  }
}
