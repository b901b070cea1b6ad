// The name of the topic that carries one resource of one cluster.

import { KubedeltaError } from '../base/errors.ts'
import { resourceName } from '../object/resource.ts'
import type { Resource } from '../object/resource.ts'

export interface TopicNameOptions {
  /** May hold dots, no underscore. @default 'kubedelta' */
  readonly prefix?: string
  /** Name of the cluster: a DNS label. */
  readonly cluster: string
  readonly resource: Pick<Resource, 'group' | 'resource'>
}

/**
 * `prefix.cluster.resource[.group]`: `kubedelta.prod.pods`, `kubedelta.prod.deployments.apps`.
 *
 * Never parsed back: who writes a topic stands in its records. An underscore is refused because Kafka takes `a_b` and `a.b`
 * for the same name in its metrics, and refuses the second of two such topics.
 *
 * @throws KubedeltaError `usage` for a prefix or cluster of another form, or a name over 249 characters
 */
export function topicName({ prefix = 'kubedelta', cluster, resource }: TopicNameOptions): string {
  const name = `${prefix}.${cluster}.${resourceName(resource)}`
  if (!/^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/.test(prefix)) {
    throw refused("'prefix' must be letters, digits and '-', with single dots between", prefix)
  }
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(cluster)) {
    throw refused("'cluster' must be a DNS label (lower-case letters, digits and '-', at most 63)", cluster)
  }
  if (!/^[A-Za-z0-9.-]+$/.test(name)) {
    throw refused("the resource must consist of letters, digits, '.' and '-'", resourceName(resource))
  }
  if (name.length > MAX_TOPIC_NAME) {
    throw refused(`the name must have at most ${MAX_TOPIC_NAME} characters, use a shorter prefix`, name)
  }
  return name
}

// https://github.com/apache/kafka/blob/4.1/clients/src/main/java/org/apache/kafka/common/internals/Topic.java
const MAX_TOPIC_NAME = 249

function refused(wanted: string, current: string): KubedeltaError {
  return new KubedeltaError('usage', `Cannot name topic: ${wanted}: current value is ${JSON.stringify(current)}`)
}
