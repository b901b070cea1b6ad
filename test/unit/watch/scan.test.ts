import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { ListScanner, WatchScanner, type ScanOptions } from '../../../src/watch/scan.ts'
import type { ListFrame, WatchFrame } from '../../../src/watch/source.ts'

const POD = { apiVersion: 'v1', kind: 'Pod' }
const CART = '{"metadata":{"name":"cart","namespace":"shop","uid":"u1","resourceVersion":"7"},"spec":{}}'
const CART_WITH_KIND = `{"kind":"Pod","apiVersion":"v1",${CART.slice(1)}`
const WIDGET =
  '{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w","resourceVersion":"3","uid":"u"},"spec":{"n":1.0}}'

function list(text: string, options?: ScanOptions): ListFrame[] {
  const scanner = new ListScanner(POD, options)
  return [...scanner.push(Buffer.from(text)), scanner.end()]
}

function watch(text: string, options?: ScanOptions): WatchFrame[] {
  return new WatchScanner(POD, options).push(Buffer.from(text))
}

function textOf(frame: ListFrame | WatchFrame | undefined): string {
  assert.ok(frame !== undefined && 'object' in frame)
  return frame.object.bytes.toString()
}

function corrupt(...parts: readonly string[]): (error: unknown) => boolean {
  return (error) =>
    error instanceof KubedeltaError && error.code === 'corrupt' && parts.every((part) => error.message.includes(part))
}

const podList = (items: string): string =>
  `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9","continue":"tok"},"items":${items}}`

