// Turns a failure of the connection to the apiserver into an error that names the server, the cause and the way out.

import { certificateFault } from '../base/certificate-fault.ts'
import { KubedeltaError } from '../base/errors.ts'

export interface NetworkErrorContext {
  /** What was tried: `Cannot list pods`. */
  readonly action: string
  readonly server: string
  /** Whether no answer had begun. */
  readonly opening: boolean
}

/**
 * The `unreachable` error for a caught value of the HTTP client; `fields.refused` is true for ECONNREFUSED alone, as in client-go,
 * and `fields.opening` before an answer began. What never was a network failure is passed on as it is: a bug.
 */
export function networkError(caught: unknown, context: NetworkErrorContext): unknown {
  if (!(caught instanceof Error) || caught instanceof KubedeltaError) return caught
  const code = codeOf(caught)
  if (code === undefined) return caught
  const refused = code === 'ECONNREFUSED'
  return new KubedeltaError(
    'unreachable',
    `${context.action}: no answer from ${context.server}: ${explain(code, caught)}`,
    {
      cause: caught,
      fields: { server: context.server, cause: code, refused, opening: context.opening },
    },
  )
}

/** undici wraps what the socket said, sometimes twice; the innermost code is the telling one. */
function codeOf(error: Error): string | undefined {
  const inner = error.cause instanceof Error ? codeOf(error.cause) : undefined
  return inner ?? ('code' in error && typeof error.code === 'string' ? error.code : undefined)
}

function explain(code: string, error: Error): string {
  const fault = certificateFault(code)
  switch (fault) {
    case 'untrusted':
      return `its certificate is not trusted (${code}): pass the cluster's CA with --certificate-authority FILE`
    case 'other-name':
      return `its certificate is for another name (${error.message}): use a name of the certificate in --server`
    case 'out-of-date':
      return `its certificate is not valid today (${code}): renew it, or correct this machine's clock`
    case undefined:
      if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'EPROTO') {
        return `it does not speak TLS there (${code}): check scheme and port of --server`
      }
      return PLAIN[code] ?? `${code}: ${error.message}`
    default:
      return fault satisfies never
  }
}

const PLAIN: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: check that the apiserver runs and that --server or the kubeconfig names it',
  ECONNRESET: 'the connection was reset',
  ENOTFOUND: 'the host name is unknown: check --server or the kubeconfig',
  UND_ERR_CONNECT_TIMEOUT: 'no connection within 10 s',
  UND_ERR_HEADERS_TIMEOUT: 'the answer did not begin in time',
  UND_ERR_BODY_TIMEOUT: 'the answer fell silent',
  UND_ERR_SOCKET: 'the connection was closed',
}
