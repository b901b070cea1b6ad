// Fills kubectl's JSONPath templates: text, {expressions} and {range ...}...{end} over an object.

import { JSONPath } from 'jsonpath-plus'
import { KubedeltaError, messageOf } from '../base/errors.ts'

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'range'; readonly path: string; readonly parts: readonly Part[] }

/** Fills the template from one value: what matches more than once is joined by spaces, as kubectl does. */
export type Template = (value: unknown) => string

/**
 * Reads a template such as `{range .items[*]}{.metadata.name}{"\n"}{end}`; without braces the whole text is one expression.
 * @throws KubedeltaError `usage` for a brace or a range that is not closed, or a path that cannot be read
 */
export function jsonPathTemplate(text: string): Template {
  const parts = parse(text.includes('{') ? text : `{${text}}`)
  // A path that cannot be read shows here rather than at the first object.
  fill(parts, {}, text)
  return (value) => fill(parts, value, text)
}

/**
 * The values at a path like `.metadata.name` or `.status.conditions[?(@.type=="Ready")].status`.
 * @throws KubedeltaError `usage` for a path that cannot be read
 */
export function valuesAt(path: string, value: unknown): readonly unknown[] {
  const expression = path.startsWith('$') ? path : `$${path.startsWith('.') || path.startsWith('[') ? '' : '.'}${path}`
  try {
    const found: unknown = JSONPath({ path: expression, json: asJson(value), wrap: true, eval: 'safe' })
    return Array.isArray(found) ? found : []
  } catch (cause) {
    throw unreadable(path, messageOf(cause), cause)
  }
}

/** How a template shows a value: text as it is, everything else as JSON. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function asJson(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}

function parse(text: string): readonly Part[] {
  const stack: Array<{ readonly path: string; readonly parts: Part[] }> = [{ path: '', parts: [] }]
  for (const token of tokens(text)) {
    const current = stack.at(-1)
    if (current === undefined) break
    if (token.kind === 'text') {
      current.parts.push(token)
      continue
    }
    const [word = '', rest = ''] = split(token.expression)
    const quoted = /^(["'])(.*)\1$/s.exec(token.expression)
    if (quoted !== null) current.parts.push({ kind: 'text', text: unescape(quoted[2] ?? '') })
    else if (word === 'range') stack.push({ path: rest, parts: [] })
    else if (word === 'end') {
      const range = stack.pop()
      const outer = stack.at(-1)
      if (range === undefined || outer === undefined) throw unreadable(text, '{end} without {range}')
      outer.parts.push({ kind: 'range', path: range.path, parts: range.parts })
    } else current.parts.push({ kind: 'path', path: token.expression.replace(/^@/, '') })
  }
  const [root, open] = stack
  if (root === undefined || open !== undefined) throw unreadable(text, '{range} without {end}')
  return root.parts
}

type Token =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'expression'; readonly expression: string }

function tokens(text: string): readonly Token[] {
  const found: Token[] = []
  let at = 0
  while (at < text.length) {
    const open = text.indexOf('{', at)
    if (open !== at) found.push({ kind: 'text', text: text.slice(at, open < 0 ? undefined : open) })
    if (open < 0) break
    const close = closing(text, open)
    found.push({ kind: 'expression', expression: text.slice(open + 1, close).trim() })
    at = close + 1
  }
  return found
}

/** The brace that closes the one at `open`, quotes passed over. */
function closing(text: string, open: number): number {
  let quote = ''
  for (let at = open + 1; at < text.length; at++) {
    const character = text[at] ?? ''
    if (quote !== '') {
      if (character === '\\') at++
      else if (character === quote) quote = ''
    } else if (character === '"' || character === "'") quote = character
    else if (character === '}') return at
  }
  throw unreadable(text, 'a brace is not closed')
}

function split(expression: string): readonly string[] {
  const space = expression.search(/\s/)
  return space < 0 ? [expression] : [expression.slice(0, space), expression.slice(space).trim()]
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/gs, (_all, character: string) => ESCAPES[character] ?? character)
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' }

function fill(parts: readonly Part[], value: unknown, template: string): string {
  return parts
    .map((part): string => {
      switch (part.kind) {
        case 'text':
          return part.text
        case 'path':
          return valuesAt(part.path, value).map(shown).join(' ')
        case 'range':
          return valuesAt(part.path, value)
            .map((each) => fill(part.parts, each, template))
            .join('')
        default:
          return part satisfies never
      }
    })
    .join('')
}

function unreadable(text: string, reason: string, cause?: unknown): KubedeltaError {
  return new KubedeltaError(
    'usage',
    `Cannot read JSONPath: wanted a template like {.metadata.name}: current value is ${JSON.stringify(text)}: ${reason}`,
    { cause },
  )
}
