// Finds out who has taken a topic over, from the control record that the new writer put on it.

import { hasCode, KubedeltaError } from '../base/errors.ts'
import { fromHeaders, isReservedKey, type Control } from '../record/control.ts'
import type { TopicReader } from '../topic/port.ts'

export interface FencedTopic {
  readonly reader: TopicReader
  readonly options: { readonly topic: string }
}

export interface Fenced {
  /** The highest that was on the topic when the writer was fenced: its own, if it came that far. */
  readonly epoch: number
  /** Partition -> offset behind which the successor's records stand. */
  readonly from: ReadonlyMap<number, number>
}

/** A fence stands before the write that it refuses, so it is there to read; replicas may be a moment behind. */
const PATIENCE_MS = 2_000

/** The error itself; a `fenced` one with the name and epoch of who has taken over, where the topic tells. */
export async function namingSuccessor(error: unknown, topic: FencedTopic, fenced: Fenced): Promise<unknown> {
  if (!hasCode(error, 'fenced') || error.fields.holder !== undefined) return error
  const successor = await findSuccessor(topic, fenced)
  return successor === undefined ? error : takenOver(topic.options.topic, successor, fenced.epoch, error)
}

/** The error of a writer whose topic another one writes now. */
function takenOver(topic: string, by: Control, epoch: number, cause: unknown): KubedeltaError {
  return new KubedeltaError(
    'fenced',
    `Cannot write to topic ${topic}: ${by.holder} has taken it over with epoch ${by.epoch}: current value is ${epoch}; one bridge writes a topic, run several of them with --leader-elect`,
    { cause, fields: { topic, holder: by.holder, epoch: by.epoch } },
  )
}

async function findSuccessor(
  { reader, options: { topic } }: FencedTopic,
  { epoch, from }: Fenced,
): Promise<Control | undefined> {
  const signal = AbortSignal.timeout(PATIENCE_MS)
  try {
    for await (const { records } of reader.read({ topic, from, signal })) {
      for (const { key, headers } of records) {
        const control = readControl(key.toString(), headers)
        if (control !== undefined && control.epoch > epoch) return control
      }
    }
  } catch {
    // The run ends as fenced anyway; only the name would have been nice.
  }
  return undefined
}

function readControl(key: string, headers: Parameters<typeof fromHeaders>[1]): Control | undefined {
  if (!isReservedKey(key)) return undefined
  try {
    return fromHeaders(key, headers)
  } catch {
    // A record that does not decode names nobody; the next one may.
    return undefined
  }
}
