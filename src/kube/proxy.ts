// Says which proxy of the environment lies on the way to a server, by the rules of Go's http.ProxyFromEnvironment.

import { BlockList, isIP, isIPv6 } from 'node:net'

/**
 * The URL of the proxy, or undefined for a direct way. Loopback is never proxied; NO_PROXY lists hosts, `.domains`, addresses and
 * CIDR blocks, each with an optional port, or `*` (golang.org/x/net/http/httpproxy).
 */
export function proxyFor(server: string, env: Readonly<Record<string, string | undefined>>): string | undefined {
  const url = new URL(server)
  const read = (name: string): string => env[name] || env[name.toLowerCase()] || ''
  const proxy = read(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY')
  if (proxy === '') return undefined
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  if (isLoopback(host)) return undefined
  const exceptions = read('NO_PROXY').split(',')
  if (exceptions.some((entry) => isException(entry.trim().toLowerCase(), host, port))) return undefined
  return proxy.includes('://') ? proxy : `http://${proxy}`
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

function isException(entry: string, host: string, port: string): boolean {
  if (entry === '') return false
  if (entry === '*') return true
  if (entry.includes('/')) return isIP(host) !== 0 && isWithin(host, entry)
  const [, name = entry, onlyPort] = /^(.*?)(?::(\d+))?$/.exec(isIPv6(entry) ? `[${entry}]` : entry) ?? []
  if (onlyPort !== undefined && onlyPort !== port) return false
  const bare = name.replace(/^\[|\]$/g, '').replace(/^\*(?=\.)/, '')
  if (bare.startsWith('.')) return host.endsWith(bare)
  return host === bare || (isIP(host) === 0 && host.endsWith(`.${bare}`))
}

function isWithin(host: string, block: string): boolean {
  const [address = '', bits = ''] = block.split('/')
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  const length = Number(bits)
  if (isIP(address) === 0 || !/^\d+$/.test(bits) || length > (family === 'ipv6' ? 128 : 32)) return false
  const list = new BlockList()
  list.addSubnet(address, length, family)
  return list.check(host, isIPv6(host) ? 'ipv6' : 'ipv4')
}
