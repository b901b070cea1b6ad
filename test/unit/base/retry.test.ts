import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Clock } from '../../../src/base/clock.ts'
import { hasCode, KubedeltaError } from '../../../src/base/errors.ts'
import { splitAddress } from '../../../src/kafka/cluster.ts'
import { silentLogger, type LogFields, type Logger } from '../../../src/base/log.ts'
import { retrying } from '../../../src/base/retry.ts'

const unreachable = new KubedeltaError('unreachable', 'no broker')

/** A clock whose sleeps end at once, in the order of their ends. */
function eagerClock(): Clock {
  let now = 0
  const sleepers: Array<{ readonly at: number; readonly wake: () => void }> = []
  const tick = (): void => {
    const next = sleepers.toSorted((a, b) => a.at - b.at)[0]
    if (next === undefined) return
    sleepers.splice(sleepers.indexOf(next), 1)
    now = next.at
    next.wake()
  }
  return {
    now: () => now,
    sleep: async (ms, signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted()
        const sleeper = { at: now + ms, wake: resolve }
        sleepers.push(sleeper)
        signal.addEventListener('abort', () => {
          sleepers.splice(sleepers.indexOf(sleeper), 1)
          reject(signal.reason)
        })
        setImmediate(tick)
      }),
  }
}

describe('an attempt', () => {
  const { signal } = new AbortController()

  test('is repeated while it may succeed later', async () => {
    let attempts = 0
    const attempt = async (): Promise<number> => {
      attempts += 1
      if (attempts < 4) throw unreachable
      return attempts
    }
    assert.equal(await retrying(attempt, { action: 'ask', clock: eagerClock(), signal, timeoutMs: 60_000 }), 4)
  })

  test('is repeated no sooner than the failure asks for', async () => {
    const throttled = new KubedeltaError('throttled', 'too many requests', { fields: { retryAfterMs: 7_000 } })
    const clock = eagerClock()
    const times: number[] = []
    const attempt = async (): Promise<void> => {
      if (times.push(clock.now()) < 3) throw throttled
    }
    await retrying(attempt, { action: 'ask', clock, signal, timeoutMs: 60_000 })
    assert.deepEqual(times, [0, 7_000, 14_000])
  })

  test('that cannot succeed is not repeated', async () => {
    const forbidden = new KubedeltaError('forbidden', 'not allowed')
    let attempts = 0
    const attempt = async (): Promise<never> => {
      attempts += 1
      throw forbidden
    }
    await assert.rejects(
      retrying(attempt, { action: 'ask', clock: eagerClock(), signal, timeoutMs: 60_000 }),
      forbidden,
    )
    assert.equal(attempts, 1)
  })

  test('fails with its last reason when the time is up', async () => {
    const attempt = async (): Promise<never> => {
      throw unreachable
    }
    await assert.rejects(
      retrying(attempt, { action: 'ask', clock: eagerClock(), signal, timeoutMs: 5_000 }),
      unreachable,
    )
  })

  test('without an answer ends when the time is up', async () => {
    const attempt = async (): Promise<never> => new Promise(() => {})
    const asking = retrying(attempt, { action: 'ask', clock: eagerClock(), signal, timeoutMs: 5_000 })
    await assert.rejects(asking, (error) => hasCode(error, 'timeout'))
  })

  test('ends with the reason of an abort, before it begins and while it runs', async () => {
    const reason = new Error('stop')
    const stop = new AbortController()
    const attempt = async (): Promise<never> => {
      stop.abort(reason)
      throw unreachable
    }
    const options = { action: 'ask', clock: eagerClock(), signal: stop.signal, timeoutMs: 5_000 }
    await assert.rejects(retrying(attempt, options), reason)
    await assert.rejects(
      retrying(async () => assert.fail('not attempted'), options),
      reason,
    )
  })
})

describe('what is waited for', () => {
  const { signal } = new AbortController()

  /** What is said, with the time on the clock. */
  function listen(clock: Clock): { readonly log: Logger; readonly said: ReadonlyArray<LogFields> } {
    const said: LogFields[] = []
    const note =
      (level: string) =>
      (message: string, { error, ...fields }: LogFields = {}): void =>
        void said.push({ level, message, at: clock.now(), ...fields, ...(error !== undefined && { error }) })
    return { said, log: { ...silentLogger, info: note('info'), warn: note('warn') } }
  }

  test('is told after a second, then every 10 s, and when it is over', async () => {
    const clock = eagerClock()
    const { log, said } = listen(clock)
    const attempt = async (): Promise<void> => {
      if (clock.now() < 25_000) throw unreachable
    }
    await retrying(attempt, { action: 'ask', clock, signal, timeoutMs: 60_000, log })
    const waiting = { level: 'warn', message: 'waiting for an answer', action: 'ask', error: unreachable }
    assert.deepEqual(
      said.slice(0, -1),
      [1_000, 10_000, 20_000].map((at) => ({ ...waiting, at, waitedMs: at, startupTimeoutMs: 60_000 })),
    )
    const { at, ...last } = said.at(-1) ?? {}
    assert.deepEqual(last, { level: 'info', message: 'it has answered', action: 'ask', waitedMs: at })
  })

  test('is told of an attempt that gets no answer', async () => {
    const clock = eagerClock()
    const { log, said } = listen(clock)
    const attempt = async (): Promise<never> => new Promise(() => {})
    await assert.rejects(retrying(attempt, { action: 'ask', clock, signal, timeoutMs: 30_000, log }))
    assert.deepEqual(
      said.map(({ at, error }) => ({ at, error })),
      [10_000, 20_000].map((at) => ({ at, error: undefined })),
    )
  })

  test('is not told where it passes within a second, or is refused for good', async () => {
    for (const failure of [unreachable, new KubedeltaError('forbidden', 'not allowed')]) {
      const clock = eagerClock()
      const { log, said } = listen(clock)
      const attempt = async (): Promise<void> => {
        if (clock.now() === 0) throw failure
      }
      await retrying(attempt, { action: 'ask', clock, signal, timeoutMs: 60_000, log }).catch(() => {})
      assert.deepEqual(said, [])
    }
  })
})

describe('address', () => {
  for (const [address, host, port] of [
    ['kafka:9092', 'kafka', 9092],
    ['[::1]:9092', '::1', 9092],
    ['fe80::1:9092', 'fe80::1', 9092],
  ] as const) {
    test(`${address} is split at its last colon`, () => assert.deepEqual(splitAddress(address), [host, port]))
  }
})
