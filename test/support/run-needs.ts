// Says which real parts a test file needs, whether this machine can give them, and makes them ready.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { controlPlaneBinary, hasControlPlaneBinary, onPath } from './control-plane-binaries.ts'
import type { ControlPlaneBinary } from './control-plane-binaries.ts'
import { hasHelmBinary, helmBinary } from './helm.ts'
import { javaCommand, kafkaJars, kafkaJarsPath } from './kafka-jars.ts'

const execute = promisify(execFile)

/** Real parts that a test file may name in a line `// needs: kafka, control-plane` among its first five. */
export type Need = keyof typeof NEEDS

interface Provision {
  /** What this machine lacks, in the words of the closing line; empty when nothing is missing. */
  missing(): Promise<readonly string[]>
  /** Fetches or builds, so that no test waits for it. */
  prepare(): Promise<void>
}

const BINARIES: readonly ControlPlaneBinary[] = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl']

const NEEDS = {
  kafka: {
    async missing() {
      const lacks: string[] = []
      if (!(await hasJava())) lacks.push('java 17 or later')
      if (!existsSync(kafkaJarsPath()) && onPath('mvn') === undefined) lacks.push('mvn')
      return lacks
    },
    async prepare() {
      await kafkaJars()
    },
  },
  'control-plane': {
    async missing() {
      return BINARIES.every(hasControlPlaneBinary) || onPath('go') !== undefined ? [] : ['go 1.26 or later']
    },
    async prepare() {
      for (const binary of BINARIES) await controlPlaneBinary(binary)
    },
  },
  openssl: {
    async missing() {
      return onPath('openssl') === undefined ? ['openssl'] : []
    },
    async prepare() {},
  },
  tmux: {
    async missing() {
      return onPath('tmux') === undefined ? ['tmux'] : []
    },
    async prepare() {},
  },
  helm: {
    async missing() {
      return hasHelmBinary() || onPath('go') !== undefined ? [] : ['go 1.26 or later']
    },
    async prepare() {
      await helmBinary()
    },
  },
  go: {
    async missing() {
      return onPath('go') === undefined ? ['go 1.26 or later'] : []
    },
    async prepare() {},
  },
} satisfies Record<string, Provision>

/** The needs that the file names. @throws Error when it names one that nobody provides */
export async function needsOf(file: string): Promise<readonly Need[]> {
  const head = (await readFile(file, 'utf8')).split('\n', 5)
  const names = head
    .flatMap((line) => line.match(/^\/\/ needs: (.*)$/)?.[1]?.split(',') ?? [])
    .map((name) => name.trim())
  return names.map((name) => {
    if (isNeed(name)) return name
    throw new Error(
      `Cannot read needs of ${file}: wanted one of ${Object.keys(NEEDS).join(', ')}: current value is ${name}`,
    )
  })
}

/** Makes the needs ready, each once. Its answer is why not, or undefined when all are. */
export class Provider {
  readonly #outcomes = new Map<Need, Promise<string | undefined>>()

  async provide(needs: readonly Need[]): Promise<string | undefined> {
    for (const need of needs) {
      const outcome = this.#outcomes.get(need) ?? provide(NEEDS[need])
      this.#outcomes.set(need, outcome)
      const reason = await outcome
      if (reason !== undefined) return reason
    }
    return undefined
  }
}

async function provide(provision: Provision): Promise<string | undefined> {
  const lacks = await provision.missing()
  if (lacks.length > 0) return `this machine lacks ${lacks.join(', ')}`
  try {
    await provision.prepare()
    return undefined
  } catch (error) {
    // In full here; the closing line names it with its first line.
    const text = error instanceof Error ? error.message : String(error)
    process.stderr.write(`${text}\n`)
    return text.split('\n', 1)[0]
  }
}

function isNeed(name: string): name is Need {
  return Object.hasOwn(NEEDS, name)
}

async function hasJava(): Promise<boolean> {
  try {
    const { stderr } = await execute(javaCommand(), ['-version'])
    return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0) >= 17
  } catch {
    // No java, or one that does not start: both mean that there is none.
    return false
  }
}
