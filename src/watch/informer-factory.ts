// Makes informers of one cluster that share a connection, discovery and, where they ask for the same, a reflector.

import { aborted } from '../base/abort.ts'
import { Backoff } from '../base/backoff.ts'
import { systemClock, type Clock } from '../base/clock.ts'
import { KubedeltaError, type ErrorCode } from '../base/errors.ts'
import { createLogger, type Logger } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { addMissingIndexers, isSharedWith, type SharedCache } from '../cache/shared-cache.ts'
import { withVerbs } from '../kube/catalogue.ts'
import { createKubeClient, type KubeClient } from '../kube/client.ts'
import { loadCredentials, type Credentials } from '../kube/credentials.ts'
import { lazyClient } from '../kube/lazy-client.ts'
import { ResourceFinder } from '../kube/resource-finder.ts'
import { builtinResourceName } from '../object/builtin-resources.ts'
import { parseResourceName, type Resource } from '../object/resource.ts'
import { createHttpSource } from './http-source.ts'
import { assembleInformer, type Informer, type InformerSettings } from './informer.ts'
import { createResourceClient, selectorTexts, type ResourceClient, type ResourceSelection } from './resource-client.ts'

export interface InformerFactoryOptions {
  /** The one kubeconfig file to read. @default as kubectl: KUBECONFIG, ~/.kube/config, then the pod's ServiceAccount */
  readonly kubeconfig?: string | undefined
  /** @default the kubeconfig's current-context */
  readonly context?: string | undefined
  /** Credentials found already, instead of a kubeconfig. */
  readonly credentials?: Credentials
  /** Resync period of informers that name none, in milliseconds; 0 is never. @default 0 */
  readonly resyncMs?: number
  /** Requests a second in the long run. @default 50 */
  readonly qps?: number
  /** Requests at once. @default 100 */
  readonly burst?: number
  /** @default `kubedelta` */
  readonly userAgent?: string
  /** @default warnings and errors, to stderr */
  readonly log?: Logger
  /** @default none */
  readonly metrics?: Metrics
  /** @default the system's */
  readonly clock?: Clock
  /** Uniform values of [0, 1), for backoff and watch timeouts. @default Math.random */
  readonly random?: () => number
}

/** What an informer of a factory lists and watches, and how its cache is kept. */
export interface FactoryInformerOptions<T> extends InformerSettings<T>, ResourceSelection {}

/**
 * Informers of one cluster (client-go SharedInformerFactory).
 *
 * - `informer` gives the same informer for the same resource, selection, resync period, storage, transform, selectable fields, list mode and
 *   error handler; the indexers that are asked for add up. One that has stopped is forgotten, the next call makes a new one.
 * - Nothing is read or asked before something runs. The end of `run`, and disposing of the factory, close its connections.
 */
export interface InformerFactory extends AsyncDisposable {
  /**
   * The informer of a resource, named as for kubectl: `pods`, `deploy`, `carts.shop.example.com`. Found when it runs: `run` rejects with
   * `unknown-resource` for what the cluster does not serve.
   *
   * @throws KubedeltaError `bad-selector`, or `usage` for an index name that a shared informer uses for another function; RangeError for
   *   a negative `resyncMs`
   */
  informer<T>(resource: string, options?: FactoryInformerOptions<T>): Informer<T>
  /**
   * Runs all informers that do not run yet, those made later too, until the signal aborts: client-go's start and shutdown in one. What
   * `client` still reads then fails. It runs once; a further call is logged and returns.
   * @throws the first failure of an informer, once the others have ended
   */
  run(signal: AbortSignal): Promise<void>
  /** Resolves once all informers made so far are live. @throws as their `whenLive` */
  whenLive(signal: AbortSignal): Promise<void>
  /** Uncached reads over the same connection. */
  readonly client: ResourceClient
}

/**
 * Makes a factory of informers.
 *
 * @throws TypeError for credentials beside a kubeconfig or context
 * @example
 * const factory = informerFactory({ kubeconfig })
 * const deployments = factory.informer<Wire<V1Deployment>>('deployments.apps', { namespace: 'shop', resyncMs: 60_000 })
 * const running = factory.run(signal)
 * await factory.whenLive(signal)
 */
export function informerFactory(options: InformerFactoryOptions = {}): InformerFactory {
  if (options.credentials !== undefined && (options.kubeconfig ?? options.context) !== undefined) {
    throw new TypeError(
      `Cannot create informer factory: wanted 'credentials' or 'kubeconfig' and 'context': current value has both`,
    )
  }
  return new Factory(options)
}

