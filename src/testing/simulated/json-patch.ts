// Applies JSON patches (RFC 6902).

import { isJsonArray, isJsonObject, isSameJson, textAt, type Json } from './json.ts'

/**
 * The document after all operations.
 * @throws RangeError when an operation does not apply, or its test fails
 */
export function jsonPatch(document: Json, patch: Json): Json {
  if (!isJsonArray(patch)) throw new RangeError('Cannot apply JSON patch: wanted a list of operations')
  return patch.reduce<Json>((current, operation) => applied(current, operation), document)
}

function applied(document: Json, operation: Json): Json {
  const kind = textAt(operation, 'op')
  const path = pointer(textAt(operation, 'path'))
  const value = isJsonObject(operation) ? operation['value'] : undefined
  switch (kind) {
    case 'add':
      return put(document, path, wanted(value), 'add')
    case 'replace':
      read(document, path)
      return put(document, path, wanted(value), 'replace')
    case 'remove':
      return remove(document, path)
    case 'test':
      if (!isSameJson(read(document, path), wanted(value))) throw refused('test', path)
      return document
    case 'copy':
      return put(document, path, read(document, pointer(textAt(operation, 'from'))), 'add')
    case 'move': {
      const from = pointer(textAt(operation, 'from'))
      return put(remove(document, from), path, read(document, from), 'add')
    }
    default:
      throw new RangeError(`Cannot apply JSON patch: wanted an operation: current value is ${JSON.stringify(kind)}`)
  }
}

function pointer(text: string): readonly string[] {
  if (text !== '' && !text.startsWith('/')) {
    throw new RangeError(`Cannot apply JSON patch: wanted a path that begins with /: current value is ${text}`)
  }
  return text
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function read(document: Json, path: readonly string[]): Json {
  let found: Json | undefined = document
  for (const part of path) {
    if (isJsonArray(found)) found = found[indexIn(found, part)]
    else found = isJsonObject(found) && Object.hasOwn(found, part) ? found[part] : undefined
    if (found === undefined) throw refused('read', path)
  }
  return found
}

function put(document: Json, path: readonly string[], value: Json, mode: 'add' | 'replace'): Json {
  const [part, ...rest] = path
  if (part === undefined) return value
  if (isJsonArray(document)) {
    const index = part === '-' ? document.length : indexIn(document, part)
    if (index > document.length) throw refused(mode, path)
    if (rest.length > 0) return document.with(index, put(child(document[index], path), rest, value, mode))
    return mode === 'add' ? document.toSpliced(index, 0, value) : document.with(index, value)
  }
  if (!isJsonObject(document)) throw refused(mode, path)
  if (rest.length === 0) return { ...document, [part]: value }
  return { ...document, [part]: put(child(document[part], path), rest, value, mode) }
}

function remove(document: Json, path: readonly string[]): Json {
  read(document, path)
  const [part = '', ...rest] = path
  if (isJsonArray(document)) {
    const index = indexIn(document, part)
    if (rest.length === 0) return document.toSpliced(index, 1)
    return document.with(index, remove(child(document[index], path), rest))
  }
  if (!isJsonObject(document)) throw refused('remove', path)
  const { [part]: removed, ...others } = document
  return rest.length === 0 ? others : { ...document, [part]: remove(child(removed, path), rest) }
}

function indexIn(list: readonly Json[], part: string): number {
  if (!/^(0|[1-9][0-9]*)$/.test(part)) throw refused('find an item of a list', [part])
  return Math.min(Number(part), list.length + 1)
}

function child(value: Json | undefined, path: readonly string[]): Json {
  if (value === undefined) throw refused('find', path)
  return value
}

function wanted(value: Json | undefined): Json {
  if (value === undefined) throw new RangeError('Cannot apply JSON patch: wanted a value')
  return value
}

function refused(operation: string, path: readonly string[]): RangeError {
  return new RangeError(`Cannot apply JSON patch: cannot ${operation} at /${path.join('/')}`)
}
