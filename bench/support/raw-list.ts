// Reads one LIST of all pods to nowhere: what any informer has to wait for at least.

import { disposable, openPool } from './pods.ts'

export interface RawList {
  readonly seconds: number
  readonly bytes: number
}

/** One LIST out of the apiserver's cache (resourceVersion 0), on a connection that stands already. */
export async function readRawList(server: string, ca: string, token: string): Promise<RawList> {
  await using pool = disposable(openPool({ server, ca }, 1))
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json' }
  const ready = await pool.request({ path: '/readyz', method: 'GET', headers })
  await ready.body.dump()
  const start = performance.now()
  const answer = await pool.request({ path: '/api/v1/pods?resourceVersion=0', method: 'GET', headers })
  if (answer.statusCode !== 200) throw new Error(`Cannot list pods: the apiserver says ${answer.statusCode}`)
  let bytes = 0
  for await (const chunk of answer.body) bytes += chunk.length
  return { seconds: (performance.now() - start) / 1000, bytes }
}
