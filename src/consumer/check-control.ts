// Checks that a topic is one that this replica can keep a cache of.

import { KubedeltaError } from '../base/errors.ts'
import type { Control } from '../record/control.ts'

export interface WantedTopic {
  readonly topic: string
  /** `deployments.apps` */
  readonly resource: string
  /** How many partitions the topic has now. */
  readonly partitions: number
}

/**
 * Checks what a control record says of its topic.
 * @throws KubedeltaError `topic-foreign` when it holds another collection; `partitions-changed` when keys may stand in two partitions
 */
export function checkControl({ scope, partitions }: Control, wanted: WantedTopic): void {
  const { topic, resource } = wanted
  // The scope's text begins with the collection, see scopeText.
  const [held] = scope.split(';', 1)
  if (held !== resource) {
    throw new KubedeltaError(
      'topic-foreign',
      `Cannot read topic ${topic}: it must hold ${resource}: current value is ${held}`,
      { fields: { topic, resource } },
    )
  }
  if (partitions !== wanted.partitions) {
    throw new KubedeltaError(
      'partitions-changed',
      `Cannot read topic ${topic}: it was written with ${partitions} partitions: current value is ${wanted.partitions}; delete the topic and let it be written anew`,
      { fields: { topic } },
    )
  }
}
