// The service, with caches fed by the topics of a bridge: nothing in it knows how to reach an apiserver.

import { topicCache } from 'kubedelta/consumer'
import { servePods } from './service.ts'

const { FROM: from = 'kafka://localhost:9092', CLUSTER: cluster } = process.env
const source = { from, ...(cluster !== undefined && { cluster }) }
await servePods((resource, options) => topicCache({ ...source, resource, ...options }))
