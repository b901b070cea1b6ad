// Runs a cache of one topic in a process of its own, checks what its handlers see, and tells what it holds when it is asked.
//
// Arguments: URL, cluster, resource. Its parent sends `report` and gets a ConsumerReport.

import { topicCache } from '../../src/consumer.ts'

export interface ConsumerReport {
  readonly state: string
  /** Key, uid, resourceVersion. */
  readonly objects: readonly (readonly [string, string, string])[]
  /** What handlers were told and should not have been. */
  readonly violations: readonly string[]
}

interface Meta {
  readonly metadata: {
    readonly uid: string
    readonly resourceVersion: string
    readonly namespace: string
    readonly name: string
  }
}

const [from = '', cluster = '', resource = ''] = process.argv.slice(2)
const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort())
process.once('disconnect', () => stopping.abort())

const cache = topicCache<Meta>({ from, cluster, resource })
const seen = new Map<string, Meta>()
const violations: string[] = []

cache.addHandler({
  onAdd: (object) => {
    if (seen.has(keyOf(object))) violations.push(`added twice: ${keyOf(object)}`)
    seen.set(keyOf(object), object)
  },
  onUpdate: (before, after) => {
    const last = seen.get(keyOf(after))
    if (last?.metadata.resourceVersion !== before.metadata.resourceVersion) {
      violations.push(`updated from what was not there: ${keyOf(after)}`)
    }
    if (BigInt(after.metadata.resourceVersion) <= BigInt(before.metadata.resourceVersion)) {
      violations.push(
        `goes back: ${keyOf(after)} from ${before.metadata.resourceVersion} to ${after.metadata.resourceVersion}`,
      )
    }
    seen.set(keyOf(after), after)
  },
  onDelete: (object) => {
    if (!seen.delete(keyOf(object))) violations.push(`deleted and not there: ${keyOf(object)}`)
  },
})

process.on('message', () => {
  const report: ConsumerReport = {
    state: cache.status().state,
    objects: cache.list().map((object) => [keyOf(object), object.metadata.uid, object.metadata.resourceVersion]),
    violations: [...violations, ...differences()],
  }
  process.send?.(report)
})

await cache.run(stopping.signal)
process.disconnect?.()

function keyOf({ metadata: { namespace, name } }: Meta): string {
  return `${namespace}/${name}`
}

/** Once the handlers have no more to hear, what they were told adds up to what the cache shows. */
function differences(): readonly string[] {
  const keys = new Set([...seen.keys(), ...cache.listKeys()])
  return [...keys]
    .filter((key) => seen.get(key)?.metadata.resourceVersion !== cache.get(key)?.metadata.resourceVersion)
    .map((key) => `handlers and cache differ in ${key}`)
}