class Factory implements InformerFactory {
  readonly client: ResourceClient
  readonly #options: InformerFactoryOptions
  readonly #clock: Clock
  readonly #log: Logger
  readonly #kube: KubeClient
  readonly #finder: ResourceFinder
  readonly #members: Member[] = []
  readonly #runs = new Set<Promise<void>>()
  readonly #ownAbort = new AbortController()
  #signal: AbortSignal | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(options: InformerFactoryOptions) {
    const { clock = systemClock, log = createLogger({ level: 'warn' }), userAgent = 'kubedelta', qps, burst } = options
    this.#options = options
    this.#clock = clock
    this.#log = log
    this.#kube = lazyClient(() =>
      createKubeClient({
        credentials: options.credentials ?? loadCredentials({ ...options, env: process.env }),
        userAgent,
        clock,
        log,
        ...(qps !== undefined && { qps }),
        ...(burst !== undefined && { burst }),
      }),
    )
    this.#finder = new ResourceFinder(this.#kube)
    this.client = createResourceClient(this.#kube, this.#finder)
  }

  informer<T>(resource: string, options: FactoryInformerOptions<T> = {}): Informer<T> {
    const { namespace, indexers = {} } = options
    const name = builtinResourceName(resource)
    const selectors = selectorTexts(options)
    const settings = { ...options, resyncMs: options.resyncMs ?? this.#options.resyncMs ?? 0 }
    const identity = [name, namespace, ...Object.values(selectors), ...identityOf(settings)]
    const known = this.#members.findIndex((each) => isSharedWith(each, identity))
    const member = this.#members[known]
    if (member !== undefined && member.informer.status().state !== 'stopped') {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the decode edge: T says what the apiserver's schema promises
      const informer = member.informer as Informer<T>
      addMissingIndexers(informer, indexers, { shared: member, what: `informer of ${name}` })
      return informer
    }
    const { metrics, random } = this.#options
    const informer = assembleInformer<T>({
      ...settings,
      resource: name,
      clock: this.#clock,
      log: this.#log,
      ...(metrics && { metrics }),
      ...(random && { random }),
      openSource: async (signal) => {
        const found = await this.#find(name, options.watchErrorHandler, signal)
        return createHttpSource({ client: this.#kube, resource: found, namespace, ...selectors })
      },
    })
    const created = { identity, informer, indexers: new Map<string, unknown>(Object.entries(indexers)) }
    if (known >= 0) this.#members[known] = created
    else this.#members.push(created)
    if (this.#signal !== undefined) this.#start(created, this.#signal)
    return informer
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#signal !== undefined) {
      this.#log.warn('informer factory has run already, it is not run again')
      return
    }
    this.#signal = AbortSignal.any([signal, this.#ownAbort.signal])
    for (const member of this.#members) this.#start(member, this.#signal)
    await aborted(this.#signal)
    await Promise.all(this.#runs)
    await this.#kube[Symbol.asyncDispose]()
    if (this.#failure !== undefined) throw this.#failure.error
  }

  async whenLive(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#members.map(({ informer }) => informer.whenLive(signal)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kube[Symbol.asyncDispose]()
  }

  #start({ informer }: Member, signal: AbortSignal): void {
    if (signal.aborted || informer.status().state !== 'new') return
    const run = this.#runMember(informer, signal).finally(() => this.#runs.delete(run))
    this.#runs.add(run)
  }

  async #runMember(informer: Member['informer'], signal: AbortSignal): Promise<void> {
    try {
      // A microtask later, so that whoever has just asked for the informer can add handlers and indexers first.
      await Promise.resolve()
      if (informer.status().state === 'new') await informer.run(signal)
    } catch (error) {
      this.#failure ??= { error }
      this.#ownAbort.abort()
    }
  }

  /** Finds the resource, as long as it takes: the apiserver may be as far away as during a watch. */
  async #find(
    name: string,
    onError: InformerSettings<never>['watchErrorHandler'],
    signal: AbortSignal,
  ): Promise<Resource> {
    const backoff = new Backoff(this.#clock, this.#options.random)
    const report = onError ?? ((error) => this.#log.warn('cannot find resource', { resource: name, error }))
    for (;;) {
      try {
        return withVerbs(await this.#finder.find(name, signal), ['list', 'watch'])
      } catch (error) {
        signal.throwIfAborted()
        if (!mayBecomeKnown(error, name)) throw error
        report(error)
      }
      await this.#clock.sleep(backoff.delay(), signal)
    }
  }
}

interface Member extends SharedCache {
  readonly informer: Pick<Informer<never>, 'status' | 'run' | 'whenLive'>
}

function identityOf<T>(settings: InformerSettings<T>): readonly unknown[] {
  const { resyncMs, storage, transform, watchErrorHandler, watchList, selectableFields = {} } = settings
  return [resyncMs, storage, transform, watchErrorHandler, watchList, ...Object.entries(selectableFields).flat()]
}

/** What no waiting mends. */
const LASTING: ReadonlySet<ErrorCode> = new Set(['usage', 'internal', 'aborted', 'unsupported'])

/** Whether a resource that was not found may be found later without anyone changing the program. */
function mayBecomeKnown(error: unknown, name: string): error is KubedeltaError {
  if (!(error instanceof KubedeltaError) || LASTING.has(error.code)) return false
  if (error.code !== 'unknown-resource') return true
  const { unreachableGroups } = error.fields
  const { group } = parseResourceName(name)
  return (
    Array.isArray(unreachableGroups) &&
    // A custom resource may be asked for without its group.
    (group === '' ? unreachableGroups.length > 0 : unreachableGroups.includes(group))
  )
}
