#!/bin/sh
# Runs everything that this machine can, on a fresh clone too: what `npm test` calls.
set -eu
cd "$(dirname "$0")/.."

sh scripts/install.sh

# The Node of node_modules, for every process that a test starts.
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
exec node test/run.ts "$@"
