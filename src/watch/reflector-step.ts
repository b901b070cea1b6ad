// Decides what a reflector does next: list, watch, wait, and what it hands over, without doing any of it.

import { hasCode, KubedeltaError } from '../base/errors.ts'
import type { RawObject } from '../object/raw-object.ts'
import { newerResourceVersion } from '../object/resource-version.ts'
import { parseApiVersion } from '../object/resource.ts'
import type { ListReason } from './delta.ts'
import { errorOfStatus, isInternalError, isRefused, isReset, reasonOf, veryShortWatch } from './reflector-errors.ts'
import {
  historyOutputs,
  listed,
  logged,
  postpone,
  preceded,
  requestList,
  startList,
  startPages,
  startWatch,
  startWatchList,
  wait,
  type StepContext,
} from './reflector-requests.ts'
import type { InPhase, ReflectorInput, ReflectorOutput, ReflectorState, ReflectorStep } from './reflector-state.ts'
import type { KubeStatus } from './source.ts'

/**
 * One step of client-go's reflector (tools/cache/reflector.go), with these differences:
 *
 * - A streamed list is handed over as it comes: changes within it as changes, deletes as deletes. A list that fails leaves what it
 *   handed over, and the next one asks for nothing older than that.
 * - `notOlderThan` replaces the first list's resourceVersion 0, and a resourceVersion the server has not reached is asked for again
 *   during `tooLargeRetryMs` before a consistent list is.
 * - A streamed list that stays unavailable with '' falls back to LIST instead of being asked for in a loop.
 *
 * @throws KubedeltaError `internal` for an input that cannot come in this phase
 */
export function step(state: ReflectorState, input: ReflectorInput, context: StepContext): ReflectorStep {
  const { phase } = state
  switch (phase.kind) {
    case 'idle':
      return input.kind === 'start' ? startList(state, 'initial', context) : impossible(state, input)
    case 'waiting':
      if (input.kind !== 'waited') return impossible(state, input)
      return phase.next.kind === 'watch' ? startWatch(state) : startList(state, phase.next.reason, context)
    case 'watch-listing':
      return stepWatchList({ ...state, phase }, input, context)
    case 'listing':
      return stepList({ ...state, phase }, input, context)
    case 'watching':
      return stepWatch({ ...state, phase }, input, context)
  }
  return phase satisfies never
}

function stepWatchList(state: InPhase<'watch-listing'>, input: ReflectorInput, context: StepContext): ReflectorStep {
  const { phase } = state
  switch (input.kind) {
    case 'added':
    case 'modified':
    case 'deleted': {
      if (isForeign(input.object, context)) return { state, outputs: [skipped(input.object)] }
      const floor = newerResourceVersion(state.floor, input.object.resourceVersion)
      const kind = input.kind === 'added' ? 'item' : input.kind === 'modified' ? 'update' : 'delete'
      return { state: { ...counted(state), floor }, outputs: [{ kind, object: input.object }] }
    }
    case 'bookmark':
      if (!input.initialEventsEnd) return { state: counted(state), outputs: [] }
      // The same stream goes on as the watch.
      return {
        state: listed(state, input.resourceVersion, { kind: 'watching', events: phase.events + 1, moves: true }),
        outputs: [
          ...historyOutputs(state, input.resourceVersion, context),
          { kind: 'end', resourceVersion: input.resourceVersion, reason: phase.reason },
        ],
      }
    case 'unknown':
      return { state: counted(state), outputs: [unknownType(input.type)] }
    case 'closed':
      if (isVeryShort(phase, input.lastedMs)) return fallBack(state, veryShortWatch(), context)
      return startWatchList(state, phase.reason, context)
    case 'error':
      return watchListFailed(state, errorOfStatus(input.error), context)
    case 'failed':
      if (isReset(input.error)) return step(state, { kind: 'closed', lastedMs: input.lastedMs }, context)
      return watchListFailed(state, input.error, context)
    case 'start':
    case 'waited':
    case 'item':
    case 'page':
    case 'relist':
      return impossible(state, input)
  }
  return input satisfies never
}

function watchListFailed(state: InPhase<'watch-listing'>, error: KubedeltaError, context: StepContext): ReflectorStep {
  const { reason } = state.phase
  if (isRefused(error) || hasCode(error, 'throttled')) return postpone(state, { kind: 'list', reason }, error)
  if (hasCode(error, 'expired', 'too-large-resource-version') && !state.isLastSyncResourceVersionUnavailable) {
    return unavailable(state, error, context, (next, why) => startWatchList(next, why, context))
  }
  return fallBack(state, error, context)
}

