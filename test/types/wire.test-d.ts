// Wire<T> says what JSON carries: checked by the compiler alone.

import type {
  CoreV1Event,
  V1CustomResourceDefinitionVersion,
  V1JSONSchemaProps,
  V1ListMeta,
  V1NetworkPolicyIngressRule,
  V1ObjectMeta,
  V1Pod,
  V1ServicePort,
} from '@kubernetes/client-node'
import { createIndexer } from '../../src/cache/indexer.ts'
import { namespaceIndex } from '../../src/cache/index-function.ts'
import type { Wire } from '../../src/object/wire.ts'

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- only deferred conditionals are compared by identity
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type IsOptional<T, Name extends keyof T> = Partial<Pick<T, Name>> extends Pick<T, Name> ? true : false
type Claim<Holds extends true> = Holds

type Pod = Wire<V1Pod>
type Metadata = NonNullable<Pod['metadata']>
type Container = NonNullable<Pod['spec']>['containers'][number]

export type Claims = [
  // Timestamps are strings, deep down, in lists and as subclasses of Date.
  Claim<Equal<Metadata['creationTimestamp'], string | undefined>>,
  Claim<Equal<NonNullable<NonNullable<Pod['status']>['conditions']>[number]['lastTransitionTime'], string | undefined>>,
  Claim<Equal<Wire<CoreV1Event>['eventTime'], string | undefined>>,
  Claim<Equal<Wire<V1ObjectMeta>, Metadata>>,

  // Optional stays optional, required stays required.
  Claim<IsOptional<Pod, 'metadata'>>,
  Claim<Equal<IsOptional<NonNullable<Pod['spec']>, 'containers'>, false>>,
  Claim<Equal<Container['name'], string>>,

  // Arrays, maps and primitives are what they were, readonly.
  Claim<Equal<Container['command'], readonly string[] | undefined>>,
  Claim<Equal<Metadata['labels'], { readonly [key: string]: string } | undefined>>,
  Claim<Equal<Container['ports'], ReadonlyArray<NonNullable<Container['ports']>[number]> | undefined>>,
  Claim<Equal<NonNullable<Pod['spec']>['hostNetwork'], boolean | undefined>>,

  // IntOrString is a number or a string.
  Claim<Equal<Wire<V1ServicePort>['targetPort'], string | number | undefined>>,

  // Fields have the names of the API.
  Claim<'from' extends keyof Wire<V1NetworkPolicyIngressRule> ? true : false>,
  Claim<Equal<Extract<keyof Wire<V1NetworkPolicyIngressRule>, '_from'>, never>>,
  Claim<Equal<Wire<V1ListMeta>['continue'], string | undefined>>,
  Claim<Equal<Wire<V1JSONSchemaProps>['$ref'], string | undefined>>,
  Claim<Equal<Wire<V1JSONSchemaProps>['x-kubernetes-int-or-string'], boolean | undefined>>,
  Claim<'schema' extends keyof Wire<V1CustomResourceDefinitionVersion> ? true : false>,

  // What a model leaves open has to be looked at before it is used.
  Claim<Equal<Wire<V1JSONSchemaProps>['example'], unknown>>,
]

// An object of a cache is frozen, and the compiler says so first.
declare const pod: Pod
// @ts-expect-error -- readonly
pod.kind = 'Node'
// @ts-expect-error -- a Date never comes out of JSON
export type WrongClaim = Claim<Equal<Metadata['creationTimestamp'], Date | undefined>>

// Index functions and what an index gives back are typed by the object.
const pods = createIndexer<Pod>({
  indexers: { namespace: namespaceIndex, byNode: (object) => [object.spec?.nodeName ?? ''] },
})
export type Found = Claim<Equal<ReturnType<typeof pods.byIndex>, Pod[]>>
