// The objects of one kind in a simulated cluster, and changes of every sort to them.

import type { SimulatedCluster } from '../../src/testing/simulated/cluster.ts'
import { textAt, type JsonObject } from '../../src/testing/simulated/json.ts'
import type { Dice } from './dice.ts'

const NAMESPACE = 'shop'

/** About 2 KB, so that some hundreds of them do not fit one request. */
const TEXT = 'text '.repeat(400)

export class RestlessObjects {
  readonly resource: 'configmaps' | 'secrets'
  readonly #cluster: SimulatedCluster
  readonly #chance: Dice
  #made = 0

  constructor(
    cluster: SimulatedCluster,
    options: { readonly resource: 'configmaps' | 'secrets'; readonly chance: Dice },
  ) {
    this.resource = options.resource
    this.#cluster = cluster
    this.#chance = options.chance
    cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } })
  }

  /** What is there now. */
  get all(): readonly JsonObject[] {
    return this.#cluster.objects(this.resource)
  }

  create(count = 1): void {
    for (; count > 0; count--) this.#put(`n${this.#made++}`)
  }

  /** Updates, deletes, replaces and creates some. */
  change(): void {
    for (const name of this.#names()) {
      const sort = this.#chance.below(100)
      if (sort < 15) this.#update(name)
      else if (sort < 25) this.#delete(name)
      else if (sort < 30) this.#replace(name)
    }
    this.create(this.#chance.below(30))
  }

  /** Does one thing to one of them. */
  changeOne(): void {
    const [name = 'n0'] = this.#chance.shuffled(this.#names())
    const sort = this.#chance.below(10)
    if (sort === 0) this.#replace(name)
    else if (sort === 1) this.create()
    else if (sort === 2) this.#delete(name)
    else this.#update(name)
  }

  #names(): readonly string[] {
    return this.all.map((object) => textAt(object, 'metadata', 'name'))
  }

  #put(name: string): void {
    const metadata = { name, namespace: NAMESPACE, annotations: { note: `note of ${name}` } }
    const kind = this.resource === 'secrets' ? 'Secret' : 'ConfigMap'
    this.#cluster.create({ apiVersion: 'v1', kind, metadata, data: this.#data(`${name} ${TEXT}`) })
  }

  #update(name: string): void {
    const patch = { data: this.#data(`${this.#chance.below(2 ** 31)} ${TEXT}`) }
    this.#cluster.patch({ resource: this.resource, namespace: NAMESPACE, name }, patch)
  }

  #delete(name: string): void {
    this.#cluster.delete({ resource: this.resource, namespace: NAMESPACE, name })
  }

  #replace(name: string): void {
    this.#delete(name)
    this.#put(name)
  }

  #data(text: string): JsonObject {
    return { text: this.resource === 'secrets' ? Buffer.from(text).toString('base64') : text }
  }
}
