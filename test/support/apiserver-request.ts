// Sends one plain HTTPS request to an apiserver.

import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'node:https'
import type { Agent } from 'node:https'
import { text } from 'node:stream/consumers'

export interface ApiserverRequest {
  /** @default 'GET' */
  readonly method?: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly token?: string
  /** They win over those sent anyway (Accept, Content-Type, User-Agent). */
  readonly headers?: Readonly<Record<string, string>>
}

export interface ApiserverAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Resolves with any complete answer, whatever its status. @throws Error when the connection fails */
export async function askApiserver(
  url: URL,
  { method = 'GET', body, token, headers }: ApiserverRequest,
  { agent, ca }: { readonly agent: Agent; readonly ca: Buffer },
): Promise<ApiserverAnswer> {
  const payload = body === undefined ? undefined : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const call = request(url, {
      method,
      agent,
      ca,
      headers: {
        accept: 'application/json',
        'user-agent': 'kubedelta-test',
        ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
    })
    call.once('error', reject)
    call.once('response', (response) => {
      const { statusCode: status = 0, headers: answered } = response
      text(response).then((answer) => resolve({ status, headers: answered, body: answer }), reject)
    })
    call.end(payload)
  })
}
