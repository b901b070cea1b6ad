#!/usr/bin/env -S node --max-semi-space-size=8
// Starts the command line, from a checkout as it stands or from an installed package; an older Node gets one clear line.
// Plain and old JavaScript on purpose: Node must parse this file before it can say that it is too old.
// The small young generation costs no time here and keeps 40 MB: objects pass as buffers outside of it (bench/bridge).

import { existsSync } from 'fs'

const [major, minor] = process.versions.node.split('.').map(Number)

if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `kubedelta: Cannot start: wanted Node.js >= 22.19: current value is ${process.versions.node}: install a newer one, from https://nodejs.org or by npx -p node@24 -p kubedelta kubedelta\n`,
  )
  process.exitCode = 2
} else {
  const checkout = new URL('../src/cli/main.ts', import.meta.url)
  const installed = new URL('../dist/cli/main.js', import.meta.url)
  import((existsSync(checkout) ? checkout : installed).href).then(
    (cli) => cli.main(),
    (error) => {
      process.stderr.write(`kubedelta: Cannot start: ${error.message}\n`)
      process.exitCode = 1
    },
  )
}
