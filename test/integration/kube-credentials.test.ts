// Credentials from real files and environments, found as kubectl finds them.

import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { loadCredentials, type CredentialsOptions } from '../../src/kube/credentials.ts'
import { temporaryFolder } from '../support/leftovers.ts'

const folder = temporaryFolder('credentials')
after(() => folder[Symbol.dispose]())

let files = 0

function write(content: string, path = join(folder.path, `file-${(files += 1)}`), mode = 0o600): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content, { mode })
  return path
}

interface Entry {
  readonly cluster?: object
  readonly user?: object
  readonly current?: boolean
}

/** A kubeconfig with one context, cluster and user of each name. */
function kubeconfig(entries: Readonly<Record<string, Entry>>): string {
  const named = Object.entries(entries)
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': named.find(([, entry]) => entry.current !== false)?.[0],
    clusters: named.map(([name, { cluster }]) => ({ name, cluster: { server: `https://${name}:6443`, ...cluster } })),
    users: named.map(([name, { user }]) => ({ name, user: user ?? { token: `token-of-${name}` } })),
    contexts: named.map(([name]) => ({ name, context: { cluster: name, user: name, namespace: `ns-of-${name}` } })),
  })
}

const absent = join(folder.path, 'absent')

function load(options: Partial<CredentialsOptions>): ReturnType<typeof loadCredentials> {
  return loadCredentials({ env: {}, serviceAccountFolder: absent, ...options })
}

async function tokenOf(options: Partial<CredentialsOptions>): Promise<string | undefined> {
  return (await load(options).authorize()).headers['authorization']
}

describe('credentials are found where kubectl finds them', () => {
  const home = join(folder.path, 'home')
  const atHome = write(kubeconfig({ home: {} }), join(home, '.kube', 'config'))
  const a = write(kubeconfig({ a: {}, shared: { cluster: { server: 'https://first:6443' } } }))
  const b = write(kubeconfig({ b: {}, shared: { cluster: { server: 'https://second:6443' } } }))
  const pod = join(folder.path, 'pod')
  write('pod-token\n', join(pod, 'token'))
  write('pod-ca', join(pod, 'ca.crt'))
  write('pod-namespace\n', join(pod, 'namespace'))
  const inPod = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }

  test('a flag wins over everything', async () => {
    const credentials = load({ kubeconfig: a, env: { KUBECONFIG: b, HOME: home, ...inPod }, serviceAccountFolder: pod })
    assert.equal(credentials.server, 'https://a:6443')
    assert.equal(credentials.source, `context a of ${a}`)
    assert.equal(credentials.namespace, 'ns-of-a')
    assert.equal((await credentials.authorize()).headers['authorization'], 'Bearer token-of-a')
  })

  test('KUBECONFIG comes before the home folder, which comes before the pod', () => {
    assert.equal(load({ env: { KUBECONFIG: b, HOME: home } }).server, 'https://b:6443')
    assert.equal(load({ env: { HOME: home, ...inPod }, serviceAccountFolder: pod }).source, `context home of ${atHome}`)
  })

  test('several files of KUBECONFIG are merged, the first mention winning, absent ones left out', () => {
    const env = { KUBECONFIG: [absent, a, b].join(':') }
    assert.equal(load({ env }).server, 'https://a:6443')
    assert.equal(load({ env, context: 'b' }).server, 'https://b:6443')
    assert.equal(load({ env, context: 'shared' }).server, 'https://first:6443')
  })

  test('a pod uses its ServiceAccount', async () => {
    const credentials = load({ env: { KUBECONFIG: absent, ...inPod }, serviceAccountFolder: pod })
    assert.equal(credentials.server, 'https://[fd00::1]')
    assert.equal(credentials.namespace, 'pod-namespace')
    const { headers, tls } = await credentials.authorize()
    assert.equal(headers['authorization'], 'Bearer pod-token')
    assert.equal(String(tls.ca), 'pod-ca')
  })

  test('a rotated token of a pod is read again', async () => {
    const credentials = load({ env: inPod, serviceAccountFolder: pod })
    await credentials.authorize()
    write('rotated', join(pod, 'token'))
    credentials.refresh()
    assert.equal((await credentials.authorize()).headers['authorization'], 'Bearer rotated')
  })

  test('nothing found names all that was looked for, and the way out', () => {
    const half = join(folder.path, 'half')
    write('token', join(half, 'token'))
    assert.throws(
      () => load({ env: { HOME: '/nowhere', KUBERNETES_SERVICE_HOST: '10.0.0.1' }, serviceAccountFolder: half }),
      (error) => {
        assert.ok(hasCode(error, 'usage'))
        for (const part of [
          'KUBECONFIG (not set)',
          '/nowhere/.kube/config (absent)',
          'KUBERNETES_SERVICE_PORT (not set)',
          `${join(half, 'ca.crt')} (absent or unreadable)`,
          'pass --kubeconfig FILE or --server URL',
        ]) {
          assert.ok(error.message.includes(part), `${part} in ${error.message}`)
        }
        assert.ok(!error.message.includes('KUBERNETES_SERVICE_HOST'))
        assert.ok(!error.message.includes(join(half, 'token')))
        return true
      },
    )
  })
})

