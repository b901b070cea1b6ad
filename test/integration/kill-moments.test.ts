// needs: kafka
// A bridge to Kafka is killed at random moments, amid requests too: its next start publishes exactly the differences.

import { killMoments } from '../conformance/kill-moments.ts'
import { startKafka } from '../support/kafka.ts'
import { startKafkaProxy } from '../support/kafka-proxy.ts'

killMoments({
  name: 'Kafka',
  async open() {
    await using stack = new AsyncDisposableStack()
    const kafka = stack.use(await startKafka({ proxied: true }))
    const proxy = stack.use(await startKafkaProxy({ upstream: kafka }))
    const life = stack.move()
    return {
      url: `kafka://${kafka.brokers}`,
      bridgeUrl: `kafka://${kafka.proxiedBrokers}`,
      proxy,
      [Symbol.asyncDispose]: () => life.disposeAsync(),
    }
  },
})
