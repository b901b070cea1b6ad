// Reads topics with `kubedelta tail`, and compares them with what kubectl says of the cluster.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { KubeRecord } from '../../src/record/record.ts'
import { CLUSTER, kubedelta, spawnKubedelta } from './bridge-process.ts'
import type { ControlPlane } from './control-plane.ts'
import { atProcessEnd } from './leftovers.ts'

/** Where a line stands. */
interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly key: string
  /** The line as it was printed. */
  readonly text: string
}

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid: string
    readonly resourceVersion: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly [field: string]: unknown
}

export interface RecordLine extends Place, Omit<KubeRecord, 'object'> {
  readonly tombstone: false
  readonly object: KubeObject | null
}

export interface TombstoneLine extends Place {
  readonly tombstone: true
  readonly control?: undefined
  readonly uid: string | null
  readonly resourceVersion: string | null
}

export interface ControlLine extends Place {
  readonly tombstone: true
  readonly control: string
  readonly headers: Readonly<Record<string, string>>
}

/** A line of `tail -o json`; control records come only where they were asked for. */
export type TopicLine = RecordLine | TombstoneLine | ControlLine

export interface TopicToRead {
  readonly brokers: string
  /** As tail takes it: plural[.group]. */
  readonly resource: string
  /** @default 'kubedelta' */
  readonly prefix?: string
  /** Further flags. */
  readonly args?: readonly string[]
}

/** What stands on the topic now. */
export async function readTopic(topic: TopicToRead): Promise<readonly TopicLine[]> {
  const { code, stdout, stderr } = await kubedelta([...tailArgs(topic), '--until-end'])
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  return stdout.split('\n').filter(Boolean).map(parseLine)
}

/** A `tail` that goes on. Disposing ends it with SIGTERM. */
export interface TopicFollower extends AsyncDisposable {
  /** Everything that has come, from the topic's beginning. */
  readonly lines: readonly TopicLine[]
  /** Resolves with all lines once the claim holds. @throws Error with the last lines after `timeoutMs` (default 120 s) */
  until(
    claim: (lines: readonly TopicLine[]) => boolean,
    what: string,
    timeoutMs?: number,
  ): Promise<readonly TopicLine[]>
  /** Resolves once the topic holds exactly what the cluster holds, as it is when this is called; `timeoutMs` as for `until`. */
  untilEqual(state: ReadonlyMap<string, Version>, timeoutMs?: number): Promise<void>
}

/** Follows a topic that exists, from its beginning. */
export function followTopic(topic: TopicToRead): TopicFollower {
  const child = spawnKubedelta(tailArgs(topic))
  const forget = atProcessEnd(() => child.kill('SIGKILL'))
  const exited = once(child, 'close')
  const lines: TopicLine[] = []
  const errors: string[] = []
  // Called when something has come or ended: once for all lines that come together.
  const waiting = new Set<() => void>()
  let turn: NodeJS.Immediate | undefined
  const notify = (): void => {
    turn ??= setImmediate(() => {
      turn = undefined
      for (const look of waiting) look()
    })
  }
  createInterface(child.stdout).on('line', (line) => {
    lines.push(parseLine(line))
    notify()
  })
  child.stderr.on('data', (data: Buffer) => errors.push(data.toString()))
  child.once('close', notify)

  async function until(
    claim: (lines: readonly TopicLine[]) => boolean,
    what: string,
    timeoutMs = 120_000,
  ): Promise<readonly TopicLine[]> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const fail = (why: string): void =>
      reject(
        new Error(`Cannot wait for ${what}: ${why}${errors.join('')}\n${lines.slice(-20).map(shortOf).join('\n')}`),
      )
    const look = (): void => {
      if (claim(lines)) resolve()
      else if (child.exitCode !== null) fail(`tail has ended with ${child.exitCode}: `)
    }
    const timer = setTimeout(
      () => fail(`not so after ${timeoutMs} ms, of ${lines.length} lines the last are`),
      timeoutMs,
    )
    waiting.add(look)
    try {
      look()
      await promise
      return lines
    } finally {
      clearTimeout(timer)
      waiting.delete(look)
    }
  }

  return {
    lines,
    until,
    async untilEqual(state, timeoutMs) {
      await until(
        (all) => isSame(stateOf(all), state),
        `a topic equal to the cluster's ${state.size} objects`,
        timeoutMs,
      )
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exited
      forget()
      assert.deepEqual({ code: child.exitCode, stderr: errors.join('') }, { code: 0, stderr: '' })
    },
  }
}

/** What identifies one state of one object. */
export interface Version {
  readonly uid: string
  readonly resourceVersion: string
}

