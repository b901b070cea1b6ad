// Holds the import table: which folder may import which, which package has one door, and that no imports form a cycle.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'

const src = resolve(import.meta.dirname, '../../src')

/** Folder -> folders it may import, besides base and itself. */
const table: Readonly<Record<string, readonly string[] | 'all'>> = {
  base: [],
  object: [],
  kube: ['object'],
  watch: ['kube', 'cache', 'object'],
  policy: ['object'],
  record: ['object'],
  codec: ['record', 'object'],
  registry: ['codec'],
  topic: [],
  kafka: ['topic'],
  embedded: ['topic'],
  connect: ['topic', 'kafka', 'embedded'],
  bridge: ['kube', 'watch', 'policy', 'record', 'codec', 'registry', 'topic', 'connect', 'cache', 'object'],
  cache: ['object'],
  snapshot: [],
  replica: ['record', 'codec', 'topic', 'cache', 'snapshot', 'object'],
  consumer: ['record', 'codec', 'registry', 'topic', 'connect', 'cache', 'replica', 'object'],
  health: [],
  print: [],
  cli: 'all',
  // The cache itself: a test fills the one that its service reads, rather than a fake of it.
  testing: ['object', 'record', 'watch', 'topic', 'cache'],
}

/** Of a folder that may be imported only in part: the files that may. */
const ports: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  testing: { watch: ['source.ts', 'delta.ts'], topic: ['port.ts'] },
}

/** Package -> where it may be imported. */
const doors: Readonly<Record<string, RegExp>> = {
  '@kubernetes/client-node': /^kube\/|^object\/wire\.ts$/,
  kafkajs: /^kafka\//,
  '@node-rs/crc32': /^kafka\/crc32c\.ts$/,
  avsc: /^codec\/avro\.ts$/,
  yargs: /^cli\//,
  pino: /^base\/log\.ts$/,
  'pino-pretty': /^base\/log\.ts$/,
  'prom-client': /^base\/metrics\.ts$/,
  fastify: /^health\//,
  undici: /^kube\/|^registry\//,
  yaml: /^cli\/|^kube\//,
  'jsonpath-plus': /^print\//,
  'cli-progress': /^cli\//,
  zod: /^cli\/|^kube\//,
}

// `import ... from '...'` and `export ... from '...'` over one or more lines, `import '...'`, `import('...')`, `require('...')`.
const IMPORT = /^(?:import|export)\b[^;'"]*?\bfrom '([^']+)'|^import '([^']+)'|\b(?:import|require)\('([^']+)'\)/gm

interface Import {
  readonly from: string
  readonly to: string
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const imports: readonly Import[] = files.flatMap((from) =>
  [...readFileSync(join(src, from), 'utf8').matchAll(IMPORT)].map((match) => ({
    from,
    to: match[1] ?? match[2] ?? match[3] ?? '',
  })),
)
const inner = imports.flatMap(({ from, to }) =>
  to.startsWith('.') ? [{ from, to: relative(src, resolve(src, dirname(from), to)) }] : [],
)

test('every folder of src has its row in the table', () => {
  assert.deepEqual(
    files.map(folderOf).filter((folder) => folder !== '' && !(folder in table)),
    [],
  )
})

test('every folder of src has its line in src/README.md', () => {
  const readme = readFileSync(join(src, 'README.md'), 'utf8')
  const named = [...readme.matchAll(/^\| `([a-z]+)` /gm)].map(([, folder = '']) => folder)
  assert.deepEqual(named.toSorted(), Object.keys(table).toSorted())
})

test('folders import only what the table allows', () => {
  const wrong = inner.filter(({ from, to }) => {
    const allowed = table[folderOf(from)]
    if (allowed === undefined || allowed === 'all') return false
    if (folderOf(to) === folderOf(from) || folderOf(to) === 'base') return false
    if (!allowed.includes(folderOf(to))) return true
    const only = ports[folderOf(from)]?.[folderOf(to)]
    return only !== undefined && !only.includes(to.slice(folderOf(to).length + 1))
  })
  assert.deepEqual(wrong, [])
})

test('of the command line only the demo uses what is made for tests', () => {
  const users = inner.filter(({ from, to }) => folderOf(from) === 'cli' && folderOf(to) === 'testing')
  assert.deepEqual(
    users.map(({ from }) => from).filter((from) => !/^cli\/demo(?:\.ts$|\/)/.test(from)),
    [],
  )
})

test('no file imports itself over others, type imports included', () => {
  const targets = new Map<string, string[]>()
  for (const { from, to } of inner) targets.set(from, [...(targets.get(from) ?? []), to])
  const done = new Set<string>()
  const path: string[] = []
  function visit(file: string): void {
    if (path.includes(file)) assert.fail(`cycle: ${[...path.slice(path.indexOf(file)), file].join(' -> ')}`)
    if (done.has(file)) return
    path.push(file)
    for (const target of targets.get(file) ?? []) visit(target)
    path.pop()
    done.add(file)
  }
  for (const file of files) visit(file)
})

test('each outside package is imported through its one door', () => {
  const wrong = imports.filter(({ from, to }) => {
    if (to.startsWith('.') || to.startsWith('node:')) return false
    const packageName = to.split('/', to.startsWith('@') ? 2 : 1).join('/')
    const door = doors[packageName]
    return door === undefined || !door.test(from)
  })
  assert.deepEqual(wrong, [])
})

function folderOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : ''
}
