// Reads last known objects back from the topic, for deletions that nobody watched.

import { fromUnknown } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { RecordDecoder } from '../codec/codec.ts'
import type { StoredRecord, TopicReader } from '../topic/port.ts'
import type { Arrival } from './arrival.ts'
import type { IndexPosition, TopicIndex } from './topic-index.ts'

/** Key -> bytes of the object that the topic holds; keys whose object could not be read are missing. */
export type LastStates = ReadonlyMap<string, Buffer>

/** Objects read back at once: they count against no budget, so there are never many of them. */
export const MAX_LAST_STATES = 250

/** Arrivals to publish together, and the keys whose objects must be read from the topic before. */
export interface Slice {
  readonly arrivals: readonly Arrival[]
  readonly keys: ReadonlySet<string>
}

/**
 * Cuts arrivals so that whatever ends unwatched stands on the topic by then: deletes that a list found, and objects of another uid.
 * What a delta itself shows of the last state is not read. Each slice is to be published before the next is asked for.
 */
export function* slicesOf(arrivals: readonly Arrival[], index: TopicIndex): Iterable<Slice> {
  let slice: Arrival[] = []
  let keys = new Set<string>()
  // Uids that the slice leaves under keys of which more is to come; '' where it deletes.
  const left = new Map<string, string>()
  for (const arrival of arrivals) {
    const { popped, delta } = arrival
    const { key, deltas } = popped
    const known = left.get(key) ?? index.get(key)?.uid ?? ''
    const seen = delta.object?.object.uid ?? ''
    if (known !== '' && known !== seen) {
      if (left.has(key) || keys.size >= MAX_LAST_STATES) {
        yield { arrivals: slice, keys }
        slice = []
        keys = new Set()
        left.clear()
      }
      keys.add(key)
    }
    if (deltas.length > 1) left.set(key, delta.kind === 'deleted' ? '' : seen)
    slice.push(arrival)
  }
  yield { arrivals: slice, keys }
}

export interface ReadLastStatesOptions {
  readonly reader: TopicReader
  readonly topic: string
  readonly decoder: RecordDecoder
  readonly log: Logger
  readonly signal: AbortSignal
}

/**
 * Reads what the topic holds under these keys, at the positions that the index knows.
 * @throws what the reader throws; a value that does not decode is logged, and its key missing
 */
export async function readLastStates(
  keys: ReadonlySet<string>,
  index: TopicIndex,
  { reader, topic, decoder, log, signal }: ReadLastStatesOptions,
): Promise<LastStates> {
  const states = new Map<string, Buffer>()
  const positions = [...keys].flatMap((key) => index.get(key)?.position ?? [])
  function take(stored: StoredRecord): void {
    const key = stored.key.toString()
    if (stored.value === null) return
    try {
      const { object } = decoder.decode(stored.value)
      if (object !== null) states.set(key, object)
    } catch (cause) {
      log.warn('last state on the topic cannot be read', { key, error: fromUnknown(cause, 'Cannot decode record') })
    }
  }
  await readPositions(reader, topic, { positions, take, signal })
  return states
}

/** Offsets closer than this are read through in one go: cheaper than a new fetch, which brings some hundred records anyway. */
const MAX_GAP = 500

/**
 * Reads the records at these positions, partition by partition in rising order, so that many missed deletions cost a few fetches.
 *
 * What compaction has removed meanwhile is not passed on: a newer record of its key stands further on.
 */
async function readPositions(
  reader: TopicReader,
  topic: string,
  { positions, take, signal }: PositionsToRead,
): Promise<void> {
  for (const { partition, offsets } of ranges(positions)) {
    const [first = 0] = offsets
    const last = offsets.at(-1) ?? first
    const wanted = new Set(offsets)
    const options = { topic, from: new Map([[partition, first]]), until: new Map([[partition, last + 1]]), signal }
    for await (const batch of reader.read(options)) {
      for (const record of batch.records) if (wanted.has(record.offset)) take(record)
    }
  }
}

interface PositionsToRead {
  readonly positions: readonly IndexPosition[]
  /** Gets each record found. */
  readonly take: (record: StoredRecord) => void
  readonly signal: AbortSignal
}

interface Range {
  readonly partition: number
  readonly offsets: readonly number[]
}

function ranges(positions: readonly IndexPosition[]): readonly Range[] {
  const sorted = positions.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
  const found: Array<{ partition: number; offsets: number[] }> = []
  for (const { partition, offset } of sorted) {
    const current = found.at(-1)
    const previous = current?.offsets.at(-1)
    if (current?.partition === partition && previous !== undefined && offset - previous <= MAX_GAP) {
      if (offset !== previous) current.offsets.push(offset)
    } else {
      found.push({ partition, offsets: [offset] })
    }
  }
  return found
}
