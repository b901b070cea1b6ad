// A KubeClient over a table of answers, which keeps what it was asked.

import { KubedeltaError } from '../../../src/base/errors.ts'
import type { KubeAnswer, KubeClient, KubeRequest } from '../../../src/kube/client.ts'

export interface FakeClient extends KubeClient {
  readonly asked: ReadonlyArray<{ readonly path: string; readonly request: KubeRequest }>
}

/** What a path answers: JSON, chunks of a stream (an Error among them breaks it), or a refusal. A path without answer is not found. */
export type FakeAnswer =
  { readonly json: unknown } | { readonly chunks: ReadonlyArray<string | Error> } | { readonly error: Error }

export function fakeClient(answers: Readonly<Record<string, FakeAnswer>>): FakeClient {
  const asked: Array<{ path: string; request: KubeRequest }> = []
  function answerTo(path: string, request: KubeRequest): FakeAnswer {
    asked.push({ path, request })
    const answer = answers[path] ?? { error: new KubedeltaError('not-found', `Cannot GET ${path}: not found`) }
    if ('error' in answer) throw answer.error
    return answer
  }
  return {
    asked,
    server: 'https://fake',
    async get(path, request): Promise<unknown> {
      const answer = answerTo(path, request)
      return 'json' in answer ? answer.json : undefined
    },
    async stream(path, request): Promise<KubeAnswer> {
      const answer = answerTo(path, request)
      return { status: 200, headers: {}, body: bodyOf('chunks' in answer ? answer.chunks : []) }
    },
    async [Symbol.asyncDispose]() {},
  }
}

async function* bodyOf(chunks: ReadonlyArray<string | Error>): AsyncGenerator<readonly Buffer[]> {
  for (const chunk of chunks) {
    if (chunk instanceof Error) throw chunk
    yield [Buffer.from(chunk)]
  }
}