/** LIST for this iteration; the next one tries to stream again. */
function fallBack(state: InPhase<'watch-listing'>, error: KubedeltaError, context: StepContext): ReflectorStep {
  const { reason } = state.phase
  return preceded(
    logged('info', 'list cannot be streamed, falling back to pages', { reason, error }),
    startPages(state, reason, context),
  )
}

function stepList(state: InPhase<'listing'>, input: ReflectorInput, context: StepContext): ReflectorStep {
  const { phase } = state
  switch (input.kind) {
    case 'item':
      return {
        state: { ...state, floor: newerResourceVersion(state.floor, input.object.resourceVersion) },
        outputs: [input],
      }
    case 'page': {
      const resourceVersion = phase.resourceVersion ?? input.resourceVersion
      const paginatedResult = state.paginatedResult || (phase.asked === '0' && phase.request.continue !== undefined)
      if (input.continue !== '') {
        const request = { resourceVersion: '', limit: phase.request.limit ?? 0, continue: input.continue }
        return {
          state: { ...state, phase: { ...phase, request, resourceVersion } },
          outputs: [{ kind: 'list', request }],
        }
      }
      const watch = startWatch({ ...listed(state, resourceVersion, phase), paginatedResult })
      const end: ReflectorOutput = { kind: 'end', resourceVersion, reason: phase.reason }
      return { ...watch, outputs: [...historyOutputs(state, resourceVersion, context), end, ...watch.outputs] }
    }
    case 'failed':
      return listFailed(state, input.error, context)
    case 'start':
    case 'waited':
    case 'added':
    case 'modified':
    case 'deleted':
    case 'bookmark':
    case 'unknown':
    case 'error':
    case 'closed':
    case 'relist':
      return impossible(state, input)
  }
  return input satisfies never
}

function listFailed(state: InPhase<'listing'>, error: KubedeltaError, context: StepContext): ReflectorStep {
  const { reason, request, asked } = state.phase
  if (hasCode(error, 'expired') && request.continue !== undefined) {
    // The pages cannot be continued: everything at once, as the first page was asked for (client-go tools/pager/pager.go, list).
    return preceded(
      logged('info', 'next page has expired, listing without pages', { reason }),
      requestList(state, {
        reason,
        resourceVersion: asked === '' ? '' : newerResourceVersion(asked, state.floor),
        limit: 0,
      }),
    )
  }
  if (hasCode(error, 'expired', 'too-large-resource-version') && !state.isLastSyncResourceVersionUnavailable) {
    const limit = request.limit ?? 0
    return unavailable(state, error, context, (next, why) =>
      requestList(next, { reason: why, resourceVersion: '', limit }),
    )
  }
  return preceded({ kind: 'report', error }, wait(state, { kind: 'list', reason }, error))
}

function stepWatch(state: InPhase<'watching'>, input: ReflectorInput, context: StepContext): ReflectorStep {
  const { phase } = state
  switch (input.kind) {
    case 'added':
    case 'modified':
    case 'deleted': {
      const { object } = input
      if (isForeign(object, context)) return { state, outputs: [skipped(object)] }
      const kind = input.kind === 'added' ? 'add' : input.kind === 'modified' ? 'update' : 'delete'
      const moves = phase.moves || kind !== 'add'
      // What a watch from '' or '0' begins with does not move the resourceVersion, yet was handed over as items of a list are.
      const floor = moves ? state.floor : newerResourceVersion(state.floor, object.resourceVersion)
      return { state: { ...moved(state, object.resourceVersion, moves), floor }, outputs: [{ kind, object }] }
    }
    case 'bookmark': {
      const { resourceVersion } = input
      return { state: moved(state, resourceVersion, true), outputs: [{ kind: 'bookmark', resourceVersion }] }
    }
    case 'unknown':
      return { state: moved(state, input.resourceVersion, phase.moves), outputs: [unknownType(input.type)] }
    case 'relist':
      return startList(state, input.reason, context)
    case 'closed':
      if (!isVeryShort(phase, input.lastedMs)) return startWatch(state)
      return relistAfter(state, veryShortWatch())
    case 'error':
      return watchEnded(state, input.error, context)
    case 'failed':
      return watchFailed(state, input, context)
    case 'start':
    case 'waited':
    case 'item':
    case 'page':
      return impossible(state, input)
  }
  return input satisfies never
}

