// Reads the YAML configuration file; every complaint names file, line and column.

import { readFileSync } from 'node:fs'
import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { Pair, ParsedNode } from 'yaml'
import { KubedeltaError } from '../base/errors.ts'
import type { RawValue, RawValues } from './option-values.ts'
import { optionKeys, optionOf } from './options.ts'
import type { OptionKey } from './options.ts'
import { didYouMean } from './suggest.ts'

/** One entry of `resources`; what is absent comes from the options of the same meaning. */
export interface ResourceEntry {
  readonly resource: string
  readonly namespaces?: readonly string[]
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly partitions?: number
  /** Where it stands: `bridge.yaml:3:5`. */
  readonly origin: string
}

export interface ConfigFile {
  readonly values: RawValues
  /** Absent where the file has no `resources`. */
  readonly resources?: readonly ResourceEntry[]
}

type Node = ParsedNode | null | undefined

const entryKeys = ['resource', 'namespaces', 'labelSelector', 'fieldSelector', 'partitions'] as const
const fileKeys = optionKeys.filter((key) => optionOf(key).outsideFile !== true)

/**
 * Reads a configuration file.
 * @throws KubedeltaError `usage` when it cannot be read, is not YAML, or has an unknown key or a value of a wrong kind
 */
export function readConfigFile(path: string): ConfigFile {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new KubedeltaError(
      'usage',
      `Cannot read configuration file: wanted a readable file: current value of --config is ${JSON.stringify(path)}: ${reason}`,
      { cause: error },
    )
  }
  return parseConfig(text, path)
}

/** The content of a configuration file; `path` is for messages. @throws as `readConfigFile` */
export function parseConfig(text: string, path: string): ConfigFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${path}:${line}:${col}`
  }
  const [problem] = document.errors
  if (problem !== undefined) {
    throw new KubedeltaError(
      'usage',
      `Cannot read configuration file: ${at(problem.pos[0])}: ${firstLine(problem.message)}`,
    )
  }
  return new ConfigReader(at).read(document.contents)
}

/** Walks the parsed nodes, which know their place, rather than plain values, which do not. */
class ConfigReader {
  readonly #at: (offset: number) => string

  constructor(at: (offset: number) => string) {
    this.#at = at
  }

  read(root: Node): ConfigFile {
    // An empty file, or one with comments alone, says nothing.
    if (root === null || root === undefined || (isScalar(root) && root.value === null)) return { values: new Map() }
    const values = new Map<OptionKey, RawValue>()
    let resources: readonly ResourceEntry[] | undefined
    for (const [key, node, origin] of this.#pairs(root, fileKeys, 'options')) {
      if (key === 'resources') resources = this.#resources(node, origin)
      else if (!isAbsent(node)) values.set(key, { value: this.#value(key, node, origin), from: 'file', origin })
    }
    return { values, ...(resources === undefined ? {} : { resources }) }
  }

  #resources(node: Node, origin: string): readonly ResourceEntry[] {
    if (isScalar(node)) return [{ resource: this.#text(node, origin), origin }]
    if (!isSeq<ParsedNode>(node)) throw this.#unfit(origin, 'a list of names or of {resource, namespaces, ...}', node)
    return node.items.map((item) => {
      const place = this.#at(item.range[0])
      return isMap(item)
        ? this.#entry(item, place)
        : { resource: this.#text(item, `${place} (resources)`), origin: place }
    })
  }

  #entry(node: ParsedNode, place: string): ResourceEntry {
    const entry: { -readonly [K in keyof ResourceEntry]?: ResourceEntry[K] } = {}
    for (const [key, value, origin] of this.#pairs(node, entryKeys, 'an entry of resources')) {
      switch (key) {
        case 'namespaces':
          entry.namespaces = this.#list(value, origin)
          break
        case 'partitions':
          entry.partitions = this.#count(value, origin)
          break
        case 'resource':
        case 'labelSelector':
        case 'fieldSelector':
          entry[key] = this.#text(value, origin)
          break
        default:
          key satisfies never
      }
    }
    const { resource } = entry
    if (resource === undefined || resource === '') {
      throw new KubedeltaError(
        'usage',
        `Cannot read ${place}: wanted 'resource' in each entry of resources: it is absent`,
      )
    }
    return { ...entry, resource, origin: place }
  }

  /** The pairs of a mapping, each key checked against what may stand there. */
  *#pairs<K extends string>(node: Node, known: readonly K[], where: string): Iterable<[K, Node, string]> {
    if (!isMap<ParsedNode, ParsedNode | null>(node)) {
      throw this.#unfit(this.#at(node?.range[0] ?? 0), `a mapping of ${where}`, node)
    }
    for (const pair of node.items as ReadonlyArray<Pair<ParsedNode, ParsedNode | null>>) {
      const name = isScalar(pair.key) ? String(pair.key.value) : ''
      const place = this.#at(pair.key.range[0])
      const key = known.find((candidate) => candidate === name)
      if (key === undefined) {
        throw new KubedeltaError(
          'usage',
          `Cannot read configuration file: ${place}: unknown key ${JSON.stringify(name)}${didYouMean(name, known)}`,
        )
      }
      yield [key, pair.value, `${place} (${name})`]
    }
  }

  #value(key: OptionKey, node: Node, origin: string): RawValue['value'] {
    return optionOf(key).type === 'list' ? this.#list(node, origin) : this.#text(node, origin)
  }

  #list(node: Node, origin: string): readonly string[] {
    if (isSeq<ParsedNode>(node)) return node.items.map((item) => this.#text(item, origin))
    return [this.#text(node, origin)]
  }

  #count(node: Node, origin: string): number {
    const text = this.#text(node, origin)
    if (/^[1-9][0-9]{0,5}$/.test(text)) return Number(text)
    throw this.#unfit(origin, 'a whole number >= 1', node)
  }

  /** A scalar as it is written: YAML's idea of its type does not matter, the option's does. */
  #text(node: Node, origin: string): string {
    if (isScalar(node) && typeof node.value === 'string') return node.value
    if (isScalar(node) && node.value !== null && node.source !== undefined) return node.source
    throw this.#unfit(origin, 'a single value', node)
  }

  #unfit(origin: string, wanted: string, node: Node): KubedeltaError {
    const current = isMap(node)
      ? 'a mapping'
      : isSeq(node)
        ? 'a list'
        : isScalar(node)
          ? JSON.stringify(node.value)
          : 'nothing'
    return new KubedeltaError('usage', `Cannot read ${origin}: wanted ${wanted}: current value is ${current}`)
  }
}

function isAbsent(node: Node): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null)
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message
}
