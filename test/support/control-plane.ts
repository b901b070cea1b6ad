// Starts a real Kubernetes control plane (etcd, kube-apiserver, optionally kube-controller-manager) on loopback ports.

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { startChild } from './child.ts'
import type { Child } from './child.ts'
import { askApiserver } from './apiserver-request.ts'
import type { ApiserverAnswer, ApiserverRequest } from './apiserver-request.ts'
import { controlPlaneBinary } from './control-plane-binaries.ts'
import {
  ADMIN_TOKEN,
  apiserverArgsFor,
  etcdArgs,
  kubeconfigText,
  managerArgs,
  userToken,
  writeFiles,
} from './control-plane-config.ts'
import type { PlainUser } from './control-plane-config.ts'
import { kubectlFor } from './kubectl.ts'
import type { Kubectl } from './kubectl.ts'
import { temporaryFolder } from './leftovers.ts'
import { reservePorts } from './ports.ts'
import { ready } from './ready.ts'

export interface ControlPlaneOptions {
  /** Starts kube-controller-manager too: Deployments become Pods, namespaces end, garbage is collected. @default false */
  readonly controllerManager?: boolean
  /** Further flags of kube-apiserver; they win over those given here. */
  readonly apiserverArgs?: readonly string[]
}

/** A running control plane. Disposing kills it and removes its data. */
export interface ControlPlane extends AsyncDisposable {
  /** Path of the cluster administrator's kubeconfig. */
  readonly kubeconfig: string
  /** `https://127.0.0.1:port` */
  readonly server: string
  readonly caFile: string
  /** The cluster administrator's token. */
  readonly token: string
  /** `http://127.0.0.1:port` */
  readonly etcdEndpoint: string
  readonly pids: readonly number[]
  readonly kubectl: Kubectl
  /** One request to the apiserver, as the administrator unless told otherwise: what kubectl is too slow or too polite for. */
  request(path: string, request?: ApiserverRequest): Promise<ApiserverAnswer>
  /** Stops the apiserver (SIGTERM) and starts it again: watches end, and those from before are answered 410. */
  restartApiserver(): Promise<void>
  stopApiserver(): Promise<void>
  /** Ends the apiserver as a crash does. */
  killApiserver(): Promise<void>
  startApiserver(): Promise<void>
  /** Freezes the apiserver: its connections stay open and nothing answers. */
  pauseApiserver(): void
  resumeApiserver(): void
  pauseEtcd(): void
  resumeEtcd(): void
  /** Copies what etcd holds now, while nothing else goes on. */
  saveEtcd(): void
  /** Puts the last copy in the place of what etcd holds: all servers are killed and started again. */
  restoreEtcd(): Promise<void>
  /** Starts one more apiserver, on the same etcd or on a way to it. Disposing kills it. */
  startAnother(etcdEndpoint?: string): Promise<AnotherApiserver>
  userToken(user: PlainUser): string
  /** Path of a kubeconfig with that user's token. */
  userKubeconfig(user: PlainUser): string
  /** A fresh token of a ServiceAccount, which is created where it is missing. */
  tokenFor(serviceAccount: string, namespace: string): Promise<string>
  /** Path of a kubeconfig with any token. */
  kubeconfigFor(name: string, token: string): string
  /** The last lines that the servers said. */
  log(): string
}

/** A second apiserver of the same cluster. */
export interface AnotherApiserver extends AsyncDisposable {
  /** Path of the cluster administrator's kubeconfig, by way of it. */
  readonly kubeconfig: string
  request(path: string, request?: ApiserverRequest): Promise<ApiserverAnswer>
}

