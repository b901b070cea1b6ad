// Holds the documentation to the source: its code compiles and runs, what it names is there, and its links lead somewhere.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { atProcessEnd } from '../support/leftovers.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const GUIDE = 'docs/consumer-guide.md'
const WITH_CODE = ['README.md', GUIDE]
const execute = promisify(execFile)

// Within the package, so that its own name leads to its source.
const folder = mkdtempSync(join(ROOT, '.docs-'))
const remove = (): void => rmSync(folder, { recursive: true, force: true })
const forget = atProcessEnd(remove)
after(() => {
  forget()
  remove()
})

const guide = readFileSync(join(ROOT, GUIDE), 'utf8')
const source = textOf('src') + textOf('examples')

test('TypeScript in the documentation compiles', async () => {
  const files = WITH_CODE.flatMap((file) => programsOf(file))
  assert.ok(files.length >= 3)
  // What a page shows need not be used on it.
  const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false }
  const include = files.map((file) => relative(folder, file))
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../tsconfig.json', compilerOptions, include }),
  )
  const { stdout } = await execute(process.execPath, [tsc(), '-p', folder], { cwd: ROOT }).catch(
    (error: { readonly stdout: string }) => error,
  )
  assert.equal(stdout, '')
})

for (const file of WITH_CODE) {
  test(`TypeScript in ${file} runs and leaves nothing open`, async () => {
    for (const program of programsOf(file)) {
      await execute(process.execPath, ['--conditions=kubedelta-source', program], { cwd: ROOT, timeout: 60_000 })
    }
  })
}

test('metrics that the guide names exist', () => {
  const names = [...guide.matchAll(/kubedelta_[a-z_]+/g)].map(([name]) => name)
  assert.ok(names.length > 10)
  assert.deepEqual(
    names.filter((name) => !source.includes(`'${name}'`)),
    [],
  )
})

test('log lines that the guide shows are written somewhere', () => {
  const rows = guide.split('\n').filter((line) => line.startsWith('| '))
  const cells = rows.map((row) => /\| `([a-z][^`|]* [^`|]*)` *\|$/.exec(row)?.[1]).filter((cell) => cell !== undefined)
  assert.ok(cells.length > 10)
  assert.deepEqual(
    cells.filter((cell) => !source.includes(`'${cell}'`)),
    [],
  )
})

test('options, fields and reasons that the guide names exist', () => {
  const prose = guide.replaceAll(/```[^`]*```/g, '')
  const spans = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)
  const words = spans.flatMap((span) => span.match(/[A-Za-z_$][A-Za-z0-9_-]{3,}/g) ?? [])
  const unknown = words.filter((word) => !source.includes(word) && !FOREIGN.has(word))
  assert.deepEqual([...new Set(unknown)], [])
})

/** Words of others: Kafka clients, Prometheus, Node. */
const FOREIGN = new Set(['read_committed', 'auto', 'time', 'increase', 'max-old-space-size', 'bench', 'rebuild'])

for (const file of [...WITH_CODE, 'docs/wire-format.md', ...exampleReadmes()]) {
  test(`links of ${file} lead to files that are there`, () => {
    const text = readFileSync(join(ROOT, file), 'utf8')
    const targets = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target)
    const missing = targets.filter((target) => !existsSync(join(ROOT, dirname(file), target)))
    assert.deepEqual(missing, [])
  })
}

test('every example has a row in README.md', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const missing = readdirSync(join(ROOT, 'examples')).filter((name) => !readme.includes(`examples/${name}/`))
  assert.deepEqual(missing, [])
})

/** The code of a page, each block a program that reads the topic of docs-topic.ts until a moment after its end. */
function programsOf(file: string): readonly string[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  return [...text.matchAll(/```ts\n([^`]*(?:`[^`]+`[^`]*)*?)```/g)].map(([, block = ''], index) => {
    const path = join(folder, `${file.replaceAll('/', '-')}-${index}.ts`)
    const readable = block.replaceAll("from: 'kafka://kafka:9092'", 'from: log')
    writeFileSync(path, `${PREAMBLE}${readable}${EPILOGUE}`)
    return path
  })
}

const PREAMBLE = `import { log } from '../test/support/docs-topic.ts'
const stop = new AbortController()
const { signal } = stop
setTimeout(() => stop.abort(), 2_000)
`

const EPILOGUE = `
export {}
`

function exampleReadmes(): readonly string[] {
  return readdirSync(join(ROOT, 'examples'))
    .map((name) => `examples/${name}/README.md`)
    .filter((file) => existsSync(join(ROOT, file)))
}

function textOf(name: string): string {
  return readdirSync(join(ROOT, name), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.[jt]s$/.test(file))
    .map((file) => readFileSync(join(ROOT, name, file), 'utf8'))
    .join('\n')
}

function tsc(): string {
  return join(ROOT, 'node_modules/typescript/bin/tsc')
}
