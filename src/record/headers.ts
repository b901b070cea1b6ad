// Facts in the headers of a record: one a header, as UTF-8 text.

import { KubedeltaError } from '../base/errors.ts'
import { isFields } from '../base/fields.ts'

/** A header; names may repeat, then the last counts. */
export interface RecordHeader {
  readonly name: string
  readonly value: string
}

/** Reads headers by name. Each method but `optionalText` throws KubedeltaError `corrupt` when the header is missing or has another form. */
export interface HeaderReader {
  text(name: string): string
  /** undefined where it is missing: a header that earlier versions did not write. */
  optionalText(name: string): string | undefined
  /** A whole number, 0 or more. */
  integer(name: string): number
  flag(name: string): boolean
  /** A JSON object of texts. */
  texts(name: string): Readonly<Record<string, string>>
}

/**
 * @param of what the headers belong to, for messages: `progress record`, `tombstone`
 */
export function readHeaders(of: string, headers: readonly RecordHeader[]): HeaderReader {
  const values = new Map(headers.map(({ name, value }) => [name, value]))
  const text = (name: string): string => {
    const value = values.get(name)
    if (value === undefined) throw corrupt(of, name, 'present', 'missing')
    return value
  }
  return {
    text,
    optionalText: (name) => values.get(name),
    integer(name) {
      const value = text(name)
      const number = Number(value)
      if (!/^[0-9]+$/.test(value) || !Number.isSafeInteger(number)) {
        throw corrupt(of, name, 'a whole number', JSON.stringify(value))
      }
      return number
    },
    flag(name) {
      const value = text(name)
      if (value === 'true') return true
      if (value === 'false') return false
      throw corrupt(of, name, 'true or false', JSON.stringify(value))
    },
    texts(name) {
      const value = text(name)
      const entries = parseJson(value)
      if (isTexts(entries)) return entries
      throw corrupt(of, name, 'a JSON object of texts', `${value.length} characters of other text`)
    },
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: undefined has none of the forms that are asked for, so the caller throws.
    return undefined
  }
}

function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  return isFields(value) && Object.values(value).every((entry) => typeof entry === 'string')
}

function corrupt(of: string, name: string, wanted: string, current: string): KubedeltaError {
  return new KubedeltaError(
    'corrupt',
    `Cannot read ${of}: header '${name}' must be ${wanted}: current value is ${current}`,
  )
}
