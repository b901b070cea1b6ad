// Refuses options that a compiler would have refused, where they would otherwise lead to an empty cache without a word.

import { KubedeltaError } from '../base/errors.ts'

/** Options as a program without types may give them. */
export interface UncheckedOptions {
  readonly keys?: unknown
  readonly namespaces?: unknown
  readonly transform?: unknown
  readonly indexers?: Readonly<Record<string, unknown>> | undefined
}

/**
 * Checks what options of one cache are, before anything is opened.
 * @throws TypeError for a wrong kind of value; KubedeltaError `usage` for no keys at all
 */
export function checkCacheOptions({ keys, namespaces, transform, indexers = {} }: UncheckedOptions): void {
  checkTexts('keys', keys)
  checkTexts('namespaces', namespaces)
  if (Array.isArray(keys) && keys.length === 0) {
    throw new KubedeltaError(
      'usage',
      "Cannot create cache: 'keys' must name at least one: current value is []: leave it out for all",
    )
  }
  if (transform !== undefined) checkFunction('transform', transform)
  for (const [name, indexer] of Object.entries(indexers)) checkFunction(`indexers.${name}`, indexer)
}

/** @throws TypeError */
export function checkText(name: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw wrongKind(name, 'a text that is not empty', value)
}

/** One text is a list of its letters to whoever iterates over it. */
function checkTexts(name: string, value: unknown): void {
  if (value === undefined) return
  const isList = Array.isArray(value) && value.every((each) => typeof each === 'string')
  if (!isList) throw wrongKind(name, 'a list of texts', value)
}

function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw wrongKind(name, 'a function', value)
}

function wrongKind(name: string, wanted: string, value: unknown): TypeError {
  return new TypeError(
    `Cannot create cache: '${name}' must be ${wanted}: current value is ${JSON.stringify(value) ?? typeof value}`,
  )
}
