import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { proxyFor } from '../../../src/kube/proxy.ts'

const PROXY = 'http://proxy:3128'

describe('the proxy of the environment is taken as Go takes it', () => {
  const table: ReadonlyArray<readonly [server: string, env: Record<string, string>, proxied: boolean]> = [
    ['https://api.example.com:6443', {}, false],
    ['https://api.example.com:6443', { HTTPS_PROXY: PROXY }, true],
    ['https://api.example.com:6443', { https_proxy: PROXY }, true],
    ['https://api.example.com:6443', { HTTP_PROXY: PROXY }, false],
    ['http://api.example.com', { HTTP_PROXY: PROXY }, true],
    ['https://127.0.0.1:6443', { HTTPS_PROXY: PROXY }, false],
    ['https://[::1]:6443', { HTTPS_PROXY: PROXY }, false],
    ['https://localhost:6443', { HTTPS_PROXY: PROXY }, false],
    ['https://api.example.com:6443', { HTTPS_PROXY: PROXY, NO_PROXY: '*' }, false],
    ['https://api.example.com:6443', { HTTPS_PROXY: PROXY, NO_PROXY: 'example.com' }, false],
    ['https://api.example.com:6443', { HTTPS_PROXY: PROXY, NO_PROXY: 'other.com, .example.com' }, false],
    ['https://example.com', { HTTPS_PROXY: PROXY, NO_PROXY: '.example.com' }, true],
    ['https://api.example.com', { HTTPS_PROXY: PROXY, NO_PROXY: 'ample.com' }, true],
    ['https://api.example.com:6443', { HTTPS_PROXY: PROXY, NO_PROXY: 'api.example.com:443' }, true],
    ['https://api.example.com', { HTTPS_PROXY: PROXY, NO_PROXY: 'api.example.com:443' }, false],
    ['https://10.96.0.1:443', { HTTPS_PROXY: PROXY, NO_PROXY: '10.96.0.0/12' }, false],
    ['https://10.95.0.1', { HTTPS_PROXY: PROXY, NO_PROXY: '10.96.0.0/12' }, true],
    ['https://[fd00::1]:6443', { HTTPS_PROXY: PROXY, NO_PROXY: 'fd00::/8' }, false],
    ['https://[fd00::1]:6443', { HTTPS_PROXY: PROXY, NO_PROXY: 'fd00::1' }, false],
    ['https://10.96.0.1', { HTTPS_PROXY: PROXY, NO_PROXY: 'nonsense/12' }, true],
  ]
  for (const [server, env, proxied] of table) {
    test(`${server} with ${JSON.stringify(env)}`, () => {
      assert.equal(proxyFor(server, env), proxied ? PROXY : undefined)
    })
  }

  test('a proxy without a scheme is one of http', () => {
    assert.equal(proxyFor('https://api', { HTTPS_PROXY: 'proxy:3128' }), PROXY)
  })
})
