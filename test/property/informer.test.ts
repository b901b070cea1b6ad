// Whatever happens to lists and watches, an informer ends equal to the cluster, and its handlers heard a story that adds up to it.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { KubedeltaError } from '../../src/base/errors.ts'
import type { Handler } from '../../src/cache/handler.ts'
import { expiredError } from '../../src/testing/fake-faults.ts'
import type { FakeFault } from '../../src/testing/fake-faults.ts'
import type { Pod } from '../unit/cache/support.ts'
import { withInformer, type InformerHarness } from '../unit/watch/informer-harness.ts'

const RUNS = 1_000
const names = fc.constantFrom('a', 'b', 'c', 'd', 'e')
const gone = { code: 410, reason: 'Expired', message: 'too old', causes: [] }
const faults: fc.Arbitrary<FakeFault> = fc.constantFrom<FakeFault>(
  { kind: 'refused' },
  { kind: 'throttled', retryAfterMs: 2_000 },
  { kind: 'close' },
  { kind: 'status', status: gone },
  { kind: 'corrupt' },
  { kind: 'cut' },
  { kind: 'error', error: expiredError('too old') },
  { kind: 'error', error: new KubedeltaError('server', 'Cannot list or watch: internal error') },
)

type Event = (harness: InformerHarness) => unknown

const events: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(names, fc.boolean(), fc.boolean()).map(
      ([name, dropWatch, isBroken]): Event =>
        (harness) =>
          change(harness, name, { dropWatch, isBroken }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(names, fc.boolean()).map(
      ([name, dropWatch]): Event =>
        ({ source }) =>
          source.objects.has(`default/${name}`) && source.delete({ name }, { dropWatch }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom('list' as const, 'watch' as const), faults).map(
      ([request, fault]): Event =>
        ({ source }) =>
          source.failNext(request, fault),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Event>(({ source }) => source.closeWatches()) },
  { weight: 2, arbitrary: fc.constant<Event>(({ source }) => source.resetWatch()) },
  { weight: 1, arbitrary: fc.constant<Event>(({ source }) => source.bookmark()) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(0, 500, 1_500, 20_000).map(
      (ms): Event =>
        (harness) =>
          harness.advance(ms),
    ),
  },
)

function change(
  { source }: InformerHarness,
  name: string,
  { dropWatch, isBroken }: { readonly dropWatch: boolean; readonly isBroken: boolean },
): void {
  const object = { name, labels: { broken: isBroken ? 'yes' : 'no' } }
  if (source.objects.has(`default/${name}`)) source.modify(object, { dropWatch })
  else source.add(object, { dropWatch })
}

/** A handler's memory: what follows from the calls alone. */
class Story implements Handler<Pod> {
  readonly held = new Map<string, string>()

  onAdd({ metadata }: Pod): void {
    assert.ok(!this.held.has(metadata.name), `${metadata.name} was added twice`)
    this.held.set(metadata.name, metadata.resourceVersion ?? '')
  }

  onUpdate(before: Pod, after: Pod): void {
    const { name, resourceVersion = '' } = after.metadata
    assert.equal(this.held.get(name), before.metadata.resourceVersion, `${name} was updated from another state`)
    assert.ok(Number(resourceVersion) >= Number(this.held.get(name)), `${name} went back to ${resourceVersion}`)
    this.held.set(name, resourceVersion)
  }

  onDelete({ metadata }: Pod): void {
    // The delete of what was never seen is passed on, as in client-go.
    this.held.delete(metadata.name)
  }
}

function versions(content: ReadonlyMap<string, string>): string[] {
  return [...content].map(([name, resourceVersion]) => `default/${name}@${resourceVersion}`).toSorted()
}

const failOnBroken = (object: Pod): Pod => {
  if (object.metadata.labels?.['broken'] === 'yes') throw new Error('broken')
  return object
}

for (const watchList of [true, false]) {
  describe(watchList ? 'streamed lists' : 'paged lists', () => {
    test('the cache equals the cluster, a handler hears the way there', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(events, { maxLength: 30 }), async (story) => {
          await withInformer({ watchList, resourceVersion: 1 }, async (harness) => {
            const [early, late] = [new Story(), new Story()]
            const isEveryCallGood = listen(harness, early)
            void harness.run()
            for (const [index, event] of story.entries()) {
              await event(harness)
              if (index === 10) harness.informer.addHandler(late)
            }
            if (story.length <= 10) harness.informer.addHandler(late)
            await heal(harness)
            const cluster = [...harness.source.objects].map(([key, object]) => `${key}@${object.resourceVersion}`)
            assert.deepEqual(harness.content(), cluster.toSorted())
            assert.deepEqual(versions(early.held), harness.content())
            assert.deepEqual(versions(late.held), harness.content())
            isEveryCallGood()
          })
        }),
        { numRuns: RUNS },
      )
    })

    test('with a transform that fails, what is withheld is at a state it had, and nothing else is', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(events, { maxLength: 30 }), async (story) => {
          await withInformer(
            { watchList, resourceVersion: 1, informer: { transform: failOnBroken } },
            async (harness) => {
              const handler = new Story()
              const isEveryCallGood = listen(harness, handler)
              void harness.run()
              for (const event of story) await event(harness)
              await heal(harness)
              const { source, informer } = harness
              const broken = [...source.objects.keys()].filter((key) => isBroken(source.objects.get(key)?.bytes))
              for (const [key, object] of source.objects) {
                const held = informer.get(key)?.metadata.resourceVersion
                if (!broken.includes(key)) assert.equal(held, object.resourceVersion)
                else assert.ok(held === undefined || Number(held) < Number(object.resourceVersion))
              }
              assert.ok(informer.listKeys().every((key) => source.objects.has(key)))
              assert.equal(informer.status().withheld, broken.length)
              assert.deepEqual(versions(handler.held), harness.content())
              isEveryCallGood()
            },
          )
        }),
        { numRuns: RUNS },
      )
    })
  })
}

/** Registers a handler; a cache only logs what a handler throws, so the answer asks for it. */
function listen({ informer, lines }: InformerHarness, story: Story): () => void {
  informer.addHandler(story)
  return () => {
    const failure = lines.find(({ message }) => message === 'handler failed')
    assert.equal(failure, undefined, String(failure?.fields['error']))
  }
}

function isBroken(bytes: Buffer | undefined): boolean {
  return bytes?.includes('"broken":"yes"') ?? false
}

/** No more faults, and one list more: changes that no watch was told of are in that. */
async function heal({ source, advance }: InformerHarness): Promise<void> {
  source.heal()
  await advance(1_200_000)
  // Past what any watch has seen, so that it has expired.
  source.advanceTo(Number(source.resourceVersion) + 1)
  source.resetWatch()
  await advance(1_200_000)
}
