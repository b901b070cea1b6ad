// A Lease in memory that several candidates share, with refusals and silence on request.

import { KubedeltaError } from '../../src/base/errors.ts'
import type { Lease, LeaseClaim, LeaseStore, LeaseWritten } from '../../src/kube/lease.ts'

export class FakeLease {
  /** Rejections of the next requests, whatever they are. */
  readonly failures: Error[] = []
  /** While true, nothing is answered. */
  isSilent = false
  /** `read`, `create by a`, `update by a`, in their order. */
  readonly requests: string[] = []
  #lease: Lease | undefined
  #version = 0

  get claim(): LeaseClaim | undefined {
    return this.#lease?.claim
  }

  /** Puts a claim there, as another candidate or a person would. */
  put(holder: string, more: Partial<LeaseClaim> = {}): void {
    const before = this.#lease?.claim
    const times = { acquireTime: '', renewTime: String(this.#version), durationMs: 15_000, transitions: 0 }
    this.#store({ ...times, ...before, holder, ...more })
  }

  /** The store of one candidate. */
  store(): LeaseStore {
    return {
      name: 'default/test',
      read: async (signal) => {
        await this.#ask('read', signal)
        return this.#lease
      },
      create: async (claim, signal) => {
        await this.#ask(`create by ${claim.holder}`, signal)
        return this.#lease === undefined ? this.#store(claim) : { kind: 'conflict' }
      },
      update: async (lease, claim, signal) => {
        await this.#ask(`update by ${claim.holder === '' ? 'nobody' : claim.holder}`, signal)
        return lease.object['version'] === this.#version ? this.#store(claim) : { kind: 'conflict' }
      },
    }
  }

  #store(claim: LeaseClaim): LeaseWritten {
    this.#version++
    this.#lease = { claim, object: { version: this.#version } }
    return { kind: 'written', lease: this.#lease }
  }

  async #ask(what: string, signal: AbortSignal): Promise<void> {
    this.requests.push(what)
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
    if (!this.isSilent) return
    await new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
    )
  }
}

export const unreachable = new KubedeltaError('unreachable', 'Cannot update Lease default/test: no answer')