/** Starts a control plane and waits until it is ready and has its namespaces default and kube-system. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const { controllerManager = false, apiserverArgs = [] } = options
  const etcdBinary = await controlPlaneBinary('etcd')
  const apiserverBinary = await controlPlaneBinary('kube-apiserver')
  const managerBinary = controllerManager ? await controlPlaneBinary('kube-controller-manager') : undefined
  const kubectlBinary = await controlPlaneBinary('kubectl')

  await using stack = new AsyncDisposableStack()
  const folder = stack.use(temporaryFolder('control-plane')).path
  const [clientPort = 0, peerPort = 0, securePort = 0] = stack.use(await reservePorts(3)).ports
  const files = writeFiles(folder)
  const server = `https://127.0.0.1:${securePort}`
  const etcdEndpoint = `http://127.0.0.1:${clientPort}`
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  stack.defer(() => agent.destroy())

  const startEtcd = (): Promise<Child> =>
    startChild(etcdBinary, etcdArgs(folder, etcdEndpoint, `http://127.0.0.1:${peerPort}`), {
      logFile: join(folder, 'etcd.log'),
    })
  let etcd = await startEtcd()
  const apiserverFlags = [...apiserverArgsFor(files, etcdEndpoint, securePort), ...apiserverArgs]
  let apiserver: Child | undefined
  let manager: Child | undefined
  const servers = (): Child[] => [etcd, apiserver, manager].filter((child) => child !== undefined)
  stack.defer(async () => {
    await Promise.all(servers().map((child) => child.kill()))
  })

  function kubeconfigFor(name: string, token: string): string {
    const path = join(folder, `${name}.kubeconfig`)
    writeFileSync(path, kubeconfigText(server, files.caFile, name, token), { mode: 0o600 })
    return path
  }
  const kubeconfig = kubeconfigFor('admin', ADMIN_TOKEN)
  const kubectl = kubectlFor(kubectlBinary, kubeconfig, join(folder, 'kubectl-cache'))

  async function request(path: string, what: ApiserverRequest = {}): Promise<ApiserverAnswer> {
    const ca = readFileSync(files.caFile)
    return askApiserver(new URL(path, server), { token: ADMIN_TOKEN, ...what }, { agent, ca })
  }

  async function startApiserver(): Promise<void> {
    if (apiserver !== undefined && apiserver.ending === undefined) return
    apiserver = await startChild(apiserverBinary, apiserverFlags, { logFile: join(folder, 'kube-apiserver.log') })
    await ready(
      async () => {
        for (const path of ['/readyz', '/api/v1/namespaces/default', '/api/v1/namespaces/kube-system']) {
          const { status, body } = await request(path)
          if (status !== 200) throw new Error(`${path} says ${status}: ${body}`)
        }
      },
      { what: 'kube-apiserver', children: [etcd, apiserver] },
    )
  }

  async function startAnother(endpoint = etcdEndpoint): Promise<AnotherApiserver> {
    await using own = new AsyncDisposableStack()
    const [port = 0] = own.use(await reservePorts(1)).ports
    const flags = [...apiserverArgsFor(files, endpoint, port), ...apiserverArgs]
    const logFile = join(folder, `kube-apiserver-${port}.log`)
    const child = own.use(await startChild(apiserverBinary, flags, { logFile }))
    const url = `https://127.0.0.1:${port}`
    const ask: AnotherApiserver['request'] = (path, what = {}) =>
      askApiserver(new URL(path, url), { token: ADMIN_TOKEN, ...what }, { agent, ca: readFileSync(files.caFile) })
    const isReady = async (): Promise<void> => {
      const { status, body } = await ask('/readyz')
      if (status !== 200) throw new Error(`/readyz says ${status}: ${body}`)
    }
    await ready(isReady, { what: 'another kube-apiserver', children: [etcd, child] })
    const path = join(folder, `admin-${port}.kubeconfig`)
    writeFileSync(path, kubeconfigText(url, files.caFile, 'admin', ADMIN_TOKEN), { mode: 0o600 })
    const ownLife = own.move()
    return { kubeconfig: path, request: ask, [Symbol.asyncDispose]: () => ownLife.disposeAsync() }
  }

  async function stopApiserver(): Promise<void> {
    await apiserver?.stop()
  }

  function running(): Child {
    if (apiserver === undefined) throw new Error('Cannot reach kube-apiserver: it has not been started')
    return apiserver
  }

  await startApiserver()
  if (managerBinary !== undefined) {
    manager = await startChild(managerBinary, managerArgs(files, kubeconfigFor('controller-manager', ADMIN_TOKEN)), {
      logFile: join(folder, 'kube-controller-manager.log'),
    })
    // Its ServiceAccount controller makes this one: the controllers run once it is there.
    await ready(
      async () => {
        const { status } = await request('/api/v1/namespaces/default/serviceaccounts/default')
        if (status !== 200) throw new Error('no ServiceAccount default yet')
      },
      { what: 'kube-controller-manager', children: [manager] },
    )
  }

  const life = stack.move()
  return {
    kubeconfig,
    server,
    caFile: files.caFile,
    token: ADMIN_TOKEN,
    etcdEndpoint,
    get pids() {
      return servers().map(({ pid }) => pid)
    },
    kubectl,
    request,
    async restartApiserver() {
      await stopApiserver()
      await startApiserver()
    },
    stopApiserver,
    killApiserver: () => running().kill(),
    startApiserver,
    pauseApiserver: () => running().signal('SIGSTOP'),
    resumeApiserver: () => running().signal('SIGCONT'),
    pauseEtcd: () => etcd.signal('SIGSTOP'),
    resumeEtcd: () => etcd.signal('SIGCONT'),
    saveEtcd() {
      // A copy of what a crash would leave: etcd recovers from its write-ahead log.
      etcd.signal('SIGSTOP')
      rmSync(join(folder, 'etcd-copy'), { recursive: true, force: true })
      cpSync(join(folder, 'etcd'), join(folder, 'etcd-copy'), { recursive: true })
      etcd.signal('SIGCONT')
    },
    async restoreEtcd() {
      await running().kill()
      await etcd.kill()
      rmSync(join(folder, 'etcd'), { recursive: true })
      cpSync(join(folder, 'etcd-copy'), join(folder, 'etcd'), { recursive: true })
      etcd = await startEtcd()
      await startApiserver()
    },
    startAnother,
    userToken,
    userKubeconfig: (user) => kubeconfigFor(user, userToken(user)),
    async tokenFor(serviceAccount, namespace) {
      const made = await kubectl(['create', 'serviceaccount', serviceAccount, '-n', namespace], { check: false })
      if (made.code !== 0 && !/already ?exists/i.test(made.stderr)) throw new Error(made.stderr)
      const { stdout } = await kubectl(['create', 'token', serviceAccount, '-n', namespace])
      return stdout.trim()
    },
    kubeconfigFor,
    log: () =>
      servers()
        .map((child) => `--- ${child.name}\n${child.log()}`)
        .join('\n'),
    [Symbol.asyncDispose]: () => life.disposeAsync(),
  }
}
