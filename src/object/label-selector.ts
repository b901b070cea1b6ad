// Parses kubectl's label selectors and matches labels against them.

import { KubedeltaError } from '../base/errors.ts'

/** One condition on one label; a selector's conditions must all hold. */
export type LabelRequirement =
  | { readonly kind: 'exists' | 'absent'; readonly key: string }
  /** `values` are sorted and unique. `in` is also `=`; `not-in` is also `!=`, and holds where the label is absent. */
  | { readonly kind: 'in' | 'not-in'; readonly key: string; readonly values: readonly string[] }
  /** The label is an integer (64 bits) beyond this one. */
  | { readonly kind: 'greater' | 'less'; readonly key: string; readonly value: bigint }

/** A parsed selector; without requirements it selects everything. */
export interface LabelSelector {
  /** Sorted and unique. */
  readonly requirements: readonly LabelRequirement[]
  /** Equal for selectors that say the same in another order or notation; a selector itself, '' for everything. */
  readonly text: string
}

/**
 * Parses `app=cart,tier in (web,api),!legacy,size>3`, by the grammar of apimachinery's labels.Parse.
 * @throws KubedeltaError `bad-selector` with the position (`fields.position`, from 0) and what was wanted there
 */
export function parseLabelSelector(text: string): LabelSelector {
  const parsed = new Parser(text).parse()
  const byText = new Map(parsed.map((requirement) => [print(requirement), requirement]))
  const texts = [...byText.keys()].toSorted()
  return { requirements: texts.flatMap((key) => byText.get(key) ?? []), text: texts.join(',') }
}

/** Whether an object with these labels is selected. */
export function matchesLabels(selector: LabelSelector, labels: Readonly<Record<string, string>> | undefined): boolean {
  return selector.requirements.every((requirement) => {
    // An own label only: `constructor` is a legal key.
    const value = labels !== undefined && Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined
    return holds(requirement, value)
  })
}

function holds(requirement: LabelRequirement, value: string | undefined): boolean {
  switch (requirement.kind) {
    case 'exists':
      return value !== undefined
    case 'absent':
      return value === undefined
    case 'in':
      return value !== undefined && requirement.values.includes(value)
    case 'not-in':
      return value === undefined || !requirement.values.includes(value)
    case 'greater':
    case 'less': {
      const integer = value === undefined ? undefined : parseInteger(value)
      if (integer === undefined) return false
      return requirement.kind === 'greater' ? integer > requirement.value : integer < requirement.value
    }
    default:
      return requirement satisfies never
  }
}

function print(requirement: LabelRequirement): string {
  const { key } = requirement
  switch (requirement.kind) {
    case 'exists':
      return key
    case 'absent':
      return `!${key}`
    case 'in':
    case 'not-in': {
      const { kind, values } = requirement
      if (values.length === 1) return `${key}${kind === 'in' ? '=' : '!='}${values.join('')}`
      return `${key} ${kind === 'in' ? 'in' : 'notin'} (${values.join(',')})`
    }
    case 'greater':
      return `${key}>${requirement.value}`
    case 'less':
      return `${key}<${requirement.value}`
    default:
      return requirement satisfies never
  }
}

interface Token {
  readonly kind: 'symbol' | 'word' | 'end'
  readonly text: string
  readonly position: number
}

/** Every character but white space belongs to a symbol or to a word, so that nothing is left over. */
const TOKENS = /\s*(?:(?<symbol>==|!=|[=!<>(),])|(?<word>[^\s=!<>(),]+))/gy

class Parser {
  readonly #text: string
  readonly #tokens: readonly Token[]
  #next = 0

  constructor(text: string) {
    this.#text = text
    this.#tokens = tokenize(text)
  }

