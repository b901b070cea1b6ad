// What a bridge says about itself to probes and progress lines.

import type { WriterStatus } from '../topic/port.ts'
import type { ReflectorStatus } from '../watch/reflector.ts'

export interface ResourceHealth {
  /** `deployments.apps` */
  readonly name: string
  /** The topic held everything of a first list. */
  readonly synced: boolean
  /** Why it cannot be listed any more; undefined where it can. */
  readonly degraded: string | undefined
  readonly watches: readonly ReflectorStatus[]
  /** undefined before the topic is fenced. */
  readonly writer: WriterStatus | undefined
}

/** Where a bridge stands among those that take part in its election. */
export interface CandidateStatus {
  /** `starting` before its index has caught up; `paused` while it may not write. */
  readonly role: 'starting' | 'standby' | 'leading' | 'paused' | 'lost'
  /** Who holds the Lease as far as is known; '' for nobody. */
  readonly holder: string
}
