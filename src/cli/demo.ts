// `kubedelta demo`: a simulated cluster, the bridge, a log in a directory and caches of it, all on this machine.

import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { KubedeltaError, messageOf } from '../base/errors.ts'
import { runAll } from '../base/lifecycle.ts'
import { openEmbeddedLog } from '../embedded/embedded-log.ts'
import { startSimulatedCluster } from '../testing/index.ts'
import type { DemoOptions } from './command-options.ts'
import type { CommandContext } from './context.ts'
import { DemoRun, type StoryLine } from './demo/demo-run.ts'
import { isDrawable, LiveView } from './demo/live-view.ts'
import { summarize, type Outcome } from './demo/summary.ts'

/** How long it lives where nobody watches and nobody said. */
const DEFAULT_MS = 20_000

/**
 * Shows the whole way of a change, and that a bridge that is killed loses nothing.
 *
 * Ends when the time is over, or with the signal; both ways with a comparison and a summary.
 *
 * @returns the exit code: 1 when something was lost
 * @throws KubedeltaError `usage` for a directory that is not empty; `internal` when the bridge ends by itself
 */
export async function demo({ forMs, keep }: DemoOptions, context: CommandContext): Promise<number> {
  const { clock, log, output, signal } = context
  await using stack = new AsyncDisposableStack()
  const directory = keep === undefined ? stack.use(await temporaryDirectory()).path : await emptyDirectory(keep)
  const logUrl = `file:${directory}`
  const cluster = stack.use(await startSimulatedCluster())
  const connection = stack.use(await openEmbeddedLog({ directory, clock, log }))
  const isWatched = isDrawable(context.environment)
  const durationMs = forMs ?? (isWatched ? undefined : DEFAULT_MS)
  const onStory = isWatched ? () => {} : tell
  const run = stack.use(new DemoRun({ cluster, connection, logUrl, durationMs, clock, onStory }))
  function tell({ atMs, text }: StoryLine): void {
    void output.write(`${((atMs - run.startedAtMs) / 1000).toFixed(1).padStart(5)} s  ${text}\n`)
  }

  const { text, isLost } = await followed(run, async (following) => {
    using view = new DisposableStack()
    if (isWatched) view.use(new LiveView(run, context))
    return await act(run, { stop: signal, following })
  })
  await output.write(`\n${text}`)
  if (keep !== undefined) await output.write(invitation(logUrl))
  return isLost ? 1 : 0
}

interface Signals {
  /** Somebody wants the end: what has happened so far is still compared and summed up. */
  readonly stop: AbortSignal
  /** Aborts when the caches cannot go on: there is nothing to compare then. */
  readonly following: AbortSignal
}

/** Plays, settles, stops the bridge. */
async function act(run: DemoRun, { stop, following }: Signals): Promise<Outcome> {
  try {
    await run.play(AbortSignal.any([stop, following]))
  } catch (error) {
    if (!stop.aborted) throw error
  }
  following.throwIfAborted()
  await run.settle()
  await run.stopBridge()
  return summarize(run)
}

/** Does something while caches are fed and records counted. @throws what either throws */
async function followed<T>(run: DemoRun, action: (following: AbortSignal) => Promise<T>): Promise<T> {
  const end = new AbortController()
  let result: { readonly value: T } | undefined
  await runAll(end.signal, [
    (both) => run.follow(both),
    async (both) => {
      result = { value: await action(both) }
      end.abort()
    },
  ])
  if (result === undefined) throw new KubedeltaError('internal', 'Cannot end the demo: it has no result')
  return result.value
}

interface Directory extends AsyncDisposable {
  readonly path: string
}

/** Gone when it is disposed of, and when the process exits before: at a second Ctrl-C, or with its terminal. */
async function temporaryDirectory(): Promise<Directory> {
  const path = await mkdtemp(join(tmpdir(), 'kubedelta-demo-'))
  const remove = (): void => rmSync(path, { recursive: true, force: true, maxRetries: 5 })
  // Unheard, it ends the process before anything is removed. 128 + 1, as shells say it.
  const hangUp = (): never => process.exit(129)
  process.once('exit', remove).once('SIGHUP', hangUp)
  return {
    path,
    async [Symbol.asyncDispose]() {
      process.off('exit', remove).off('SIGHUP', hangUp)
      remove()
    },
  }
}

/** A log of another cluster would be refused by the bridge, for good reasons. */
async function emptyDirectory(directory: string): Promise<string> {
  const path = resolve(directory)
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    const [found] = await readdir(path)
    if (found === undefined) return path
    throw new KubedeltaError(
      'usage',
      `Cannot keep the log in ${path}: wanted a new or empty directory: it holds ${JSON.stringify(found)}`,
    )
  } catch (cause) {
    if (cause instanceof KubedeltaError) throw cause
    const reason = messageOf(cause)
    throw new KubedeltaError('usage', `Cannot keep the log in ${path}: wanted a writable directory: ${reason}`, {
      cause,
    })
  }
}

/** Commands to try on the log that is kept. */
function invitation(logUrl: string): string {
  const command = import.meta.url.endsWith('.ts') ? 'npm run -s kubedelta --' : 'kubedelta'
  const from = `--from '${logUrl.replaceAll("'", "'\\''")}'`
  return `
The log is kept. Try:
  ${command} get pods -A ${from}
  ${command} get pods -A -o wide -l app=cart ${from}
  ${command} tail pods --from-beginning --until-end ${from}
  ${command} tail secrets --from-beginning --until-end -o json ${from}
`
}
