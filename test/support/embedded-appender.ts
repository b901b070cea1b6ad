// A process of its own that appends numbered records to a directory: `embedded-appender.ts DIRECTORY TOPIC FIRST`.
//
// Says `open` once it holds the topic, then the number of each record as it is acknowledged, a line each.

import { openEmbeddedLog } from '../../src/embedded/embedded-log.ts'

const [directory = '', topic = '', first = '0'] = process.argv.slice(2)
/** Keys are few, so that there is garbage to compact while it runs. */
const KEYS = 50
const AT_ONCE = 64
const signal = new AbortController().signal

const log = await openEmbeddedLog({ directory })
const writer = await log.openWriter({ topic, transactionalId: topic, signal })
process.stdout.write('open\n')
let next = Number(first)
await Promise.all(Array.from({ length: AT_ONCE }, appendOn))

async function appendOn(): Promise<void> {
  for (;;) {
    const number = next++
    const record = {
      key: Buffer.from(`key-${number % KEYS}`),
      value: Buffer.from(JSON.stringify({ number, text: 'x'.repeat(1_000 + (number % 500)) })),
      headers: [],
      timestampMs: number,
    }
    await writer.append(0, { records: [record] })
    process.stdout.write(`${number}\n`)
  }
}
