// Opens the log of topics that the options name.

import { connect } from '../connect/connect.ts'
import type { TopicLog } from '../topic/port.ts'
import type { CommandContext } from './context.ts'
import { kafkaSecurity } from './kafka-security.ts'
import type { KafkaSecurityValues } from './kafka-security.ts'

/**
 * Connects, for as long as the start-up time lasts.
 * @throws KubedeltaError `usage` for a file or secret that cannot be read; `unreachable`, `unauthorized` and the like as `connect`
 */
export function openLog(
  url: string,
  values: KafkaSecurityValues & { readonly startupTimeoutMs: number },
  { clock, environment, log, signal }: CommandContext,
): Promise<TopicLog> {
  const { startupTimeoutMs } = values
  return connect(url, { clock, log, security: kafkaSecurity(values, environment), signal, startupTimeoutMs })
}
