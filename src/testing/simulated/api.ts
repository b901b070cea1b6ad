// Answers requests: finds what a path names, and lists, watches, reads or writes it.

import type { Clock } from '../../base/clock.ts'
import { resourceName } from '../../object/resource.ts'
import type { Catalogue } from './catalogue.ts'
import { documentAnswer, type DocumentOptions } from './documents.ts'
import type { Exchange } from './exchange.ts'
import { refusal, type Faults, type SimulatedFault } from './faults.ts'
import { at, isJsonObject, textAt } from './json.ts'
import type { ServedKind } from './kinds.ts'
import { parseListOptions, type ListOptions } from './list-options.ts'
import { list } from './list.ts'
import { patchFunction } from './patch.ts'
import { printObject } from './print.ts'
import { reached } from './reach.ts'
import { parsePath, type ResourcePath } from './routes.ts'
import { deletedStatus, methodNotAllowed, noSuchPath, StatusFailure } from './status.ts'
import type { Store } from './store.ts'
import type { Watches } from './watches.ts'
import type { ObjectPlace, Preconditions, Writer } from './write.ts'
import { selection } from './selection.ts'
import { uidOf } from './metadata.ts'

export interface ApiOptions extends DocumentOptions {
  readonly store: Store
  readonly catalogue: Catalogue
  readonly writer: Writer
  readonly watches: Watches
  readonly faults: Faults
  readonly clock: Clock
  readonly watchList: boolean
}

/** Answers one request; what it refuses is an answer too. */
export async function answer(exchange: Exchange, options: ApiOptions): Promise<void> {
  try {
    const target = parsePath(exchange.url.pathname)
    if (target.kind === 'document') await answerDocument(exchange, target.path, options)
    else await answerResource(exchange, target.path, options)
  } catch (error) {
    if (exchange.signal.aborted) return
    if (!(error instanceof StatusFailure)) throw error
    exchange.refuse(error)
  }
}

async function answerDocument(exchange: Exchange, path: string, options: ApiOptions): Promise<void> {
  const fault = options.faults.take({ verb: 'get', resource: '' })
  if (await stopsAt(fault, exchange, options)) return
  documentAnswer(exchange, path, options)
}

async function answerResource(exchange: Exchange, path: ResourcePath, options: ApiOptions): Promise<void> {
  const { catalogue, faults } = options
  const kind = catalogue.find(path.group, path.version, path.resource)
  if (kind === undefined) {
    // Only a group that is served speaks for its versions.
    if (!catalogue.kinds().some(({ group }) => group === path.group)) {
      return exchange.sendText(404, '404 page not found\n')
    }
    throw noSuchPath()
  }
  if (path.namespace !== '' && !kind.namespaced) throw noSuchPath()
  const verb = verbOf(exchange, path)
  const fault = faults.take({ verb, resource: resourceName(kind) })
  if (await stopsAt(fault, exchange, options)) return
  if (path.name !== '') await answerObject(exchange, { kind, path, verb }, options)
  else await answerCollection(exchange, { kind, path, verb, fault }, options)
}

interface Call {
  readonly kind: ServedKind
  readonly path: ResourcePath
  readonly verb: string
}

function verbOf(exchange: Exchange, { name }: ResourcePath): string {
  switch (exchange.method) {
    case 'GET':
      if (name !== '') return 'get'
      return ['', 'true', '1'].includes(exchange.url.searchParams.get('watch') ?? 'no') ? 'watch' : 'list'
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return name === '' ? 'deletecollection' : 'delete'
    default:
      return exchange.method.toLowerCase()
  }
}

/** Does what a fault does before there is an answer. @returns whether it is the answer */
async function stopsAt(fault: SimulatedFault | undefined, exchange: Exchange, { clock }: ApiOptions): Promise<boolean> {
  switch (fault?.kind) {
    case 'slow':
      await clock.sleep(fault.delayMs, exchange.signal)
      return false
    case 'reset':
      exchange.reset()
      return true
    case 'refuse':
      throw refusal(fault)
    case 'error-event':
      if (exchange.url.searchParams.has('watch')) return false
      throw refusal({ ...fault, kind: 'refuse' })
    case 'cut':
    case 'stale':
    case 'corrupt':
    case undefined:
      return false
    default:
      return fault satisfies never
  }
}

