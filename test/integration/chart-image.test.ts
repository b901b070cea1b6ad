// The image: the Dockerfile's steps run as plain commands, and what they make starts by itself.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import manifest from '../../package.json' with { type: 'json' }
import { buildStages, type Stage } from '../support/dockerfile.ts'
import { temporaryFolder } from '../support/leftovers.ts'

const folder = temporaryFolder('image')
let image: Stage

before(async () => {
  image = await buildStages({ context: resolve(import.meta.dirname, '../..'), folder: folder.path })
})

after(() => folder[Symbol.dispose]())

test('the entry point is kubedelta', async () => {
  const { code, stdout, stderr } = await start(['--version'])
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `${manifest.version}\n`, stderr: '' })
})

test('without arguments it says how it is used', async () => {
  const { code, stdout } = await start(image.command)
  assert.equal(code, 0)
  assert.match(stdout, /kubedelta run/)
})

test('the bridge finds all its packages', async () => {
  // It loads everything, then asks an apiserver that is not there.
  const where = ['--to', 'file:log', '--server', 'https://127.0.0.1:1', '--metrics-listen', '127.0.0.1:0']
  const { code, stderr } = await start(['run', ...where, '-r', 'pods', '--startup-timeout', '1s'])
  assert.match(stderr, /^kubedelta: .*https:\/\/127\.0\.0\.1:1: connection refused/m)
  assert.equal(code, 1)
})

test('it holds no sources and none of the packages for development', () => {
  const app = join(image.root, image.workdir)
  assert.deepEqual(
    readdirSync(app).toSorted(),
    ['LICENSE', 'bin', 'dist', 'node_modules', 'package.json', 'schemas'].toSorted(),
  )
  for (const name of Object.keys(manifest.devDependencies)) {
    if (name !== '@types/node') assert.ok(!existsSync(join(app, 'node_modules', name)), name)
  }
  for (const name of Object.keys(manifest.dependencies)) assert.ok(existsSync(join(app, 'node_modules', name)), name)
})

test('it runs on the Node that the tests run on, as a user that Kubernetes knows not to be root', () => {
  const [major] = manifest.devDependencies.node.split('.')
  assert.equal(image.base, `node:${major}-slim`)
  assert.match(image.user, /^[1-9][0-9]*:[1-9][0-9]*$/)
})

/** Starts the image's command, its root moved to the stage's folder. */
function start(args: readonly string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const [command = '', ...fixed] = image.entrypoint
  const paths = fixed.map((word) => (word.startsWith('/') ? join(image.root, word) : word))
  const env = { PATH: process.env['PATH'], HOME: folder.path, ...image.environment }
  return new Promise((resolve) => {
    execFile(command, [...paths, ...args], { cwd: folder.path, env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr })
    })
  })
}
