// Reads a PATCH request and applies it to an object.

import { isJsonArray, isJsonObject, type JsonObject } from './json.ts'
import { jsonPatch } from './json-patch.ts'
import type { ServedKind } from './kinds.ts'
import { mergePatch, strategicMergePatch } from './merge-patch.ts'
import { badRequest, StatusFailure, unsupportedMediaType } from './status.ts'

const JSON_PATCH = 'application/json-patch+json'
const MERGE_PATCH = 'application/merge-patch+json'
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json'

/**
 * The function from an object to what the patch makes of it.
 * @throws StatusFailure 415 for a media type that the kind does not take: custom resources have no strategic patch, and none is applied server-side
 */
export function patchFunction(kind: ServedKind, mediaType: string, body: unknown): (object: JsonObject) => unknown {
  switch (mediaType) {
    case JSON_PATCH:
      return (object) => {
        if (!isJsonArray(body)) throw badRequest('json: cannot unmarshal into Go value of type jsonpatch.Patch')
        try {
          return jsonPatch(object, body)
        } catch (error) {
          if (!(error instanceof RangeError)) throw error
          const message = 'the server rejected our request due to an error in our request'
          throw new StatusFailure({ code: 422, reason: 'Invalid', message })
        }
      }
    case MERGE_PATCH:
      return (object) => mergePatch(object, documentOf(body))
    case STRATEGIC_PATCH:
      if (!kind.isCustom) return (object) => strategicMergePatch(object, documentOf(body))
      throw unsupportedMediaType([JSON_PATCH, MERGE_PATCH])
    default:
      throw unsupportedMediaType([JSON_PATCH, MERGE_PATCH, ...(kind.isCustom ? [] : [STRATEGIC_PATCH])])
  }
}

function documentOf(body: unknown): JsonObject {
  if (!isJsonObject(body)) throw badRequest('json: cannot unmarshal into Go value of type map[string]interface {}')
  return body
}
