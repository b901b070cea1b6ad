// Opens the sources of a bridge, which outlast what befalls collections and their history.

import type { Clock } from '../base/clock.ts'
import type { BridgeOptions } from '../bridge/bridge.ts'
import type { CatalogueWatch } from '../kube/catalogue-watch.ts'
import type { KubeClient } from '../kube/client.ts'
import { resourceName } from '../object/resource.ts'
import { createHttpSource } from '../watch/http-source.ts'
import { LastingSource } from '../watch/lasting-source.ts'
import { tapped } from '../watch/tapped-source.ts'

export interface LastingSourcesOptions {
  readonly client: KubeClient
  readonly catalogue: CatalogueWatch
  readonly clock: Clock
}

/** Sources over one cluster. A change of what defines collections lets the catalogue be read again soon. */
export function lastingSources({ client, catalogue, clock }: LastingSourcesOptions): BridgeOptions['createSource'] {
  return (selected, namespace) => {
    const source = createHttpSource({ ...selected, client, namespace, broken: 'show' })
    const lasting = new LastingSource({ source, serving: catalogue, clock })
    return DEFINING.has(resourceName(selected.resource)) ? tapped(lasting, () => catalogue.nudge()) : lasting
  }
}

const DEFINING: ReadonlySet<string> = new Set([
  'customresourcedefinitions.apiextensions.k8s.io',
  'apiservices.apiregistration.k8s.io',
])
