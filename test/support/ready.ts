// Waits until a server answers, and says what it said last when it does not.

import { setTimeout as pause } from 'node:timers/promises'
import type { Child } from './child.ts'

export interface ReadyOptions {
  /** What is waited for, as it stands in the failure's message. */
  readonly what: string
  /** Ends the wait early when one of them ends. */
  readonly children?: readonly Child[]
  /** @default 120_000 */
  readonly timeoutMs?: number
}

/**
 * Asks `probe` again and again until it resolves; what it rejects with meanwhile means "not yet".
 * @throws Error with the last refusal and the servers' last output, at the timeout or when a server has ended
 */
export async function ready<T>(probe: () => Promise<T>, options: ReadyOptions): Promise<T> {
  const { what, children = [], timeoutMs = 120_000 } = options
  const deadline = performance.now() + timeoutMs
  for (;;) {
    try {
      return await probe()
    } catch (refusal) {
      const reason = refusal instanceof Error ? refusal.message : String(refusal)
      const ended = children.find((child) => child.ending !== undefined)
      const why = ended ? `${ended.name} ended with ${ended.ending}` : performance.now() > deadline ? reason : undefined
      if (why !== undefined) {
        const logs = children.map((child) => `--- ${child.name}\n${child.log()}`).join('\n')
        throw new Error(`Cannot wait for ${what}: ${why}\n${logs}`, { cause: refusal })
      }
    }
    // A server outside this process offers no event for "ready"; asking is the only way to know.
    await pause(100)
  }
}
