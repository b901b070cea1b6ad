// The log in a directory does what every log must do, with one partition and with six.

import { after } from 'node:test'
import { openEmbeddedLog } from '../../src/embedded/embedded-log.ts'
import { topicLogConformance } from '../conformance/topic-log.ts'
import { temporaryFolder } from '../support/leftovers.ts'

const folder = temporaryFolder('embedded')

after(() => folder[Symbol.dispose]())

for (const partitions of [1, 6]) {
  topicLogConformance({
    name: 'a directory',
    partitions,
    compressions: ['none', 'gzip', 'zstd'],
    open: async () => openEmbeddedLog({ directory: folder.path }),
  })
}
