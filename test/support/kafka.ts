// Starts a real Kafka (KRaft, one node or three) on loopback ports.

import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startChild } from './child.ts'
import type { Child } from './child.ts'
import { javaCommand, kafkaJars } from './kafka-jars.ts'
import { KAFKA_USERS, kafkaProperties } from './kafka-properties.ts'
import type { KafkaCredentials, KafkaListener, KafkaNode } from './kafka-properties.ts'
import { askCluster } from './kafka-wire.ts'
import { temporaryFolder } from './leftovers.ts'
import { reservePorts } from './ports.ts'
import { ready } from './ready.ts'

export interface KafkaOptions {
  /** @default 1 */
  readonly nodes?: 1 | 3
  /** Further broker properties; they win over those of kafka-properties.ts. */
  readonly properties?: Readonly<Record<string, string>>
  /** Adds a listener whose advertised address is a proxy's: see `proxiedBrokers`. @default false */
  readonly proxied?: boolean
  /** Turns authorization on and adds a listener that asks for credentials: see `sasl`. @default false */
  readonly authorizer?: boolean
  /** Further listeners, for one node only. */
  readonly listeners?: readonly KafkaListener[]
  /** What else the storage is formatted with: `--add-scram` and its value. */
  readonly formatArgs?: readonly string[]
  /** Heap of each node in MB. @default 512 for one node, 384 for three */
  readonly heapMb?: number
  /** Compiles the broker as far as it goes, for measurements; half as much work again at the start. @default false */
  readonly optimized?: boolean
}

/** A running Kafka cluster; nodes are counted from 0. Disposing kills it and removes its data. */
export interface KafkaCluster extends AsyncDisposable {
  /** `127.0.0.1:port,...`; may do everything, with an authorizer too. */
  readonly brokers: string
  /** As `brokers`, for clients that come through `startKafkaProxy({ upstream: cluster })`; nothing listens there without one. */
  readonly proxiedBrokers: string
  /** Where a proxy listens and what it stands before, a route for each node. Empty unless `proxied`. */
  readonly routes: readonly { readonly port: number; readonly upstreamPort: number }[]
  /** The listener that asks for SASL/PLAIN credentials, with its users. Undefined unless `authorizer`. */
  readonly sasl:
    { readonly brokers: string; readonly admin: KafkaCredentials; readonly reader: KafkaCredentials } | undefined
  readonly pids: readonly number[]
  /** Ends a node as an operator does (SIGTERM) and waits for its end. */
  stop(node?: number): Promise<void>
  /** Ends a node as a crash does and waits for its end. */
  kill(node?: number, signal?: NodeJS.Signals): Promise<void>
  /** Freezes a node: its connections stay open and nothing answers. */
  pause(node?: number): void
  resume(node?: number): void
  /** Lets no file of a node grow beyond so many bytes, as a full disk would, until it is restarted. */
  limitFiles(bytes: number, node?: number): Promise<void>
  /** Resolves when a node has ended by itself. */
  ended(node?: number): Promise<void>
  /** Starts a node again with the same ports and data (stopping it first where it runs) and waits until it is ready. */
  restart(node?: number): Promise<void>
  /** The last lines that the nodes said. */
  log(): string
}

const execute = promisify(execFile)

