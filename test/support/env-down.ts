// Ends what `npm run env:up` started, and nothing else.

import { rmSync } from 'node:fs'
import { ENV_FOLDER, tellKeeperToEnd } from './env-state.ts'

const wasUp = await tellKeeperToEnd()
rmSync(ENV_FOLDER, { recursive: true, force: true })
process.stdout.write(wasUp ? 'ended\n' : 'nothing was up\n')
