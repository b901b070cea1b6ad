import assert from 'node:assert/strict'
import { test } from 'node:test'
import { additionalColumns } from '../../../src/print/custom-columns.ts'
import { columnsOf } from '../../../src/print/kind-columns.ts'
import { layOut, printTable } from '../../../src/print/table.ts'

test('a column is six characters wide at least, as in the tables of kubectl', () => {
  const rows = [
    ['A', 'NAME', 'Z'],
    ['1', 'cart', 'z'],
  ]
  assert.equal(layOut(rows), 'A     NAME   Z\n1     cart   z\n')
})

test('the addresses of a load balancer are cut to sixteen characters, not with -o wide', () => {
  const hostname = 'a1b2c3.eu-central-1.elb.example.com'
  const spec = { type: 'LoadBalancer', externalIPs: ['192.0.2.1'] }
  const service = { metadata: { name: 'web' }, spec, status: { loadBalancer: { ingress: [{ hostname }] } } }
  const [short, wide] = [false, true].map((isWide) => {
    const column = columnsOf('services', { wide: isWide, namespace: false }).find(({ name }) => name === 'EXTERNAL-IP')
    return column?.cell(service, 0)
  })
  assert.equal(short, 'a1b2c3.eu-cen...,192.0.2.1')
  assert.equal(wide, `${hostname},192.0.2.1`)
})

test('a column of a custom resource shows its first match, and nothing where there is none', () => {
  const additionalPrinterColumns = [
    { name: 'Hosts', type: 'string', jsonPath: '.spec.hosts[*]' },
    { name: 'Since', type: 'date', jsonPath: '.status.since' },
  ]
  const columns = additionalColumns({ spec: { versions: [{ name: 'v1', additionalPrinterColumns }] } }, 'v1')
  const object = { spec: { hosts: ['a', 'b'] } }
  assert.deepEqual(
    columns.map(({ cell }) => cell(object, 0)),
    ['a', ''],
  )
  assert.equal(printTable(columns, [object], 0).split('\n')[0], 'HOSTS   SINCE')
})
