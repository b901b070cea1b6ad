// Sends the same requests to a simulated cluster and to a real apiserver, and says where the answers differ.

/** One request; `{name}` in path and body stands for what an earlier answer of the same server was asked to keep. */
export interface ComparedRequest {
  readonly name: string
  /** @default 'GET' */
  readonly method?: string
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Name -> path of a value in the answer, for later requests. */
  readonly keep?: Readonly<Record<string, readonly string[]>>
}

export interface Answered {
  readonly status: number
  readonly body: string
}

export type Ask = (request: ComparedRequest) => Promise<Answered>

/** A difference that is known, and why it is left. */
export interface KnownDifference {
  /** Of `NAME OF REQUEST $.path.in.the.answer`. */
  readonly pattern: RegExp
  readonly why: string
}

/** One server under comparison, with what it was asked to keep. */
export class Side {
  readonly #ask: Ask
  readonly #kept = new Map<string, string>()

  constructor(ask: Ask) {
    this.#ask = ask
  }

  async send(request: ComparedRequest): Promise<Answered> {
    const filled = JSON.parse(this.#fill(JSON.stringify(request)))
    const answer = await this.#ask(filled)
    for (const [name, path] of Object.entries(request.keep ?? {})) {
      const value = path.reduce<unknown>((found, part) => memberOf(found, part), JSON.parse(answer.body))
      this.#kept.set(name, String(value))
    }
    return answer
  }

  #fill(text: string): string {
    return text.replace(/\{([a-z][A-Za-z]*)\}/g, (whole, name: string) => this.#kept.get(name) ?? whole)
  }
}

/** Where two answers differ, as `NAME OF REQUEST $.path: simulated X, real Y`. */
export function differences(name: string, simulated: Answered, real: Answered): readonly string[] {
  const found: string[] = []
  compare(
    { status: simulated.status, body: parsed(simulated) },
    { status: real.status, body: parsed(real) },
    `${name} $`,
  )
  return found

  function compare(ours: unknown, theirs: unknown, path: string): void {
    if (!isObject(ours) || !isObject(theirs) || Array.isArray(ours) !== Array.isArray(theirs)) {
      if (ours !== theirs) found.push(`${path}: simulated ${JSON.stringify(ours)}, real ${JSON.stringify(theirs)}`)
      return
    }
    const [names, others] = [Object.keys(ours), Object.keys(theirs)]
    for (const key of new Set([...names, ...others]))
      compare(memberOf(ours, key), memberOf(theirs, key), `${path}.${key}`)
    if (
      names.length === others.length &&
      names.join() !== others.join() &&
      names.every((key) => others.includes(key))
    ) {
      found.push(`${path} order of members: simulated ${names.join()}, real ${others.join()}`)
    }
  }
}

/** The answer with what differs from cluster to cluster replaced by what it is. */
function parsed({ body }: Answered): unknown {
  const lines = body.split('\n').filter((line) => line !== '' && !isPlainBookmark(line))
  const ranks = eventRanks(lines)
  const values = lines.map((line) => {
    // A bookmark is as far on as the whole cluster, in which other things happen.
    const ranked = line.startsWith('{"type":"BOOKMARK"') ? NO_RANKS : ranks
    try {
      return JSON.parse(line, (key, value: unknown) => normal(key, value, ranked))
    } catch {
      // Words, then, which are compared as they are.
      return line
    }
  })
  return values.length === 1 ? values[0] : values
}

const NO_RANKS: ReadonlyMap<string, number> = new Map()

/** resourceVersion -> its place among those of the events of a watch, which has the same order in both clusters. */
function eventRanks(lines: readonly string[]): ReadonlyMap<string, number> {
  const versions = lines
    .filter((line) => /^\{"type":"(ADDED|MODIFIED|DELETED)"/.test(line))
    .map((line) => String(JSON.parse(line).object.metadata.resourceVersion))
  const ordered = [...new Set(versions)].toSorted((a, b) => Number(a) - Number(b))
  return new Map(ordered.map((version, index) => [version, index]))
}

/** One that comes by the clock: whether it falls into a watch of a second is chance. */
function isPlainBookmark(line: string): boolean {
  return line.startsWith('{"type":"BOOKMARK"') && !line.includes('initial-events-end')
}

function normal(key: string, value: unknown, ranks: ReadonlyMap<string, number>): unknown {
  if (key === 'managedFields') return undefined
  if (typeof value !== 'string') return value
  if (key === 'uid') return '<uid>'
  if (key === 'resourceVersion') {
    const rank = ranks.get(value)
    if (rank !== undefined) return `<version ${rank}>`
    return /^[1-9][0-9]*$/.test(value) ? '<version>' : value
  }
  if (key === 'continue') return value === '' ? '' : '<token>'
  if (/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$/.test(value)) return '<time>'
  if (key === 'message')
    return value
      .replaceAll(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '<uid>')
      .replaceAll(/\b[0-9]{1,6}\b/g, '<n>')
  return key === 'name' ? value.replace(/^(made-)[a-z0-9]{5}$/, '$1<suffix>') : value
}

function memberOf(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
