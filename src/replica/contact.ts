// Keeps the moment up to which a reading is known to have missed nothing.

/** The log's end as it was told at a moment. */
interface Asked {
  readonly atMs: number
  readonly end: number
}

interface PartitionContact {
  position: number
  /** All that stood in the partition then has been read. */
  atMs: number
  /** Not reached yet: the oldest answer, and the newest. */
  waiting: readonly Asked[]
}

/**
 * The contact of a reading with its log.
 *
 * A partition has been read up to a moment once its position has reached the end that the log had at that moment. So the contact of a
 * process that was stopped, or that a handler holds back, is old, and that of one that reads a silent log is new. The moment is noted
 * before the log is asked for its end, and by the wall clock: a monotonic one stands still while a computer sleeps.
 */
export class Contact {
  readonly #partitions: Map<number, PartitionContact>

  /**
   * @param from partition -> position
   * @param atMs the moment up to which nothing is missing at the start, because a snapshot holds it or the reading will come to it
   */
  constructor(from: ReadonlyMap<number, number>, atMs: number) {
    this.#partitions = new Map([...from].map(([partition, position]) => [partition, { position, atMs, waiting: [] }]))
  }

  /** All that stood on the topic then has been read: that of the partition with the oldest contact. Milliseconds since the Unix epoch. */
  get atMs(): number {
    return Math.min(...Array.from(this.#partitions.values(), ({ atMs }) => atMs))
  }

  /** The log had these ends at a moment behind `atMs`. */
  heard(atMs: number, ends: ReadonlyMap<number, number>): void {
    for (const [number, partition] of this.#partitions) {
      const end = ends.get(number)
      if (end === undefined) continue
      partition.waiting = [...partition.waiting.slice(0, 1), { atMs, end }]
      settle(partition)
    }
  }

  moved(number: number, position: number): void {
    const partition = this.#partitions.get(number)
    if (partition === undefined) return
    partition.position = position
    settle(partition)
  }

  /** Takes what was read for complete, though it may not be. */
  renew(atMs: number): void {
    for (const partition of this.#partitions.values()) partition.atMs = Math.max(partition.atMs, atMs)
  }
}

function settle(partition: PartitionContact): void {
  const { position, waiting } = partition
  const reached = waiting.filter(({ end }) => end <= position)
  if (reached.length === 0) return
  partition.atMs = Math.max(partition.atMs, ...reached.map(({ atMs }) => atMs))
  partition.waiting = waiting.filter(({ end }) => end > position)
}