describe('ListScanner', () => {
  test('gives each item with its facts, then the page', () => {
    const [item, page, ...rest] = list(podList(`[${CART}]`))
    assert.ok(item?.kind === 'item')
    const { bytes, ...facts } = item.object
    assert.deepEqual(facts, { ...POD, namespace: 'shop', name: 'cart', uid: 'u1', resourceVersion: '7' })
    assert.equal(bytes.toString(), CART_WITH_KIND)
    assert.deepEqual(page, { kind: 'page', resourceVersion: '9', continue: 'tok' })
    assert.deepEqual(rest, [])
  })

  test('gives the bytes that a watch gives', () => {
    const [listed] = list(podList(`[${CART}]`))
    const [watched] = watch(`{"type":"ADDED","object":${CART_WITH_KIND}}\n`)
    assert.equal(textOf(listed), textOf(watched))
  })

  test('leaves items that have kind and apiVersion as they are', () => {
    const [item] = list(podList(`[${WIDGET}]`))
    assert.ok(item?.kind === 'item')
    assert.equal(textOf(item), WIDGET)
    assert.deepEqual([item.object.kind, item.object.apiVersion], ['Widget', 'example.com/v1'])
  })

  test('puts first only what lacks', () => {
    const [item] = list(podList('[{"apiVersion":"v2","metadata":{"name":"a"}}]'))
    assert.equal(textOf(item), '{"kind":"Pod","apiVersion":"v2","metadata":{"name":"a"}}')
  })

  test('takes kind and metadata after the items', () => {
    const text = `{"apiVersion":"example.com/v1","items":[${WIDGET},${WIDGET}],"kind":"WidgetList","metadata":{"continue":"","resourceVersion":"12"}}\n`
    assert.deepEqual(list(text).at(-1), { kind: 'page', resourceVersion: '12', continue: '' })
    assert.equal(list(text).length, 3)
  })

  test('takes null and an empty array for no items', () => {
    for (const items of ['null', '[]', '[ ]']) assert.equal(list(podList(items)).length, 1, items)
  })

  test('gives items as soon as they are complete', () => {
    const scanner = new ListScanner(POD)
    assert.equal(scanner.push(Buffer.from(`{"items":[${CART},${CART.slice(0, 40)}`)).length, 1)
    assert.equal(scanner.push(Buffer.from(CART.slice(40))).length, 1)
    assert.deepEqual(scanner.push(Buffer.from(']}')), [])
    scanner.end()
  })

  test('gives the same frames for any chunk size', () => {
    const text = podList(`[${CART}, ${WIDGET},\n${CART}]`)
    for (let size = 1; size < 60; size++) {
      const scanner = new ListScanner(POD)
      const frames: ListFrame[] = []
      for (let at = 0; at < text.length; at += size) {
        frames.push(...scanner.push(Buffer.from(text.slice(at, at + size))))
      }
      assert.deepEqual([...frames, scanner.end()], list(text), `chunks of ${size} bytes`)
    }
  })

  test('gives each object memory of its own', () => {
    const chunk = Buffer.from(podList(`[${CART},${WIDGET}]`))
    const frames = new ListScanner(POD).push(chunk)
    chunk.fill(0)
    assert.equal(textOf(frames[1]), WIDGET)
    for (const frame of frames) {
      assert.ok(frame.kind === 'item')
      assert.equal(frame.object.bytes.buffer.byteLength, frame.object.bytes.length)
    }
  })

  const odd: ReadonlyArray<readonly [string, string, string, string]> = [
    [
      'whitespace',
      '{ "metadata" : { "name" : "a b" } }',
      'a b',
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a b"}}',
    ],
    [
      'an escaped key',
      String.raw`{"metadata":{"n\u0061me":"a"}}`,
      'a',
      String.raw`{"kind":"Pod","apiVersion":"v1","metadata":{"n\u0061me":"a"}}`,
    ],
    [
      'an escaped kind',
      String.raw`{"k\u0069nd":"Pod","apiVersion":"v1","metadata":{"name":"a"}}`,
      'a',
      String.raw`{"k\u0069nd":"Pod","apiVersion":"v1","metadata":{"name":"a"}}`,
    ],
    [
      'an escaped value',
      String.raw`{"metadata":{"name":"a\u0000\"\\"}}`,
      'a\0"\\',
      String.raw`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a\u0000\"\\"}}`,
    ],
    [
      'a name that stands twice',
      '{"metadata":{"name":"a","name":"b"}}',
      'b',
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","name":"b"}}',
    ],
    [
      'metadata that stands twice',
      '{"metadata":{"name":"a","uid":"u"},"metadata":{"name":"b"}}',
      'b',
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","uid":"u"},"metadata":{"name":"b"}}',
    ],
    [
      'names elsewhere',
      '{"spec":{"name":"x","metadata":{"name":"y"}},"metadata":{"labels":{"name":"z"},"name":"a"},"status":{"name":"v"}}',
      'a',
      '{"kind":"Pod","apiVersion":"v1","spec":{"name":"x","metadata":{"name":"y"}},"metadata":{"labels":{"name":"z"},"name":"a"},"status":{"name":"v"}}',
    ],
    [
      'numbers',
      '{"metadata":{"name":"a"},"n":[1e400,12345678901234567890,-0,1.0]}',
      'a',
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"n":[1e400,12345678901234567890,-0,1.0]}',
    ],
    [
      'deep nesting',
      `{"metadata":{"name":"a"},"x":${'['.repeat(200)}${']'.repeat(200)}}`,
      'a',
      `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"x":${'['.repeat(200)}${']'.repeat(200)}}`,
    ],
  ]
  for (const [what, item, name, expected] of odd) {
    test(`reads an object with ${what}, fast and slow`, () => {
      for (const path of ['fast', 'slow'] as const) {
        const [frame] = list(podList(`[${item}]`), { path })
        assert.ok(frame?.kind === 'item')
        assert.equal(frame.object.name, name)
        assert.equal(textOf(frame), expected)
      }
    })
  }

  const broken: ReadonlyArray<readonly [string, string, string]> = [
    ['nothing', '', 'one complete JSON object'],
    ['an unfinished answer', podList(`[${CART}]`).slice(0, -1), 'one complete JSON object'],
    ['an unfinished item', podList(`[${CART}]`).slice(0, -10), 'one complete JSON object'],
    ['an answer without items, which is not an empty list', '{"kind":"Status","metadata":{}}', "'items'"],
    ['items twice', '{"items":[],"items":[]}', "one member 'items'"],
    ['items that are no array', '{"items":{}}', 'array or null'],
    ['an item that is no object', '{"items":[1]}', 'an object'],
    ['an item without a name', '{"items":[{"metadata":{"namespace":"shop"}}]}', 'metadata.name'],
    ['a name that is no text', '{"items":[{"metadata":{"name":1}}]}', 'text as name'],
    ['a token that is no text', '{"metadata":{"continue":1},"items":[]}', 'metadata.continue'],
    ['a second answer', `${podList('[]')}{}`, 'one complete JSON object'],
    ['a trailing comma in items', podList(`[${CART},]`), 'JSON'],
    ['a missing comma in items', podList(`[${CART}${CART}]`), "',' or ']'"],
    ['a missing comma after items', '{"items":[] "a":1}', "',' or '}'"],
    ['a missing colon', '{"items" []}', "':'"],
    ['a trailing comma at the end', '{"items":[],}', 'a key'],
    ['text in front', `x${podList('[]')}`, 'a JSON object'],
    ['broken JSON in an item', podList('[{"metadata":{"name":"a"} "spec":1}]'), 'JSON'],
  ]
  for (const [what, text, wanted] of broken) {
    test(`refuses ${what}`, () => assert.throws(() => list(text), corrupt('v1 Pod', wanted)))
  }

  test('refuses an object that is not UTF-8 and names it', () => {
    const chunk = Buffer.from(podList('[{"metadata":{"name":"cart","namespace":"shop"},"x":"\xff"}]'), 'latin1')
    assert.throws(() => new ListScanner(POD).push(chunk), corrupt('shop/cart', 'UTF-8'))
  })

  test('refuses an object over maxObjectBytes, also an unfinished one', () => {
    const item = `{"metadata":{"name":"a"},"x":"${'y'.repeat(200)}"}`
    assert.throws(() => list(podList(`[${item}]`), { maxObjectBytes: 199 }), corrupt('199 bytes'))
    const scanner = new ListScanner(POD, { maxObjectBytes: 199 })
    scanner.push(Buffer.from('{"items":[{"x":"'))
    assert.throws(() => {
      for (let count = 0; count < 100; count++) scanner.push(Buffer.from('yyyy'))
    }, corrupt('199 bytes'))
  })
})

