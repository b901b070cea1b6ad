// Chooses what is done to the objects of a resource before they are published.

import type { Resource } from '../object/resource.ts'
import { maskSecrets } from './mask-secrets.ts'
import { noPolicy, type Policy } from './policy.ts'

/** The policy of a resource: Secrets are masked, always; other resources are published as they are. */
export function policyFor(resource: Pick<Resource, 'group' | 'resource'>): Policy {
  return resource.group === '' && resource.resource === 'secrets' ? maskSecrets : noPolicy
}
