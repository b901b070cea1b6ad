// needs: kafka
// The ACLs that `topics plan` prints are enough for a bridge and for consumers, and each that is missing is named.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import kafkajs from 'kafkajs'
import { z } from 'zod'
import { topicCache } from '../../src/consumer/topic-cache.ts'
import { startSimulatedCluster, type SimulatedCluster } from '../../src/testing/simulated/cluster.ts'
import { STORY_MS, storySignal } from '../conformance/log-content.ts'
import { CLUSTER, kubedelta, startBridge, type Ended } from '../support/bridge-process.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { temporaryFolder } from '../support/leftovers.ts'

// Of kafkajs' names, Node sees only some from outside.
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes } = kafkajs

const PASSWORD = 'password-of-all'
const RESOURCES = ['-r', 'configmaps,deployments.apps']

/** A permission left out, what is run without it, and what the error says. */
const LEFT_OUT = [
  { who: 'bridge', resourceType: 'Topic', operation: 'Create', allow: 'allow Create on topic' },
  { who: 'bridge', resourceType: 'Topic', operation: 'DescribeConfigs', allow: 'allow DescribeConfigs on topic' },
  { who: 'bridge', resourceType: 'Topic', operation: 'Read', allow: 'allow Read on topic' },
  { who: 'bridge', resourceType: 'Topic', operation: 'Write', allow: 'allow Write on topic' },
  {
    who: 'bridge',
    resourceType: 'TransactionalId',
    operation: 'Write',
    allow: 'allow Write and Describe on transactional id',
  },
  { who: 'consumers', resourceType: 'Topic', operation: 'Read', allow: 'allow Read on topic' },
] as const

const USERS = ['bridge', 'consumers', ...LEFT_OUT.map((_, index) => `limited-${index}`)]

const aclSchema = z.object({
  who: z.enum(['bridge', 'consumers']),
  resourceType: z.enum(['Topic', 'TransactionalId']),
  resource: z.string(),
  operations: z.array(z.enum(['Create', 'Describe', 'DescribeConfigs', 'Read', 'Write'])),
})
type Acl = z.infer<typeof aclSchema>

const life = new AsyncDisposableStack()
const { path: folder } = life.use(temporaryFolder('acls'))
const passwordFile = join(folder, 'password')
const kubeconfig = join(folder, 'kubeconfig')

let kafka: KafkaCluster
let cluster: SimulatedCluster

before(async () => {
  const users = USERS.map((user) => `user_${user}="${PASSWORD}"`).join(' ')
  const jaas = `org.apache.kafka.common.security.plain.PlainLoginModule required ${users};`
  const properties = { 'listener.name.sasl.plain.sasl.jaas.config': jaas }
  kafka = life.use(await startKafka({ authorizer: true, properties }))
  cluster = life.use(await startSimulatedCluster())
  cluster.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: 'default' } })
  writeFileSync(passwordFile, PASSWORD)
  writeFileSync(kubeconfig, cluster.kubeconfig)
})

after(() => life.disposeAsync())

test(
  'with exactly these a bridge creates and writes its topics, and consumers read them',
  { timeout: STORY_MS },
  async () => {
    await allow('bridge', await plannedAcls('bridge', 'enough'))
    await allow('consumers', await plannedAcls('consumers', 'enough'))
    const { brokers } = sasl()
    const bridgeArgs = [...RESOURCES, '--prefix', 'enough', ...asUser('bridge')]
    for (const round of ['creates its topics', 'takes them over']) {
      await using bridge = await startBridge({ brokers, kubeconfig, args: bridgeArgs })
      await bridge.ready()
      await bridge.stop()
      assert.doesNotMatch(bridge.output(), /AUTHORIZATION_FAILED/, round)
    }
    for (const args of [
      ['get', 'configmap', 'settings', '-o', 'name'],
      ['tail', 'configmaps', '--until-end', '--from-beginning'],
    ]) {
      const { code, stdout, stderr } = await asConsumer(args, 'enough', 'consumers')
      assert.deepEqual([code, stderr], [0, ''])
      assert.match(stdout, /settings/)
    }
    const { code, stdout } = await kubedelta(planArgs('enough', ...asUser('bridge')))
    assert.equal(code, 0, stdout)

    const stop = new AbortController()
    const security = { sasl: { mechanism: 'plain', username: 'consumers', password: PASSWORD } } as const
    const from = `kafka://${brokers}`
    const cache = topicCache({ from, cluster: CLUSTER, prefix: 'enough', resource: 'configmaps', security })
    const running = cache.run(stop.signal)
    await cache.whenLive(storySignal())
    assert.notEqual(cache.get('default/settings'), undefined)
    stop.abort()
    await running
  },
)

