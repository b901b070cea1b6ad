// Checks that a topic is one that this replica can keep a cache of.

import { KubedeltaError } from '../base/errors.ts'
import type { Control } from '../record/control.ts'

export interface WantedTopic {
  readonly topic: string
  /** `deployments.apps` */
  readonly resource: string
  /** How many partitions the topic has now. @default not compared */
  readonly partitions?: number
}

/**
 * Checks what a control record says of its topic.
 * @throws KubedeltaError `topic-foreign` when it holds another collection; `partitions-changed` when keys may stand in two partitions
 */
export function checkControl(control: Control, { topic, resource, partitions }: WantedTopic): void {
  // The scope's text begins with the collection, see scopeText.
  const [held] = control.scope.split(';', 1)
  if (held !== resource) {
    throw new KubedeltaError(
      'topic-foreign',
      `Cannot read topic ${topic}: it must hold ${resource}: current value is ${held}`,
      { fields: { topic, resource } },
    )
  }
  if (partitions !== undefined && control.partitions !== partitions) {
    throw partitionsChanged(control.partitions, { topic, partitions })
  }
}

/** The error of a topic whose keys were spread over a number of partitions that it does not have. */
export function partitionsChanged(
  written: number,
  { topic, partitions }: { readonly topic: string; readonly partitions: number },
): KubedeltaError {
  return new KubedeltaError(
    'partitions-changed',
    `Cannot read topic ${topic}: it was written with ${written} partitions: current value is ${partitions}; delete the topic and let it be written anew`,
    { fields: { topic } },
  )
}