/** What a topic says exists: per key the last record, unless a tombstone follows. */
export function stateOf(lines: readonly TopicLine[]): ReadonlyMap<string, Version> {
  const state = new Map<string, Version>()
  for (const line of lines) {
    if (line.tombstone) state.delete(line.key)
    else state.set(line.key, { uid: line.uid, resourceVersion: line.resourceVersion })
  }
  return state
}

/** What kubectl says exists, by the keys of the topic. `args` are selectors and the like. */
export async function clusterState(
  plane: ControlPlane,
  resource: string,
  args: readonly string[] = ['-A'],
): Promise<ReadonlyMap<string, Version>> {
  const { stdout } = await plane.kubectl(['get', resource, ...args, '-o', 'json'])
  const list: { readonly items: readonly KubeObject[] } = JSON.parse(stdout)
  return new Map(
    list.items.map(({ metadata: { namespace, name, uid, resourceVersion } }) => [
      namespace === undefined ? name : `${namespace}/${name}`,
      { uid, resourceVersion },
    ]),
  )
}

/** Fails unless the topic, read to its end, holds the same keys, uids and resourceVersions. */
export function assertSameState(lines: readonly TopicLine[], state: ReadonlyMap<string, Version>): void {
  assert.deepEqual(sorted(stateOf(lines)), sorted(state))
}

/** Fails unless the records of each key are a life: what a record says stood before it did, and tombstones follow deletes. */
export function assertLives(lines: readonly TopicLine[]): void {
  const before = new Map<string, RecordLine>()
  for (const line of lines) {
    if (line.tombstone) {
      if (line.control !== undefined) continue
      const deleted = before.get(line.key)
      assert.equal(deleted?.op, 'DELETED', `a tombstone follows its delete: ${shortOf(line)}`)
      assert.deepEqual(versionOf(line), versionOf(deleted))
      before.delete(line.key)
      continue
    }
    const last = before.get(line.key)
    assert.notEqual(last?.op, 'DELETED', `nothing stands between a delete and its tombstone: ${shortOf(line)}`)
    assert.deepEqual(line.previous, last === undefined ? null : versionOf(last), shortOf(line))
    if (last !== undefined && line.op === 'UPDATED' && line.cause !== 'RESYNC') {
      assert.ok(
        BigInt(line.resourceVersion) > BigInt(last.resourceVersion),
        `in the order of its life: ${shortOf(line)}`,
      )
    }
    before.set(line.key, line)
  }
}

/** The records of one key, as `UPDATED WATCH@17`, `DELETED RELIST@18 finalStateUnknown` or `tombstone`. */
export function lifeOf(lines: readonly TopicLine[], key: string): readonly string[] {
  return lines.filter((line) => line.key === key).map((line) => shortOf(line).replace(` ${key}`, ''))
}

/** `ADDED LIST shop/cart@12`, `tombstone shop/cart`, `progress`. */
export function shortOf(line: TopicLine): string {
  if (line.tombstone) return line.control ?? `tombstone ${line.key}`
  const { op, cause, key, resourceVersion, finalStateUnknown } = line
  return `${op} ${cause} ${key}@${resourceVersion}${finalStateUnknown ? ' finalStateUnknown' : ''}`
}

/** The bytes of the object as the line carries them; `object` is a line's last field. */
export function objectText(line: RecordLine): string {
  return line.text.slice(line.text.indexOf(',"object":') + ',"object":'.length, -1)
}

export function isRecord(line: TopicLine): line is RecordLine {
  return !line.tombstone
}

export function isTombstone(line: TopicLine): line is TombstoneLine {
  return line.tombstone && line.control === undefined
}

function tailArgs({ brokers, resource, prefix = 'kubedelta', args = [] }: TopicToRead): readonly string[] {
  const from = ['--from', `kafka://${brokers}`, '--cluster', CLUSTER, '--prefix', prefix]
  return ['tail', resource, ...from, '-o', 'json', '--from-beginning', ...args]
}

function parseLine(text: string): TopicLine {
  const line: TopicLine = JSON.parse(text)
  return { ...line, text }
}

function versionOf(line: RecordLine | TombstoneLine | undefined): unknown {
  return { uid: line?.uid, resourceVersion: line?.resourceVersion }
}

function isSame(a: ReadonlyMap<string, Version>, b: ReadonlyMap<string, Version>): boolean {
  if (a.size !== b.size) return false
  return [...a].every(([key, { uid, resourceVersion }]) => {
    const other = b.get(key)
    return other?.uid === uid && other.resourceVersion === resourceVersion
  })
}

function sorted(state: ReadonlyMap<string, Version>): unknown {
  return [...state].toSorted(([a], [b]) => (a < b ? -1 : 1))
}
