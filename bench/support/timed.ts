// Times one step of a benchmark, and how long the event loop stood still in it.

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'

/** How long it took, and the longest time in it that the event loop stood still; garbage is collected before, where `gc` is exposed. */
export async function timed(work: () => Promise<void>): Promise<string> {
  globalThis.gc?.()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const start = performance.now()
  delay.enable()
  await work()
  // The last stop is seen when the loop turns again.
  await turn()
  await turn()
  delay.disable()
  const seconds = (performance.now() - start) / 1_000
  return `${seconds.toFixed(2).padStart(6)} s, event loop held for ${(delay.max / 1e6).toFixed(0)} ms at most`
}
