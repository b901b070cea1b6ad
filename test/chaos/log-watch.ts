// Follows a topic from its beginning and checks each record as it comes: no key goes back, no older leader writes.

import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { CLUSTER, spawnKubedelta } from '../support/bridge-process.ts'
import { atProcessEnd } from '../support/leftovers.ts'
import { shortOf, type TopicLine, type Version } from '../support/topic-lines.ts'

/** A reader of one topic that keeps what the topic says exists, and what it should not say. */
export interface LogWatch extends AsyncDisposable {
  readonly resource: string
  readonly records: number
  /** The newest epochs seen, over all partitions. */
  readonly epoch: number
  /** What stands in the log and must not. */
  readonly violations: readonly string[]
  readonly state: ReadonlyMap<string, Version>
  /** Resolves once the topic says that exactly this exists. @throws Error after `timeoutMs` */
  untilEqual(state: ReadonlyMap<string, Version>, timeoutMs: number): Promise<void>
}

export function watchLog(brokers: string, resource: string): LogWatch {
  const where = ['--from', `kafka://${brokers}`, '--cluster', CLUSTER]
  const child = spawnKubedelta(['tail', resource, ...where, '-o', 'json', '--from-beginning', '--control'])
  const forget = atProcessEnd(() => child.kill('SIGKILL'))
  const closed = once(child, 'close')
  const errors: string[] = []
  child.stderr.on('data', (data: Buffer) => errors.push(data.toString()))

  const state = new Map<string, Version>()
  // Of deleted keys too: an older state of theirs must not come back.
  const newest = new Map<string, bigint>()
  const epochs = new Map<number, number>()
  const violations: string[] = []
  const waiting = new Set<() => void>()
  let records = 0

  function take(line: TopicLine): void {
    const epoch = epochOf(line)
    const before = epochs.get(line.partition) ?? 0
    if (epoch !== undefined && epoch < before)
      violations.push(`epoch ${epoch} behind ${before}: ${shortOf(line)} at ${line.partition}/${line.offset}`)
    if (epoch !== undefined) epochs.set(line.partition, Math.max(epoch, before))
    if (line.tombstone && line.control !== undefined) return
    records += 1
    if (line.tombstone) {
      state.delete(line.key)
      return
    }
    const { key, uid, resourceVersion } = line
    const version = BigInt(resourceVersion)
    const last = newest.get(key)
    // A delete that was missed carries the last state known, which stands there already.
    const mayRepeat = line.op === 'DELETED' && line.finalStateUnknown
    if (last !== undefined && (mayRepeat ? version < last : version <= last)) {
      violations.push(`${key} at ${last} goes back: ${shortOf(line)} at ${line.partition}/${line.offset}`)
    }
    newest.set(key, last !== undefined && last > version ? last : version)
    state.set(key, { uid, resourceVersion })
  }

  createInterface(child.stdout).on('line', (text) => {
    const line: TopicLine = JSON.parse(text)
    take({ ...line, text })
    for (const look of waiting) look()
  })

  return {
    resource,
    violations,
    state,
    get records() {
      return records
    },
    get epoch() {
      return Math.max(0, ...epochs.values())
    },
    async untilEqual(wanted, timeoutMs) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const look = (): void => {
        if (differences(state, wanted).length === 0) resolve()
      }
      const timer = setTimeout(() => {
        const shown = differences(state, wanted).slice(0, 10).join('\n')
        reject(
          new Error(
            `Cannot wait for topic of ${resource}: wanted what the cluster holds: it differs in\n${shown}\n${errors.join('')}`,
          ),
        )
      }, timeoutMs)
      waiting.add(look)
      look()
      await promise.finally(() => {
        clearTimeout(timer)
        waiting.delete(look)
      })
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await closed
      forget()
    },
  }
}

/** What two states do not have in common, as lines. */
export function differences(
  found: ReadonlyMap<string, Version>,
  wanted: ReadonlyMap<string, Version>,
): readonly string[] {
  return [...new Set([...found.keys(), ...wanted.keys()])].flatMap((key) => {
    const [is, should] = [print(found.get(key)), print(wanted.get(key))]
    return is === should ? [] : [`${key}: wanted ${should}: current value is ${is}`]
  })
}

function print(version: Version | undefined): string {
  return version === undefined ? 'absent' : `${version.uid}@${version.resourceVersion}`
}

/** undefined for a tombstone, whose epoch `tail` does not print. */
function epochOf(line: TopicLine): number | undefined {
  if (!line.tombstone) return line.epoch
  if (line.control === undefined) return undefined
  const epoch = Number(line.headers['epoch'])
  return Number.isSafeInteger(epoch) ? epoch : undefined
}
