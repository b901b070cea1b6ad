// The thread that commits for the writers of a log.

import { parentPort } from 'node:worker_threads'
import { systemClock } from '../base/clock.ts'
import type { FromCommitter, ToCommitter } from './messages.ts'
import { TopicCommitter } from './topic-committer.ts'

/** Not a library file: it runs only as the thread that `CommitThread` starts. */
if (parentPort === null) throw new TypeError('Cannot write a log: wanted a worker thread: this is the main thread')

const main = parentPort
const committers = new Map<number, TopicCommitter>()

main.on('message', (message: ToCommitter) => {
  switch (message.kind) {
    case 'open':
      return open(message)
    case 'append':
      return committers.get(message.writer)?.append(Buffer.from(message.bytes))
    case 'close':
      return committers.get(message.writer)?.close()
    case 'end':
      return main.close()
    default:
      return message satisfies never
  }
})

function open({ writer, files }: Extract<ToCommitter, { readonly kind: 'open' }>): void {
  const committer = new TopicCommitter({
    files,
    clock: systemClock,
    random: Math.random,
    tell: (news) => {
      // Nothing is said to it any more, and what was on its way is refused on the other side.
      if (news.kind === 'closed') committers.delete(writer)
      const message: FromCommitter = { writer, news }
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread has no origin
      main.postMessage(message)
    },
  })
  committers.set(writer, committer)
  committer.open()
}
