// Reads kubeconfig files as kubectl does: several are merged, the first mention of a name wins, paths are relative to their file.

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { KubeConfig, type Cluster, type Context, type User } from '@kubernetes/client-node'
import { parse } from 'yaml'
import { KubedeltaError } from '../base/errors.ts'
import { isFields } from '../base/fields.ts'

/** What the files say together, in client-node's terms. */
export interface MergedKubeconfig {
  /** The files that were there, in order of precedence. */
  readonly files: readonly string[]
  readonly clusters: readonly Cluster[]
  readonly users: readonly User[]
  readonly contexts: readonly Context[]
  readonly currentContext: string | undefined
}

/**
 * Reads and merges the files; those that do not exist are left out (client-go clientcmd/loader.go).
 * @throws KubedeltaError `usage` when a file cannot be read or is no kubeconfig
 */
export function readKubeconfigs(paths: readonly string[]): MergedKubeconfig {
  const read = paths.map((path) => ({ path, config: readOne(path) })).filter((entry) => entry.config !== undefined)
  const configs = read.flatMap((entry) => entry.config ?? [])
  return {
    files: read.map((entry) => entry.path),
    clusters: firstOfEachName(configs.flatMap((config) => config.clusters)),
    users: firstOfEachName(configs.flatMap((config) => config.users)),
    contexts: firstOfEachName(configs.flatMap((config) => config.contexts)),
    currentContext: configs.map((config) => config.currentContext).find((name) => Boolean(name)),
  }
}

function readOne(path: string): KubeConfig | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw unreadable(path, error)
  }
  try {
    const document: unknown = parse(text)
    if (document === null) return new KubeConfig()
    if (!isFields(document)) throw new TypeError('wanted a mapping')
    const config = new KubeConfig()
    // A broken entry matters only if it is the chosen one, and is then reported as absent.
    config.loadFromString(JSON.stringify(withAdaptedUsers(document, dirname(path))), { onInvalidEntry: 'filter' })
    config.makePathsAbsolute(resolve(dirname(path)))
    return config
  } catch (error) {
    throw unreadable(path, error)
  }
}

function unreadable(path: string, error: unknown): KubedeltaError {
  const reason = error instanceof Error ? error.message.split('\n', 1)[0] : String(error)
  return new KubedeltaError('usage', `Cannot read kubeconfig ${path}: wanted a kubeconfig in YAML or JSON: ${reason}`, {
    cause: error,
  })
}

/** client-node does not know `tokenFile`, gives exec plugins no KUBERNETES_EXEC_INFO and runs relative commands from elsewhere. */
function withAdaptedUsers(document: Record<string, unknown>, folder: string): Record<string, unknown> {
  const users = document['users']
  if (!Array.isArray(users)) return document
  return { ...document, users: users.map((entry: unknown) => adaptUser(entry, folder)) }
}

function adaptUser(entry: unknown, folder: string): unknown {
  if (!isFields(entry) || !isFields(entry['user'])) return entry
  const { tokenFile, ...user } = entry['user']
  if (typeof tokenFile === 'string' && tokenFile !== '') {
    // The file wins over a token beside it (client-go clientcmd/api/types.go).
    const { token: _token, ...rest } = user
    return { ...entry, user: { ...rest, 'auth-provider': tokenFileProvider(resolve(folder, tokenFile)) } }
  }
  return isFields(user['exec']) ? { ...entry, user: { ...user, exec: adaptExec(user['exec'], folder) } } : entry
}

/** The user entry by which client-node reads a token from a file, again and again. */
export function tokenFileProvider(tokenFile: string): {
  readonly name: string
  readonly config: { readonly tokenFile: string }
} {
  return { name: 'tokenFile', config: { tokenFile } }
}

function adaptExec(exec: Record<string, unknown>, folder: string): Record<string, unknown> {
  const { command, apiVersion, env } = exec
  const info = { kind: 'ExecCredential', apiVersion, spec: { interactive: false } }
  return {
    ...exec,
    // A bare name is looked up on PATH, as by a shell.
    command: typeof command === 'string' && command.includes('/') ? resolve(folder, command) : command,
    env: [...(Array.isArray(env) ? env : []), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }],
  }
}

function firstOfEachName<T extends { readonly name: string }>(entries: readonly T[]): readonly T[] {
  return entries.filter((entry, index) => entries.findIndex((other) => other.name === entry.name) === index)
}