describe('one that is missing is named:', () => {
  for (const [index, { who, resourceType, operation, allow: advice }] of LEFT_OUT.entries()) {
    test(`${operation} on ${resourceType} for ${who}`, { timeout: STORY_MS }, async () => {
      const user = `limited-${index}`
      // Its topics are new where they are to be created.
      const prefix = operation === 'Create' ? user : 'enough'
      const acls = await plannedAcls(who, prefix)
      const without = acls.map((acl) =>
        acl.resourceType === resourceType
          ? { ...acl, operations: acl.operations.filter((each) => each !== operation) }
          : acl,
      )
      await allow(user, without)
      const { code, stderr } =
        who === 'bridge' ? await bridgeEnds(user, prefix) : await asConsumer(['get', 'configmaps'], prefix, user)
      assert.ok(stderr.trimEnd().split('\n').at(-1)?.includes(advice), stderr)
      assert.equal(code, 2)
    })
  }
})

async function plannedAcls(who: Acl['who'], prefix: string): Promise<readonly Acl[]> {
  const { stdout, stderr } = await kubedelta([...planArgs(prefix), '-o', 'json'], [])
  assert.equal(stderr, '')
  const { acls } = z.object({ acls: z.array(aclSchema) }).parse(JSON.parse(stdout))
  assert.ok(acls.length > 0)
  return acls.filter((acl) => acl.who === who)
}

function planArgs(prefix: string, ...more: readonly string[]): readonly string[] {
  const brokers = more.length === 0 ? kafka.brokers : sasl().brokers
  const where = ['--to', `kafka://${brokers}`, '--cluster', CLUSTER, '--kubeconfig', kubeconfig, '--prefix', prefix]
  return ['topics', 'plan', ...where, ...RESOURCES, ...more]
}

/** Grants this and nothing else. */
async function allow(user: string, acls: readonly Acl[]): Promise<void> {
  const admin = new Kafka({ brokers: kafka.brokers.split(','), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    await admin.createAcls({
      acl: acls.flatMap(({ resourceType, resource, operations }) =>
        operations.map((operation) => ({
          resourceType: RESOURCE_TYPES[resourceType],
          resourceName: resource,
          resourcePatternType: ResourcePatternTypes.LITERAL,
          principal: `User:${user}`,
          host: '*',
          operation: OPERATIONS[operation],
          permissionType: AclPermissionTypes.ALLOW,
        })),
      ),
    })
  } finally {
    await admin.disconnect()
  }
}

const RESOURCE_TYPES = { Topic: AclResourceTypes.TOPIC, TransactionalId: AclResourceTypes.TRANSACTIONAL_ID } as const

const OPERATIONS = {
  Create: AclOperationTypes.CREATE,
  Describe: AclOperationTypes.DESCRIBE,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
} as const

async function bridgeEnds(user: string, prefix: string): Promise<Ended> {
  const where = ['--to', `kafka://${sasl().brokers}`, '--cluster', CLUSTER, '--kubeconfig', kubeconfig]
  return kubedelta(['run', ...where, ...RESOURCES, '--prefix', prefix, ...asUser(user)])
}

async function asConsumer(args: readonly string[], prefix: string, user: string): Promise<Ended> {
  const where = ['--from', `kafka://${sasl().brokers}`, '--cluster', CLUSTER, '--prefix', prefix]
  return kubedelta([...args, ...where, ...asUser(user)])
}

function asUser(user: string): readonly string[] {
  const secret = ['--kafka-sasl-password-file', passwordFile]
  return ['--kafka-sasl-mechanism', 'plain', '--kafka-sasl-username', user, ...secret]
}

function sasl(): NonNullable<KafkaCluster['sasl']> {
  assert.ok(kafka.sasl)
  return kafka.sasl
}
