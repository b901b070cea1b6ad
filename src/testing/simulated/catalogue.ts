// Knows what is served: the built-in kinds, and those that CustomResourceDefinitions define.

import { resourceName } from '../../object/resource.ts'
import { at, isJsonObject, itemsAt, textAt, type Json, type JsonObject } from './json.ts'
import { builtinKinds, type ServedKind } from './kinds.ts'
import type { Store } from './store.ts'

export const DEFINITIONS = 'customresourcedefinitions.apiextensions.k8s.io'

/** Answers from the store, so that a definition counts as soon as it is established, and no longer than it is there. */
export class Catalogue {
  readonly #builtin = builtinKinds()
  readonly #store: Store
  // Of the definitions at that version.
  #custom: { readonly version: number; readonly kinds: readonly ServedKind[] } = { version: -1, kinds: [] }

  constructor(store: Store) {
    this.#store = store
  }

  /** Every kind in every version that is served. */
  kinds(): readonly ServedKind[] {
    return [...this.#builtin, ...this.#defined()]
  }

  find(group: string, version: string, resource: string): ServedKind | undefined {
    return this.kinds().find((kind) => kind.group === group && kind.version === version && kind.resource === resource)
  }

  /** The kind of an object by its apiVersion and kind. */
  kindOf(object: JsonObject): ServedKind | undefined {
    const [apiVersion, name] = [textAt(object, 'apiVersion'), textAt(object, 'kind')]
    return this.kinds().find((kind) => kind.apiVersion === apiVersion && kind.kind === name)
  }

  /** By `pods` or `deployments.apps`, in the first version that is served. */
  named(resource: string): ServedKind | undefined {
    return this.kinds().find((kind) => resourceName(kind) === resource)
  }

  #defined(): readonly ServedKind[] {
    const definitions = this.#store.collection(DEFINITIONS)
    const version = definitions.lastVersion
    if (this.#custom.version !== version) {
      const kinds = definitions.entries().flatMap(({ object }) => (isEstablished(object) ? customKinds(object) : []))
      this.#custom = { version, kinds }
    }
    return this.#custom.kinds
  }
}

/** Whether the kinds of a CustomResourceDefinition are served. */
export function isEstablished(definition: JsonObject): boolean {
  return itemsAt(definition, 'status', 'conditions').some(
    (condition) => textAt(condition, 'type') === 'Established' && textAt(condition, 'status') === 'True',
  )
}

/** In the order in which discovery gives them. */
const CUSTOM_VERBS = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch']

function customKinds(definition: JsonObject): readonly ServedKind[] {
  const group = textAt(definition, 'spec', 'group')
  const names = at(definition, 'spec', 'names')
  return itemsAt(definition, 'spec', 'versions')
    .filter((version) => at(version, 'served') === true)
    .map((row) => {
      const version = textAt(row, 'name')
      return {
        group,
        version,
        apiVersion: `${group}/${version}`,
        resource: textAt(names, 'plural'),
        kind: textAt(names, 'kind'),
        listKind: textAt(names, 'listKind'),
        singular: textAt(names, 'singular'),
        namespaced: textAt(definition, 'spec', 'scope') === 'Namespaced',
        shortNames: texts(names, 'shortNames'),
        categories: texts(names, 'categories'),
        verbs: CUSTOM_VERBS,
        hasStatus: isJsonObject(at(row, 'subresources', 'status')),
        hasGeneration: true,
        isCustom: true,
        fields: selectableFields(row),
        blank: {},
      }
    })
}

function selectableFields(version: Json): ServedKind['fields'] {
  return Object.fromEntries(
    itemsAt(version, 'selectableFields').map((field) => {
      const path = textAt(field, 'jsonPath').replace(/^\./, '').split('.')
      return [path.join('.'), (object: Json) => textAt(object, ...path)]
    }),
  )
}

function texts(value: Json | undefined, name: string): readonly string[] {
  return itemsAt(value, name).filter((item) => typeof item === 'string')
}
