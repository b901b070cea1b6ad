// Throws inputs at a decoder: half of them damaged real frames, half of them made from nothing, each replayable by its number.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { KubedeltaError, type ErrorCode } from '../../src/base/errors.ts'
import { dice as createDice, type Dice } from '../support/dice.ts'

export interface FuzzTarget {
  /** The claim that the test stands for. */
  readonly name: string
  /** Real frames, as this project's own writers or the servers it reads from make them. */
  readonly frames: readonly [Buffer, ...Buffer[]]
  /** An input that stems from no frame. @default random bytes, of which a part looks like a frame's beginning */
  readonly invent?: (dice: Dice) => Buffer
  /** Makes a damaged frame pass the checksums in front of the decoder, so that the damage reaches what is behind them. */
  readonly mend?: (frame: Buffer, dice: Dice) => Buffer
  /**
   * Decodes; checks what came out, and throws an AssertionError where it is not the right answer.
   * @param original the frame before it was damaged; undefined for an invented input
   */
  readonly decode: (input: Buffer, original: Buffer | undefined) => unknown
  /** What a decoder may refuse an input with. */
  readonly refusals: readonly ErrorCode[]
}

/**
 * Registers a test that gives `KUBEDELTA_FUZZ_RUNS` inputs (100,000) to a decoder.
 *
 * - An input ends in the right answer or in one of the refusals; anything else fails, and names seed, number and bytes.
 * - A hang is ended by the runner's time limit; memory that grows by more than 512 MiB fails.
 * - `KUBEDELTA_FUZZ_SEED` repeats a run, with `KUBEDELTA_FUZZ_CASE` one input of it alone.
 */
export function fuzz(target: FuzzTarget): void {
  const { runs, seed, only } = settings()
  test(`${target.name} (${only === undefined ? `${runs} inputs` : `input ${only}`}, seed ${seed})`, async () => {
    const counts = { accepted: 0, refused: 0 }
    const before = process.memoryUsage.rss()
    for (let number = only ?? 0; number < (only === undefined ? runs : only + 1); number += 1) {
      const outcome = await tryInput(target, seed, number)
      counts[outcome] += 1
      if (number % 10_000 === 0) {
        // Lets the runner's signals in, and timers of what is decoded.
        await new Promise(setImmediate)
        const grown = process.memoryUsage.rss() - before
        assert.ok(grown < MAX_GROWTH_BYTES, `memory must grow by less than 512 MiB: current value is ${grown} bytes`)
      }
    }
    // A target whose every input is refused, or accepted, tests nothing.
    if (only === undefined && runs >= 1_000) {
      assert.ok(counts.accepted > 0, 'at least one input must be accepted')
      if (target.refusals.length > 0) assert.ok(counts.refused > 0, 'at least one input must be refused')
    }
  })
}

const MAX_GROWTH_BYTES = 512 * 1024 * 1024

async function tryInput(target: FuzzTarget, seed: number, number: number): Promise<'accepted' | 'refused'> {
  // Each input has a stream of its own, so that one can be repeated alone.
  const dice = createDice(seed, String(number))
  // Every second input is a damaged frame.
  const original = number % 2 === 0 ? dice.pick(target.frames) : undefined
  const input = original === undefined ? (target.invent ?? inventBytes(target.frames))(dice) : damage(original, dice)
  const mended = original !== undefined && target.mend && dice.below(2) === 0 ? target.mend(input, dice) : input
  try {
    await target.decode(mended, mended === input ? original : undefined)
    return 'accepted'
  } catch (error) {
    if (error instanceof KubedeltaError && target.refusals.includes(error.code)) return 'refused'
    const shown = mended.length <= 4_096 ? mended.toString('base64') : `${mended.toString('base64', 0, 4_096)}...`
    throw new Error(
      `KUBEDELTA_FUZZ_SEED=${seed} KUBEDELTA_FUZZ_CASE=${number} fails: wanted the right answer or one of ${target.refusals.join(', ')}: current value is ${inspect(error)} for ${mended.length} bytes, base64 ${shown}`,
      { cause: error },
    )
  }
}

/** One to four strokes: bits flipped, bytes replaced, cut, doubled, inserted; lengths made huge, zero or negative. */
export function damage(frame: Buffer, dice: Dice): Buffer {
  let bytes = Buffer.from(frame)
  for (let strokes = 1 + dice.below(4); strokes > 0; strokes -= 1) bytes = stroke(bytes, dice)
  return bytes
}

function stroke(bytes: Buffer, dice: Dice): Buffer<ArrayBuffer> {
  const at = dice.below(bytes.length + 1)
  const length = 1 + dice.below(8)
  switch (dice.below(7)) {
    case 0:
      return splice(bytes, at, 1, [(bytes[at] ?? 0) ^ (1 << dice.below(8))])
    case 1:
      return splice(bytes, at, 1, [dice.below(256)])
    case 2:
      return splice(bytes, at, length, [])
    case 3:
      return splice(bytes, at, 0, [...bytes.subarray(dice.below(bytes.length + 1)).subarray(0, length * 4)])
    case 4:
      return splice(
        bytes,
        at,
        0,
        Array.from({ length }, () => dice.below(256)),
      )
    case 5:
      return splice(bytes, at, 4, dice.pick(EXTREMES))
    default:
      return Buffer.from(bytes.subarray(0, at))
  }
}

/** What reads as the greatest, the least and the negative in fixed and variable lengths. */
const EXTREMES: readonly [readonly number[], ...(readonly number[])[]] = [
  [0xff, 0xff, 0xff, 0xff],
  [0x7f, 0xff, 0xff, 0xff],
  [0x80, 0x00, 0x00, 0x00],
  [0x00, 0x00, 0x00, 0x00],
  [0xfe, 0xff, 0xff, 0xff, 0x0f],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
]

function splice(bytes: Buffer, at: number, removed: number, inserted: readonly number[]): Buffer<ArrayBuffer> {
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(inserted), bytes.subarray(at + removed)])
}

function inventBytes(frames: readonly [Buffer, ...Buffer[]]): (dice: Dice) => Buffer {
  return (dice) => {
    const noise = Buffer.from(Array.from({ length: dice.below(200) }, () => dice.below(256)))
    if (dice.below(2) === 0) return noise
    const frame = dice.pick(frames)
    return Buffer.concat([frame.subarray(0, dice.below(Math.min(frame.length, 100) + 1)), noise])
  }
}

/** Texts over a few words and signs: where random bytes would be refused at the first one. */
export function inventText(words: readonly [string, ...string[]]): (dice: Dice) => Buffer {
  return (dice) => Buffer.from(Array.from({ length: dice.below(24) }, () => dice.pick(words)).join(''))
}

function settings(): { readonly runs: number; readonly seed: number; readonly only: number | undefined } {
  const { KUBEDELTA_FUZZ_RUNS, KUBEDELTA_FUZZ_SEED, KUBEDELTA_FUZZ_CASE } = process.env
  return {
    runs: whole(KUBEDELTA_FUZZ_RUNS, 'KUBEDELTA_FUZZ_RUNS') ?? 100_000,
    seed: whole(KUBEDELTA_FUZZ_SEED, 'KUBEDELTA_FUZZ_SEED') ?? Math.floor(Math.random() * 2 ** 31),
    only: whole(KUBEDELTA_FUZZ_CASE, 'KUBEDELTA_FUZZ_CASE'),
  }
}

function whole(text: string | undefined, name: string): number | undefined {
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new RangeError(`Cannot fuzz: '${name}' must be a whole number of 0 or more: current value is ${text}`)
}
