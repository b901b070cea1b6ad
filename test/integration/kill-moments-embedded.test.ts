// A bridge to a directory is killed at random moments: its next start publishes exactly the differences.

import { killMoments } from '../conformance/kill-moments.ts'
import { temporaryFolder } from '../support/leftovers.ts'

killMoments({
  name: 'the embedded log',
  async open() {
    const folder = temporaryFolder('kill-moments-log')
    const url = `file:${folder.path}`
    return { url, bridgeUrl: url, [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() }
  },
})
