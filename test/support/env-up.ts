// Starts a Kafka and a control plane for trying by hand: `npm run env:up`. `npm run env:down` ends them.

import { spawn } from 'node:child_process'
import { mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { progress } from './cache.ts'
import { tail } from './child.ts'
import { controlPlaneBinary } from './control-plane-binaries.ts'
import { ENV_FOLDER, isUp } from './env-state.ts'
import { kafkaJars } from './kafka-jars.ts'

if (await isUp()) {
  process.stderr.write(
    `Cannot start the environment: it is up already: see .env-up/state.json, or end it with: npm run env:down\n`,
  )
  process.exitCode = 1
} else {
  await up()
}

async function up(): Promise<void> {
  // Here rather than in the background, so that whoever waits sees what takes long.
  await kafkaJars()
  for (const binary of ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'] as const) {
    await controlPlaneBinary(binary)
  }
  progress('starting Kafka, etcd, kube-apiserver and kube-controller-manager (about 10 seconds)...')
  mkdirSync(ENV_FOLDER, { recursive: true })
  const logFile = join(ENV_FOLDER, 'keeper.out')
  const out = openSync(logFile, 'w')
  const keeper = spawn(process.execPath, [fileURLToPath(new URL('env-keeper.ts', import.meta.url))], {
    detached: true,
    stdio: ['ignore', out, out, 'ipc'],
  })
  const welcome = await new Promise<string | undefined>((resolve, reject) => {
    keeper.once('error', reject)
    keeper.once('exit', () => resolve(undefined))
    keeper.once('message', (message) => resolve(typeof message === 'string' ? message : ''))
  })
  if (welcome === undefined) {
    process.stderr.write(`Cannot start the environment:\n${tail(logFile)}\n`)
    process.exitCode = 1
    return
  }
  keeper.unref()
  process.stdout.write(welcome)
}
