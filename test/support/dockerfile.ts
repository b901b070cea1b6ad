// Runs the steps of a Dockerfile as plain commands, each stage in a folder of its own.

import { cpSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { runBuild } from './cache.ts'

/** What a stage comes to. */
export interface Stage {
  /** The image after FROM. */
  readonly base: string
  /** The folder that stands for `/`; it holds what was copied and made, nothing of the base. */
  readonly root: string
  readonly workdir: string
  readonly user: string
  readonly environment: Readonly<Record<string, string>>
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
}

export interface DockerfileOptions {
  /** What is copied from, held to its .dockerignore. */
  readonly context: string
  /** An empty folder that takes the stages. */
  readonly folder: string
}

type OpenStage = { -readonly [K in keyof Stage]: Stage[K] }

/**
 * Builds the last stage of the context's Dockerfile.
 * @throws Error for a command that fails, a file that .dockerignore keeps out, and an instruction that is not known here
 */
export async function buildStages({ context, folder }: DockerfileOptions): Promise<Stage> {
  const stages = new Map<string, OpenStage>()
  let stage: OpenStage | undefined
  for (const [instruction, rest] of instructionsOf(readFileSync(join(context, 'Dockerfile'), 'utf8'))) {
    if (instruction === 'FROM') {
      const [base = '', , name = `${stages.size}`] = rest.split(/\s+/)
      const root = join(folder, `stage-${name}`)
      stage = { base, root, workdir: '/', user: '', environment: {}, entrypoint: [], command: [] }
      mkdirSync(root)
      stages.set(name, stage)
    } else if (stage === undefined) {
      throw new Error(`Cannot run ${instruction}: wanted FROM before it`)
    } else {
      await runStep(stage, instruction, rest, { context, stages })
    }
  }
  if (stage === undefined) throw new Error('Cannot build: the Dockerfile has no FROM')
  return stage
}

/** Instructions with what follows them; lines that end in a backslash go on. */
export function instructionsOf(dockerfile: string): ReadonlyArray<readonly [instruction: string, rest: string]> {
  return dockerfile
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, instruction = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
      return [instruction, rest.trim()] as const
    })
}

async function runStep(
  stage: OpenStage,
  instruction: string,
  rest: string,
  { context, stages }: { readonly context: string; readonly stages: ReadonlyMap<string, Stage> },
): Promise<void> {
  switch (instruction) {
    case 'WORKDIR':
      stage.workdir = rest
      mkdirSync(join(stage.root, rest), { recursive: true })
      break
    case 'COPY':
      copy(rest, stage, { context, stages })
      break
    case 'RUN':
      await runBuild('sh', ['-c', rest], { cwd: join(stage.root, stage.workdir), env: environmentOf(stage) })
      break
    case 'ENV': {
      const [name = '', value = ''] = rest.split('=', 2)
      stage.environment = { ...stage.environment, [name]: value }
      break
    }
    case 'USER':
      stage.user = rest
      break
    case 'ENTRYPOINT':
      stage.entrypoint = z.array(z.string()).parse(JSON.parse(rest))
      break
    case 'CMD':
      stage.command = z.array(z.string()).parse(JSON.parse(rest))
      break
    // Says what is listened on; nothing is to be done for it.
    case 'EXPOSE':
      break
    default:
      throw new Error(`Cannot run ${instruction}: wanted an instruction that this runner knows`)
  }
}

/** `COPY [--from=STAGE] SOURCE... TARGET`: of a folder its content, as docker does. */
function copy(
  rest: string,
  stage: Stage,
  { context, stages }: { readonly context: string; readonly stages: ReadonlyMap<string, Stage> },
): void {
  const words = rest.split(/\s+/)
  const from = /^--from=(.*)$/.exec(words[0] ?? '')?.[1]
  const [target = '', ...sources] = words.slice(from === undefined ? 0 : 1).toReversed()
  const root = from === undefined ? context : stages.get(from)?.root
  if (root === undefined) throw new Error(`Cannot run COPY ${rest}: there is no stage ${from}`)
  const kept = from === undefined ? keptByDockerignore(context) : undefined
  const to = join(stage.root, stage.workdir, target)
  for (const source of sources) {
    if (kept?.has(source) === false) throw new Error(`Cannot run COPY ${rest}: .dockerignore keeps ${source} out`)
    const path = join(root, source)
    cpSync(path, statSync(path).isDirectory() ? to : join(to, basename(source)), {
      recursive: true,
      verbatimSymlinks: true,
    })
  }
}

/** The names that .dockerignore lets in: `*` first, then `!NAME` each. */
function keptByDockerignore(context: string): ReadonlySet<string> {
  const lines = readFileSync(join(context, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  if (lines[0] !== '*' || !lines.slice(1).every((line) => line.startsWith('!'))) {
    throw new Error('Cannot read .dockerignore: wanted *, then what is let in: it has other lines')
  }
  return new Set(lines.slice(1).map((line) => line.slice(1)))
}

/** The surroundings without what npm and the test runner tell their children: in an image there is none of it. */
function environmentOf(stage: Stage): NodeJS.ProcessEnv {
  const foreign = /^(npm_(package|lifecycle)_.*|npm_config_(local_|global_)?prefix|NODE_(ENV|OPTIONS|TEST_CONTEXT))$/
  const own = Object.entries(process.env).filter(([name]) => !foreign.test(name))
  return { ...Object.fromEntries(own), ...stage.environment }
}
