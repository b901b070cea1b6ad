// Takes the lead of several topics: side by side where an election has decided, in turn where nobody has.

import { abortable } from '../base/abort.ts'
import { runAll } from '../base/lifecycle.ts'
import { Permits } from '../base/permits.ts'
import { namingSuccessor } from './successor.ts'
import { appendControl, takeLead, type Leadership, type ReadTopic } from './topic-session.ts'

export type TakenTopic<T> = T & { readonly leadership: Leadership }

/** Topics that this bridge alone may write. Disposing closes their writers. */
export interface TakenLeads<T> extends AsyncDisposable {
  /** In the order in which they were given. */
  readonly taken: ReadonlyArray<TakenTopic<T>>
}

export interface TakeLeadsOptions {
  /**
   * Whether another bridge may be taking the same topics now. Two that do it side by side would each be fenced on some topic by the
   * other, and both would end. So they go through the topics by name, and only as long as the first one is still theirs: whoever takes the
   * first topic last goes on, and the other stops at its next one.
   */
  readonly inTurn: boolean
}

/** Topics taken at once. */
const MAX_AT_ONCE = 4

/** @throws KubedeltaError as `takeLead`; then every writer is closed */
export async function takeLeads<T extends { readonly topic: ReadTopic }>(
  opened: readonly T[],
  { inTurn }: TakeLeadsOptions,
  signal: AbortSignal,
): Promise<TakenLeads<T>> {
  await using stack = new AsyncDisposableStack()
  const leads = new Map<ReadTopic, Leadership>()
  const take = async ({ topic }: T, both: AbortSignal): Promise<void> => {
    const leadership = await takeLead(topic, both)
    stack.use(leadership.writer)
    leads.set(topic, leadership)
  }
  if (inTurn) await takeInTurn(opened, { take, leads }, signal)
  else await takeTogether(opened, take, signal)
  signal.throwIfAborted()
  const life = stack.move()
  return {
    taken: opened.flatMap((each) => {
      const leadership = leads.get(each.topic)
      return leadership === undefined ? [] : [{ ...each, leadership }]
    }),
    [Symbol.asyncDispose]: () => life.disposeAsync(),
  }
}

type Take<T> = (opened: T, signal: AbortSignal) => Promise<void>

async function takeTogether<T>(opened: readonly T[], take: Take<T>, signal: AbortSignal): Promise<void> {
  const permits = new Permits(MAX_AT_ONCE)
  await runAll(
    signal,
    opened.map((each) => async (both: AbortSignal) => {
      const done = await permits.acquire(both)
      await take(each, both).finally(done)
    }),
  )
}

async function takeInTurn<T extends { readonly topic: ReadTopic }>(
  opened: readonly T[],
  { take, leads }: { readonly take: Take<T>; readonly leads: ReadonlyMap<ReadTopic, Leadership> },
  signal: AbortSignal,
): Promise<void> {
  const sorted = opened.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  const first = sorted[0]?.topic
  for (const each of sorted) {
    const leadership = first === undefined ? undefined : leads.get(first)
    if (first !== undefined && leadership !== undefined) await stillOurs(first, leadership, signal)
    await take(each, signal)
  }
}

/** The fence once more: it is refused if another bridge has taken the topic since. */
async function stillOurs(topic: ReadTopic, leadership: Leadership, signal: AbortSignal): Promise<void> {
  try {
    await abortable(appendControl(topic, leadership, { kind: 'fence' }), signal)
  } catch (error) {
    throw await namingSuccessor(error, topic, { epoch: leadership.epoch, from: topic.recovery.positions })
  }
}

function nameOf({ topic }: { readonly topic: ReadTopic }): string {
  return topic.options.topic
}
