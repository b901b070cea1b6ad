// Says where an environment for trying by hand keeps its state, and whether one is up.

import { rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join, relative, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '..', '..')

/** The environment's folder in the checkout. */
export const ENV_FOLDER = join(ROOT, '.env-up')

/** What a running environment tells of itself, in `.env-up/state.json`. */
export interface EnvState {
  readonly brokers: string
  readonly kubeconfig: string
  readonly server: string
  /** The process that holds the servers, then the servers. */
  readonly pids: readonly number[]
}

/** The keeper's socket, relative to the working directory: a path from the root may be longer than a socket's may. */
export function keeperSocket(): string {
  return relative(process.cwd(), join(ENV_FOLDER, 'keeper.sock')) || 'keeper.sock'
}

/** Whether an environment is up; a dead one's folder is removed. */
export async function isUp(): Promise<boolean> {
  const answer = await askKeeper('here?')
  if (!answer) rmSync(ENV_FOLDER, { recursive: true, force: true })
  return answer
}

/** Tells the keeper to end everything and waits until it has. Its answer is whether there was one. */
export async function tellKeeperToEnd(): Promise<boolean> {
  return askKeeper('end')
}

/** The keeper closes the connection when it has done what it was told. */
async function askKeeper(word: 'here?' | 'end'): Promise<boolean> {
  return new Promise((resolve_) => {
    const socket = connect(keeperSocket())
    let isConnected = false
    socket.once('connect', () => {
      isConnected = true
      socket.end(word)
    })
    // No socket, or one without its process: nobody is there.
    socket.once('error', () => socket.destroy())
    socket.once('close', () => resolve_(isConnected))
    socket.resume()
  })
}
