// Stands between Kafka clients and brokers and does to single requests what networks do.

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { KafkaCluster } from './kafka.ts'
import { frames, requestHeader, responseCorrelationId } from './kafka-frames.ts'
import type { KafkaApi, RequestHeader } from './kafka-frames.ts'

export interface KafkaProxyOptions {
  /** A cluster from `startKafka({ proxied: true })`; its clients come by `proxiedBrokers` and stay behind the proxy. */
  readonly upstream: KafkaCluster
}

/** Which requests a fault strikes. */
export interface Strike {
  readonly api: KafkaApi
  /** How many requests. @default 1 */
  readonly count?: number
  /** How many matching requests pass unharmed first. @default 0 */
  readonly skip?: number
}

/** A fault that has been asked for. */
export interface Fault {
  /** Resolves once it has struck all its requests and the broker has answered each of them (where they reach it). */
  readonly done: Promise<void>
  /** Requests it has struck so far. */
  readonly struck: number
  /** Ends it early: what it has not struck yet passes. */
  clear(): void
}

/** A request that came by. */
export interface SeenRequest extends RequestHeader {
  /** Counted from 0, as in KafkaCluster. */
  readonly node: number
}

/** A running proxy. Disposing destroys its connections. Faults of one api strike in the order in which they were asked for. */
export interface KafkaProxy extends AsyncDisposable {
  /** The requests reach the broker, their responses never the client; other responses go on. */
  swallow(strike: Strike): Fault
  /** The responses come `ms` late, and with them what follows on the same connection, as with a slow broker. */
  delay(strike: Strike & { readonly ms: number }): Fault
  /** The request reaches the broker and is answered; then the connection is destroyed instead. */
  cutAfterRequest(strike: Strike): Fault
  /** The connection is destroyed when the request comes; the broker never sees it. */
  cutBeforeRequest(strike: Strike): Fault
  /** Destroys all connections now. */
  cut(): void
  /** Lets no byte pass, on new connections too, and keeps them open: both ways, or only from the broker. */
  hold(direction?: 'both' | 'responses'): void
  release(): void
  /** Stops listening (ECONNREFUSED for new connections), or listens again. Open connections go on. */
  refuse(on: boolean): Promise<void>
  /** What came by, oldest first; the newest 10,000. */
  readonly requests: readonly SeenRequest[]
  /** Resolves when the next request of that api comes by. */
  nextRequest(api: KafkaApi): Promise<SeenRequest>
  /** What was done, since the start. */
  readonly counters: Readonly<Record<'connections' | 'requests' | 'swallowed' | 'delayed' | 'cut', number>>
}

type FaultKind = 'swallow' | 'delay' | 'cutAfter' | 'cutBefore'

interface ActiveFault {
  readonly kind: FaultKind
  readonly api: string
  readonly ms: number
  skip: number
  left: number
  struck: number
  /** Struck requests that the broker has not answered yet. */
  open: number
  settle(): void
}

const MAX_REMEMBERED = 10_000

