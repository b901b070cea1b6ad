// Builds what tests need once per machine: jars and Go binaries, in the user's cache folder.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Server } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** The path of `name` in `$XDG_CACHE_HOME/kubedelta` (`~/.cache/kubedelta`). */
export function cachePath(...name: readonly string[]): string {
  const root = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  return join(root, 'kubedelta', ...name)
}

/**
 * The file or folder at `path`, built by `build` when it is not there yet.
 *
 * - `build` writes to the path it is given, which is renamed when it has succeeded: no reader sees half of it.
 * - Of several processes one builds, the others wait for it.
 */
export async function cached(path: string, build: (path: string) => Promise<void>): Promise<string> {
  if (existsSync(path)) return path
  await mkdir(dirname(path), { recursive: true })
  const unfinished = `${path}.unfinished-${process.pid}`
  const release = await lock(path)
  try {
    if (existsSync(path)) return path
    await build(unfinished)
    await rename(unfinished, path)
  } finally {
    await rm(unfinished, { recursive: true, force: true })
    await release()
  }
  return path
}

/** Runs a build command to its end. @throws Error with all its output when it fails */
export function runBuild(
  command: string,
  args: readonly string[],
  options: { cwd: string; env?: NodeJS.ProcessEnv },
): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { ...options, maxBuffer: 64 << 20 }, (cause, stdout, stderr) => {
      if (cause === null) resolve()
      else reject(new Error(`Cannot run ${command} ${args.join(' ')}: ${cause.message}\n${stdout}${stderr}`, { cause }))
    })
  })
}

/** Tells whoever waits what takes long. */
export function progress(text: string): void {
  process.stderr.write(`${text}\n`)
}

/**
 * Takes the lock `name`; resolves with the function that gives it back.
 *
 * The lock is a listening socket: the kernel frees it with its process, and a waiter learns of that by its connection's end.
 */
async function lock(name: string): Promise<() => Promise<void>> {
  const id = `kubedelta-${createHash('sha256').update(name).digest('hex').slice(0, 16)}`
  // Abstract sockets (Linux) leave no file behind that a crash could orphan.
  const address = process.platform === 'linux' ? `\0${id}` : join(tmpdir(), `${id}.sock`)
  for (;;) {
    const server = await tryListen(address)
    if (server !== undefined) {
      const waiters = new Set<() => void>()
      server.on('connection', (socket) => {
        const wake = (): void => void socket.destroy()
        waiters.add(wake)
        // A waiter that went away needs no release; its error says nothing else.
        socket.on('error', wake)
        socket.once('close', () => waiters.delete(wake))
      })
      return async () => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()))
        for (const wake of waiters) wake()
        await closed
      }
    }
    await new Promise<void>((resolve) => {
      const socket = connect(address)
      // An error (nobody listens any more) means the same as the end: the lock may be free now.
      socket.on('error', () => socket.destroy())
      socket.once('close', () => resolve())
      socket.resume()
    })
  }
}

async function tryListen(address: string): Promise<Server | undefined> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen(address, () => resolve(server))
  })
}
