import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Contact } from '../../../src/replica/contact.ts'

function ends(...offsets: readonly number[]): ReadonlyMap<number, number> {
  return new Map(offsets.map((offset, partition) => [partition, offset]))
}

describe('the contact of a reading', () => {
  test('is as old as the reading before the end is reached', () => {
    const contact = new Contact(ends(0), 100)
    contact.heard(200, ends(5))
    contact.moved(0, 4)
    assert.equal(contact.atMs, 100)
  })

  test('is of when the end was asked for, not of when it was reached', () => {
    const contact = new Contact(ends(0), 100)
    contact.heard(200, ends(5))
    contact.moved(0, 6)
    assert.equal(contact.atMs, 200)
  })

  test('goes on while the log is silent', () => {
    const contact = new Contact(ends(5), 100)
    contact.heard(900, ends(5))
    assert.equal(contact.atMs, 900)
  })

  test('of a reading that never reaches the newest end is of the older one that it did reach', () => {
    const contact = new Contact(ends(0), 100)
    for (let round = 1; round <= 10; round++) {
      contact.heard(round * 1_000, ends(round * 10))
      contact.moved(0, round * 10 - 10)
    }
    assert.equal(contact.atMs, 9_000)
  })

  test('is that of the partition that is behind most', () => {
    const contact = new Contact(ends(0, 0), 100)
    contact.heard(200, ends(5, 5))
    contact.moved(0, 5)
    assert.equal(contact.atMs, 100)
    contact.moved(1, 5)
    assert.equal(contact.atMs, 200)
  })

  test('keeps the oldest answer that is waited for, so that many of them do not put it off', () => {
    const contact = new Contact(ends(0), 100)
    for (let round = 2; round <= 9; round++) contact.heard(round * 100, ends(round))
    contact.moved(0, 2)
    assert.equal(contact.atMs, 200)
  })

  test('never goes back', () => {
    const contact = new Contact(ends(5), 100)
    contact.heard(900, ends(5))
    contact.heard(300, ends(5))
    contact.renew(200)
    assert.equal(contact.atMs, 900)
  })
})
