import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aclsOf, formatTopics } from '../../../src/cli/format-topics.ts'
import type { TopicRow } from '../../../src/cli/format-topics.ts'

const rows: readonly TopicRow[] = [
  { topic: 'k.prod.pods', state: 'missing', partitions: 6, problems: [], warnings: [] },
  {
    topic: 'k.prod.nodes',
    state: 'unfit',
    partitions: 1,
    problems: [{ what: 'it deletes', fix: 'do not' }],
    warnings: [{ what: 'it is alone', fix: 'find it friends' }],
  },
]

const allAcls = rows.flatMap(({ topic }) => aclsOf(topic))

test('a table has topics, the partition total, what is wrong with its fix, and the ACLs', () => {
  assert.equal(
    formatTopics(rows, { output: 'table', acls: allAcls }),
    `TOPIC          STATE     PARTITIONS
k.prod.pods    missing   6
k.prod.nodes   unfit     1
2 topics                 7

k.prod.nodes: it deletes: do not
k.prod.nodes: warning: it is alone: find it friends

ACLS FOR    RESOURCE TYPE     RESOURCE                 OPERATIONS
bridge      Topic             k.prod.pods              Create, Describe, DescribeConfigs, Read, Write
bridge      TransactionalId   kubedelta/k.prod.pods    Describe, Write
consumers   Topic             k.prod.pods              Describe, DescribeConfigs, Read
bridge      Topic             k.prod.nodes             Create, Describe, DescribeConfigs, Read, Write
bridge      TransactionalId   kubedelta/k.prod.nodes   Describe, Write
consumers   Topic             k.prod.nodes             Describe, DescribeConfigs, Read
`,
  )
})

test('JSON is one line with the same facts', () => {
  const text = formatTopics(rows, { output: 'json', acls: allAcls })
  assert.equal(text.indexOf('\n'), text.length - 1)
  const { topics, partitions, acls } = JSON.parse(text)
  assert.deepEqual(topics, rows)
  assert.equal(partitions, 7)
  assert.equal(acls.length, 6)
})

test('a log without ACLs has no table of them', () =>
  assert.doesNotMatch(formatTopics(rows, { output: 'table', acls: [] }), /ACLS/))
