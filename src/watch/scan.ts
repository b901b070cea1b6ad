// Cuts LIST answers and watch streams into objects by their bytes, without parsing them.

import type { KubedeltaError } from '../base/errors.ts'
import { at } from '../base/fields.ts'
import { parseStatus } from '../kube/status-error.ts'
import { decodeString } from '../object/json-text.ts'
import type { RawObject } from '../object/raw-object.ts'
import type { CutValue } from './scan-cut.ts'
import { EnvelopeScanner } from './scan-envelope.ts'
import { objectScan, readObject, withName, type ObjectDefaults, type ReadOptions } from './scan-object.ts'
import type { KubeStatus, ListFrame, WatchFrame } from './source.ts'

export interface ScanOptions extends ReadOptions {
  /** An object with more bytes is `corrupt`: bounds what is held of an unfinished one. @default 16 MiB, ten times what etcd stores */
  readonly maxObjectBytes?: number
}

const MAX_OBJECT_BYTES = 16 * 1024 * 1024

/**
 * Cuts a LIST answer into its items.
 *
 * - Takes `items` before or after `kind` and `metadata` (custom resources have it first), and null for none.
 * - An answer without `items` is corrupt, not empty: taking it for empty would delete every object downstream.
 * - Items own their memory. A chunk must not change until the items that cross its end are cut.
 * - After an error the scanner must not be used any more.
 */
export class ListScanner {
  readonly #defaults: ObjectDefaults
  readonly #options: ReadOptions
  readonly #envelope: EnvelopeScanner
  #frames: ListFrame[] = []
  #envelopes = 0
  #hasItems = false
  #page: ListFrame & { readonly kind: 'page' } = { kind: 'page', resourceVersion: '', continue: '' }

  /** @param defaults of the items, from discovery */
  constructor(defaults: ObjectDefaults, options: ScanOptions = {}) {
    const { maxObjectBytes = MAX_OBJECT_BYTES } = options
    this.#defaults = defaults
    this.#options = options
    this.#envelope = new EnvelopeScanner(
      objectScan(),
      {
        beginElements: () => this.#beginItems(),
        element: (value) =>
          this.#frames.push({ kind: 'item', object: withName(readObject(value, this.#defaults, this.#options)) }),
        member: (key, value) => this.#member(key, value),
        end: () => this.#envelopes++,
      },
      { what: `list of ${nameOf(defaults)}`, elementsOf: 'items', maxValueBytes: maxObjectBytes },
    )
  }

  /**
   * The items that this chunk completes.
   * @throws KubedeltaError `corrupt`; the items before it are lost, since a list counts only as a whole
   */
  push(chunk: Buffer): ListFrame[] {
    this.#envelope.push(chunk)
    const frames = this.#frames
    this.#frames = []
    return frames
  }

  /**
   * The list's own resourceVersion and token.
   * @throws KubedeltaError `corrupt` when the answer is not complete
   */
  end(): ListFrame {
    if (!this.#envelope.isBetween || this.#envelopes !== 1) throw this.#corrupt('one complete JSON object')
    if (!this.#hasItems) throw this.#corrupt("a member 'items'")
    return this.#page
  }

  #member(key: string, value: CutValue): void {
    if (key === 'items') {
      if (value.view()[0] !== LETTER_N) throw this.#corrupt("'items' as an array or null")
      this.#beginItems()
    }
    if (key === 'metadata') this.#page = this.#readPage(value)
  }

  #beginItems(): void {
    if (this.#hasItems) throw this.#corrupt("one member 'items'")
    this.#hasItems = true
  }

  #readPage(value: CutValue): ListFrame & { readonly kind: 'page' } {
    const metadata = parse(value.view())
    const textOf = (field: string): string => {
      const text = at(metadata, field) ?? ''
      // Never taken for absent: a list without its token would end early, and delete what stands on later pages.
      if (typeof text !== 'string') throw this.#corrupt(`text as metadata.${field}`)
      return text
    }
    return { kind: 'page', resourceVersion: textOf('resourceVersion'), continue: textOf('continue') }
  }

  #corrupt(wanted: string): KubedeltaError {
    return this.#envelope.corrupt(wanted)
  }
}

