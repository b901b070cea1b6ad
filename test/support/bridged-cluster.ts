// Bridges a simulated cluster within this process to a log that other processes read.

import { connect } from '../../src/connect/connect.ts'
import type { SimulatedCluster } from '../../src/testing/simulated/cluster.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { CLUSTER } from './bridge-process.ts'
import { WholePath } from './whole-path.ts'

/** A running bridge. Disposing ends it, and leaves cluster and log as they are. */
export interface BridgedCluster extends AsyncDisposable {
  /** Connected to `url`. */
  readonly log: TopicLog
  /** Resolves once the topics have everything that the cluster has now; it must stand still meanwhile. */
  settled(): Promise<void>
}

export interface BridgedClusterOptions {
  /** `kafka://...` or `file:...` */
  readonly url: string
  readonly resources: readonly string[]
}

/** Starts a bridge, which leads its topics when this resolves. The cluster is called as in every story. */
export async function bridgeCluster(
  cluster: SimulatedCluster,
  { url, resources }: BridgedClusterOptions,
): Promise<BridgedCluster> {
  await using stack = new AsyncDisposableStack()
  const log = stack.use(await connect(url, { signal: AbortSignal.timeout(120_000) }))
  const path = stack.use(await WholePath.open({ cluster, log, name: CLUSTER, resources }))
  await path.startBridge()
  path.follow()
  const life = stack.move()
  return {
    log,
    settled: () => path.assertEqual(),
    [Symbol.asyncDispose]: () => life.disposeAsync(),
  }
}