/** Starts Kafka and waits until it answers with all its brokers and a controller. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const { nodes: count = 1, properties = {}, proxied = false, authorizer = false } = options
  const { listeners = [], formatArgs = [] } = options
  const { heapMb = count === 1 ? 512 : 384, optimized = false } = options
  const jars = await kafkaJars()
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(temporaryFolder('kafka'))
  const { ports } = stack.use(await reservePorts(count * 5))
  const nodes = Array.from({ length: count }, (_, index) => nodeAt(index, ports, { proxied, authorizer, listeners }))
  // The first letter is fixed: Kafka's command line takes an id that begins with '-' for an option.
  const clusterId = `k${randomBytes(16).toString('base64url').slice(1)}`

  const homes = nodes.map((node) => {
    const home = join(folder.path, `node-${node.id}`)
    mkdirSync(home)
    writeFileSync(join(home, 'server.properties'), kafkaProperties(node, nodes, join(home, 'data'), properties))
    return home
  })
  // A broker that lives for seconds is done before the optimizing compiler has paid for itself.
  const jvm = [`-Xmx${heapMb}m`, '-XX:+UseSerialGC', ...(optimized ? [] : ['-XX:TieredStopAtLevel=1'])]
  const java = (home: string, ...args: readonly string[]): Promise<Child> => startJava(jars, home, jvm, args)
  const launch = (home: string): Promise<Child> => java(home, 'kafka.Kafka', join(home, 'server.properties'))
  await Promise.all(
    homes.map(async (home) => {
      const format = ['format', '-t', clusterId, '-c', join(home, 'server.properties'), ...formatArgs]
      await using child = await java(home, 'kafka.tools.StorageTool', ...format)
      const ending = await child.exited
      if (ending !== 'exit code 0') throw new Error(`Cannot format the storage of Kafka: ${ending}:\n${child.log()}`)
    }),
  )

  const children: Child[] = []
  stack.defer(async () => {
    // SIGKILL also ends a paused node; the data goes anyway.
    await Promise.all(children.map((child) => child.kill()))
  })
  for (const home of homes) children.push(await launch(home))

  function child(index: number): Child {
    const found = children[index]
    if (found === undefined) throw new RangeError(`Cannot find node ${index}: this cluster has ${count}`)
    return found
  }

  async function answers(index: number): Promise<void> {
    const node = nodes[index]
    const alive = children.filter((each) => each.ending === undefined).length
    await ready(
      async () => {
        const view = await askCluster(`127.0.0.1:${node?.port}`)
        if (view.controller < 0) throw new Error('no controller yet')
        if (view.brokers.length < alive) throw new Error(`${view.brokers.length} of ${alive} brokers registered`)
      },
      { what: `Kafka node ${index}`, children: [child(index)] },
    )
  }
  await Promise.all(nodes.map((_, index) => answers(index)))

  const life = stack.move()
  return {
    brokers: addresses(nodes.map(({ port }) => port)),
    proxiedBrokers: addresses(nodes.flatMap((node) => node.proxied?.advertisedPort ?? [])),
    routes: nodes.flatMap((node) =>
      node.proxied === undefined ? [] : { port: node.proxied.advertisedPort, upstreamPort: node.proxied.port },
    ),
    sasl: authorizer
      ? { brokers: addresses(nodes.flatMap(({ saslPort }) => saslPort ?? [])), ...KAFKA_USERS }
      : undefined,
    get pids() {
      return children.map(({ pid }) => pid)
    },
    stop: (index = 0) => child(index).stop(),
    async kill(index = 0, signal = 'SIGKILL') {
      child(index).signal(signal)
      await child(index).exited
    },
    pause: (index = 0) => child(index).signal('SIGSTOP'),
    resume: (index = 0) => child(index).signal('SIGCONT'),
    async limitFiles(bytes, index = 0) {
      await execute('prlimit', ['--pid', String(child(index).pid), `--fsize=${bytes}`])
    },
    async ended(index = 0) {
      await child(index).exited
    },
    async restart(index = 0) {
      await child(index).stop()
      children[index] = await launch(homes[index] ?? '')
      await answers(index)
    },
    log: () => children.map((each, index) => `--- node ${index}\n${each.log()}`).join('\n'),
    [Symbol.asyncDispose]: () => life.disposeAsync(),
  }
}

function nodeAt(
  index: number,
  ports: readonly number[],
  has: { proxied: boolean; authorizer: boolean; listeners: readonly KafkaListener[] },
): KafkaNode {
  const [port = 0, controllerPort = 0, proxiedPort = 0, advertisedPort = 0, saslPort = 0] = ports.slice(index * 5)
  return {
    id: index + 1,
    port,
    controllerPort,
    ...(has.proxied ? { proxied: { port: proxiedPort, advertisedPort } } : {}),
    ...(has.authorizer ? { saslPort } : {}),
    listeners: has.listeners,
  }
}

function startJava(jars: string, home: string, jvm: readonly string[], args: readonly string[]): Promise<Child> {
  const logging = `-Dlog4j2.configurationFile=${fileURLToPath(new URL('kafka/log4j2.yaml', import.meta.url))}`
  const logFile = join(home, 'output.log')
  return startChild(javaCommand(), [...jvm, logging, '-cp', join(jars, '*'), ...args], { logFile })
}

function addresses(ports: readonly number[]): string {
  return ports.map((port) => `127.0.0.1:${port}`).join(',')
}
