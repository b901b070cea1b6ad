// Reads the labels of an object out of its JSON text, parsing nothing else.

import { at } from '../base/fields.ts'
import { JsonScan } from './json-scan.ts'

/** `metadata.labels` of an object in JSON as JSON.parse would give it; undefined where it is absent. @throws SyntaxError for no JSON */
export function scanLabels(bytes: Buffer): unknown {
  scan.reset()
  const end = scan.advance(bytes, 0)
  // An escape may hide a key that counts; between whitespace a value does not stand beside its key.
  if (end !== bytes.length || scan.hasEscapedKey || scan.hasWhitespace) return parseLabels(bytes)
  let isInMetadata = false
  let valueStart: number | undefined
  // Of a key that stands twice the last counts.
  for (const { depth, start, end: keyEnd } of scan.keys) {
    if (depth === 2) {
      if (isInMetadata && bytes.toString('latin1', start, keyEnd) === 'labels') valueStart = keyEnd + 2
      continue
    }
    isInMetadata = bytes.toString('latin1', start, keyEnd) === 'metadata'
    if (isInMetadata) valueStart = undefined
  }
  if (valueStart === undefined) return undefined
  scan.reset()
  const valueEnd = scan.advance(bytes, valueStart)
  // Only an object or a text has an end of its own; of numbers and literals no selector asks.
  return valueEnd < 0 ? undefined : JSON.parse(bytes.toString('utf8', valueStart, valueEnd))
}

// Used and left within one call.
const scan = new JsonScan(['labels'.length])

function parseLabels(bytes: Buffer): unknown {
  const object: unknown = JSON.parse(bytes.toString('utf8'))
  return at(object, 'metadata', 'labels')
}
