// `kubedelta verify`: says whether the topics hold what the cluster holds.

import { fromUnknown, KubedeltaError } from '../base/errors.ts'
import { quieter } from '../base/log.ts'
import type { BridgedResource } from '../bridge/bridge-options.ts'
import { topicCacheFactory } from '../consumer/topic-cache-factory.ts'
import type { TopicCache } from '../consumer/topic-cache.ts'
import { keyOf } from '../object/key.ts'
import { resourceName } from '../object/resource.ts'
import { createHttpSource } from '../watch/http-source.ts'
import type { ListWatch } from '../watch/source.ts'
import type { VerifyOptions } from './command-options.ts'
import { compareStates, statesOf, stillThere, type State, type States } from './compare-states.ts'
import type { CommandContext } from './context.ts'
import { openCluster, type OpenCluster } from './open-cluster.ts'
import { openLog } from './open-log.ts'
import { resolveResources } from './resolve-resources.ts'

/**
 * Lists each resource, waits until its topic has come as far, and compares; a JSON line a resource on stdout, in
 * the order in which they were named.
 *
 * A live cluster changes between list and comparison: what the topic has from after the list is no difference, and what it lacks counts
 * where a second list still has it.
 *
 * @returns the exit code: 0 all the same, 1 something differs, 3 something could not be told in time, or before a signal
 * @throws KubedeltaError for wrong usage and what keeps it from starting
 */
export async function verify(options: VerifyOptions, context: CommandContext): Promise<number> {
  const { signal, clock } = context
  await using cluster = await openCluster(options, context)
  const selected = resolveResources(options, cluster.catalogue)
  await using connection = await openLog(options.from, options, context)
  const factory = topicCacheFactory({
    from: connection,
    cluster: options.cluster,
    prefix: options.prefix,
    log: quieter(context.log),
    clock,
    ...(options.registry !== undefined && { registry: options.registry }),
  })
  const timeout = AbortSignal.timeout(options.timeoutMs)
  const stop = new AbortController()
  const either = AbortSignal.any([signal, timeout, stop.signal])
  const caches = selected.map((each) => factory.cache<unknown>(resourceName(each.resource)))
  const running = factory.run(either)
  try {
    const verified = Promise.all(
      selected.map((each, n) => verifyOne(each, caches[n], { cluster, signal: either }, context)),
    )
    // Where the caches end first, each resource still says what came of it.
    const verdicts = await Promise.race([verified, running.then(() => verified)])
    for (const { line } of verdicts) if (line !== undefined) await context.output.write(`${JSON.stringify(line)}\n`)
    const codes = verdicts.map(({ code }) => code)
    return codes.includes(1) ? 1 : Math.max(...codes, 0)
  } finally {
    stop.abort()
    await running.catch((error: unknown) => {
      if (!either.aborted) throw error
    })
  }
}

interface Verification {
  readonly cluster: OpenCluster
  readonly signal: AbortSignal
}

interface Verdict {
  /** What is printed; absent where it could not be told. */
  readonly line?: object
  readonly code: number
}

async function verifyOne(
  selected: BridgedResource,
  cache: TopicCache<unknown> | undefined,
  { cluster, signal }: Verification,
  { output }: CommandContext,
): Promise<Verdict> {
  const resource = resourceName(selected.resource)
  if (cache === undefined) throw new KubedeltaError('internal', `Cannot verify ${resource}: it has no cache`)
  try {
    await cache.whenLive(signal)
    const sources = sourcesOf(selected, cluster)
    const { states, resourceVersion } = await listStates(sources, signal)
    await cache.waitForResourceVersion(resourceVersion, signal)
    const held = heldStates(cache, selected)
    const { missing, extra, stale } = compareStates(states, held, resourceVersion)
    const again = missing.length === 0 ? states : (await listStates(sources, signal)).states
    const lacking = stillThere(missing, states, again)
    const line = { resource, cluster: states.size, topic: held.size, missing: lacking, extra, stale }
    return { line, code: lacking.length + extra.length + stale.length === 0 ? 0 : 1 }
  } catch (cause) {
    const error = fromUnknown(cause, `Cannot verify ${resource}`)
    if (error.code !== 'aborted' && error.code !== 'timeout' && !signal.aborted) throw error
    output.warn(
      `kubedelta: cannot tell whether ${resource} is equal: its topic did not come as far as the cluster in time`,
    )
    return { code: 3 }
  }
}

function sourcesOf(
  { resource, namespaces, labelSelector, fieldSelector }: BridgedResource,
  cluster: OpenCluster,
): readonly ListWatch[] {
  const where = namespaces.length === 0 ? [undefined] : namespaces
  return where.map((namespace) =>
    createHttpSource({ client: cluster.client, resource, namespace, labelSelector, fieldSelector }),
  )
}

/** All objects of consistent lists, and the newest of their resourceVersions. */
async function listStates(
  sources: readonly ListWatch[],
  signal: AbortSignal,
): Promise<{ readonly states: States; readonly resourceVersion: string }> {
  const states = new Map<string, State>()
  let resourceVersion = ''
  for (const source of sources) {
    let token = ''
    do {
      const request = { resourceVersion: '', limit: PAGE_SIZE, ...(token !== '' && { continue: token }) }
      token = ''
      for await (const frames of source.list(request, signal)) {
        for (const frame of frames) {
          if (frame.kind === 'item') {
            const { namespace, name, uid, resourceVersion: version } = frame.object
            states.set(keyOf(namespace, name), { uid, resourceVersion: version })
          } else {
            token = frame.continue
            resourceVersion = frame.resourceVersion
          }
        }
      }
    } while (token !== '')
  }
  return { states, resourceVersion }
}

/** What the topic holds of the selection; a field selector has to be the bridge's own, since only the apiserver can apply it. */
function heldStates(cache: TopicCache<unknown>, { namespaces, labelSelector: labels }: BridgedResource): States {
  const lists =
    namespaces.length === 0
      ? [cache.list({ labels })]
      : namespaces.map((namespace) => cache.list({ namespace, labels }))
  return statesOf(lists.flat())
}

const PAGE_SIZE = 500
