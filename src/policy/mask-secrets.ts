// Hides the values of Secrets and leaves their keys.

import { replaceValues, type DecideEdit, type Edit } from '../object/json-edit.ts'
import { withholdingFailures, type Policy } from './policy.ts'

/**
 * Masks v1 Secrets: values of `data` become `KioqKioq` (base64 of the other mask), so that they still decode; values of
 * `stringData` and of annotations become `******`, `kubectl.kubernetes.io/last-applied-configuration` with them.
 *
 * - Keys, their order and every other byte stay. Escaped keys and keys that stand twice are masked alike.
 * - A value of any type is masked. Where the map itself is no object it is masked whole; only null stays.
 * - What is no v1 Secret is withheld: a list of Secrets, or a kind of another version, holds its values elsewhere.
 */
export const maskSecrets: Policy = withholdingFailures({
  text: 'mask-secrets/v1',
  apply(object) {
    if (object.kind !== 'Secret' || object.apiVersion !== 'v1') {
      return { kind: 'withheld', reason: 'unexpected-kind', message: UNEXPECTED_KIND }
    }
    const bytes = replaceValues(object.bytes, maskOf)
    if (bytes === object.bytes) return { kind: 'unchanged' }
    return { kind: 'changed', object: { ...object, bytes }, action: 'masked' }
  },
})

const DATA_MASK = { replaceBy: '"KioqKioq"' }
const TEXT_MASK = { replaceBy: '"******"' }

const UNEXPECTED_KIND = 'Cannot mask object: wanted a v1 Secret: current kind or apiVersion is another'

const maskOf: DecideEdit = (path, type) => {
  const [first, second] = path
  if (first === 'data') return maskMap(path.length - 1, type, DATA_MASK)
  if (first === 'stringData') return maskMap(path.length - 1, type, TEXT_MASK)
  if (first !== 'metadata') return 'keep'
  if (path.length === 1) return type === 'object' || type === 'null' ? 'into' : TEXT_MASK
  return second === 'annotations' ? maskMap(path.length - 2, type, TEXT_MASK) : 'keep'
}

/** @param depth 0 for the map itself, 1 for its values */
function maskMap(depth: number, type: Parameters<DecideEdit>[1], mask: Edit): Edit {
  if (depth === 0 && (type === 'object' || type === 'null')) return 'into'
  return mask
}
