// Shows on a terminal how far a cache has read its topic.

import cliProgress from 'cli-progress'
import type { TopicCache } from '../consumer/topic-cache.ts'

const REFRESH_MS = 100

/**
 * A progress line on stderr, where that is a terminal; it is gone once it has ended.
 * @returns `end` may be called more than once
 */
export function showRebuilding(
  cache: Pick<TopicCache<unknown>, 'status' | 'topic'>,
  signal: AbortSignal,
): { end(): void } {
  if (!process.stderr.isTTY) return { end: () => {} }
  const bar = new cliProgress.SingleBar({
    format: `reading ${cache.topic} {bar} {value} of {total} offsets`,
    clearOnComplete: true,
    hideCursor: true,
    stream: process.stderr,
  })
  bar.start(0, 0)
  const timer = setInterval(() => {
    const { done, toDo } = cache.status().offsets
    bar.setTotal(done + toDo)
    bar.update(done)
  }, REFRESH_MS)
  function end(): void {
    clearInterval(timer)
    bar.stop()
    signal.removeEventListener('abort', end)
  }
  signal.addEventListener('abort', end, { once: true })
  return { end }
}