  parse(): readonly LabelRequirement[] {
    if (this.#peek().kind === 'end') return []
    const requirements = [this.#requirement()]
    while (this.#peek().kind !== 'end') {
      if (!this.#accept(',')) throw this.#unexpected("',' or the end")
      requirements.push(this.#requirement())
    }
    return requirements
  }

  #requirement(): LabelRequirement {
    if (this.#accept('!')) return { kind: 'absent', key: this.#key() }
    const key = this.#key()
    const operator = this.#peek()
    if (operator.kind === 'end' || operator.text === ',') return { kind: 'exists', key }
    this.#next += 1
    switch (operator.text) {
      case '=':
      case '==':
        return { kind: 'in', key, values: [this.#exactValue()] }
      case '!=':
        return { kind: 'not-in', key, values: [this.#exactValue()] }
      case 'in':
        return { kind: 'in', key, values: this.#set() }
      case 'notin':
        return { kind: 'not-in', key, values: this.#set() }
      case '>':
      case '<':
        return { kind: operator.text === '>' ? 'greater' : 'less', key, value: this.#integer() }
      default:
        throw this.#unexpected('one of = == != in notin < >', operator)
    }
  }

  #key(): string {
    const token = this.#peek()
    if (token.kind !== 'word' || !isLabelKey(token.text)) throw this.#unexpected('a label key')
    this.#next += 1
    return token.text
  }

  /** Nothing before a comma or the end is the empty value. */
  #exactValue(): string {
    return this.#peek().kind === 'word' ? this.#value() : this.#emptyBefore(',')
  }

  #emptyBefore(...symbols: readonly string[]): string {
    const token = this.#peek()
    if (token.kind === 'end' || symbols.includes(token.text)) return ''
    throw this.#unexpected('a label value')
  }

  #value(): string {
    const token = this.#peek()
    if (!isLabelValue(token.text)) throw this.#unexpected('a label value (at most 63 letters, digits, -, _ and .)')
    this.#next += 1
    return token.text
  }

  #integer(): bigint {
    const token = this.#peek()
    const integer = token.kind === 'word' && isLabelValue(token.text) ? parseInteger(token.text) : undefined
    if (integer === undefined) throw this.#unexpected('an integer')
    this.#next += 1
    return integer
  }

  /** `()`, `(,)` and `(a,)` hold the empty value. */
  #set(): readonly string[] {
    if (!this.#accept('(')) throw this.#unexpected("'('")
    const values = new Set<string>()
    do {
      values.add(this.#peek().kind === 'word' ? this.#value() : this.#emptyBefore(',', ')'))
    } while (this.#accept(','))
    if (!this.#accept(')')) throw this.#unexpected("',' or ')'")
    return [...values].toSorted()
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', text: '', position: this.#text.length }
  }

  #accept(symbol: string): boolean {
    const token = this.#peek()
    if (token.kind !== 'symbol' || token.text !== symbol) return false
    this.#next += 1
    return true
  }

  #unexpected(wanted: string, token = this.#peek()): KubedeltaError {
    const found = token.kind === 'end' ? 'the end' : JSON.stringify(token.text)
    return new KubedeltaError(
      'bad-selector',
      `Cannot parse label selector ${JSON.stringify(this.#text)}: wanted ${wanted} at position ${token.position}: found ${found}`,
      { fields: { position: token.position } },
    )
  }
}

function tokenize(text: string): readonly Token[] {
  return [...text.matchAll(TOKENS)].map((match) => {
    const kind = match.groups?.['symbol'] === undefined ? 'word' : 'symbol'
    const found = match.groups?.[kind] ?? ''
    return { kind, text: found, position: match.index + match[0].length - found.length }
  })
}

/** An optional DNS subdomain and a slash, then a name (apimachinery validation.IsQualifiedName). */
function isLabelKey(text: string): boolean {
  const [name = '', prefix, ...rest] = text.split('/').toReversed()
  if (rest.length > 0 || name === '' || !isLabelValue(name)) return false
  return (
    prefix === undefined ||
    (prefix.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(prefix))
  )
}

function isLabelValue(text: string): boolean {
  return text.length <= 63 && /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/.test(text)
}

const MAX_INT64 = 2n ** 63n - 1n

/** A label value cannot begin with a sign, so there are no negative ones. */
function parseInteger(text: string): bigint | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined
  const integer = BigInt(text)
  return integer <= MAX_INT64 ? integer : undefined
}
