// Knows whose records need no look at their objects: those of the bridge that writes the topic.

import { hasCode, KubedeltaError } from '../base/errors.ts'
import type { ObjectCheck } from '../codec/own-json.ts'
import { fromHeaders, isReservedKey, type Control } from '../record/control.ts'
import type { ReadBatch, TopicLog } from '../topic/port.ts'

/**
 * Which producer a reading believes.
 *
 * A bridge cuts objects out of an apiserver's answers by a scan that takes JSON only, and from then on the checksum of their batch keeps
 * them: looking again at each would cost a rebuild as much as all the rest of decoding. So what the producer sent that also sent the
 * newest control record is believed as far as the inside of the object goes. Any other producer's record, and those of logs and mirrors
 * that do not tell who sent what, are looked at as a whole.
 */
export class Vouched {
  /** The control record of the highest epoch, and whether the one whom it names had sent it. */
  #newest: { readonly epoch: number; readonly producerId: string | undefined } | undefined
  /** The producer of the batch that was begun last. */
  #sender: string | undefined

  /** Takes note of a control record of the batch that was begun last. */
  note({ epoch, producerId }: Control): void {
    if (this.#newest !== undefined && epoch < this.#newest.epoch) return
    // A mirror sends as itself: ids of one cluster say nothing in another.
    const isSender = producerId !== '' && producerId === this.#sender
    this.#newest = { epoch, producerId: isSender ? producerId : undefined }
  }

  /** Begins a batch; returns how much of its objects is to be looked at. */
  begin({ producerId }: Pick<ReadBatch, 'producerId'>): ObjectCheck {
    this.#sender = producerId
    return producerId !== undefined && producerId === this.#newest?.producerId ? 'ends' : 'whole'
  }
}

/**
 * Who writes a topic, as far as the last records of a partition tell: the control records stand at the end, and a reading from the start
 * would come to them last. A short topic is not worth the question.
 */
export async function whoIsVouched(
  log: Pick<TopicLog, 'openReader'>,
  { topic, from, until }: VouchedRange,
  signal: AbortSignal,
): Promise<Vouched> {
  const vouched = new Vouched()
  const lengths = [...from].map(([partition, start]) => ({
    partition,
    length: (until.get(partition) ?? start) - start,
  }))
  const longest = lengths.toSorted((a, b) => b.length - a.length)[0]
  if (longest === undefined || longest.length < WORTH_ASKING) return vouched
  const { partition } = longest
  const end = until.get(partition) ?? 0
  const range = { from: new Map([[partition, end - TAIL]]), until: new Map([[partition, end]]) }
  try {
    await using reader = await log.openReader({ signal })
    for await (const batch of reader.read({ topic, ...range, signal })) noteControls(vouched, batch)
  } catch (error) {
    // Nothing is lost: what nobody vouches for is looked at, and the reading itself meets the same trouble.
    if (signal.aborted || !(error instanceof KubedeltaError)) throw error
  }
  return vouched
}

/** Partition -> offset. */
export interface VouchedRange {
  readonly topic: string
  readonly from: ReadonlyMap<number, number>
  readonly until: ReadonlyMap<number, number>
}

function noteControls(vouched: Vouched, batch: ReadBatch): void {
  vouched.begin(batch)
  for (const { key, headers } of batch.records) {
    const name = key.toString()
    const control = isReservedKey(name) ? controlOf(name, headers) : undefined
    if (control !== undefined) vouched.note(control)
  }
}

function controlOf(key: string, headers: Parameters<typeof fromHeaders>[1]): Control | undefined {
  try {
    return fromHeaders(key, headers)
  } catch (error) {
    // Told when the reading comes to it.
    if (!hasCode(error, 'corrupt')) throw error
    return undefined
  }
}

/** Records. A look at fewer takes less time than the question. */
const WORTH_ASKING = 5_000
/** Records looked at from the end. */
const TAIL = 1_000
