// Opens the apiserver that the options name, as long as the start-up time lasts.

import { retrying } from '../base/retry.ts'
import { createKubeClient } from '../kube/client.ts'
import type { KubeClient } from '../kube/client.ts'
import type { Catalogue } from '../kube/catalogue.ts'
import { loadCredentials, type Credentials } from '../kube/credentials.ts'
import { discover } from '../kube/discovery.ts'
import type { CommandContext } from './context.ts'
import type { ValuesOf } from './option-values.ts'

type ClusterKey =
  | 'kubeconfig'
  | 'context'
  | 'server'
  | 'certificateAuthority'
  | 'insecureSkipTlsVerify'
  | 'qps'
  | 'burst'
  | 'startupTimeoutMs'

/** A cluster that has answered: disposing of it ends what is still open. */
export interface OpenCluster extends AsyncDisposable {
  readonly client: KubeClient
  readonly credentials: Credentials
  readonly catalogue: Catalogue
}

export interface StartOptions {
  /** What is attempted, as in "Cannot ...". */
  readonly action: string
  readonly timeoutMs: number
  readonly context: Pick<CommandContext, 'clock' | 'log' | 'signal'>
}

/**
 * Connects and reads what the cluster serves.
 * @throws KubedeltaError `usage` without credentials; `unreachable` and the like when the start-up time is up; at once what does not
 *   pass by itself
 */
export async function openCluster(
  values: Pick<ValuesOf<'run'>, ClusterKey>,
  context: CommandContext,
): Promise<OpenCluster> {
  const { clock, environment, log, signal, version } = context
  const credentials = loadCredentials({ ...values, env: environment })
  log.debug('found credentials', { server: credentials.server, source: credentials.source })
  const { qps, burst, startupTimeoutMs: timeoutMs } = values
  const client = createKubeClient({ credentials, qps, burst, userAgent: `kubedelta/${version}`, clock, log })
  try {
    const action = `ask ${client.server} what it serves`
    const catalogue = await untilStarted(() => discover(client, signal), { action, timeoutMs, context })
    return { client, credentials, catalogue, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() }
  } catch (error) {
    await client[Symbol.asyncDispose]()
    throw error
  }
}

/**
 * Repeats an attempt that may succeed by itself until the start-up time is up; the log says what is waited for.
 * @throws the last failure; the first that does not pass by itself; the signal's reason
 */
export function untilStarted<T>(attempt: () => Promise<T>, { context, ...options }: StartOptions): Promise<T> {
  const { clock, log, signal } = context
  return retrying(attempt, { ...options, clock, log, signal })
}
