// Serves health and metrics where the options say; a default address that is taken is not worth a failed start.

import { KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { openHealthServer } from '../health/server.ts'
import type { HealthServer, HealthServerOptions } from '../health/server.ts'
import type { ListenAddress } from './option-checks.ts'

export interface OpenHealthOptions extends Pick<HealthServerOptions, 'source' | 'metrics'> {
  readonly listen: ListenAddress
  readonly log: Logger
}

/**
 * The server, or undefined where the default address is in use: that is logged as a warning.
 * @throws KubedeltaError `usage` where a chosen address cannot be listened on
 */
export async function openHealth({
  listen,
  log,
  source,
  metrics,
}: OpenHealthOptions): Promise<HealthServer | undefined> {
  const { host, port, explicit } = listen
  try {
    const server = await openHealthServer({ host, port, source, metrics })
    log.info('serving health and metrics', { url: server.url })
    return server
  } catch (error) {
    if (explicit || !(error instanceof KubedeltaError && error.fields.busy === true)) throw error
    log.warn('not serving health and metrics: the default address is in use, choose one by --metrics-listen', {
      host,
      port,
    })
    return undefined
  }
}
