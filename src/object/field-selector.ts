// Parses kubectl's field selectors, which the apiserver evaluates.

import { KubedeltaError } from '../base/errors.ts'

export interface FieldRequirement {
  /** `status.phase` */
  readonly field: string
  readonly operator: '=' | '!='
  /** Unescaped. */
  readonly value: string
}

/** A parsed selector; without requirements it selects everything. */
export interface FieldSelector {
  /** Sorted and unique. */
  readonly requirements: readonly FieldRequirement[]
  /** Equal for selectors that say the same in another order or notation; a selector itself, '' for everything. */
  readonly text: string
}

/**
 * Parses `status.phase=Running,spec.nodeName!=node-7`; in values, `\\`, `\,` and `\=` stand for themselves
 * (apimachinery fields.ParseSelector).
 * @throws KubedeltaError `bad-selector` with the position (`fields.position`, from 0) and what was wanted there
 */
export function parseFieldSelector(text: string): FieldSelector {
  const byText = new Map<string, FieldRequirement>()
  let position = 0
  for (const term of text.split(UNESCAPED_COMMA)) {
    const requirement = term.trim() === '' ? undefined : parseTerm(term, position, text)
    if (requirement !== undefined) byText.set(print(requirement), requirement)
    position += term.length + 1
  }
  const texts = [...byText.keys()].toSorted()
  return { requirements: texts.flatMap((key) => byText.get(key) ?? []), text: texts.join(',') }
}

/** A comma after an even number of backslashes. */
const UNESCAPED_COMMA = /(?<=(?<!\\)(?:\\\\)*),/

function parseTerm(term: string, position: number, text: string): FieldRequirement {
  const match = /^\s*(?<field>[^\s=!\\]+)(?<operator>==|!=|=)(?<value>.*)$/s.exec(term)
  const { field = '', operator = '', value = '' } = match?.groups ?? {}
  if (match === null) throw unexpected(text, position, 'FIELD=VALUE or FIELD!=VALUE')
  const valueAt = position + term.length - value.length
  return { field, operator: operator === '!=' ? '!=' : '=', value: unescape(value, valueAt, text) }
}

function unescape(value: string, position: number, text: string): string {
  let plain = ''
  for (let index = 0; index < value.length; index += 1) {
    const character = value.charAt(index)
    if (character === '\\') {
      index += 1
      const escaped = value.charAt(index)
      if (!['\\', ',', '='].includes(escaped)) throw unexpected(text, position + index, String.raw`one of \\ \, \=`)
      plain += escaped
    } else if (character === '=') {
      throw unexpected(text, position + index, String.raw`a value, with each = written as \=`)
    } else {
      plain += character
    }
  }
  return plain
}

function print(requirement: FieldRequirement): string {
  return `${requirement.field}${requirement.operator}${requirement.value.replace(/[\\,=]/g, String.raw`\$&`)}`
}

function unexpected(text: string, position: number, wanted: string): KubedeltaError {
  return new KubedeltaError(
    'bad-selector',
    `Cannot parse field selector ${JSON.stringify(text)}: wanted ${wanted} at position ${position}`,
    { fields: { position } },
  )
}