/** A Status inside the stream; none of these goes to whoever handles errors, a list follows or is not needed. */
function watchEnded(state: InPhase<'watching'>, status: KubeStatus, { rules, nowMs }: StepContext): ReflectorStep {
  const error = errorOfStatus(status)
  if (hasCode(error, 'throttled')) return postpone(state, { kind: 'watch' }, error)
  if (!isInternalError(error)) return relistAfter(state, error)
  // client-go tools/cache/retry_with_deadline.go: the time counts from the first of a row without a pause of a minute.
  const row = state.internalErrors
  const firstMs = row === undefined || nowMs - row.lastMs >= 60_000 ? nowMs : row.firstMs
  if (rules.internalErrorRetryMs <= 0 || nowMs - firstMs > rules.internalErrorRetryMs) {
    return relistAfter({ ...state, internalErrors: undefined }, error)
  }
  return startWatch({ ...state, internalErrors: { firstMs, lastMs: nowMs } })
}

function watchFailed(
  state: InPhase<'watching'>,
  { error, lastedMs }: { readonly error: KubedeltaError; readonly lastedMs: number },
  context: StepContext,
): ReflectorStep {
  if (isRefused(error) || hasCode(error, 'throttled')) return postpone(state, { kind: 'watch' }, error)
  if (isReset(error)) return step(state, { kind: 'closed', lastedMs }, context)
  // A frame that does not scan was inside the stream; everything else kept it from opening.
  if (hasCode(error, 'corrupt')) return relistAfter(state, error)
  return preceded({ kind: 'report', error }, wait(state, { kind: 'list', reason: reasonOf(error) }, error))
}

function relistAfter(state: ReflectorState, error: KubedeltaError): ReflectorStep {
  const reason = reasonOf(error)
  const level = reason === 'expired' ? 'info' : 'warn'
  return preceded(
    logged(level, 'watch has ended, a list follows', { reason, error }),
    wait(state, { kind: 'list', reason }, error),
  )
}

/** The resourceVersion is too old or not reached yet: a consistent list comes instead; if not reached, only after `tooLargeRetryMs`. */
function unavailable(
  state: InPhase<'listing' | 'watch-listing'>,
  error: KubedeltaError,
  { rules, nowMs }: StepContext,
  again: (state: ReflectorState, reason: ListReason) => ReflectorStep,
): ReflectorStep {
  const { reason } = state.phase
  const sinceMs = state.tooLargeSinceMs ?? nowMs
  if (error.code === 'too-large-resource-version' && nowMs - sinceMs < rules.tooLargeRetryMs) {
    return postpone({ ...state, tooLargeSinceMs: sinceMs }, { kind: 'list', reason }, error)
  }
  // First lists and resyncs stay what they are: that decides what their items mean to the consumer.
  const why = reason === 'initial' || reason === 'resync' ? reason : reasonOf(error)
  return preceded(
    logged('info', 'asking for a consistent list', { reason: why, error }),
    again({ ...state, isLastSyncResourceVersionUnavailable: true, tooLargeSinceMs: undefined }, why),
  )
}

function counted(state: InPhase<'watch-listing'>): ReflectorState {
  return { ...state, phase: { ...state.phase, events: state.phase.events + 1 } }
}

/** Takes the resourceVersion as it is, even a lower one: the server knows its order. */
function moved(state: InPhase<'watching'>, resourceVersion: string, moves: boolean): ReflectorState {
  return {
    ...state,
    phase: { kind: 'watching', events: state.phase.events + 1, moves },
    lastSyncResourceVersion: moves ? resourceVersion : state.lastSyncResourceVersion,
  }
}

function isForeign(object: RawObject, { rules }: StepContext): boolean {
  const { group } = parseApiVersion(object.apiVersion)
  return object.kind !== rules.resource.kind || group !== rules.resource.group
}

function skipped({ apiVersion, kind }: RawObject): ReflectorOutput {
  return logged('warn', 'skipped an object of another kind', { apiVersion, kind })
}

function unknownType(type: string): ReflectorOutput {
  return logged('warn', 'skipped an event of unknown type', { type })
}

function isVeryShort({ events }: { readonly events: number }, lastedMs: number): boolean {
  return events === 0 && lastedMs < 1_000
}

function impossible(state: ReflectorState, input: ReflectorInput): never {
  throw new KubedeltaError('internal', `Cannot take input while ${state.phase.kind}: current value is ${input.kind}`)
}
