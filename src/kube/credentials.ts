// Finds the credentials for an apiserver where kubectl finds them: flags, KUBECONFIG, ~/.kube/config, then the pod's ServiceAccount.

import type { RequestOptions } from 'node:https'
import { delimiter, join } from 'node:path'
import type { SecureContextOptions } from 'node:tls'
import { KubeConfig, type Cluster, type User } from '@kubernetes/client-node'
import { KubedeltaError } from '../base/errors.ts'
import { inCluster, isReadable } from './in-cluster.ts'
import { readKubeconfigs, type MergedKubeconfig } from './kubeconfig.ts'
import { proxyFor } from './proxy.ts'

export interface CredentialsOptions {
  /** The one kubeconfig file to read; KUBECONFIG and ~/.kube/config are then left alone. */
  readonly kubeconfig?: string | undefined
  /** @default the kubeconfig's current-context */
  readonly context?: string | undefined
  /** URL that replaces the kubeconfig's; without any kubeconfig it is asked without credentials, as kubectl does. */
  readonly server?: string | undefined
  /** CA file that replaces the kubeconfig's. */
  readonly certificateAuthority?: string | undefined
  /** Accepts any certificate, whatever the kubeconfig says. @default false */
  readonly insecureSkipTlsVerify?: boolean | undefined
  /** KUBECONFIG, HOME, KUBERNETES_SERVICE_HOST and _PORT, HTTPS_PROXY, HTTP_PROXY, NO_PROXY are read from it. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where a pod's ServiceAccount is mounted. @default '/var/run/secrets/kubernetes.io/serviceaccount' */
  readonly serviceAccountFolder?: string
}

/** Who asks which apiserver. */
export interface Credentials {
  /** URL without a slash at its end; may have a path. */
  readonly server: string
  /** Where they were found, for logs: `context dev of /home/ann/.kube/config`. */
  readonly source: string
  /** The context's namespace, or the pod's own. */
  readonly namespace: string | undefined
  /** URL of the proxy on the way to the server. */
  readonly proxy: string | undefined
  /**
   * What the next request carries. Certificates are read again each time, a token file each minute, an exec plugin runs again when
   * its token has expired: ask for each request.
   * @throws KubedeltaError `unauthorized` when a file cannot be read or an exec plugin fails
   */
  authorize(): Promise<Authorization>
  /** Forgets tokens that were read or made before, after the apiserver refused one. */
  refresh(): void
}

export interface Authorization {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly tls: TlsOptions
}

