// `kubedelta get`: objects of a topic, printed as kubectl prints them.

import { hasCode, KubedeltaError } from '../base/errors.ts'
import { textAt } from '../base/fields.ts'
import { quieter } from '../base/log.ts'
import { topicCache, type TopicCache } from '../consumer/topic-cache.ts'
import { keyOf } from '../object/key.ts'
import { builtinResourceName } from '../object/builtin-resources.ts'
import { additionalColumns } from '../print/custom-columns.ts'
import type { Column } from '../print/columns.ts'
import type { TopicLog } from '../topic/port.ts'
import type { GetOptions } from './command-options.ts'
import type { CommandContext } from './context.ts'
import { defaultNamespace } from './default-namespace.ts'
import { objectPrinter } from './get-output.ts'
import { openLog } from './open-log.ts'
import { showRebuilding } from './rebuild-progress.ts'

/**
 * Prints what the topic holds now, sorted by key.
 *
 * - With a NAME only its key's partition is read.
 * - A topic whose bridge has not finished its first list is shown with a warning: it may be a part.
 *
 * @returns the exit code: 1 for a NAME that the topic does not hold
 * @throws KubedeltaError `topic-missing`, and as connecting and reading do
 */
export async function get(options: GetOptions, context: CommandContext): Promise<number> {
  const { output, clock } = context
  if (options.selector !== undefined && options.name !== undefined) throw nameAndSelector(options.name)
  const print = objectPrinter(options.output)
  const namespace = options.allNamespaces ? undefined : (options.namespace ?? defaultNamespace(context))
  await using log = await openLog(options.from, options, context)
  const resource = builtinResourceName(options.resource ?? '')
  // A cluster-scoped object has no namespace in its key, and a topic does not say beforehand which kind of key it has.
  const keys = options.name === undefined ? undefined : [...new Set([keyOf(namespace, options.name), options.name])]
  const found = await readCache({ resource, log, keys, options }, context)
  const objects = found.filter(({ key }) => isIn(key, namespace))
  if (objects.length === 0) {
    if (options.name !== undefined) {
      output.warn(`kubedelta: ${resource} ${JSON.stringify(options.name)} not found`)
      return 1
    }
    output.warn(namespace === undefined ? 'No resources found' : `No resources found in ${namespace} namespace.`)
    if (print.kind === 'table') return 0
  }
  const values = objects.map(({ object }) => object)
  if (print.kind === 'document') {
    await output.write(print.print(options.name === undefined ? { kind: 'list', values } : { kind: 'one', values }))
  } else {
    const additional = await definedColumns(resource, values[0], log, { options, context })
    const isNamespaced = objects.some(({ key }) => key.includes('/'))
    const columns = print.columns(resource, { namespace: isNamespaced && options.allNamespaces, additional })
    await output.write(print.print(columns, values, clock.now()))
  }
  return 0
}

interface Found {
  readonly key: string
  readonly object: unknown
}

interface CacheToRead {
  readonly resource: string
  readonly log: TopicLog
  readonly keys: readonly string[] | undefined
  readonly options: GetOptions
}

async function readCache(
  { resource, log, keys, options }: CacheToRead,
  context: CommandContext,
): Promise<readonly Found[]> {
  const { signal, output } = context
  const { topic, cluster, prefix, registry } = options
  const cache = topicCache<unknown>({
    from: log,
    resource,
    prefix,
    cluster: cluster ?? 'kubernetes',
    log: quieter(context.log),
    ...(topic !== undefined && { topic }),
    ...(registry !== undefined && { registry }),
    ...(keys !== undefined && { keys }),
  })
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const running = cache.run(either)
  const shown = showRebuilding(cache, either)
  try {
    await Promise.race([cache.whenLive(either, { upstream: false }), running])
  } finally {
    shown.end()
    stop.abort()
    await running.catch((error: unknown) => {
      if (!either.aborted) throw error
    })
  }
  signal.throwIfAborted()
  warnOfGaps(cache, output)
  return sortedOf(cache, options)
}

function sortedOf(cache: TopicCache<unknown>, { selector }: GetOptions): readonly Found[] {
  const objects = cache.list(selector === undefined ? {} : { labels: selector })
  return objects
    .map((object) => ({
      key: keyOf(textAt(object, 'metadata', 'namespace'), textAt(object, 'metadata', 'name')),
      object,
    }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
}

function warnOfGaps(cache: TopicCache<unknown>, output: CommandContext['output']): void {
  const { asOf, degraded } = cache.status()
  if (asOf === undefined) {
    output.warn(`kubedelta: warning: the first list of topic ${cache.topic} is not complete: this may be a part of it`)
  }
  for (const [key, reason] of degraded) {
    output.warn(`kubedelta: warning: ${key} is not at its last state: its newest record is ${reason}`)
  }
}

function isIn(key: string, namespace: string | undefined): boolean {
  return namespace === undefined || !key.includes('/') || key.startsWith(`${namespace}/`)
}

/** What the definition of a custom resource asks for, where the topic of definitions is there. */
async function definedColumns(
  resource: string,
  first: unknown,
  log: TopicLog,
  { options, context }: { readonly options: GetOptions; readonly context: CommandContext },
): Promise<readonly Column[] | undefined> {
  const version = /^.+\/(.+)$/.exec(textAt(first, 'apiVersion'))?.[1]
  if (version === undefined || !resource.includes('.') || options.topic !== undefined) return undefined
  const definitions = 'customresourcedefinitions.apiextensions.k8s.io'
  if (resource === definitions) return undefined
  try {
    const quiet = { ...context, output: { ...context.output, warn: () => {} } }
    const [definition] = await readCache(
      { resource: definitions, log, keys: [resource], options: withoutSelection(options) },
      quiet,
    )
    return definition === undefined ? undefined : additionalColumns(definition.object, version)
  } catch (error) {
    // Without that topic custom resources are shown by name and age.
    if (hasCode(error, 'topic-missing', 'forbidden')) return undefined
    throw error
  }
}

function withoutSelection({ selector: _selector, ...options }: GetOptions): GetOptions {
  return { ...options, selector: undefined }
}

function nameAndSelector(name: string): KubedeltaError {
  return new KubedeltaError('usage', `Cannot get ${name} by -l: wanted a NAME or a selector: both are given`)
}
