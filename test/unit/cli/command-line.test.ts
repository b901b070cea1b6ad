import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { parseCommandLine } from '../../../src/cli/command-line.ts'
import type { CommandLine } from '../../../src/cli/command-line.ts'

function parse(...args: readonly string[]): Promise<CommandLine> {
  return parseCommandLine(args, { version: '1.2.3', width: 100 })
}

async function flagsOf(...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const line = await parse(...args)
  assert.notEqual(line.kind, 'print')
  return line.kind === 'print' ? {} : Object.fromEntries([...line.flags].map(([key, { value }]) => [key, value]))
}

describe('parseCommandLine', () => {
  test('finds command, flags and arguments', async () => {
    const line = await parse('tail', 'po', '--from', 'kafka://k:1', '--until-end')
    assert.deepEqual(line, {
      kind: 'tail',
      resource: 'po',
      flags: new Map([
        ['from', { value: 'kafka://k:1', from: 'flag', origin: '--from' }],
        ['untilEnd', { value: true, from: 'flag', origin: '--until-end' }],
      ]),
    })
    const plan = await parse('topics', 'plan')
    assert.deepEqual(plan, { kind: 'topics', action: 'plan', flags: new Map() })
  })

  test('gives values as they were written', async () => {
    const flags = await flagsOf(
      'run',
      '--qps',
      '007',
      '--cluster=1e3',
      '-l',
      'a=b,c!=d',
      '-r',
      '*',
      '--partitions',
      'a.b=6',
    )
    assert.deepEqual(flags, { qps: '007', cluster: '1e3', selector: 'a=b,c!=d', resources: '*', partitions: 'a.b=6' })
  })

  test('gives a repeated flag as a list', async () => {
    assert.deepEqual(await flagsOf('run', '-r', 'pods', '-r', 'nodes'), { resources: ['pods', 'nodes'] })
  })

  test('takes short flags with their value attached, as kubectl does', async () => {
    assert.deepEqual(await flagsOf('tail', 'pods', '-ojson', '-nshop', '-n=web'), {
      output: 'json',
      namespace: ['shop', 'web'],
    })
  })

  test('a flag may be turned off', async () => {
    assert.deepEqual(await flagsOf('run', '--kafka-tls=false'), { kafkaTls: false })
  })

  test('prints help and version instead of running', async () => {
    assert.deepEqual(await parse('--version'), { kind: 'print', text: '1.2.3\n' })
    const help = await parse('run', '--help', '--unknown')
    assert.ok(help.kind === 'print')
    assert.match(help.text, /--startup-timeout .*\[default: 30s\]/s)
  })

  const bad: ReadonlyArray<readonly [args: readonly string[], message: RegExp]> = [
    [[], /: wanted a command: run, tail, get, verify, topics, demo/],
    [['rnu'], /: unknown command "rnu": did you mean run$/],
    [['serve'], /: unknown command "serve": wanted one of run, tail, get, verify, topics, demo$/],
    [['topics'], /: wanted topics plan or topics apply$/],
    [['topics', 'paln'], /: wanted topics plan or topics apply: did you mean plan$/],
    [['run', '--namespce', 'a'], /: unknown flag --namespce: did you mean --namespace$/],
    [['run', '--from', 'kafka://k:1'], /: unknown flag --from: /],
    [['run', '--leaderelect'], /: unknown flag --leaderelect: did you mean --leader-elect$/],
    [['run', '--startupTimeout', '1s'], /: unknown flag --startupTimeout: did you mean --startup-timeout$/],
    [['run', '-x'], /: unknown flag -x: see/],
    [['run', '--to'], /: wanted a value for --to: it is absent$/],
    [['run', '-r'], /: wanted a value for -r: it is absent$/],
    [['run', '-r', 'pods', 'nodes'], /: unknown argument "nodes": see kubedelta run --help$/],
    [['tail', '--unknown', 'pods'], /: unknown flag --unknown: /],
  ]
  for (const [args, message] of bad) {
    test(`refuses: kubedelta ${args.join(' ')}`, async () => {
      await assert.rejects(parse(...args), (error) => {
        assert.ok(hasCode(error, 'usage'), String(error))
        assert.match(error.message, message)
        return true
      })
    })
  }
})
