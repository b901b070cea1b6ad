// Reads and checks what a list or a watch asks for.

import { badRequest, invalid, quote, StatusFailure, type StatusCause } from './status.ts'

export interface ListOptions {
  readonly labelSelector: string
  readonly fieldSelector: string
  /** '' where it was not given. */
  readonly resourceVersion: string
  readonly resourceVersionMatch: string
  /** 0 for none. */
  readonly limit: number
  readonly continue: string
  readonly isWatch: boolean
  readonly timeoutSeconds: number
  readonly allowWatchBookmarks: boolean
  /** undefined where it was not given. */
  readonly sendInitialEvents: boolean | undefined
}

/**
 * The options of a request's query (apimachinery internalversion, conversion and validation).
 * @throws StatusFailure 400 for a number that is none, 422 for a combination that means nothing
 */
export function parseListOptions(query: URLSearchParams, { watchList }: { readonly watchList: boolean }): ListOptions {
  const initial = query.get('sendInitialEvents')
  const options = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: query.get('resourceVersionMatch') ?? '',
    limit: Math.max(0, integer(query.get('limit'))),
    continue: query.get('continue') ?? '',
    isWatch: isTrue(query.get('watch')),
    timeoutSeconds: integer(query.get('timeoutSeconds')),
    allowWatchBookmarks: isTrue(query.get('allowWatchBookmarks')),
    sendInitialEvents: initial === null ? undefined : isTrue(initial),
  }
  const causes = options.isWatch ? watchCauses(options, watchList) : listCauses(options)
  if (causes.length > 0) throw invalid(causes)
  return options
}

/**
 * The number of a resourceVersion.
 * @throws StatusFailure 400 when it is none
 */
export function parseVersion(text: string): number {
  if (VERSION.test(text)) return Number(text)
  throw badRequest(`invalid resource version: ${unparsed(text)}`)
}

/**
 * The number of the resourceVersion of a watch, 0 where there is none.
 * @throws StatusFailure 500 when it is none: a real apiserver does not expect that here either
 */
export function parseWatchVersion(text: string): number {
  if (text === '') return 0
  if (VERSION.test(text)) return Number(text)
  throw new StatusFailure({ code: 500, reason: '', message: unparsed(text), details: null })
}

const VERSION = /^[0-9]+$/

function unparsed(text: string): string {
  const message = `strconv.ParseUint: parsing ${quote(text)}: invalid syntax`
  return `resourceVersion: Invalid value: ${quote(text)}: ${message}`
}

function listCauses(options: ListOptions): readonly StatusCause[] {
  const { resourceVersionMatch: match, resourceVersion, continue: token, sendInitialEvents } = options
  const causes: StatusCause[] = []
  if (match !== '') {
    if (resourceVersion === '') {
      causes.push(forbidden('resourceVersionMatch is forbidden unless resourceVersion is provided'))
    }
    if (token !== '') causes.push(forbidden('resourceVersionMatch is forbidden when continue is provided'))
    if (match !== 'Exact' && match !== 'NotOlderThan') causes.push(unsupported(match, ['Exact', 'NotOlderThan', '']))
    if (match === 'Exact' && resourceVersion === '0') {
      causes.push(forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    }
  }
  if (sendInitialEvents !== undefined) {
    causes.push(forbidden('sendInitialEvents is forbidden for list', 'sendInitialEvents'))
  }
  return causes
}

function watchCauses(options: ListOptions, watchList: boolean): readonly StatusCause[] {
  const { resourceVersionMatch: match, continue: token, sendInitialEvents } = options
  const causes: StatusCause[] = []
  if (sendInitialEvents !== undefined) {
    if (match !== 'NotOlderThan') {
      causes.push(forbidden('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
    }
    if (!watchList) {
      const why = 'sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled'
      causes.push(forbidden(why, 'sendInitialEvents'))
    }
  }
  if (match !== '') {
    if (sendInitialEvents === undefined) {
      causes.push(forbidden('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'))
    }
    if (match !== 'NotOlderThan') causes.push(unsupported(match, ['NotOlderThan']))
    if (token !== '') causes.push(forbidden('resourceVersionMatch is forbidden when continue is provided'))
  }
  return causes
}

function forbidden(why: string, field = 'resourceVersionMatch'): StatusCause {
  return { reason: 'FieldValueForbidden', message: `Forbidden: ${why}`, field }
}

function unsupported(value: string, supported: readonly string[]): StatusCause {
  const message = `Unsupported value: ${quote(value)}: supported values: ${supported.map(quote).join(', ')}`
  return { reason: 'FieldValueNotSupported', message, field: 'resourceVersionMatch' }
}

function integer(text: string | null): number {
  if (text === null || text === '') return 0
  if (/^[-+]?[0-9]+$/.test(text)) return Number(text)
  throw badRequest(`strconv.ParseInt: parsing ${quote(text)}: invalid syntax`)
}

/** Anything but these is true (apimachinery runtime, Convert_Slice_string_To_bool). */
function isTrue(text: string | null): boolean {
  return text !== null && text !== '0' && text.toLowerCase() !== 'false'
}