describe('flags go over what was found', () => {
  const ca = write('ca-of-flag')
  const path = write(
    kubeconfig({ dev: { cluster: { 'certificate-authority-data': 'b2xk', 'tls-server-name': 'inner' } } }),
  )

  test('--server keeps user and CA but not the TLS name', async () => {
    const credentials = load({ kubeconfig: path, server: 'https://other:1/prefix/' })
    assert.equal(credentials.server, 'https://other:1/prefix')
    const { headers, tls } = await credentials.authorize()
    assert.equal(headers['authorization'], 'Bearer token-of-dev')
    assert.deepEqual([String(tls.ca), tls.servername], ['old', undefined])
  })

  test('--certificate-authority replaces the CA', async () => {
    const { tls } = await load({ kubeconfig: path, certificateAuthority: ca }).authorize()
    assert.deepEqual([String(tls.ca), tls.servername], ['ca-of-flag', 'inner'])
  })

  test('--insecure-skip-tls-verify accepts any certificate', async () => {
    const { tls } = await load({ kubeconfig: path, insecureSkipTlsVerify: true }).authorize()
    assert.deepEqual([tls.ca, tls.rejectUnauthorized], [undefined, false])
  })

  test('--server alone asks without credentials', async () => {
    const credentials = load({ server: 'http://127.0.0.1:8001', env: {} })
    assert.deepEqual((await credentials.authorize()).headers, {})
  })
})

describe('a kubeconfig that cannot be used says why', () => {
  const good = write(kubeconfig({ dev: {}, prod: {} }))
  const table: ReadonlyArray<readonly [claim: string, options: () => Partial<CredentialsOptions>, says: RegExp]> = [
    ['named and absent', () => ({ kubeconfig: absent }), /absent: wanted a file: there is none/],
    ['no YAML', () => ({ kubeconfig: write('a: [') }), /Cannot read kubeconfig .*wanted a kubeconfig in YAML or JSON/],
    ['a list', () => ({ kubeconfig: write('[1]') }), /wanted a mapping/],
    ['a folder', () => ({ kubeconfig: folder.path }), /EISDIR/],
    ['empty', () => ({ kubeconfig: write('') }), /Cannot find credentials/],
    [
      'unknown context',
      () => ({ kubeconfig: good, context: 'qa' }),
      /wanted one of dev, prod: current value is "qa": pass --context/,
    ],
    [
      'no current context',
      () => ({ kubeconfig: write(kubeconfig({ dev: { current: false } })) }),
      /wanted one of dev: current value is no current-context/,
    ],
    [
      'a context of no cluster',
      () => ({
        kubeconfig: write('{current-context: x, contexts: [{name: x, context: {cluster: gone, user: u}}]}'),
      }),
      /wanted a cluster "gone" in the kubeconfig/,
    ],
    [
      'a context of no user',
      () => ({
        kubeconfig: write(
          '{current-context: x, clusters: [{name: c, cluster: {server: "https://c"}}], contexts: [{name: x, context: {cluster: c, user: gone}}]}',
        ),
      }),
      /wanted a user "gone" in the kubeconfig/,
    ],
    [
      'a server that is no URL',
      () => ({ server: 'api:6443' }),
      /wanted https:\/\/HOST:PORT: current value is "api:6443"/,
    ],
  ]
  for (const [claim, options, says] of table) {
    test(claim, () => {
      assert.throws(
        () => load(options()),
        (error) => hasCode(error, 'usage') && says.test(error.message),
      )
    })
  }
})

