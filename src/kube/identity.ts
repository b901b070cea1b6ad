// Finds an identity of the cluster that outlives restarts, upgrades and changes of address.

import { createHash } from 'node:crypto'
import { hasCode, KubedeltaError } from '../base/errors.ts'
import { at } from '../base/fields.ts'
import type { KubeClient } from './client.ts'

/**
 * The UID of namespace kube-system, as others use it; where that may not be read, `jwks:` and a SHA-256 of the keys that sign the
 * cluster's ServiceAccount tokens.
 * @throws KubedeltaError `usage` naming --cluster-id when neither may be read
 */
export async function readClusterId(client: KubeClient, signal: AbortSignal): Promise<string> {
  const id =
    (await readIfAllowed(client, '/api/v1/namespaces/kube-system', uidOf, signal)) ??
    (await readIfAllowed(client, '/openid/v1/jwks', hashOfKeys, signal))
  if (id !== undefined) return id
  throw new KubedeltaError(
    'usage',
    `Cannot tell which cluster ${client.server} is: wanted to read namespace kube-system or /openid/v1/jwks: both are refused: ` +
      `allow 'get' on one of them, or pass --cluster-id ID`,
  )
}

/** The keys are served as the second alone. */
const ACCEPT = 'application/json,application/jwk-set+json'

async function readIfAllowed(
  client: KubeClient,
  path: string,
  read: (answer: unknown) => string | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return read(await client.get(path, { signal, accept: ACCEPT, action: 'Cannot read the identity of the cluster' }))
  } catch (error) {
    // The next source is asked; when all refuse, the caller is told.
    if (hasCode(error, 'forbidden', 'not-found')) return undefined
    throw error
  }
}

function uidOf(answer: unknown): string | undefined {
  const uid = at(answer, 'metadata', 'uid')
  return typeof uid === 'string' && uid !== '' ? uid : undefined
}

/** Several apiservers of one cluster may list the keys in another order. */
function hashOfKeys(answer: unknown): string | undefined {
  const keys = at(answer, 'keys')
  if (!Array.isArray(keys) || keys.length === 0) return undefined
  const texts = keys.map((key: unknown) =>
    ['kid', 'kty', 'n', 'e', 'crv', 'x', 'y'].map((name) => at(key, name) ?? null),
  )
  const canonical = texts.map((values) => JSON.stringify(values)).toSorted()
  return `jwks:${createHash('sha256').update(canonical.join('\n')).digest('hex')}`
}