describe('WatchScanner', () => {
  test('gives events in order, with or without newlines', () => {
    for (const between of ['\n', '', ' \r\n\t']) {
      const text = ['ADDED', 'MODIFIED', 'DELETED']
        .map((type) => `{"type":"${type}","object":${CART_WITH_KIND}}`)
        .join(between)
      const frames = watch(text)
      assert.deepEqual(
        frames.map(({ kind }) => kind),
        ['added', 'modified', 'deleted'],
      )
      for (const frame of frames) assert.equal(textOf(frame), CART_WITH_KIND)
    }
  })

  test('takes the object before the type', () => {
    assert.equal(watch(`{"object":${WIDGET},"type":"ADDED"}`)[0]?.kind, 'added')
  })

  test('takes an event that is printed over several lines', () => {
    const [frame] = watch('{\n  "type": "ADDED",\n  "object": {\n    "metadata": {\n      "name": "a"\n    }\n  }\n}\n')
    assert.equal(textOf(frame), '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}')
  })

  test('gives an event as soon as its last byte is there', () => {
    const scanner = new WatchScanner(POD)
    const text = `{"type":"ADDED","object":${CART_WITH_KIND}}`
    assert.deepEqual(scanner.push(Buffer.from(text.slice(0, -1))), [])
    assert.equal(scanner.push(Buffer.from(text.slice(-1))).length, 1)
  })

  test('gives bookmarks, of which exactly "true" ends the initial events', () => {
    const bookmark = (annotations: string): string =>
      `{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"5"${annotations}}}}`
    for (const [annotations, initialEventsEnd] of [
      ['', false],
      [',"annotations":{"k8s.io/initial-events-end":"true"}', true],
      [',"annotations":{"k8s.io/initial-events-end":"false"}', false],
      [',"annotations":{"k8s.io/initial-events-end":true}', false],
      [',"annotations":null', false],
    ] as const) {
      assert.deepEqual(watch(bookmark(annotations)), [{ kind: 'bookmark', resourceVersion: '5', initialEventsEnd }])
    }
  })

  test('gives the Status of an error', () => {
    const status =
      '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old","reason":"Expired","code":410,' +
      '"details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large"}],"retryAfterSeconds":2}}'
    assert.deepEqual(watch(`{"type":"ERROR","object":${status}}`), [
      {
        kind: 'error',
        error: {
          code: 410,
          reason: 'Expired',
          message: 'too old',
          causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large' }],
          retryAfterMs: 2000,
        },
      },
    ])
  })

  test('gives an error of code 500 where its object is no Status', () => {
    const [frame] = watch('{"type":"ERROR","object":{}}')
    assert.ok(frame?.kind === 'error')
    assert.equal(frame.error.code, 500)
  })

  test('gives the resourceVersion of an event of an unknown type', () => {
    const frames = watch(`{"type":"RENAMED","object":${CART}}`)
    assert.deepEqual(frames, [{ kind: 'unknown', type: 'RENAMED', resourceVersion: '7' }])
  })

  test('drops an unfinished event at the end', () => {
    const scanner = new WatchScanner(POD)
    scanner.push(Buffer.from('{"type":"ADDED","object":{"metadata"'))
    scanner.end()
  })

  const broken: ReadonlyArray<readonly [string, string, string]> = [
    ['an event without a type', `{"object":${CART}}`, "'type'"],
    ['an event without an object', '{"type":"ADDED"}', "'object'"],
    ['a type that is no text', '{"type":1,"object":{}}', "'type'"],
    ['an object that is none', '{"type":"ADDED","object":[]}', 'an object'],
    ['an added object without a name', '{"type":"ADDED","object":{"metadata":{}}}', 'metadata.name'],
    ['an event that is no object', '[]', 'a JSON object'],
    ['broken JSON', '{"type":"ADDED","object":{"metadata":}}', 'JSON'],
  ]
  for (const [what, text, wanted] of broken) {
    test(`refuses ${what}`, () => assert.throws(() => watch(text), corrupt('v1 Pod', wanted)))
  }
})

