// Each mistake that needs no server to show ends the installed command with one clear line and its exit code.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, describe, test } from 'node:test'

const bin = resolve(import.meta.dirname, '../../bin/kubedelta.js')
const folder = mkdtempSync(join(tmpdir(), 'kubedelta-cli-'))
after(() => rmSync(folder, { recursive: true }))

const broken = file('broken.yaml', 'to: kafka://127.0.0.1:1\nqps: [1\n')
const unknownKey = file('unknown-key.yaml', 'to: kafka://127.0.0.1:1\nclutser: prod\n')
const good = file('good.yaml', 'to: kafka://127.0.0.1:1\ncluster: prod\nresources: [pods]\nqps: many\n')
const start = ['run', '--to', 'kafka://127.0.0.1:1', '--cluster', 'prod', '-r', 'pods']

interface Case {
  readonly name: string
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** The whole line, `kubedelta: ` left out. */
  readonly line: string | RegExp
}

const cases: readonly Case[] = [
  {
    name: 'no command',
    args: [],
    line: 'Cannot read command line: wanted a command: run, tail, get, verify, topics, demo: see kubedelta --help',
  },
  {
    name: 'an unknown command',
    args: ['tial'],
    line: 'Cannot read command line: unknown command "tial": did you mean tail',
  },
  {
    name: 'an unknown flag',
    args: ['run', '--resorces', 'pods'],
    line: 'Cannot read command line: unknown flag --resorces: did you mean --resources',
  },
  {
    name: 'times of an election that would let two bridges lead',
    args: [...start, '--leader-elect-renew-deadline', '20s'],
    line: 'Cannot elect a leader: wanted --leader-elect-renew-deadline less than --leader-elect-lease-duration 15000ms: current value is 20000ms',
  },
  {
    name: 'a configuration file that is not there',
    args: ['run', '--config', '/does/not/exist.yaml'],
    line: 'Cannot read configuration file: wanted a readable file: current value of --config is "/does/not/exist.yaml": ENOENT',
  },
  {
    name: 'a broken configuration file',
    args: ['run', '--config', broken],
    line: /^Cannot read configuration file: .*broken\.yaml:[23]:[0-9]+: .+$/,
  },
  {
    name: 'an unknown configuration key',
    args: ['run', '--config', unknownKey],
    line: `Cannot read configuration file: ${unknownKey}:2:1: unknown key "clutser": did you mean cluster`,
  },
  {
    name: 'a bad value in the configuration file',
    args: ['run'],
    environment: { KUBEDELTA_CONFIG: good },
    line: `Cannot read ${good}:4:1 (qps): wanted a whole number >= 1: current value is "many"`,
  },
  {
    name: 'a bad value in the environment',
    args: start,
    environment: { KUBEDELTA_STARTUP_TIMEOUT: '30' },
    line: 'Cannot read KUBEDELTA_STARTUP_TIMEOUT: wanted a duration like 500ms, 30s, 5m or 1h30m: current value is "30"',
  },
  {
    name: 'a bad duration',
    args: [...start, '--resync', '5x'],
    line: 'Cannot read --resync: wanted a duration like 500ms, 30s, 5m or 1h30m: current value is "5x"',
  },
  {
    name: 'a bad label selector',
    args: [...start, '-l', 'app=cart=x'],
    line: /^Cannot parse label selector "app=cart=x": wanted /,
  },
  {
    name: 'a bad field selector',
    args: [...start, '--field-selector', 'metadata.name'],
    line: /^Cannot parse field selector "metadata\.name": wanted /,
  },
  {
    name: 'a topic in a directory that is not there',
    args: ['tail', 'pods', '--from', 'file:/does/not/exist'],
    line: 'Cannot tail kubedelta.kubernetes.pods: wanted a topic that exists: no topic begins with kubedelta.',
  },
  {
    name: 'a demo that is too short',
    args: ['demo', '--for', '4s'],
    line: 'Cannot run the demo: wanted --for >= 5s: current value is 4000ms',
  },
  {
    name: 'a demo in a directory that is in use',
    args: ['demo', '--keep', folder],
    line: new RegExp(`^Cannot keep the log in ${folder}: wanted a new or empty directory: it holds ".+"$`),
  },
  {
    name: 'a missing cluster',
    args: ['tail', 'pods', '--from', 'kafka://127.0.0.1:1'],
    line: 'Cannot start: wanted --cluster NAME, or --topic NAME: it is absent',
  },
]

describe('kubedelta', () => {
  for (const { name, args, environment = {}, line } of cases) {
    test(`says in one line what is wrong: ${name}`, () => {
      const { status, stdout, text } = kubedelta(args, environment)
      if (typeof line === 'string') assert.equal(text, line)
      else assert.match(text, line)
      assert.deepEqual({ status, stdout }, { status: 2, stdout: '' })
    })
  }

  test('prints its version and its help to stdout and ends with 0', () => {
    const version = kubedelta(['--version'])
    assert.deepEqual(
      { ...version, stdout: /^[0-9]+\.[0-9]+\.[0-9]+/.test(version.stdout) },
      { status: 0, stdout: true, text: '' },
    )
    const help = kubedelta(['run', '--help'])
    assert.equal(help.status, 0)
    assert.match(help.stdout, /--resources/)
  })
})

describe('the installed command on an older Node', () => {
  for (const version of ['12.22.12', '20.20.2', '22.18.0']) {
    test(`says on ${version} what it needs`, () => {
      // `process.versions` itself cannot be written; what the command reads can be put in its place.
      const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`
      const { status, stdout, text } = kubedelta(['--version'], {}, ['--import', `data:text/javascript,${pretend}`])
      assert.match(
        text,
        new RegExp(`^Cannot start: wanted Node\\.js >= 22\\.19: current value is ${version}: install a newer one`),
      )
      assert.deepEqual({ status, stdout }, { status: 2, stdout: '' })
    })
  }
})

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** Runs the command; `text` is its one line on stderr, which is checked to be one and no stack. */
function kubedelta(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  node: readonly string[] = [],
): { readonly status: number | null; readonly stdout: string; readonly text: string } {
  const env = { PATH: process.env.PATH, HOME: folder, ...environment }
  const { status, stdout, stderr } = spawnSync(process.execPath, [...node, bin, ...args], { encoding: 'utf8', env })
  if (stderr === '') return { status, stdout, text: '' }
  assert.match(stderr, /^kubedelta: [^\n]+\n$/)
  return { status, stdout, text: stderr.slice('kubedelta: '.length, -1) }
}
