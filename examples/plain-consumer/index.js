// Follows a topic with kafkajs and the schema alone: nothing of kubedelta is imported.
// node examples/plain-consumer/index.js BROKERS TOPIC

import { readFileSync } from 'node:fs'
import avro from 'avsc'
import { Kafka, logLevel } from 'kafkajs'

const [brokers = 'localhost:9092', topic = 'kubedelta.dev.pods'] = process.argv.slice(2)
const schema = JSON.parse(readFileSync(new URL('../../schemas/record.avsc', import.meta.url), 'utf8'))
const record = avro.Type.forSchema(schema)

const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.ERROR })
const consumer = kafka.consumer({ groupId: `plain-consumer-${process.pid}` })
await consumer.connect()
await consumer.subscribe({ topics: [topic], fromBeginning: true })
await consumer.run({
  eachMessage: async ({ message: { key, value } }) => {
    const name = String(key)
    if (name.startsWith('$kubedelta/')) return // what the bridge says of itself
    if (value === null) return console.log(`GONE ${name}`) // a tombstone: no such object any more
    const { op, resourceVersion, object } = decode(value)
    console.log(`${op} ${name} ${resourceVersion} ${object?.kind ?? '(withheld)'}`)
  },
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void consumer.disconnect())

/** JSON as it is; Avro behind the 5 bytes of a registry's frame or the 10 of a single-object one, with the object as JSON text. */
function decode(value) {
  if (value[0] === 0x7b) return JSON.parse(value)
  const fields = record.fromBuffer(value.subarray(value[0] === 0 ? 5 : 10))
  return { ...fields, object: JSON.parse(fields.object ?? 'null') }
}
