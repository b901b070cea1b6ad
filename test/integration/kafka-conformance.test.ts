// needs: kafka
// The Kafka adapter does what every log must do, straight and through a proxy, with one partition and with six.

import { after, before } from 'node:test'
import { openKafkaLog } from '../../src/kafka/kafka-log.ts'
import { storySignal } from '../conformance/log-content.ts'
import { topicLogConformance } from '../conformance/topic-log.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { startKafkaProxy, type KafkaProxy } from '../support/kafka-proxy.ts'

let kafka: KafkaCluster
let proxy: KafkaProxy

before(async () => {
  kafka = await startKafka({ proxied: true })
  proxy = await startKafkaProxy({ upstream: kafka })
})

after(async () => {
  await proxy[Symbol.asyncDispose]()
  await kafka[Symbol.asyncDispose]()
})

for (const partitions of [1, 6]) {
  for (const way of ['straight', 'proxied'] as const) {
    topicLogConformance({
      name: `Kafka, ${way}`,
      partitions,
      compressions: ['none', 'gzip', 'zstd'],
      open: async () => {
        const brokers = (way === 'straight' ? kafka.brokers : kafka.proxiedBrokers).split(',')
        return openKafkaLog({ brokers, signal: storySignal() })
      },
    })
  }
}
