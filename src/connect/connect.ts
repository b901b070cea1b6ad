// Opens the log of topics that a URL names, loading its adapter only then.

import type { KafkaLogOptions } from '../kafka/kafka-log.ts'
import type { TopicLog } from '../topic/port.ts'
import { parseLogUrl } from './log-url.ts'

/** Settings of the adapter; those of Kafka have no effect on a directory. */
export type ConnectOptions = Omit<KafkaLogOptions, 'brokers'>

/**
 * Opens `kafka://HOST:PORT[,HOST:PORT...]` or `file:DIRECTORY`. The caller disposes of what it gets.
 * @throws KubedeltaError `usage` for a URL that cannot be used; `unreachable`, `timeout`, `unauthorized`, `unsupported`,
 * `forbidden` when it cannot be opened
 */
export async function connect(url: string, options: ConnectOptions): Promise<TopicLog> {
  const target = parseLogUrl(url)
  switch (target.kind) {
    case 'kafka': {
      const { openKafkaLog } = await import('../kafka/kafka-log.ts')
      return openKafkaLog({ ...options, brokers: target.brokers })
    }
    case 'directory': {
      const { openEmbeddedLog } = await import('../embedded/embedded-log.ts')
      return openEmbeddedLog({ ...options, directory: target.path })
    }
    default:
      return target satisfies never
  }
}
