// Holds what `kubedelta/consumer` loads: a service that rebuilds caches carries neither an apiserver client nor a command line.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { test } from 'node:test'

const src = resolve(import.meta.dirname, '../../src')

/** Packages that a service which rebuilds caches must not carry. */
const FORBIDDEN_PACKAGES = ['@kubernetes/client-node', 'yargs', 'fastify', 'yaml', 'zod']
const FORBIDDEN_FOLDERS = ['watch', 'kube', 'bridge', 'cli', 'policy', 'health', 'testing']
/** Loaded only when a URL or an option asks for it. */
const LAZY_PACKAGES = ['kafkajs', 'undici']

// `import ... from '...'`, `export ... from '...'` over one or more lines, `import '...'`; what is `import type` loads nothing.
const STATIC = /^(?:import|export)(?! type\b)\b[^;'"]*?\bfrom '([^']+)'|^import '([^']+)'/gm
const LAZY = /\bimport\('([^']+)'\)/g

interface Loaded {
  readonly files: ReadonlySet<string>
  readonly packages: ReadonlySet<string>
}

/** Everything that a file loads, by way of others too. */
function load(entry: string, kinds: readonly RegExp[]): Loaded {
  const files = new Set<string>()
  const packages = new Set<string>()
  const visit = (file: string): void => {
    if (files.has(file)) return
    files.add(file)
    const text = readFileSync(resolve(src, file), 'utf8')
    for (const match of kinds.flatMap((kind) => [...text.matchAll(kind)])) {
      const to = match[1] ?? match[2] ?? ''
      if (to.startsWith('.')) visit(relative(src, resolve(src, dirname(file), to)))
      else if (!to.startsWith('node:')) packages.add(to.split('/', to.startsWith('@') ? 2 : 1).join('/'))
    }
  }
  visit(entry)
  return { files, packages }
}

const ever = load('consumer.ts', [STATIC, LAZY])

test('the walk follows imports', () => {
  assert.ok(ever.files.has('kafka/kafka-log.ts') && ever.files.has('cache/store.ts'))
  assert.ok(ever.packages.has('kafkajs') && ever.packages.has('avsc'))
})

test('kubedelta/consumer never loads an apiserver client or a command line', () => {
  assert.deepEqual(
    FORBIDDEN_PACKAGES.filter((name) => ever.packages.has(name)),
    [],
  )
  const files = [...ever.files].filter((file) => FORBIDDEN_FOLDERS.includes(file.split('/', 1).join()))
  assert.deepEqual(files, [])
})

test('kubedelta/consumer loads adapters and the registry client only when they are asked for', () => {
  const { packages } = load('consumer.ts', [STATIC])
  assert.deepEqual(
    LAZY_PACKAGES.filter((name) => packages.has(name)),
    [],
  )
})

test('kubedelta/consumer offers what rebuilds caches', async () => {
  const offered = Object.keys(await import('../../src/consumer.ts'))
  for (const name of [
    'topicCache',
    'topicCacheFactory',
    'topicRecords',
    'createLister',
    'waitForCacheSync',
    'KubedeltaError',
  ]) {
    assert.ok(offered.includes(name), name)
  }
})
