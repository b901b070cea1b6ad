// The columns of services, as kubectl has them.

import { entriesAt, listAt, numberAt, textAt, textsAt } from '../base/fields.ts'
import { AGE, column, NAME, wideColumn, type Column } from './columns.ts'

export const SERVICE_COLUMNS: readonly Column[] = [
  NAME,
  column('TYPE', (service) => textAt(service, 'spec', 'type')),
  column('CLUSTER-IP', (service) => textsAt(service, 'spec', 'clusterIPs')[0] ?? '<none>'),
  {
    name: 'EXTERNAL-IP',
    cell: (service) => externalAddress(service, shortened),
    wideCell: (service) => externalAddress(service, (text) => text),
  },
  column('PORT(S)', (service) => listAt(service, 'spec', 'ports').map(portText).join(',') || '<none>'),
  AGE,
  wideColumn('SELECTOR', selectorText),
]

/** @param fitting makes the load balancer's addresses as long as may be shown */
function externalAddress(service: unknown, fitting: (addresses: string) => string): string {
  const own = textsAt(service, 'spec', 'externalIPs')
  switch (textAt(service, 'spec', 'type')) {
    case 'ClusterIP':
    case 'NodePort':
      return own.join(',') || '<none>'
    case 'LoadBalancer': {
      const given = listAt(service, 'status', 'loadBalancer', 'ingress').map(
        (ingress) => textAt(ingress, 'ip') || textAt(ingress, 'hostname'),
      )
      const addresses = [...new Set(given.filter((address) => address !== '').toSorted())].join(',')
      return [...(addresses === '' ? [] : [fitting(addresses)]), ...own].join(',') || '<pending>'
    }
    case 'ExternalName':
      return textAt(service, 'spec', 'externalName')
    default:
      return '<unknown>'
  }
}

// kubernetes pkg/printers/internalversion, loadBalancerStatusStringer: loadBalancerWidth.
const MAX_ADDRESSES = 16

function shortened(addresses: string): string {
  return addresses.length > MAX_ADDRESSES ? `${addresses.slice(0, MAX_ADDRESSES - 3)}...` : addresses
}

function portText(port: unknown): string {
  const number = numberAt(port, 'port')
  const nodePort = numberAt(port, 'nodePort')
  return `${nodePort > 0 ? `${number}:${nodePort}` : number}/${textAt(port, 'protocol')}`
}

function selectorText(service: unknown): string {
  return (
    entriesAt(service, 'spec', 'selector')
      .map(([key, value]) => `${key}=${String(value)}`)
      .join(',') || '<none>'
  )
}
