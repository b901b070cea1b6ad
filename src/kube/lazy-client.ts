// A client that is made when it is first asked for something.

import type { KubeClient } from './client.ts'

/** Makes the client at the first request, which is when credentials are looked for; disposing of it before that does nothing. */
export function lazyClient(open: () => KubeClient): KubeClient {
  let opened: KubeClient | undefined
  const client = (): KubeClient => (opened ??= open())
  return {
    get server() {
      return client().server
    },
    // Async, so that what opening throws is a rejection as every other failure is.
    get: async (path, request) => client().get(path, request),
    stream: async (path, request) => client().stream(path, request),
    [Symbol.asyncDispose]: async () => opened?.[Symbol.asyncDispose](),
  }
}
