// Runs a command on a terminal of a given size, by tmux, and reads what stands there.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { atProcessEnd } from './leftovers.ts'
import { ready } from './ready.ts'

const execute = promisify(execFile)
let terminals = 0

export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

/** A terminal with one command on it. Disposing ends both. */
export class Terminal implements AsyncDisposable {
  readonly #socket: string
  readonly #forget: () => void

  private constructor(socket: string) {
    this.#socket = socket
    // Whoever listens on this socket is ours alone.
    this.#forget = atProcessEnd(() => void execFile('tmux', ['-L', socket, 'kill-server']))
  }

  /** Starts a command of a shell. When it ends its last screen stays, with a line `ended with CODE` below. */
  static async start(command: string, { columns, rows }: TerminalSize): Promise<Terminal> {
    terminals += 1
    const terminal = new Terminal(`kubedelta-${process.pid}-${terminals}`)
    const size = ['-x', String(columns), '-y', String(rows)]
    // The shell says how the command ended: tmux itself now and then fails to notice that a pane's process has. Ctrl-C is for the
    // command alone.
    const script = `trap : INT; ${command}; echo "ended with $?"; exec cat`
    await terminal.#tmux('new-session', '-d', ...size, script)
    return terminal
  }

  /** The rows as they are, from the top, without the spaces at their ends. */
  async rows(): Promise<readonly string[]> {
    return lines(await this.#tmux('capture-pane', '-p'))
  }

  /** The rows with those joined that are one wrapped line. */
  async unwrapped(): Promise<readonly string[]> {
    return lines(await this.#tmux('capture-pane', '-p', '-J'))
  }

  /** The first rows for which this holds. @throws Error with the last ones */
  async until(isIt: (screen: string) => boolean, what: string): Promise<readonly string[]> {
    return ready(
      async () => {
        const rows = await this.rows()
        if (isIt(rows.join('\n'))) return rows
        throw new Error(rows.join('\n'))
      },
      { what },
    )
  }

  /** Presses a key, named as tmux names it: `C-c`. */
  async press(key: string): Promise<void> {
    await this.#tmux('send-keys', key)
  }

  /** What tmux knows of the terminal: `alternate_on`, `cursor_flag`. */
  async fact(name: string): Promise<string> {
    return (await this.#tmux('display-message', '-p', `#{${name}}`)).trim()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#forget()
    await this.#tmux('kill-server')
  }

  async #tmux(...args: readonly string[]): Promise<string> {
    const env = { PATH: process.env['PATH'], HOME: '/nonexistent', LANG: 'C.UTF-8', TERM: 'xterm-256color' }
    const { stdout } = await execute('tmux', ['-L', this.#socket, '-f', '/dev/null', '-u', ...args], { env })
    return stdout
  }
}

function lines(text: string): readonly string[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => line.trimEnd())
}
