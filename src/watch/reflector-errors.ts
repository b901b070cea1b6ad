// What the failures of lists and watches mean to a reflector.

import { KubedeltaError } from '../base/errors.ts'
import { statusError } from '../kube/status-error.ts'
import type { ListReason } from './delta.ts'
import type { KubeStatus } from './source.ts'

/** The error that an ERROR event of a watch stands for. */
export function errorOfStatus(status: KubeStatus): KubedeltaError {
  return statusError(status, 'Cannot go on watching')
}

/** Whether an error is the server's own failure, of which it may recover (apimachinery api/errors IsInternalError). */
export function isInternalError(error: KubedeltaError): boolean {
  return error.code === 'server' && error.fields['reason'] === 'InternalError'
}

/** ECONNREFUSED: the server is being restarted, its history most likely survives (reflector.go, watch). */
export function isRefused(error: KubedeltaError): boolean {
  return error.code === 'unreachable' && error.fields['refused'] === true
}

/** Cut after it was open, which says nothing about what the server still knows. */
export function isReset(error: KubedeltaError): boolean {
  return error.code === 'unreachable' && error.fields['opening'] !== true && !isRefused(error)
}

/** Why the list is made that follows an error. */
export function reasonOf(error: KubedeltaError): ListReason {
  if (error.code === 'expired') return 'expired'
  return error.code === 'too-large-resource-version' ? 'too-large' : 'watch-error'
}

/** A watch closed in under a second without an event: most likely the next would be as well (reflector.go, handleAnyWatch). */
export function veryShortWatch(): KubedeltaError {
  return new KubedeltaError(
    'server',
    'Cannot watch: wanted a watch of at least a second or one event: it was closed before',
  )
}
