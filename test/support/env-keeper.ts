// Holds a Kafka and a control plane until it is told to end: the background process of `npm run env:up`.

import { copyFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, relative } from 'node:path'
import { text } from 'node:stream/consumers'
import { startControlPlane } from './control-plane.ts'
import { ENV_FOLDER, keeperSocket } from './env-state.ts'
import type { EnvState } from './env-state.ts'
import { startKafka } from './kafka.ts'

const ended = Promise.withResolvers<void>()
const goodbyes: Array<() => void> = []
const server = createServer({ allowHalfOpen: true }, (socket) => {
  // A client that went away before its answer needs none.
  socket.on('error', () => socket.destroy())
  text(socket).then(
    (word) => {
      if (word !== 'end') {
        socket.end()
        return
      }
      goodbyes.push(() => socket.end())
      ended.resolve()
    },
    () => socket.destroy(),
  )
})
server.listen(keeperSocket())

{
  await using stack = new AsyncDisposableStack()
  const [kafka, cluster] = await Promise.all([
    startKafka().then((started) => stack.use(started)),
    startControlPlane({ controllerManager: true }).then((started) => stack.use(started)),
  ])
  const kubeconfig = join(ENV_FOLDER, 'kubeconfig')
  copyFileSync(cluster.kubeconfig, kubeconfig)
  const { brokers, pids } = kafka
  const state: EnvState = { brokers, kubeconfig, server: cluster.server, pids: [process.pid, ...pids, ...cluster.pids] }
  writeFileSync(join(ENV_FOLDER, 'state.json'), `${JSON.stringify(state, undefined, 2)}\n`)
  process.send?.(describe(state))
  process.disconnect()
  await ended.promise
}
for (const goodbye of goodbyes) goodbye()
server.close()

function describe({ brokers, kubeconfig, server }: EnvState): string {
  const config = relative(process.cwd(), kubeconfig)
  return `Kafka       ${brokers}
apiserver   ${server}
kubeconfig  ${config}

Try:
  kubectl --kubeconfig ${config} create deployment cart --image=cart:1 --replicas=3
  npm run -s kubedelta -- run --to kafka://${brokers} --cluster dev -r pods,deployments.apps --kubeconfig ${config}
  npm run -s kubedelta -- tail --from kafka://${brokers} --cluster dev pods --from-beginning
  npm run env:down
`
}
