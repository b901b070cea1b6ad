// Carries resources side by side while this bridge leads, and keeps to what is selected as that changes.

import { fromUnknown, hasCode } from '../base/errors.ts'
import { Permits } from '../base/permits.ts'
import { RunGroup } from '../base/run-group.ts'
import { resourceName, type Resource } from '../object/resource.ts'
import { policyFor } from '../policy/policies.ts'
import type { ListWatch } from '../watch/source.ts'
import type { BridgedResource, BridgeOptions, Selection } from './bridge-options.ts'
import { ResourceBridge } from './resource-bridge.ts'
import type { ResourceHealth } from './status.ts'
import { takeLeads, type TakenTopic } from './take-leads.ts'
import type { OpenedTopic, TopicOpener } from './topic-opener.ts'

/** What a bridge asks of one resource: one source a namespace, or one for all. */
export function sourcesOf(
  { createSource }: Pick<BridgeOptions, 'createSource'>,
  selected: BridgedResource,
): readonly ListWatch[] {
  const namespaces = selected.namespaces.length === 0 ? [undefined] : selected.namespaces
  return namespaces.map((namespace) => createSource(selected, namespace))
}

/** First lists at once: each may bring all it can until its topic holds it back. */
const MAX_FIRST_LISTS = 4

/** What follows the selection is called so, in the group and where it fails; no resource is. */
const FOLLOWING = '*'

/**
 * The resources of one leadership.
 *
 * - What is selected later goes the same way as what was there at the start: read, compare, fence, list.
 * - A collection that is no longer served stays: its source lists it as empty. One of which only the topic is left is carried like it.
 * - A collection that is served in another version alone ends, and begins again in that one.
 * - What cannot be opened later is shown as degraded and tried again; a failure of what runs ends all.
 */
export class Carrier {
  readonly #options: BridgeOptions
  readonly #opener: TopicOpener
  readonly #firstLists = new Permits(MAX_FIRST_LISTS)
  readonly #carried = new Map<string, { readonly resource: Resource; readonly bridge: ResourceBridge }>()
  /** Name -> why it could not be opened. */
  readonly #refused = new Map<string, string>()
  /** The unreachable groups when topics of collections that are gone were last looked for. */
  #searched: string | undefined

  constructor(options: BridgeOptions, opener: TopicOpener) {
    this.#options = options
    this.#opener = opener
  }

  health(): readonly ResourceHealth[] {
    return [
      ...[...this.#carried.values()].map(({ bridge }) => bridge.health()),
      ...[...this.#refused].map(([name, degraded]) => {
        return { name, synced: false, degraded, watches: [], writer: undefined }
      }),
    ]
  }

  /** Resolves when the signal aborts and all have ended. @throws the first failure */
  async run(taken: ReadonlyArray<TakenTopic<OpenedTopic>>, signal: AbortSignal): Promise<void> {
    const { selections } = this.#options
    const group = new RunGroup(signal)
    for (const each of taken) this.#start(each, group)
    if (selections !== undefined) {
      group.start(FOLLOWING, async (both) => {
        for await (const selection of selections(both)) await this.#apply(selection, group, both)
      })
    }
    await group.join()
  }

  #start(taken: TakenTopic<OpenedTopic>, group: RunGroup): void {
    const { resource } = taken.resource
    const name = resourceName(resource)
    group.start(name, async (signal) => {
      // What one topic holds back does not hold back the others.
      using share = this.#options.budget.share()
      const { resource: selected, topic, encode, leadership } = taken
      const { progressIntervals = { changedMs: 10_000, quietMs: 60_000 }, coalesce = true, log } = this.#options
      const bridge = new ResourceBridge({
        ...this.#options,
        ...selected,
        sources: sourcesOf(this.#options, selected),
        topic,
        leadership,
        policy: policyFor(resource),
        encode,
        firstLists: this.#firstLists,
        budget: share,
        coalesce,
        progressIntervals,
        log: log.with({ resource: name }),
      })
      this.#carried.set(name, { resource, bridge })
      await bridge.run(signal)
    })
  }

  async #apply(selection: Selection, group: RunGroup, signal: AbortSignal): Promise<void> {
    for (const resource of selection.resources) {
      const name = resourceName(resource.resource)
      const before = this.#carried.get(name)?.resource
      if (before !== undefined && selection.serves(before)) continue
      await this.#attempt(name, signal, async () => {
        if (before !== undefined) {
          this.#options.log.info('resource is served in another version: starting it again', {
            resource: name,
            before: before.version,
            version: resource.resource.version,
          })
          await group.end(name)
          this.#carried.delete(name)
        }
        await this.#lead(await this.#opener.open(resource, signal), group, signal)
      })
    }
    await this.#attempt(FOLLOWING, signal, () => this.#carryGone(selection, group, signal))
  }

  /** What is left on the topics of collections that the cluster does not serve is deleted, as anything that it no longer has. */
  async #carryGone(selection: Selection, group: RunGroup, signal: AbortSignal): Promise<void> {
    const { connection, prefix = 'kubedelta', cluster } = this.#options
    const unreachable = selection.unreachableGroups.join()
    if (unreachable === this.#searched) return
    const start = `${prefix}.${cluster}.`
    for (const topic of await connection.admin.list(signal)) {
      const name = topic.startsWith(start) ? topic.slice(start.length) : ''
      const gone = name === '' || this.#carried.has(name) ? undefined : selection.ifGone(name)
      if (gone === undefined) continue
      await this.#attempt(name, signal, async () => {
        const opened = await this.#openGone(gone, signal)
        if (opened !== undefined) await this.#lead(opened, group, signal)
      })
    }
    this.#searched = unreachable
  }

  async #openGone(gone: BridgedResource, signal: AbortSignal): Promise<OpenedTopic | undefined> {
    try {
      return await this.#opener.openGone(gone, signal)
    } catch (error) {
      // It only has the name of one of ours.
      if (!hasCode(error, 'topic-foreign', 'scope-changed', 'partitions-changed', 'topic-unfit')) throw error
      this.#options.log.info('left a topic alone whose collection is not served', { error })
      return undefined
    }
  }

  async #lead(opened: OpenedTopic, group: RunGroup, signal: AbortSignal): Promise<void> {
    // Each run closes its writer.
    const { taken } = await takeLeads([opened], { inTurn: false }, signal)
    for (const each of taken) this.#start(each, group)
    this.#options.log.info('resource added', { resource: resourceName(opened.resource.resource) })
  }

  /** Nobody asked for what comes later by name in this run, so what is refused does not end the others. */
  async #attempt(name: string, signal: AbortSignal, open: () => Promise<void>): Promise<void> {
    const { metrics, log } = this.#options
    try {
      await open()
      this.#refused.delete(name)
    } catch (cause) {
      signal.throwIfAborted()
      const error = fromUnknown(cause, `Cannot carry ${name}`)
      if (['fenced', 'lease-lost', 'internal', 'aborted'].includes(error.code)) throw cause
      if (!this.#refused.has(name)) log.error('degraded', { resource: name, error })
      this.#refused.set(name, error.message)
      if (name !== FOLLOWING) metrics.synced.set({ resource: name }, 0)
    }
  }
}
