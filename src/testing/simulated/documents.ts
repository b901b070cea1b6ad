// Answers what is one document: discovery, version, health, OpenAPI, the keys that sign tokens.

import type { Catalogue } from './catalogue.ts'
import {
  aggregatedDiscovery,
  aggregatedForms,
  byGroup,
  groupAnswer,
  groupList,
  resourceList,
  versionInfo,
  versionList,
} from './discovery.ts'
import type { Exchange } from './exchange.ts'
import type { JsonObject } from './json.ts'
import { openApiDocument, openApiIndex } from './openapi.ts'

export interface DocumentOptions {
  readonly catalogue: Catalogue
  readonly minor: number
  /** `host:port` */
  readonly address: () => string
  /** The answer to /openid/v1/jwks. */
  readonly keys: JsonObject
}

/** Answers a GET of a path that is no resource. */
export function documentAnswer(exchange: Exchange, path: string, options: DocumentOptions): void {
  const { catalogue, minor, keys, address } = options
  const groups = byGroup(catalogue.kinds())
  const [core, others] = [new Map([...groups].filter(isCore)), new Map([...groups].filter((entry) => !isCore(entry)))]
  switch (path) {
    case '/api':
    case '/apis': {
      const form = aggregatedForms(minor).find((each) => exchange.header('accept').includes(`v=${each};`))
      if (form !== undefined) {
        const contentType = `application/json;g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`
        return exchange.send(200, aggregatedDiscovery(path === '/api' ? core : others, form), contentType)
      }
      return exchange.send(200, path === '/api' ? versionList(address()) : groupList(others))
    }
    case '/version':
      return exchange.send(200, versionInfo(minor))
    case '/openid/v1/jwks':
      return exchange.send(200, keys, 'application/jwk-set+json')
    case '/healthz':
    case '/livez':
    case '/readyz':
      return exchange.sendText(200, 'ok')
    case '/openapi/v3':
      return exchange.send(200, openApiIndex(catalogue.kinds()))
    default:
      return answerInner(exchange, path, options)
  }
}

function answerInner(exchange: Exchange, path: string, { catalogue }: DocumentOptions): void {
  const kinds = catalogue.kinds()
  const [, root, ...rest] = path.split('/')
  const inner = rest.join('/')
  if (root === 'openapi' && rest[0] === 'v3') {
    const document = openApiDocument(rest.slice(1).join('/'), kinds)
    if (document !== undefined) return exchange.send(200, document)
  }
  if (root === 'api' || root === 'apis') {
    const ofVersion = kinds.filter((kind) => kind.apiVersion === inner && (kind.group === '') === (root === 'api'))
    if (ofVersion.length > 0) return exchange.send(200, resourceList(inner, ofVersion))
    const ofGroup = kinds.filter((kind) => kind.group === inner && root === 'apis')
    if (ofGroup.length > 0) return exchange.send(200, groupAnswer(ofGroup))
  }
  exchange.sendText(404, '404 page not found\n')
}

function isCore([group]: readonly [string, unknown]): boolean {
  return group === ''
}