async function answerCollection(
  exchange: Exchange,
  { kind, path, verb, fault }: Call & { readonly fault: SimulatedFault | undefined },
  options: ApiOptions,
): Promise<void> {
  const { store, clock, writer, watchList } = options
  const { namespace } = path
  switch (verb) {
    case 'list':
    case 'watch': {
      const asked = parseListOptions(exchange.url.searchParams, { watchList })
      if (asked.isWatch) return options.watches.serve(exchange, { kind, namespace, options: asked, fault })
      const staleBy = fault?.kind === 'stale' ? fault.changes : 0
      const text = await list({ kind, namespace, options: asked, signal: exchange.signal, staleBy }, { store, clock })
      if (fault?.kind === 'cut') return exchange.cut(text)
      return exchange.send(200, fault?.kind === 'corrupt' ? text.replace('"items":[{', '"items":[}') : text)
    }
    case 'create': {
      if (kind.namespaced && namespace === '') throw methodNotAllowed()
      const body = await exchange.body()
      const entry = writer.create({ kind, namespace }, body)
      return exchange.send(201, printObject(kind, entry))
    }
    case 'deletecollection':
      if (!kind.verbs.includes(verb) || (kind.namespaced && namespace === '')) throw methodNotAllowed()
      return deleteCollection(exchange, { kind, path, verb }, options)
    default:
      throw methodNotAllowed()
  }
}

async function deleteCollection(exchange: Exchange, { kind, path }: Call, options: ApiOptions): Promise<void> {
  const { store, clock, writer, watchList } = options
  const { namespace } = path
  const asked: ListOptions = parseListOptions(exchange.url.searchParams, { watchList })
  const text = await list({ kind, namespace, options: asked, signal: exchange.signal }, { store, clock })
  const selects = selection(kind, { ...asked, namespace })
  for (const { object } of store.collection(resourceName(kind)).entries().filter(selects)) {
    writer.delete({
      kind,
      namespace: textAt(object, 'metadata', 'namespace'),
      name: textAt(object, 'metadata', 'name'),
      isStatus: false,
    })
  }
  exchange.send(200, text)
}

async function answerObject(exchange: Exchange, { kind, path, verb }: Call, options: ApiOptions): Promise<void> {
  const { writer, store, clock } = options
  const { namespace, name, subresource } = path
  const isStatus = subresource === 'status'
  if ((subresource !== '' && !isStatus) || (isStatus && !kind.hasStatus)) throw noSuchPath()
  if (kind.namespaced && namespace === '') throw noSuchPath()
  const place: ObjectPlace = { kind, namespace, name, isStatus }
  switch (verb) {
    case 'get': {
      const version = exchange.url.searchParams.get('resourceVersion') ?? ''
      if (/^[0-9]+$/.test(version)) await reached(Number(version), { store, clock, signal: exchange.signal })
      return exchange.send(200, printObject(kind, writer.get(place)))
    }
    case 'update': {
      const body = await exchange.body()
      return exchange.send(200, printObject(kind, writer.update(place, body).entry))
    }
    case 'patch': {
      const body = await exchange.body()
      const { entry } = writer.patch(place, patchFunction(kind, exchange.mediaType, body))
      return exchange.send(200, printObject(kind, entry))
    }
    case 'delete': {
      if (isStatus) throw methodNotAllowed()
      const { entry, isGone } = writer.delete(place, preconditionsOf(await exchange.body()))
      // A pod that was told to end is shown as such, and whatever else is not gone yet.
      const isShown = !isGone || resourceName(kind) === 'pods'
      return exchange.send(200, isShown ? printObject(kind, entry) : deletedStatus(kind, name, uidOf(entry.object)))
    }
    default:
      throw methodNotAllowed()
  }
}

function preconditionsOf(body: unknown): Preconditions {
  if (!isJsonObject(body)) return {}
  const wanted = at(body, 'preconditions')
  const [uid, resourceVersion] = [textAt(wanted, 'uid'), textAt(wanted, 'resourceVersion')]
  return { ...(uid !== '' && { uid }), ...(resourceVersion !== '' && { resourceVersion }) }
}
