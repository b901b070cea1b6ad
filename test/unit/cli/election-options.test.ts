import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { checkElection, electionTiming, type ElectionValues } from '../../../src/cli/election-options.ts'

const defaults: ElectionValues = {
  leaderElectName: undefined,
  leaderElectNamespace: undefined,
  leaderElectLeaseDurationMs: 15_000,
  leaderElectRenewDeadlineMs: 10_000,
  leaderElectRetryPeriodMs: 2_000,
}

describe('options of the leader election', () => {
  test("are fit by default, and by client-go's quickest rule", () => {
    checkElection(defaults)
    checkElection({ ...defaults, leaderElectName: 'a.b-c', leaderElectNamespace: 'shop' })
    checkElection({
      ...defaults,
      leaderElectLeaseDurationMs: 1_000,
      leaderElectRenewDeadlineMs: 999,
      leaderElectRetryPeriodMs: 832,
    })
  })

  const refused: ReadonlyArray<readonly [what: string, values: Partial<ElectionValues>, says: RegExp]> = [
    ['a name that no Lease can have', { leaderElectName: 'A_b' }, /--leader-elect-name: .*current value is "A_b"/],
    ['a name that is too long', { leaderElectName: 'a'.repeat(254) }, /--leader-elect-name/],
    ['a namespace that is none', { leaderElectNamespace: 'a.b' }, /--leader-elect-namespace/],
    [
      'a lease under a second, which a Lease cannot hold',
      { leaderElectLeaseDurationMs: 999, leaderElectRenewDeadlineMs: 500, leaderElectRetryPeriodMs: 100 },
      /--leader-elect-lease-duration at least 1s: current value is 999ms/,
    ],
    ['no pause between looks', { leaderElectRetryPeriodMs: 0 }, /--leader-elect-retry-period more than 0/],
    [
      'a renew deadline that is not over before the Lease',
      { leaderElectRenewDeadlineMs: 15_000 },
      /--leader-elect-renew-deadline less than --leader-elect-lease-duration 15000ms: current value is 15000ms/,
    ],
    [
      'a retry period that leaves no second attempt',
      { leaderElectRetryPeriodMs: 9_000 },
      /--leader-elect-renew-deadline more than 1\.2 times --leader-elect-retry-period 9000ms: current value is 10000ms/,
    ],
  ]
  for (const [what, values, says] of refused) {
    test(`refuse ${what}`, () => {
      assert.throws(
        () => checkElection({ ...defaults, ...values }),
        (error) => hasCode(error, 'usage') && says.test(error.message),
      )
    })
  }

  test('are the times of the election', () => {
    assert.deepEqual(electionTiming(defaults), { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 })
  })
})
