// Sums up V8 CPU profiles: where the main thread's time went, by part of the program and by function.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface ProfileShare {
  readonly name: string
  readonly seconds: number
}

export interface ProfileSummary {
  /** Time with work, of all that was sampled. */
  readonly busySeconds: number
  /** Folders of src, packages, Node itself, garbage collection. Most first. */
  readonly parts: readonly ProfileShare[]
  /** Functions by their own time, without what they call. Most first. */
  readonly functions: readonly ProfileShare[]
}

interface CpuProfile {
  readonly nodes: ReadonlyArray<{
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }>
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** The largest profile in a folder: the main thread's, since workers write their own. @throws Error when there is none */
export function summarizeProfiles(folder: string): ProfileSummary {
  const profiles = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))
  const summaries = profiles.map((name) => summarize(JSON.parse(readFileSync(join(folder, name), 'utf8'))))
  const [busiest] = summaries.toSorted((a, b) => b.busySeconds - a.busySeconds)
  if (busiest === undefined) throw new Error(`Cannot sum up profiles: there is none in ${folder}`)
  return busiest
}

function summarize({ nodes, samples, timeDeltas }: CpuProfile): ProfileSummary {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const parts = new Map<string, number>()
  const functions = new Map<string, number>()
  let busySeconds = 0
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id)
    if (frame === undefined || IDLE.includes(frame.functionName)) continue
    const seconds = (timeDeltas[index] ?? 0) / 1e6
    const part = partOf(frame)
    const name = `${frame.functionName || '(anonymous)'} ${frame.url === '' ? '' : `${part}:${frame.lineNumber + 1}`}`
    busySeconds += seconds
    parts.set(part, (parts.get(part) ?? 0) + seconds)
    functions.set(name, (functions.get(name) ?? 0) + seconds)
  }
  return { busySeconds, parts: ranked(parts), functions: ranked(functions) }
}

const IDLE: readonly string[] = ['(idle)', '(root)']

function partOf({ functionName, url }: CpuProfile['nodes'][number]['callFrame']): string {
  const own = /\/(src\/[^/]+\/[^/]+)$/.exec(url)?.[1]
  const dependency = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]
  if (own !== undefined) return own
  if (dependency !== undefined) return dependency
  if (functionName === '(garbage collector)') return 'garbage collection'
  return url.startsWith('node:') ? url : 'native'
}

function ranked(seconds: ReadonlyMap<string, number>): readonly ProfileShare[] {
  return [...seconds].map(([name, sum]) => ({ name, seconds: sum })).toSorted((a, b) => b.seconds - a.seconds)
}