describe('an object that is not UTF-8, where it is to be shown', () => {
  const options: ScanOptions = { broken: 'show' }
  const broken = (text: string): Buffer => Buffer.from(text.replaceAll('^', '\xff'), 'latin1')
  const item = '{"metadata":{"name":"cart","namespace":"shop","uid":"u1","resourceVersion":"7"},"x":"^"}'

  for (const [how, text] of [
    ['as it was printed', item],
    ['with whitespace', item.replaceAll(':', ': ')],
    ['with an escaped key', item.replace('metadata', 'm\\u0065tadata')],
  ] as const) {
    test(`comes in a list with its facts alone, ${how}, and the others whole`, () => {
      const [first, second] = new ListScanner(POD, options).push(broken(podList(`[${text},${CART}]`)))
      assert.deepEqual(first, {
        kind: 'item',
        object: {
          bytes: Buffer.alloc(0),
          unreadable: 'not-utf8',
          ...POD,
          namespace: 'shop',
          name: 'cart',
          uid: 'u1',
          resourceVersion: '7',
        },
      })
      assert.equal(textOf(second), CART_WITH_KIND)
    })
  }

  test('comes in a watch as the event that it is', () => {
    const frames = new WatchScanner(POD, options).push(broken(`{"type":"DELETED","object":${item}}`))
    assert.deepEqual(
      frames.map((frame) => [frame.kind, 'object' in frame && frame.object.unreadable]),
      [['deleted', 'not-utf8']],
    )
  })

  for (const [what, text] of [
    ['its name', item.replace('cart', 'c^rt')],
    ['its uid', item.replace('u1', '^')],
  ] as const) {
    test(`is refused where ${what} is not UTF-8`, () => {
      assert.throws(() => new ListScanner(POD, options).push(broken(podList(`[${text}]`))), corrupt('UTF-8'))
    })
  }

  test('is refused as a bookmark and as an error', () => {
    for (const type of ['BOOKMARK', 'ERROR']) {
      const event = broken(`{"type":"${type}","object":${item}}`)
      assert.throws(() => new WatchScanner(POD, options).push(event), corrupt('UTF-8'))
    }
  })
})
