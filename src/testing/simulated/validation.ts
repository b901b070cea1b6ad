// Checks a written object as far as a name and its place go; what is in a spec is not looked at.

import { resourceName } from '../../object/resource.ts'
import { at, isJsonObject, membersAt, textAt, type JsonObject } from './json.ts'
import type { ServedKind } from './kinds.ts'
import { badRequest, invalid, quote } from './status.ts'

/** Where a write goes: the path of its URL. */
export interface Place {
  readonly kind: ServedKind
  /** '' for cluster scope. */
  readonly namespace: string
}

/**
 * The object of a request's body.
 * @throws StatusFailure 400 when it is of another kind or namespace than its path
 */
export function checkedObject({ kind, namespace }: Place, body: unknown): JsonObject {
  if (!isJsonObject(body)) {
    throw badRequest(`the object provided is unrecognized (must be of type ${kind.kind}): it is no JSON object`)
  }
  const [name, apiVersion] = [textAt(body, 'kind'), textAt(body, 'apiVersion')]
  if (kind.isCustom && (name === '' || apiVersion === '')) {
    const missing = name === '' ? 'Kind' : 'apiVersion'
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind.kind}): Object '${missing}' is missing`,
    )
  }
  if ((name !== '' && name !== kind.kind) || (apiVersion !== '' && apiVersion !== kind.apiVersion)) {
    const version = apiVersion === '' ? kind.version : apiVersion
    throw badRequest(`${name || kind.kind} in version ${quote(version)} cannot be handled as a ${kind.kind}`)
  }
  const asked = textAt(body, 'metadata', 'namespace')
  if (asked !== '' && asked !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  }
  return { ...body, metadata: membersAt(body, 'metadata') }
}

/** @throws StatusFailure 422 for a name that the kind does not allow */
export function checkName({ kind }: Place, name: string): void {
  const subject = { kind: kind.kind, group: kind.group, name }
  if (name === '') {
    const message = 'Required value: name or generateName is required'
    throw invalid([{ reason: 'FieldValueRequired', message, field: 'metadata.name' }], subject)
  }
  const rule =
    kind.group === 'rbac.authorization.k8s.io' ? PATH_SEGMENT : LABELS.has(resourceName(kind)) ? LABEL : SUBDOMAIN
  if (rule.pattern.test(name) && name.length <= rule.length) return
  const message = `Invalid value: ${quote(name)}: ${rule.wanted}`
  throw invalid([{ reason: 'FieldValueInvalid', message, field: 'metadata.name' }], subject)
}

/** @throws StatusFailure 422 for a CustomResourceDefinition whose name or group is not what it must be */
export function checkDefinition(place: Place, object: JsonObject): void {
  const name = textAt(object, 'metadata', 'name')
  const wanted = `${textAt(object, 'spec', 'names', 'plural')}.${textAt(object, 'spec', 'group')}`
  const versions = at(object, 'spec', 'versions')
  const subject = { kind: place.kind.kind, group: place.kind.group, name }
  if (name !== wanted) {
    const message = `Invalid value: ${quote(name)}: must be spec.names.plural+"."+spec.group`
    throw invalid([{ reason: 'FieldValueInvalid', message, field: 'metadata.name' }], subject)
  }
  if (!Array.isArray(versions) || versions.length === 0) {
    const message = 'Invalid value: null: must have exactly one version marked as storage version'
    throw invalid([{ reason: 'FieldValueInvalid', message, field: 'spec.versions' }], subject)
  }
}

/** Kinds whose names become names of hosts. */
const LABELS: ReadonlySet<string> = new Set(['namespaces', 'services'])

const LABEL = {
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  length: 63,
  wanted: "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'",
}

const SUBDOMAIN = {
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  length: 253,
  wanted: "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'",
}

/** Roles and their bindings take nearly anything (kubernetes pkg/apis/rbac/validation, ValidateRBACName). */
const PATH_SEGMENT = {
  pattern: /^(?!\.{1,2}$)[^/%]+$/,
  length: 253,
  wanted: 'may not be "." or "..", or contain "/" or "%"',
}
