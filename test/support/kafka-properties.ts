// Says how a test broker is configured: KRaft, loopback, fast where a production broker waits.

/** One node of a test cluster and its ports on 127.0.0.1. */
export interface KafkaNode {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
  /** The broker's own listener for clients that come through a proxy, and the port that it advertises for them. */
  readonly proxied?: { readonly port: number; readonly advertisedPort: number }
  /** Listener that asks for SASL/PLAIN credentials. */
  readonly saslPort?: number
  readonly listeners?: readonly KafkaListener[]
}

/** A further listener on 127.0.0.1, of one node alone; its other properties begin with `listener.name.<name>.`. */
export interface KafkaListener {
  /** Lower case. */
  readonly name: string
  readonly protocol: 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'
  readonly port: number
}

/** A user of the SASL listener. */
export interface KafkaCredentials {
  readonly username: string
  readonly password: string
}

/** Those the SASL listener knows: `admin` may do everything, `reader` nothing until an ACL allows it. */
export const KAFKA_USERS = {
  admin: { username: 'admin', password: 'admin-password' },
  reader: { username: 'reader', password: 'reader-password' },
} as const satisfies Record<string, KafkaCredentials>

/** The text of server.properties for `node`. `overrides` win. */
export function kafkaProperties(
  node: KafkaNode,
  nodes: readonly KafkaNode[],
  dataFolder: string,
  overrides: Readonly<Record<string, string>>,
): string {
  const replication = String(nodes.length)
  const inSync = nodes.length === 1 ? '1' : '2'
  const properties: Record<string, string> = {
    ...listeners(node),
    'process.roles': 'broker,controller',
    'node.id': String(node.id),
    'controller.quorum.voters': nodes.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(','),
    'log.dirs': dataFolder,
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replication,
    'min.insync.replicas': inSync,

    'offsets.topic.replication.factor': replication,
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': replication,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': replication,
    'share.coordinator.state.topic.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': '1',

    'group.initial.rebalance.delay.ms': '0',
    'log.cleaner.backoff.ms': '100', // a compaction shows in 2.6 s instead of 15 to 35
    'log.cleaner.dedupe.buffer.size': '16777216', // 128 MB of a 512 MB heap otherwise
    'broker.heartbeat.interval.ms': '500',
    'broker.session.timeout.ms': '4000', // a killed broker is gone after 4 s instead of 9
    'num.network.threads': '2',
    'num.io.threads': '4',
    ...overrides,
  }
  return `${Object.entries(properties)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`
}

function listeners(node: KafkaNode): Record<string, string> {
  const own = [`PLAIN://127.0.0.1:${node.port}`]
  const advertised = [...own]
  if (node.proxied !== undefined) {
    own.push(`PROXIED://127.0.0.1:${node.proxied.port}`)
    advertised.push(`PROXIED://127.0.0.1:${node.proxied.advertisedPort}`)
  }
  if (node.saslPort !== undefined) {
    own.push(`SASL://127.0.0.1:${node.saslPort}`)
    advertised.push(`SASL://127.0.0.1:${node.saslPort}`)
  }
  const protocols = ['PLAIN:PLAINTEXT', 'PROXIED:PLAINTEXT', 'SASL:SASL_PLAINTEXT', 'CONTROLLER:PLAINTEXT']
  for (const { name, protocol, port } of node.listeners ?? []) {
    own.push(`${name.toUpperCase()}://127.0.0.1:${port}`)
    advertised.push(`${name.toUpperCase()}://127.0.0.1:${port}`)
    protocols.push(`${name.toUpperCase()}:${protocol}`)
  }
  return {
    listeners: [...own, `CONTROLLER://127.0.0.1:${node.controllerPort}`].join(','),
    'advertised.listeners': advertised.join(','),
    'listener.security.protocol.map': protocols.join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAIN',
    ...(node.saslPort === undefined ? {} : authorization()),
  }
}

function authorization(): Record<string, string> {
  const users = Object.values(KAFKA_USERS)
  const { admin } = KAFKA_USERS
  const jaas = [
    'org.apache.kafka.common.security.plain.PlainLoginModule required',
    `username="${admin.username}" password="${admin.password}"`,
    ...users.map(({ username, password }) => `user_${username}="${password}"`),
  ]
  return {
    'listener.name.sasl.sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.sasl.plain.sasl.jaas.config': `${jaas.join(' ')};`,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // The brokers among themselves, and a test that prepares or inspects, come without credentials: User:ANONYMOUS.
    'super.users': `User:${admin.username};User:ANONYMOUS`,
  }
}
