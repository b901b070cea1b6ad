#!/bin/sh
# Installs what package-lock.json names, where that has not been done since it last changed: a fresh clone needs no other step.
set -eu
cd "$(dirname "$0")/.."

# npm writes node_modules/.package-lock.json at the end of an installation.
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo 'installing packages with npm ci (about half a minute)...' >&2
  npm ci --no-audit --no-fund
fi