/**
 * Cuts a watch stream into events.
 *
 * - Events need no newline between them; `object` may stand before `type`.
 * - Objects own their memory. A chunk must not change until the events that cross its end are cut.
 * - After an error the scanner must not be used any more.
 */
export class WatchScanner {
  readonly #defaults: ObjectDefaults
  readonly #options: ReadOptions
  readonly #envelope: EnvelopeScanner
  #frames: WatchFrame[] = []
  #type: string | undefined
  #object: RawObject | undefined

  /** @param defaults of the watched objects, from discovery */
  constructor(defaults: ObjectDefaults, options: ScanOptions = {}) {
    const { maxObjectBytes = MAX_OBJECT_BYTES } = options
    this.#defaults = defaults
    this.#options = options
    this.#envelope = new EnvelopeScanner(
      objectScan(),
      {
        beginElements: () => {},
        element: () => {},
        member: (key, value) => this.#member(key, value),
        end: () => this.#frames.push(this.#frame()),
      },
      { what: `watch of ${nameOf(defaults)}`, maxValueBytes: maxObjectBytes },
    )
  }

  /**
   * The events that this chunk completes.
   * @throws KubedeltaError `corrupt`; the events of this chunk are lost, so the watch must be made up for from the resourceVersion before
   */
  push(chunk: Buffer): WatchFrame[] {
    this.#envelope.push(chunk)
    const frames = this.#frames
    this.#frames = []
    return frames
  }

  /** Drops an unfinished event, which loses nothing: a cut connection is a normal end, and the next watch begins before it. */
  end(): void {
    this.#type = undefined
    this.#object = undefined
  }

  #member(key: string, value: CutValue): void {
    if (key === 'type') {
      const bytes = value.view()
      if (bytes[0] !== QUOTE) throw this.#envelope.corrupt("text as 'type'")
      this.#type = decodeString(bytes, 0, bytes.length)
    }
    if (key === 'object') this.#object = readObject(value, this.#defaults, this.#options)
  }

  /** Made when the event is complete, since `type` may come last. */
  #frame(): WatchFrame {
    const type = this.#type
    const object = this.#object
    this.end()
    if (type === undefined) throw this.#envelope.corrupt("a member 'type'")
    if (object === undefined) throw this.#envelope.corrupt("a member 'object'")
    const { resourceVersion } = object
    switch (type) {
      case 'ADDED':
        return { kind: 'added', object: withName(object) }
      case 'MODIFIED':
        return { kind: 'modified', object: withName(object) }
      case 'DELETED':
        return { kind: 'deleted', object: withName(object) }
      case 'BOOKMARK':
        return { kind: 'bookmark', resourceVersion, initialEventsEnd: isInitialEventsEnd(this.#readable(object)) }
      case 'ERROR':
        return { kind: 'error', error: parseStatus(this.#readable(object)) ?? UNEXPECTED_ERROR }
      default:
        return { kind: 'unknown', type, resourceVersion }
    }
  }

  /** For events whose object is read here: facts alone do not do. */
  #readable(object: RawObject): unknown {
    if (object.unreadable !== undefined) throw this.#envelope.corrupt('UTF-8')
    return parse(object.bytes)
  }
}

/** An ERROR event without a Status: nothing is known, so it counts as a failure of the server. */
const UNEXPECTED_ERROR: KubeStatus = {
  code: 500,
  reason: '',
  message: 'the watch sent an ERROR event whose object is no Status',
  causes: [],
}

/** KEP-3157; exactly the text "true" counts (client-go tools/cache/reflector.go). */
function isInitialEventsEnd(bookmark: unknown): boolean {
  return at(bookmark, 'metadata', 'annotations', 'k8s.io/initial-events-end') === 'true'
}

/** For what is no object's content: metadata of lists, bookmarks, Status. The bytes are known to be JSON. */
function parse(bytes: Buffer): unknown {
  return JSON.parse(bytes.toString())
}

function nameOf({ apiVersion, kind }: ObjectDefaults): string {
  return `${apiVersion} ${kind}`
}

const QUOTE = 0x22
const LETTER_N = 0x6e
