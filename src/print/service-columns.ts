// The columns of services, as kubectl has them.

import { AGE, column, NAME, wideColumn, type Column } from './columns.ts'
import { entriesAt, listAt, numberAt, textAt, textsAt } from './fields.ts'

export const SERVICE_COLUMNS: readonly Column[] = [
  NAME,
  column('TYPE', (service) => textAt(service, 'spec', 'type')),
  column('CLUSTER-IP', (service) => textsAt(service, 'spec', 'clusterIPs')[0] ?? '<none>'),
  column('EXTERNAL-IP', externalAddress),
  column('PORT(S)', (service) => listAt(service, 'spec', 'ports').map(portText).join(',') || '<none>'),
  AGE,
  wideColumn('SELECTOR', selectorText),
]

function externalAddress(service: unknown): string {
  const own = textsAt(service, 'spec', 'externalIPs')
  switch (textAt(service, 'spec', 'type')) {
    case 'ClusterIP':
    case 'NodePort':
      return own.join(',') || '<none>'
    case 'LoadBalancer': {
      const given = listAt(service, 'status', 'loadBalancer', 'ingress').map(
        (ingress) => textAt(ingress, 'ip') || textAt(ingress, 'hostname'),
      )
      return [...new Set(given.filter((address) => address !== '').toSorted()), ...own].join(',') || '<pending>'
    }
    case 'ExternalName':
      return textAt(service, 'spec', 'externalName')
    default:
      return '<unknown>'
  }
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