describe('users', () => {
  test('client certificates are read, with paths relative to the kubeconfig', async () => {
    write('cert', join(folder.path, 'pki', 'dev.crt'))
    const user = { 'client-certificate': 'pki/dev.crt', 'client-key-data': Buffer.from('key').toString('base64') }
    const { tls } = await load({ kubeconfig: write(kubeconfig({ dev: { user } })) }).authorize()
    assert.deepEqual([tls.cert, tls.key], [Buffer.from('cert'), Buffer.from('key')])
  })

  test('basic authentication is sent', async () => {
    const user = { username: 'ann', password: 'secret' }
    assert.equal(await tokenOf({ kubeconfig: write(kubeconfig({ dev: { user } })) }), 'Basic YW5uOnNlY3JldA==')
  })

  test('a token file wins over a token, and loses its newline', async () => {
    write('from-file\n', join(folder.path, 'dev.token'))
    const user = { tokenFile: 'dev.token', token: 'from-config' }
    assert.equal(await tokenOf({ kubeconfig: write(kubeconfig({ dev: { user } })) }), 'Bearer from-file')
  })

  test('a token file that is gone is named', async () => {
    const credentials = load({ kubeconfig: write(kubeconfig({ dev: { user: { tokenFile: absent } } })) })
    await assert.rejects(
      credentials.authorize(),
      (error) => hasCode(error, 'unauthorized') && error.message.includes(absent),
    )
  })

  test('a context without a user is anonymous, and still trusts the CA', async () => {
    const text = `{current-context: x, clusters: [{name: c, cluster: {server: "https://c", certificate-authority-data: ${btoa('ca')}}}], contexts: [{name: x, context: {cluster: c}}]}`
    const { headers, tls } = await load({ kubeconfig: write(text) }).authorize()
    assert.deepEqual([headers, String(tls.ca)], [{}, 'ca'])
  })
})

describe('exec plugins', () => {
  /** A plugin that notes each of its runs and what it was told. */
  function plugin(script: string): { readonly path: string; readonly runs: () => number } {
    const path = join(folder.path, `plugin-${(files += 1)}`)
    const log = `${path}.log`
    write(`#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" >> '${log}'\n${script}\n`, path)
    chmodSync(path, 0o700)
    return { path, runs: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').length : 0) }
  }

  function execUser(command: string): string {
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command, args: [], interactiveMode: 'Never' }
    return write(kubeconfig({ dev: { user: { exec } } }))
  }

  const credential = `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"made"}}'`

  test('run once for requests at the same time, and again after a refusal', async () => {
    const { path, runs } = plugin(credential)
    const credentials = load({ kubeconfig: execUser(path) })
    const all = await Promise.all([credentials.authorize(), credentials.authorize(), credentials.authorize()])
    assert.deepEqual(
      all.map(({ headers }) => headers['authorization']),
      Array.from({ length: 3 }, () => 'Bearer made'),
    )
    assert.equal(runs(), 1)
    credentials.refresh()
    await credentials.authorize()
    assert.equal(runs(), 2)
  })

  test('are told the version of the answer that is wanted', async () => {
    const { path } = plugin(credential)
    await load({ kubeconfig: execUser(path) }).authorize()
    const told: unknown = JSON.parse(readFileSync(`${path}.log`, 'utf8'))
    assert.deepEqual(told, {
      kind: 'ExecCredential',
      apiVersion: 'client.authentication.k8s.io/v1',
      spec: { interactive: false },
    })
  })

  test('with a relative path are run from the folder of the kubeconfig', async () => {
    const { path } = plugin(credential)
    assert.equal(await tokenOf({ kubeconfig: execUser(`./${path.split('/').at(-1)}`) }), 'Bearer made')
  })

  for (const [claim, command, says] of [
    [
      'that fail are quoted',
      () => plugin('echo login first >&2; exit 1').path,
      /: login first: run the exec plugin ".*" by hand to see why$/,
    ],
    ['that are absent are named', () => absent, /ENOENT.*: run the exec plugin/],
  ] as const) {
    test(claim, async () => {
      const credentials = load({ kubeconfig: execUser(command()) })
      await assert.rejects(
        credentials.authorize(),
        (error) => hasCode(error, 'unauthorized') && says.test(error.message),
      )
    })
  }
})
