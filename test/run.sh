#!/bin/sh
# Runs everything that this machine can, on a fresh clone too: what `npm test` calls.
set -eu
cd "$(dirname "$0")/.."

# npm writes node_modules/.package-lock.json at the end of an installation.
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo 'installing packages with npm ci (about half a minute)...' >&2
  npm ci --no-audit --no-fund
fi

# The Node of node_modules, for every process that a test starts.
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
exec node test/run.ts "$@"
