// Client-node's model types as JSON really carries them.

/**
 * A model type of client-node as it stands in JSON, in a topic and in a cache:
 *
 * - timestamps are strings, not Date;
 * - fields have the apiserver's names (`from`, not `_from`);
 * - what a model leaves open (`any`) is `unknown`;
 * - everything is readonly, as objects of a cache are frozen.
 *
 * @example
 * const pods = topicCache<Wire<V1Pod>>({ from: 'kafka://kafka:9092', cluster: 'prod', resource: 'pods' })
 */
export type Wire<T> = unknown extends T
  ? unknown
  : T extends Date
    ? string
    : T extends string | number | boolean | null | undefined
      ? T
      : T extends ReadonlyArray<infer Item>
        ? ReadonlyArray<Wire<Item>>
        : { readonly [Name in keyof T as WireName<T, Name>]: Wire<T[Name]> }

/** Names of client-node's model fields that are no JSON names, as its generator escapes them. */
export const WIRE_NAMES = {
  _continue: 'continue',
  _default: 'default',
  _enum: 'enum',
  _from: 'from',
  _int: 'int',
  x_kubernetes_embedded_resource: 'x-kubernetes-embedded-resource',
  x_kubernetes_int_or_string: 'x-kubernetes-int-or-string',
  x_kubernetes_list_map_keys: 'x-kubernetes-list-map-keys',
  x_kubernetes_list_type: 'x-kubernetes-list-type',
  x_kubernetes_map_type: 'x-kubernetes-map-type',
  x_kubernetes_preserve_unknown_fields: 'x-kubernetes-preserve-unknown-fields',
  x_kubernetes_validations: 'x-kubernetes-validations',
} as const

/** Names that are escaped in V1JSONSchemaProps alone; elsewhere they are what they say. */
export const SCHEMA_WIRE_NAMES = { ref: '$ref', schema: '$schema' } as const

type WireName<T, Name> = Name extends keyof typeof WIRE_NAMES
  ? (typeof WIRE_NAMES)[Name]
  : 'x_kubernetes_int_or_string' extends keyof T
    ? SchemaWireName<Name>
    : Name

type SchemaWireName<Name> = Name extends keyof typeof SCHEMA_WIRE_NAMES ? (typeof SCHEMA_WIRE_NAMES)[Name] : Name