export interface TlsOptions extends Pick<SecureContextOptions, 'ca' | 'cert' | 'key'> {
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

/**
 * Finds the credentials.
 * @throws KubedeltaError `usage` when there are none, listing what was looked for, or when they contradict themselves
 */
export function loadCredentials(options: CredentialsOptions): Credentials {
  const { env, context, server } = options
  checkFlags(options)
  const paths = kubeconfigPaths(options)
  const merged = readKubeconfigs(paths)
  if (options.kubeconfig !== undefined && merged.files.length === 0) {
    throw new KubedeltaError('usage', `Cannot read kubeconfig ${options.kubeconfig}: wanted a file: there is none`)
  }
  if (context !== undefined || merged.currentContext !== undefined) return fromKubeconfig(merged, paths, options)
  if (server !== undefined)
    return build({ server, name: 'flags', skipTLSVerify: false }, anonymous, 'flags', undefined, options)
  if (merged.contexts.length > 0) throw noSuchContext(merged, undefined)
  const found = inCluster({ env, folder: options.serviceAccountFolder, wantsCa: !overridesTls(options) })
  if (found.kind === 'found') {
    return build(found.cluster, found.user, 'the ServiceAccount of this pod', found.namespace, options)
  }
  throw new KubedeltaError(
    'usage',
    `Cannot find credentials for an apiserver: wanted a kubeconfig or a pod's ServiceAccount: looked for ` +
      `${[...describePaths(paths, merged, env), ...found.missing].join('; ')}: pass --kubeconfig FILE or --server URL`,
  )
}

function checkFlags({ certificateAuthority, insecureSkipTlsVerify }: CredentialsOptions): void {
  if (certificateAuthority === undefined) return
  if (insecureSkipTlsVerify) {
    throw new KubedeltaError(
      'usage',
      'Cannot use --certificate-authority with --insecure-skip-tls-verify: wanted one of them: nothing would be verified',
    )
  }
  if (!isReadable(certificateAuthority)) {
    throw new KubedeltaError(
      'usage',
      `Cannot use --certificate-authority ${certificateAuthority}: wanted a file in PEM: it is absent or unreadable`,
    )
  }
}

function kubeconfigPaths(options: CredentialsOptions): readonly string[] {
  if (options.kubeconfig !== undefined) return [options.kubeconfig]
  const listed = (options.env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '')
  if (listed.length > 0) return listed
  const home = options.env['HOME'] ?? options.env['USERPROFILE']
  return home === undefined ? [] : [join(home, '.kube', 'config')]
}

function describePaths(
  paths: readonly string[],
  merged: MergedKubeconfig,
  env: CredentialsOptions['env'],
): readonly string[] {
  const states = paths.map((path) => `${path} (${merged.files.includes(path) ? 'empty' : 'absent'})`)
  if (env['KUBECONFIG']) return [`KUBECONFIG: ${states.join(', ')}`]
  return ['KUBECONFIG (not set)', states.length > 0 ? states.join(', ') : '~/.kube/config (HOME not set)']
}

function fromKubeconfig(merged: MergedKubeconfig, paths: readonly string[], options: CredentialsOptions): Credentials {
  const name = options.context ?? merged.currentContext
  const context = merged.contexts.find((entry) => entry.name === name)
  if (name === undefined || context === undefined) throw noSuchContext(merged, name, paths)
  const source = `context ${name} of ${merged.files.join(', ')}`
  const cluster = merged.clusters.find((entry) => entry.name === context.cluster)
  if (cluster === undefined && options.server === undefined) throw lacks(source, 'cluster', context.cluster)
  const user = merged.users.find((entry) => entry.name === context.user)
  // A context without a user is legal: it asks as system:anonymous.
  if (user === undefined && Boolean(context.user)) throw lacks(source, 'user', context.user)
  const base = cluster ?? { name: context.cluster, server: '', skipTLSVerify: false }
  return build(base, user ?? anonymous, source, context.namespace, options)
}

function noSuchContext(
  merged: MergedKubeconfig,
  name: string | undefined,
  paths: readonly string[] = [],
): KubedeltaError {
  const known = merged.contexts.map((context) => context.name).join(', ')
  const files = (merged.files.length > 0 ? merged.files : paths).join(', ')
  const wanted = known === '' ? 'a kubeconfig with contexts' : `one of ${known}`
  const current = name === undefined ? 'no current-context' : JSON.stringify(name)
  return new KubedeltaError(
    'usage',
    `Cannot choose a context of ${files === '' ? 'no kubeconfig' : files}: wanted ${wanted}: current value is ${current}: pass --context NAME`,
  )
}

function lacks(source: string, what: string, name: string): KubedeltaError {
  return new KubedeltaError(
    'usage',
    `Cannot use ${source}: wanted a ${what} ${JSON.stringify(name)} in the kubeconfig: there is none, or it is incomplete`,
  )
}

const anonymous: User = { name: 'anonymous' }

function overridesTls(options: CredentialsOptions): boolean {
  return options.certificateAuthority !== undefined || options.insecureSkipTlsVerify === true
}

/** Puts the flags over what was found. */
function build(
  found: Cluster,
  user: User,
  source: string,
  namespace: string | undefined,
  options: CredentialsOptions,
): Credentials {
  const server = parseServer(options.server ?? found.server, source)
  const { caFile, caData, tlsServerName, proxyUrl, skipTLSVerify } = found
  const insecure = options.insecureSkipTlsVerify ?? skipTLSVerify
  const ca =
    options.certificateAuthority !== undefined
      ? { caFile: options.certificateAuthority }
      : { ...(caFile && { caFile }), ...(caData && { caData }) }
  const cluster: Cluster = {
    name: found.name,
    server: server.href,
    // client-node refuses plain http without this; there is no TLS to verify then.
    skipTLSVerify: insecure || !server.secure,
    ...(!insecure && ca),
    // The name belongs to the server that the kubeconfig names.
    ...(tlsServerName && options.server === undefined && { tlsServerName }),
  }
  return new KubeconfigCredentials(cluster, user, {
    source,
    namespace,
    proxy: proxyUrl ?? proxyFor(server.href, options.env),
  })
}

function parseServer(text: string, source: string): { readonly href: string; readonly secure: boolean } {
  const url = URL.parse(text)
  if (url === null || !['https:', 'http:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new KubedeltaError(
      'usage',
      `Cannot use the server of ${source}: wanted https://HOST:PORT: current value is ${JSON.stringify(text)}: pass --server URL`,
    )
  }
  return { href: `${url.origin}${url.pathname}`.replace(/\/+$/, ''), secure: url.protocol === 'https:' }
}

class KubeconfigCredentials implements Credentials {
  readonly server: string
  readonly source: string
  readonly namespace: string | undefined
  readonly proxy: string | undefined
  readonly #cluster: Cluster
  readonly #user: User
  #config: KubeConfig
  /** So that requests at the same time run an exec plugin once. */
  #pending: Promise<Authorization> | undefined

  constructor(cluster: Cluster, user: User, facts: Pick<Credentials, 'source' | 'namespace' | 'proxy'>) {
    this.server = cluster.server
    this.source = facts.source
    this.namespace = facts.namespace
    this.proxy = facts.proxy
    this.#cluster = cluster
    this.#user = user
    this.#config = configOf(cluster, user)
  }

  authorize(): Promise<Authorization> {
    this.#pending ??= this.#authorize().finally(() => {
      this.#pending = undefined
    })
    return this.#pending
  }

  refresh(): void {
    // client-node keeps tokens in its authenticators, and those in the KubeConfig.
    this.#config = configOf(this.#cluster, this.#user)
  }

  async #authorize(): Promise<Authorization> {
    const options: RequestOptions = {}
    try {
      await this.#config.applyToHTTPSOptions(options)
    } catch (error) {
      const reason = error instanceof Error ? error.message.trim() : String(error)
      throw new KubedeltaError('unauthorized', `Cannot get credentials from ${this.source}: ${reason}${this.#hint()}`, {
        cause: error,
      })
    }
    return { headers: headersOf(options), tls: tlsOf(options) }
  }

  #hint(): string {
    const exec: unknown = this.#user.exec
    if (typeof exec !== 'object' || exec === null || !('command' in exec)) return ''
    return `: run the exec plugin ${JSON.stringify(exec.command)} by hand to see why`
  }
}

function configOf(cluster: Cluster, user: User): KubeConfig {
  const config = new KubeConfig()
  config.loadFromClusterAndUser(cluster, user)
  return config
}

function headersOf(options: RequestOptions): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // A token file ends in a newline more often than not.
    headers[name.toLowerCase()] = String(value).trim()
  }
  if (options.auth) headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`
  return headers
}

function tlsOf(options: RequestOptions): TlsOptions {
  const { ca, cert, key, servername, rejectUnauthorized } = options
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(servername !== undefined && { servername }),
    ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
  }
}
