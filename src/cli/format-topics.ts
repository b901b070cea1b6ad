// Prints a plan of topics as a table for people or as one JSON document.

import { layOut } from '../print/table.ts'
import type { TopicProblem } from '../topic/plan.ts'

export interface TopicRow {
  readonly topic: string
  readonly state: 'same' | 'missing' | 'unfit' | 'unknown'
  /** As they are, or will be when it is created. */
  readonly partitions: number
  readonly problems: readonly TopicProblem[]
  readonly warnings: readonly TopicProblem[]
}

/** A permission the brokers have to grant where they check them. */
export interface Acl {
  readonly who: 'bridge' | 'consumers'
  readonly resourceType: 'Topic' | 'TransactionalId'
  readonly resource: string
  readonly operations: readonly string[]
}

/** What the bridge and the consumers of a topic need. */
export function aclsOf(topic: string): readonly Acl[] {
  return [
    {
      who: 'bridge',
      resourceType: 'Topic',
      resource: topic,
      operations: ['Create', 'Describe', 'DescribeConfigs', 'Read', 'Write'],
    },
    {
      who: 'bridge',
      resourceType: 'TransactionalId',
      resource: `kubedelta/${topic}`,
      operations: ['Describe', 'Write'],
    },
    {
      who: 'consumers',
      resourceType: 'Topic',
      resource: topic,
      // DescribeConfigs tells how long tombstones stay; without it a consumer takes the shortest that a bridge accepts.
      operations: ['Describe', 'DescribeConfigs', 'Read'],
    },
  ]
}

export interface TopicsFormat {
  readonly output: 'table' | 'json'
  /** None where the log knows none. */
  readonly acls: readonly Acl[]
}

/** The plan with its partition total and the ACLs; ends in a newline. */
export function formatTopics(rows: readonly TopicRow[], { output, acls }: TopicsFormat): string {
  const partitions = rows.reduce((sum, row) => sum + row.partitions, 0)
  if (output === 'json') return `${JSON.stringify({ topics: rows, partitions, acls })}\n`
  const notes = rows.flatMap(({ topic, problems, warnings }) => [
    ...problems.map(({ what, fix }) => `${topic}: ${what}: ${fix}`),
    ...warnings.map(({ what, fix }) => `${topic}: warning: ${what}: ${fix}`),
  ])
  const sections = [
    layOut([
      ['TOPIC', 'STATE', 'PARTITIONS'],
      ...rows.map((row) => [row.topic, row.state, String(row.partitions)]),
      [`${rows.length} topics`, '', String(partitions)],
    ]),
    ...(notes.length === 0 ? [] : [`${notes.join('\n')}\n`]),
    ...(acls.length === 0 ? [] : [aclTable(acls)]),
  ]
  return sections.join('\n')
}

function aclTable(acls: readonly Acl[]): string {
  return layOut([
    ['ACLS FOR', 'RESOURCE TYPE', 'RESOURCE', 'OPERATIONS'],
    ...acls.map((acl) => [acl.who, acl.resourceType, acl.resource, acl.operations.join(', ')]),
  ])
}
