// Holds the tests to client-go's: each of its cases stands in the title of a test here, by number, or below with its reason.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'

const TESTS = resolve(import.meta.dirname, '..')

/** Reflector, DeltaFIFO, then controller and shared informer: the numbers of client-go's tests as this project counts them. */
const WANTED = [...range(1, 40), ...range(46, 50)]

/** Number -> why there is no such test here. */
const LEFT_OUT: Readonly<Record<number, string>> = {}

// Titles of test(), describe() and their kin, and texts of tables that titles are made of.
const TITLE = /(['"`])#(\d+) (?:(?!\1).)+\1/g

const numbers = new Map<number, string[]>()
for (const file of readdirSync(TESTS, { recursive: true, encoding: 'utf8' })) {
  if (!file.endsWith('.test.ts')) continue
  for (const match of readFileSync(join(TESTS, file), 'utf8').matchAll(TITLE)) {
    const number = Number(match[2])
    numbers.set(number, [...(numbers.get(number) ?? []), file])
  }
}

for (const number of WANTED) {
  test(`case ${number} of client-go is a test here or left out for a reason`, () => {
    const isTested = numbers.has(number)
    const isLeftOut = number in LEFT_OUT
    assert.ok(isTested || isLeftOut, `no title of a test begins with #${number}`)
    assert.ok(!(isTested && isLeftOut), `#${number} is left out, but tested in ${numbers.get(number)?.join(', ')}`)
  })
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
