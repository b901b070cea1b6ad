// What a simulated apiserver refuses, in the words and shapes of a real one.

import { KubedeltaError, type ErrorCode } from '../../base/errors.ts'
import { resourceName } from '../../object/resource.ts'
import type { Json, JsonObject } from './json.ts'
import type { ServedKind } from './kinds.ts'

export interface StatusCause {
  readonly reason: string
  readonly message: string
  readonly field?: string
}

export interface StatusFacts {
  readonly code: number
  /** As apimachinery's StatusReason; '' for none. */
  readonly reason: string
  readonly message: string
  /** `null` leaves details out. @default {} */
  readonly details?: JsonObject | null
  /** A token to go on with, in a refused list. */
  readonly continue?: string
}

/** A refusal: `status` is the body of the answer, `message` what it says. */
export class StatusFailure extends KubedeltaError {
  readonly status: JsonObject
  readonly httpStatus: number
  /** Sent as the header Retry-After too. */
  readonly retryAfterSeconds: number | undefined

  constructor(facts: StatusFacts) {
    const { code, reason, message, details = {} } = facts
    super(codeOf(code), message, { fields: { status: code, reason } })
    this.httpStatus = code
    const seconds = details?.['retryAfterSeconds']
    this.retryAfterSeconds = typeof seconds === 'number' ? seconds : undefined
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: facts.continue === undefined ? {} : { continue: facts.continue },
      status: 'Failure',
      message,
      ...(reason !== '' && { reason }),
      ...(details !== null && { details }),
      code,
    }
  }
}

/** @returns 400 */
export function badRequest(message: string): StatusFailure {
  return new StatusFailure({ code: 400, reason: 'BadRequest', message, details: null })
}

/** @returns 404 for a path that nothing serves */
export function noSuchPath(): StatusFailure {
  return new StatusFailure({
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
  })
}

/** @returns 404 for one object */
export function notFound(kind: ServedKind, name: string): StatusFailure {
  const message = `${resourceName(kind)} ${quote(name)} not found`
  return new StatusFailure({ code: 404, reason: 'NotFound', message, details: detailsOf(kind, name) })
}

/** @returns 405 */
export function methodNotAllowed(): StatusFailure {
  const message = 'the server does not allow this method on the requested resource'
  return new StatusFailure({ code: 405, reason: 'MethodNotAllowed', message })
}

/** @returns 409 for a name that is taken */
export function alreadyExists(kind: ServedKind, name: string): StatusFailure {
  const message = `${resourceName(kind)} ${quote(name)} already exists`
  return new StatusFailure({ code: 409, reason: 'AlreadyExists', message, details: detailsOf(kind, name) })
}

/** @returns 409 for an object that was changed meanwhile, or a precondition that does not hold */
export function conflict(
  kind: ServedKind,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
): StatusFailure {
  const message = `Operation cannot be fulfilled on ${resourceName(kind)} ${quote(name)}: ${why}`
  return new StatusFailure({ code: 409, reason: 'Conflict', message, details: detailsOf(kind, name) })
}

/** @returns 410 for a resourceVersion or a token older than the history */
export function expired(message: string, token?: string): StatusFailure {
  return new StatusFailure({
    code: 410,
    reason: 'Expired',
    message,
    details: null,
    ...(token !== undefined && { continue: token }),
  })
}

/** @returns 415 */
export function unsupportedMediaType(accepted: readonly string[]): StatusFailure {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`
  return new StatusFailure({ code: 415, reason: 'UnsupportedMediaType', message, details: null })
}

/** @returns 422 for an object, or for list options where `kind` is left out */
export function invalid(causes: readonly StatusCause[], subject: InvalidSubject = LIST_OPTIONS): StatusFailure {
  const texts = causes.map(({ field, message }) => (field === undefined ? message : `${field}: ${message}`))
  const all = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`
  const { kind, group, name } = subject
  const message = `${kind}${group === '' ? '' : `.${group}`} ${quote(name)} is invalid: ${all}`
  const details = { ...(name !== '' && { name }), ...(group !== '' && { group }), kind }
  return new StatusFailure({
    code: 422,
    reason: 'Invalid',
    message,
    details: { ...details, causes: causes.map((cause): Json => ({ ...cause })) },
  })
}

export interface InvalidSubject {
  readonly kind: string
  readonly group: string
  readonly name: string
}

const LIST_OPTIONS: InvalidSubject = { kind: 'ListOptions', group: 'meta.k8s.io', name: '' }

/** @returns 504 for a resourceVersion that is yet to come */
export function tooLarge(asked: string, current: number): StatusFailure {
  return new StatusFailure({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: Too large resource version: ${asked}, current: ${current}`,
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  })
}

/** The body of an answer that says that an object is gone. */
export function deletedStatus(kind: ServedKind, name: string, uid: string): JsonObject {
  const details = { ...detailsOf(kind, name), uid }
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }
}

/** A string as Go's %q prints it, for the names that Kubernetes allows. */
export function quote(text: string): string {
  return JSON.stringify(text)
}

function detailsOf({ resource, group }: ServedKind, name: string): JsonObject {
  return { name, ...(group !== '' && { group }), kind: resource }
}

function codeOf(status: number): ErrorCode {
  if (status === 404) return 'not-found'
  if (status === 403) return 'forbidden'
  if (status === 410) return 'expired'
  return status === 429 ? 'throttled' : 'server'
}
