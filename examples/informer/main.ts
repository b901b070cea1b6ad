// Prints the names of pods as they come and go: scale a Deployment up and down and watch.

import type { V1Pod } from '@kubernetes/client-node'
import { informerFactory, type Wire } from 'kubedelta'

const [namespace] = process.argv.slice(2)
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())

await using factory = informerFactory()
const pods = factory.informer<Wire<V1Pod>>('pods', { namespace })

pods.addHandler({
  onAdd: (pod, { initial }) => print(initial ? 'there' : 'added', pod),
  onDelete: (pod) => print('deleted', pod),
})

const running = factory.run(stopping.signal)
await pods.whenLive(stopping.signal)
process.stdout.write(`watching ${pods.size()} pods\n`)
await running

function print(what: string, { metadata }: Wire<V1Pod>): void {
  process.stdout.write(`${what} ${metadata?.namespace}/${metadata?.name}\n`)
}
