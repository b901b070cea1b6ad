// The columns of pods: what of their many states kubectl shows in one word.
// The rules are kubernetes pkg/printers/internalversion/printers.go, printPod.

import { at, listAt, numberAt, textAt } from '../base/fields.ts'
import { humanDuration } from './age.ts'
import { AGE, column, NAME, wideColumn, type Column } from './columns.ts'

export const POD_COLUMNS: readonly Column[] = [
  NAME,
  column('READY', (pod, nowMs) => summarize(pod, nowMs).ready),
  column('STATUS', (pod, nowMs) => summarize(pod, nowMs).status),
  column('RESTARTS', (pod, nowMs) => summarize(pod, nowMs).restarts),
  AGE,
  wideColumn('IP', (pod) => textAt(listAt(pod, 'status', 'podIPs')[0], 'ip') || '<none>'),
  wideColumn('NODE', (pod) => textAt(pod, 'spec', 'nodeName') || '<none>'),
  wideColumn('NOMINATED NODE', (pod) => textAt(pod, 'status', 'nominatedNodeName') || '<none>'),
  wideColumn('READINESS GATES', readinessGates),
]

interface PodSummary {
  readonly ready: string
  readonly status: string
  readonly restarts: string
}

/** What a group of containers adds up to. */
interface Tally {
  restarts: number
  ready: number
  /** When one of them ended last, milliseconds since the Unix epoch; 0 where none has. */
  lastRestart: number
  /** The word that they give the pod, if any. */
  reason: string | undefined
}

function summarize(pod: unknown, nowMs: number): PodSummary {
  const init = tallyInit(pod)
  const isInitializing = init.reason !== undefined && !hasCondition(pod, 'Initialized')
  const main = isInitializing ? undefined : tallyMain(pod)
  const restartable = init.restartable
  const restarts = main === undefined ? init.restarts : main.restarts + restartable.restarts
  const lastRestart = main === undefined ? init.lastRestart : Math.max(main.lastRestart, restartable.lastRestart)
  const total = listAt(pod, 'spec', 'containers').length + restartableInit(pod).size
  const ready = init.ready + (main?.ready ?? 0)
  const reason = main?.reason ?? init.reason ?? ownReason(pod)
  return {
    ready: `${ready}/${total}`,
    status: ending(pod) ?? reason,
    restarts:
      restarts !== 0 && lastRestart !== 0
        ? `${restarts} (${humanDuration(nowMs - lastRestart)} ago)`
        : String(restarts),
  }
}

function ownReason(pod: unknown): string {
  const isGated = listAt(pod, 'status', 'conditions').some(
    (condition) => textAt(condition, 'type') === 'PodScheduled' && textAt(condition, 'reason') === 'SchedulingGated',
  )
  if (isGated) return 'SchedulingGated'
  return textAt(pod, 'status', 'reason') || textAt(pod, 'status', 'phase')
}

/** A pod that is going away says so, unless it has ended by itself. */
function ending(pod: unknown): string | undefined {
  if (textAt(pod, 'metadata', 'deletionTimestamp') === '') return undefined
  if (textAt(pod, 'status', 'reason') === 'NodeLost') return 'Unknown'
  return ['Failed', 'Succeeded'].includes(textAt(pod, 'status', 'phase')) ? undefined : 'Terminating'
}

function tallyInit(pod: unknown): Tally & { readonly restartable: Tally } {
  const tally: Tally = { restarts: 0, ready: 0, lastRestart: 0, reason: undefined }
  const restartable: Tally = { restarts: 0, ready: 0, lastRestart: 0, reason: undefined }
  const sidecars = restartableInit(pod)
  for (const [index, status] of listAt(pod, 'status', 'initContainerStatuses').entries()) {
    const isSidecar = sidecars.has(textAt(status, 'name'))
    countRestarts(tally, status)
    if (isSidecar) countRestarts(restartable, status)
    const terminated = at(status, 'state', 'terminated')
    const waiting = textAt(status, 'state', 'waiting', 'reason')
    if (terminated !== undefined && numberAt(terminated, 'exitCode') === 0) continue
    if (isSidecar && at(status, 'started') === true) {
      if (at(status, 'ready') === true) tally.ready++
      continue
    }
    if (terminated !== undefined) tally.reason = `Init:${terminatedReason(terminated)}`
    else if (waiting !== '' && waiting !== 'PodInitializing') tally.reason = `Init:${waiting}`
    else tally.reason = `Init:${index}/${listAt(pod, 'spec', 'initContainers').length}`
    break
  }
  return { ...tally, restartable }
}

function tallyMain(pod: unknown): Tally {
  const tally: Tally = { restarts: 0, ready: 0, lastRestart: 0, reason: undefined }
  let isRunning = false
  let errorReason: string | undefined
  for (const status of listAt(pod, 'status', 'containerStatuses').toReversed()) {
    countRestarts(tally, status)
    const waiting = textAt(status, 'state', 'waiting', 'reason')
    const terminated = at(status, 'state', 'terminated')
    if (waiting !== '') tally.reason = waiting
    else if (terminated !== undefined) {
      tally.reason = terminatedReason(terminated)
      if (numberAt(terminated, 'exitCode') !== 0) errorReason = tally.reason
    } else if (at(status, 'ready') === true && at(status, 'state', 'running') !== undefined) {
      isRunning = true
      tally.ready++
    }
  }
  if ((tally.reason ?? ownReason(pod)) !== 'Completed') return tally
  if (isRunning && hasCondition(pod, 'Ready')) tally.reason = 'Running'
  else if (errorReason !== undefined) tally.reason = errorReason
  else if (isRunning) tally.reason = 'NotReady'
  return tally
}

function countRestarts(tally: Tally, status: unknown): void {
  tally.restarts += numberAt(status, 'restartCount')
  const finished = Date.parse(textAt(status, 'lastState', 'terminated', 'finishedAt'))
  if (finished > tally.lastRestart) tally.lastRestart = finished
}

function terminatedReason(terminated: unknown): string {
  const reason = textAt(terminated, 'reason')
  if (reason !== '') return reason
  const signal = numberAt(terminated, 'signal')
  return signal === 0 ? `ExitCode:${numberAt(terminated, 'exitCode')}` : `Signal:${signal}`
}

/** Init containers that go on running: sidecars. */
function restartableInit(pod: unknown): ReadonlySet<string> {
  const containers = listAt(pod, 'spec', 'initContainers')
  const sidecars = containers.filter((container) => textAt(container, 'restartPolicy') === 'Always')
  return new Set(sidecars.map((container) => textAt(container, 'name')))
}

function hasCondition(pod: unknown, type: string): boolean {
  return listAt(pod, 'status', 'conditions').some(
    (condition) => textAt(condition, 'type') === type && textAt(condition, 'status') === 'True',
  )
}

function readinessGates(pod: unknown): string {
  const gates = listAt(pod, 'spec', 'readinessGates')
  if (gates.length === 0) return '<none>'
  const passed = gates.filter((gate) => hasCondition(pod, textAt(gate, 'conditionType')))
  return `${passed.length}/${gates.length}`
}
