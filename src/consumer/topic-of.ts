// Says which topic a cache reads.

import { KubedeltaError } from '../base/errors.ts'
import { builtinResourceName } from '../object/builtin-resources.ts'
import { parseResourceName } from '../object/resource.ts'
import { topicName } from '../record/topic-name.ts'
import { checkText } from './check-options.ts'

export interface TopicChoice {
  readonly from: unknown
  readonly resource: string
  readonly topic?: string
  readonly cluster?: string
  readonly prefix?: string
}

/**
 * The topic that is named outright, or the one that the bridge of the cluster writes.
 * @throws KubedeltaError `usage` for a name that cannot be, or where nothing says the cluster; TypeError without a resource
 */
export function topicOf({ from, resource, topic, cluster, prefix }: TopicChoice): string {
  checkText('resource', resource)
  if (topic !== undefined) return topic
  const named = clusterOf({ from, ...(cluster !== undefined && { cluster }) })
  if (named === undefined) {
    throw new KubedeltaError(
      'usage',
      "Cannot name topic: wanted 'cluster', or the topic's whole name as 'topic': current value is neither",
    )
  }
  const found = parseResourceName(builtinResourceName(resource))
  return topicName({ cluster: named, resource: found, ...(prefix !== undefined && { prefix }) })
}

/** The cluster that is named, or the one that a directory is of where nothing else is said; undefined with brokers. */
export function clusterOf({ from, cluster }: Pick<TopicChoice, 'from' | 'cluster'>): string | undefined {
  const isDirectory = typeof from === 'string' && from.startsWith('file:')
  return cluster ?? (isDirectory ? 'kubernetes' : undefined)
}
