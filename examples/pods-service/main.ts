// The service, with caches fed by the apiserver.

import { informerFactory } from 'kubedelta'
import { servePods } from './service.ts'

await using factory = informerFactory()
await servePods((resource, options) => factory.informer(resource, options))
