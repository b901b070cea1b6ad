// What goes wrong in a chaos run: each fault by itself, and the order in which they come.

import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiserverProxy } from '../support/apiserver-proxy.ts'
import type { ControlPlane } from '../support/control-plane.ts'
import type { KafkaCluster } from '../support/kafka.ts'
import type { KafkaProxy } from '../support/kafka-proxy.ts'
import type { BridgePair } from './bridge-pair.ts'
import type { ConsumerProcess } from './consumer-process.ts'
import type { Dice } from '../support/dice.ts'

/** Those who suffer. */
export interface Cast {
  readonly bridges: BridgePair
  readonly consumer: ConsumerProcess
  readonly kafka: KafkaCluster
  readonly kafkaProxy: KafkaProxy
  readonly plane: ControlPlane
  readonly apiserverProxy: ApiserverProxy
}

/** What was done to them. */
export interface Damage {
  bridgeKills: number
  takeovers: number
  brokerRestarts: number
  apiserverRestarts: number
  /** Those after which the leader was answered 410. */
  restartsWith410: number
  consumerKills: number
  consumerStops: number
}

type Fault = (cast: Cast, damage: Damage, dice: Dice) => Promise<void>

/** What a run that counts must have had, and how often it is tried within three minutes. */
const FAULTS = {
  killBridge: { times: 4, fault: killBridge },
  stopLeader: { times: 2, fault: stopLeader },
  restartBroker: { times: 2, fault: restartBroker },
  restartApiserver: { times: 3, fault: restartApiserver },
  cutBrokers: { times: 4, fault: cutBrokers },
  cutApiserver: { times: 2, fault: cutApiserver },
  swallowAcks: { times: 8, fault: swallowAcks },
  killConsumer: { times: 1, fault: killConsumer },
  stopConsumer: { times: 1, fault: stopConsumer },
} as const satisfies Record<string, { readonly times: number; readonly fault: Fault }>

type FaultName = keyof typeof FAULTS

/** Every fault as often as it must come, shuffled; then shuffled again, without end. */
export function* deck(dice: Dice): Generator<FaultName, never, undefined> {
  const names = Object.keys(FAULTS).filter((name): name is FaultName => name in FAULTS)
  for (;;) yield* dice.shuffled(names.flatMap((name) => Array.from({ length: FAULTS[name].times }, () => name)))
}

export async function strike(name: FaultName, cast: Cast, damage: Damage, dice: Dice): Promise<void> {
  await FAULTS[name].fault(cast, damage, dice)
}

/** How many faults the first deck holds. */
export const DECK_SIZE = Object.values(FAULTS).reduce((sum, { times }) => sum + times, 0)

async function killBridge({ bridges }: Cast, damage: Damage, dice: Dice): Promise<void> {
  // Mostly the leader: at a random moment of a first list, a repair or a write.
  const leader = await bridges.leader()
  const victim = dice.below(4) === 0 || leader === undefined ? dice.pick(bridges.members) : leader
  if (victim.process === undefined) return
  await victim.kill()
  damage.bridgeKills += 1
}

/** The leader freezes until the other has taken over; what it still had in hand must be refused then, and end it. */
async function stopLeader({ bridges }: Cast, damage: Damage): Promise<void> {
  const { leader, standby } = await bridges.settled()
  leader.signal('SIGSTOP')
  try {
    await until(
      async () => (await standby.role()) === 'leader' && (await standby.isReady()),
      'the standby to take over',
    )
  } finally {
    leader.signal('SIGCONT')
  }
  const ending = await leader.ended()
  if (ending !== 'exit code 1') throw new Error(`A leader that was replaced must end with exit code 1: ${ending}`)
  damage.takeovers += 1
}

async function restartBroker({ kafka }: Cast, damage: Damage, dice: Dice): Promise<void> {
  if (dice.below(2) === 0) await kafka.kill()
  await kafka.restart()
  damage.brokerRestarts += 1
}

/**
 * Who watches misses what others change before the restart: the new watch cache, which begins behind that, answers 410. The next fault
 * waits until the leader has noticed, unless another fault ends it first.
 */
async function restartApiserver({ bridges, plane, apiserverProxy }: Cast, damage: Damage, dice: Dice): Promise<void> {
  const { leader } = await bridges.settled()
  const before = await leader.expiredWatches()
  await apiserverProxy.cut()
  await sleep(500 + dice.below(500))
  if (dice.below(2) === 0) await plane.killApiserver()
  await plane.restartApiserver()
  await apiserverProxy.mend()
  damage.apiserverRestarts += 1
  await until(
    async () => (await leader.role()) !== 'leader' || (await leader.expiredWatches()) > before,
    'the leader to be answered 410',
  )
  if ((await leader.expiredWatches()) > before) damage.restartsWith410 += 1
}

async function cutBrokers({ kafkaProxy }: Cast): Promise<void> {
  kafkaProxy.cut()
}

async function cutApiserver({ apiserverProxy }: Cast, _damage: Damage, dice: Dice): Promise<void> {
  await apiserverProxy.cut()
  await sleep(dice.below(1_000))
  await apiserverProxy.mend()
}

/** Acks are lost on connections that stay open; then, as a rule before the request times out, these end as well. */
async function swallowAcks({ kafkaProxy }: Cast, _damage: Damage, dice: Dice): Promise<void> {
  const fault = kafkaProxy.swallow({ api: 'Produce', count: 6 })
  await Promise.race([fault.done, sleep(4_000 + dice.below(2_000))])
  fault.clear()
  if (dice.below(4) > 0) kafkaProxy.cut()
}

async function killConsumer({ consumer }: Cast, damage: Damage): Promise<void> {
  await consumer.kill()
  damage.consumerKills += 1
}

async function stopConsumer({ consumer }: Cast, damage: Damage, dice: Dice): Promise<void> {
  consumer.signal('SIGSTOP')
  await sleep(1_000 + dice.below(3_000))
  consumer.signal('SIGCONT')
  damage.consumerStops += 1
}

async function until(holds: () => Promise<boolean>, what: string, timeoutMs = 90_000): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Cannot wait for ${what}: not so after ${timeoutMs} ms`)
    await sleep(200)
  }
}
