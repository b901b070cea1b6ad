// What a reflector asks the apiserver for next, and with which resourceVersion and page size.

import type { KubedeltaError } from '../base/errors.ts'
import type { LogFields } from '../base/log.ts'
import { compareResourceVersions, newerResourceVersion } from '../object/resource-version.ts'
import type { ListReason } from './delta.ts'
import type {
  ReflectorOutput,
  ReflectorPhase,
  ReflectorRules,
  ReflectorState,
  ReflectorStep,
} from './reflector-state.ts'

export interface StepContext {
  readonly rules: ReflectorRules
  readonly nowMs: number
}

/** Lists as a stream where that is wanted. */
export function startList(state: ReflectorState, reason: ListReason, context: StepContext): ReflectorStep {
  return context.rules.watchList ? startWatchList(state, reason, context) : startPages(state, reason, context)
}

/** Lists as a stream of events, which goes on as the watch. */
export function startWatchList(state: ReflectorState, reason: ListReason, { rules }: StepContext): ReflectorStep {
  const resourceVersion = streamResourceVersion(state, rules)
  return {
    state: { ...state, phase: { kind: 'watch-listing', reason, events: 0 } },
    outputs: [
      { kind: 'begin', reason },
      { kind: 'watch', resourceVersion, sendInitialEvents: true },
    ],
  }
}

/** Lists in pages, or at once where the server can serve it from its cache. */
export function startPages(state: ReflectorState, reason: ListReason, { rules }: StepContext): ReflectorStep {
  const resourceVersion = listResourceVersion(state, rules)
  return requestList(state, { reason, resourceVersion, limit: pageSize(state, rules, resourceVersion) })
}

/** Begins a list anew with its first page. */
export function requestList(
  state: ReflectorState,
  asked: { readonly reason: ListReason; readonly resourceVersion: string; readonly limit: number },
): ReflectorStep {
  const { reason, resourceVersion, limit } = asked
  const request = { resourceVersion, limit }
  return {
    state: {
      ...state,
      phase: { kind: 'listing', reason, request, asked: resourceVersion, resourceVersion: undefined },
    },
    outputs: [
      { kind: 'begin', reason },
      { kind: 'list', request },
    ],
  }
}

/** Watches from the last resourceVersion seen. */
export function startWatch(state: ReflectorState): ReflectorStep {
  const resourceVersion = state.lastSyncResourceVersion
  const moves = resourceVersion !== '' && resourceVersion !== '0'
  return {
    state: { ...state, phase: { kind: 'watching', events: 0, moves } },
    outputs: [{ kind: 'watch', resourceVersion, sendInitialEvents: false }],
  }
}

/** After the backoff, or after what the server asked for where that is longer. */
export function wait(
  state: ReflectorState,
  next: Extract<ReflectorPhase, { kind: 'waiting' }>['next'],
  error: KubedeltaError,
): ReflectorStep {
  const { retryAfterMs } = error.fields
  return {
    state: { ...state, phase: { kind: 'waiting', next } },
    outputs: [{ kind: 'wait', atLeastMs: typeof retryAfterMs === 'number' ? retryAfterMs : 0 }],
  }
}

/** Waits and tries the same again: a matter of time, which nobody has to be told of but the log. */
export function postpone(...[state, next, error]: Parameters<typeof wait>): ReflectorStep {
  return preceded(logged('info', 'asking again after a while', { next: next.kind, error }), wait(state, next, error))
}

/** The state after a list was handed over whole. */
export function listed(state: ReflectorState, resourceVersion: string, phase: ReflectorPhase): ReflectorState {
  return {
    ...state,
    phase,
    lastSyncResourceVersion: resourceVersion,
    synced: true,
    isLastSyncResourceVersionUnavailable: false,
    floor: '',
    tooLargeSinceMs: undefined,
  }
}

/** Says that a consistent list is older than what was seen before: an etcd was restored. What follows is another history. */
export function historyOutputs(
  state: ReflectorState,
  resourceVersion: string,
  { rules: { initialResourceVersion: initial } }: StepContext,
): readonly ReflectorOutput[] {
  if (!state.isLastSyncResourceVersionUnavailable) return []
  const before = state.synced ? state.lastSyncResourceVersion : initial === 'any-cached' ? '' : initial.notOlderThan
  if ((compareResourceVersions(resourceVersion, before) ?? 0) >= 0) return []
  return [logged('warn', 'a new history begins: the cluster is older than it was before', { resourceVersion, before })]
}

/** The step with an output before the others. */
export function preceded(output: ReflectorOutput, { state, outputs }: ReflectorStep): ReflectorStep {
  return { state, outputs: [output, ...outputs] }
}

/** The output of a log line. */
export function logged(level: 'info' | 'warn', message: string, fields: LogFields): ReflectorOutput {
  return { kind: 'log', level, message, fields }
}

/** What a streamed list asks for: never '0', and '' is consistent (reflector.go, rewatchResourceVersion). */
function streamResourceVersion(state: ReflectorState, { initialResourceVersion }: ReflectorRules): string {
  if (state.isLastSyncResourceVersionUnavailable) return ''
  if (state.synced) return newerResourceVersion(state.lastSyncResourceVersion, state.floor)
  // Without a start the streamed list is consistent each time, so what came before cannot be newer.
  return initialResourceVersion === 'any-cached' ? '' : notOlderThan(initialResourceVersion.notOlderThan, state.floor)
}

/** What a LIST asks for (reflector.go, relistResourceVersion). */
function listResourceVersion(state: ReflectorState, { initialResourceVersion }: ReflectorRules): string {
  if (state.isLastSyncResourceVersionUnavailable) return ''
  if (state.synced) return newerResourceVersion(state.lastSyncResourceVersion, state.floor)
  if (initialResourceVersion === 'any-cached') return state.floor === '' ? '0' : state.floor
  return notOlderThan(initialResourceVersion.notOlderThan, state.floor)
}

function notOlderThan(resourceVersion: string, floor: string): string {
  return resourceVersion === '' ? '' : newerResourceVersion(resourceVersion, floor)
}

/** Pages only where the server has to read etcd anyway; a limit would keep it from using its cache (reflector.go, list). */
function pageSize(state: ReflectorState, rules: ReflectorRules, resourceVersion: string): number {
  if (rules.pageSize !== 0) return rules.pageSize
  if (state.paginatedResult) return DEFAULT_PAGE_SIZE
  return resourceVersion === '' || resourceVersion === '0' ? DEFAULT_PAGE_SIZE : 0
}

/** client-go tools/pager/pager.go, defaultPageSize. */
const DEFAULT_PAGE_SIZE = 500