/** Starts a proxy before each broker of the cluster. @throws TypeError when the cluster was not started with `proxied: true` */
export async function startKafkaProxy({ upstream }: KafkaProxyOptions): Promise<KafkaProxy> {
  if (upstream.routes.length === 0)
    throw new TypeError('Cannot start proxy: wanted a cluster started with proxied: true')
  let faults: ActiveFault[] = []
  const connections = new Set<() => void>()
  const requests: SeenRequest[] = []
  const counters = { connections: 0, requests: 0, swallowed: 0, delayed: 0, cut: 0 }
  const waiters = new Map<string, PromiseWithResolvers<SeenRequest>>()
  let held: { readonly direction: 'both' | 'responses'; readonly over: PromiseWithResolvers<void> } | undefined
  let servers: Server[] = []

  function add(kind: FaultKind, { api, count = 1, skip = 0 }: Strike, ms = 0): Fault {
    const { promise: done, resolve: settle } = Promise.withResolvers<void>()
    const fault: ActiveFault = { kind, api, ms, skip, left: count, struck: 0, open: 0, settle }
    faults.push(fault)
    return {
      done,
      get struck() {
        return fault.struck
      },
      clear() {
        fault.left = 0
        faults = faults.filter((each) => each !== fault)
        if (fault.open === 0) settle()
      },
    }
  }

  /** The fault that strikes this request, if any. */
  function strike(api: string): ActiveFault | undefined {
    const fault = faults.find((each) => each.api === api)
    if (fault === undefined) return undefined
    if (fault.skip > 0) {
      fault.skip -= 1
      return undefined
    }
    fault.left -= 1
    fault.struck += 1
    fault.open += 1
    if (fault.left === 0) faults = faults.filter((each) => each !== fault)
    return fault
  }

  function answered(fault: ActiveFault): void {
    fault.open -= 1
    if (fault.open === 0 && fault.left === 0) fault.settle()
  }

  async function passage(direction: 'request' | 'response'): Promise<void> {
    const stop = held
    if (stop === undefined || (stop.direction === 'responses' && direction === 'request')) return
    await stop.over.promise
    await passage(direction)
  }

  function remember(request: SeenRequest): void {
    counters.requests += 1
    requests.push(request)
    if (requests.length > MAX_REMEMBERED) requests.shift()
    waiters.get(request.api)?.resolve(request)
    waiters.delete(request.api)
  }

  async function pumpRequests(
    client: Socket,
    broker: Socket,
    node: number,
    struck: Map<number, ActiveFault>,
  ): Promise<void> {
    for await (const frame of frames(client)) {
      await passage('request')
      const header = requestHeader(frame)
      remember({ ...header, node })
      const fault = strike(header.api)
      if (fault?.kind === 'cutBefore') {
        counters.cut += 1
        answered(fault)
        return
      }
      if (fault !== undefined) struck.set(header.correlationId, fault)
      await write(broker, frame)
    }
  }

  async function pumpResponses(client: Socket, broker: Socket, struck: Map<number, ActiveFault>): Promise<void> {
    for await (const frame of frames(broker)) {
      await passage('response')
      const id = responseCorrelationId(frame)
      const fault = struck.get(id)
      struck.delete(id)
      if (fault?.kind === 'swallow') {
        counters.swallowed += 1
        answered(fault)
        continue
      }
      if (fault?.kind === 'cutAfter') {
        counters.cut += 1
        answered(fault)
        return
      }
      if (fault?.kind === 'delay') {
        counters.delayed += 1
        await new Promise((resolve) => setTimeout(resolve, fault.ms))
        answered(fault)
      }
      await write(client, frame)
    }
  }

  function serve(client: Socket, node: number, upstreamPort: number): void {
    counters.connections += 1
    client.setNoDelay(true)
    const broker = connect({ host: '127.0.0.1', port: upstreamPort, noDelay: true })
    const struck = new Map<number, ActiveFault>()
    const destroy = (): void => {
      client.destroy()
      broker.destroy()
      if (!connections.delete(destroy)) return
      // The broker may have done it or not; nobody will learn of it here.
      for (const fault of struck.values()) answered(fault)
      struck.clear()
    }
    connections.add(destroy)
    // Either end of either side ends both: a client learns of its broker's end as it would without a proxy.
    for (const socket of [client, broker]) socket.on('error', destroy).on('close', destroy)
    for (const pump of [pumpRequests(client, broker, node, struck), pumpResponses(client, broker, struck)]) {
      // A destroyed socket rejects its reader; the end of the connection is all there is to it.
      pump.then(destroy, destroy)
    }
  }

  async function listen(): Promise<void> {
    servers = await Promise.all(
      upstream.routes.map(async ({ port, upstreamPort }, node) => {
        const server = createServer((client) => serve(client, node, upstreamPort))
        server.listen(port, '127.0.0.1')
        await once(server, 'listening')
        return server
      }),
    )
  }

  function cut(): void {
    counters.cut += connections.size
    for (const destroy of connections) destroy()
  }

  function release(): void {
    const over = held?.over
    held = undefined
    over?.resolve()
  }

  await listen()
  return {
    swallow: (what) => add('swallow', what),
    delay: (what) => add('delay', what, what.ms),
    cutAfterRequest: (what) => add('cutAfter', what),
    cutBeforeRequest: (what) => add('cutBefore', what),
    cut,
    hold(direction = 'both') {
      release()
      held = { direction, over: Promise.withResolvers() }
    },
    release,
    async refuse(on) {
      // A closed server's connections go on; only its 'close' event waits for them.
      for (const server of servers) server.close()
      servers = []
      if (!on) await listen()
    },
    requests,
    nextRequest(api) {
      const waiter = waiters.get(api) ?? Promise.withResolvers<SeenRequest>()
      waiters.set(api, waiter)
      return waiter.promise
    },
    counters,
    async [Symbol.asyncDispose]() {
      const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
      release()
      cut()
      await Promise.all(closed)
    },
  }
}

async function write(socket: Socket, frame: Buffer): Promise<void> {
  if (socket.write(frame) || socket.destroyed) return
  const settled = new AbortController()
  const { signal } = settled
  await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })]).finally(() =>
    settled.abort(),
  )
}
