// Says how the test control plane is configured: keys, users, kubeconfig, flags.

import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A user whom the apiserver knows by token and who may do nothing until a RoleBinding names him. */
export type PlainUser = (typeof PLAIN_USERS)[number]

const PLAIN_USERS = ['plain1', 'plain2', 'plain3', 'plain4', 'plain5'] as const

/** Token of the cluster administrator. */
export const ADMIN_TOKEN = 'admin-token'

/** Files that the servers share. */
export interface ControlPlaneFiles {
  readonly certFolder: string
  /** The apiserver writes it at its first start, self-signed. */
  readonly caFile: string
  readonly tokenFile: string
  readonly signingKeyFile: string
  readonly publicKeyFile: string
}

/** Writes keys and users into `folder`. */
export function writeFiles(folder: string): ControlPlaneFiles {
  const certFolder = join(folder, 'certificates')
  const files = {
    certFolder,
    caFile: join(certFolder, 'apiserver.crt'),
    tokenFile: join(folder, 'tokens.csv'),
    signingKeyFile: join(folder, 'service-account.key'),
    publicKeyFile: join(folder, 'service-account.pub'),
  }
  mkdirSync(certFolder)
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  writeFileSync(files.signingKeyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  writeFileSync(files.publicKeyFile, publicKey.export({ type: 'spki', format: 'pem' }))
  const users = PLAIN_USERS.map((user) => `${userToken(user)},${user},${user}`)
  writeFileSync(files.tokenFile, `${ADMIN_TOKEN},admin,admin,"system:masters"\n${users.join('\n')}\n`, { mode: 0o600 })
  return files
}

/** The token by which the apiserver knows that user. */
export function userToken(user: PlainUser): string {
  return `${user}-token`
}

/** A kubeconfig with one cluster, one user and one context. */
export function kubeconfigText(server: string, caFile: string, name: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name, user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: name } }],
    'current-context': 'test',
  })
}

/** Flags of etcd. */
export function etcdArgs(folder: string, clientUrl: string, peerUrl: string): string[] {
  return [
    `--data-dir=${join(folder, 'etcd')}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ]
}

/** Flags of kube-apiserver. */
export function apiserverArgsFor(files: ControlPlaneFiles, etcdEndpoint: string, securePort: number): string[] {
  return [
    `--etcd-servers=${etcdEndpoint}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${securePort}`,
    `--cert-dir=${files.certFolder}`,
    `--service-account-key-file=${files.publicKeyFile}`,
    `--service-account-signing-key-file=${files.signingKeyFile}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    '--service-cluster-ip-range=10.0.0.0/24',
    `--token-auth-file=${files.tokenFile}`,
    '--authorization-mode=RBAC',
    // Pods of a test namespace need no ServiceAccount there.
    '--disable-admission-plugins=ServiceAccount',
  ]
}

/** Flags of kube-controller-manager. */
export function managerArgs(files: ControlPlaneFiles, kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--service-account-private-key-file=${files.signingKeyFile}`,
    `--root-ca-file=${files.caFile}`,
    '--leader-elect=false',
    '--secure-port=0',
  ]
}
