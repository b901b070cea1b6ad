// needs: kafka, control-plane
// Every command that the README shows is run here, or stands in a list with the reason.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** Commands that are not run here -> why that leaves nothing untried. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'npm ci': 'it runs before any test can',
  'npm test': 'this is run by it',
  'npm run check': 'its classes are run by npm test',
  'npm run test:integration': 'this is run by it',
  'npm run test:chaos': 'it is one of the test classes that run this',
  'npm run test:fuzz': 'it is one of the test classes that run this',
  'npm run bench:bridge': 'bench-bridge.test.ts runs a small size of it',
  'npm run bench:rebuild': 'bench-rebuild.test.ts runs a small size of it',
  'npm run -s example -- examples/cache-sidecar/main.ts': 'examples-cache-sidecar.test.ts runs it',
  'npm run -s example -- examples/audit/main.ts pods': 'examples-audit.test.ts runs it',
  'npm run -s example -- examples/analytics/main.ts pods': 'examples-analytics.test.ts runs it',
  'npm run bench:failover': 'bench-failover.test.ts runs its quick half',
  'npm run demo': 'demo.test.ts runs it',
  'docker build -t registry.example.com/kubedelta:0.1.0 . && docker push registry.example.com/kubedelta:0.1.0':
    'chart-image.test.ts runs the steps of the Dockerfile; a registry is nobody here',
  'helm install kubedelta helm -n kubedelta --create-namespace --set to=kafka://kafka.kafka:9092,cluster=prod --set image.registry=registry.example.com':
    'chart-rights.test.ts installs the chart, chart-render.test.ts has the server check it',
  'kubectl -n kubedelta logs deployment/kubedelta': 'no kubelet runs pods here',
  'npm run env:up': 'support-kafka and support-control-plane start the same parts',
  'npm run env:down': 'it ends what env:up starts',
  'npm run -s example -- examples/informer/main.ts': 'examples-informer.test.ts runs it',
  'npm run -s example -- examples/pods-service/main.ts': 'examples-pods-service.test.ts runs it',
  'node examples/plain-consumer/index.js BROKERS TOPIC': 'examples-plain-consumer.test.ts runs it',
}

/** What a command that goes on has shown when it has done its work. */
const GOES_ON: Readonly<Record<string, RegExp>> = {
  run: /"msg":"synced".*|synced/,
  tail: /ADDED .*shop\/cart/,
}

const README = readFileSync(resolve(ROOT, 'README.md'), 'utf8')
const commands = [...README.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block = '']) =>
  block
    .replaceAll(/ \\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line !== ''),
)
const own = commands.filter((command) => command.startsWith('npm run -s kubedelta -- '))

let story: BridgeStory
const life = new AsyncDisposableStack()

before(async () => {
  story = life.use(await startStory())
  const { plane } = story
  await plane.kubectl(['create', 'namespace', 'shop'])
  await plane.kubectl(['create', '-f', '-'], {
    stdin: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'cart', namespace: 'shop' },
      spec: { containers: [{ name: 'main', image: 'main:1' }] },
    }),
  })
})

after(() => life.disposeAsync())

test('the README shows commands of kubedelta', () => assert.ok(own.length >= 4))

test('every other command of the README is run elsewhere, and every one that is listed stands in the README', () => {
  const others = commands.filter((command) => !own.includes(command))
  const inText = (command: string): boolean => commands.includes(command) || README.includes(`\`${command}\``)
  assert.deepEqual(
    others.filter((command) => !(command in ELSEWHERE)),
    [],
  )
  assert.deepEqual(
    Object.keys(ELSEWHERE).filter((command) => !inText(command)),
    [],
  )
})

test('the commands of kubedelta that the README shows work one after the other', { timeout: 240_000 }, async () => {
  for (const command of own) {
    const words = command.replaceAll('localhost:9092', story.kafka.brokers).split(' ')
    const goesOn = GOES_ON[words[5] ?? '']
    const { code, output } = await runCommand(words, goesOn)
    if (goesOn === undefined) assert.equal(code, 0, `${command}\n${output}`)
    else assert.match(output, goesOn, command)
  }
})

/** Runs a command to its end, or until its output shows this; what goes on then is ended after the tests. */
async function runCommand([program = '', ...args]: readonly string[], until: RegExp | undefined) {
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...process.env, KUBECONFIG: story.plane.kubeconfig, KUBEDELTA_METRICS_LISTEN: '127.0.0.1:0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const { pid } = child
  if (pid !== undefined) {
    life.defer(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      // The whole group: npm, its shell and the command.
      process.kill(-pid, 'SIGTERM')
      await once(child, 'close')
    })
  }
  let output = ''
  const shown = Promise.withResolvers<void>()
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (line) => {
      output += `${line}\n`
      if (until?.test(line) === true) shown.resolve()
    })
  }
  const closed = once(child, 'close')
  await Promise.race([shown.promise, closed])
  return { code: child.exitCode, output }
}
