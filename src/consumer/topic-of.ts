// Says which topic a cache reads.

import { KubedeltaError } from '../base/errors.ts'
import { builtinResourceName } from '../object/builtin-resources.ts'
import { topicName } from '../record/topic-name.ts'

export interface TopicChoice {
  readonly from: unknown
  readonly resource: string
  readonly topic?: string
  readonly cluster?: string
  readonly prefix?: string
}

/**
 * The topic that is named outright, or the one that the bridge of the cluster writes.
 * @throws KubedeltaError `usage` for a name that cannot be, or where nothing says the cluster
 */
export function topicOf({ from, resource, topic, cluster, prefix }: TopicChoice): string {
  if (topic !== undefined) return topic
  const isDirectory = typeof from === 'string' && from.startsWith('file:')
  const named = cluster ?? (isDirectory ? 'kubernetes' : undefined)
  if (named === undefined) {
    throw new KubedeltaError(
      'usage',
      "Cannot create cache: wanted 'cluster', which names the topic, or 'topic': current value is neither",
    )
  }
  const name = builtinResourceName(resource)
  const dot = name.indexOf('.')
  const [plural, group] = dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1)]
  return topicName({ cluster: named, resource: { resource: plural, group }, ...(prefix !== undefined && { prefix }) })
}
