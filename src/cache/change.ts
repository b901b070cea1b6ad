// What reaches handlers: derived from what a cache held and what it holds, never believed from whoever feeds it.

import { isSameContent, type Entry } from './entry.ts'

/**
 * Who gets an update: `all`; `due`, the handlers whose resync is due; `asked`, those that asked for the resyncs of the feed.
 */
export type UpdateRoute = 'all' | 'due' | 'asked'

/** One change of a cache, as handlers see it. */
export type Change<T> =
  | { readonly kind: 'add'; readonly after: Entry<T>; readonly initial: boolean }
  | { readonly kind: 'update'; readonly before: Entry<T>; readonly after: Entry<T>; readonly route: UpdateRoute }
  | { readonly kind: 'delete'; readonly before: Entry<T>; readonly finalStateUnknown: boolean }

/**
 * How a cache tells changes.
 *
 * - `client-go`: an object whose resourceVersion did not change is a resync, for the handlers that are due; an object created anew
 *   under its old key is an update with another uid.
 * - `log`: the same uid, resourceVersion and bytes are no change at all; other bytes are an update for all handlers; another uid is
 *   a delete of the old object and an add of the new one.
 */
export type ChangeRules = 'client-go' | 'log'

/** The changes that an entry taking the place of another, or of nothing, amounts to; one or two, in their order. */
export function changesOf<T>(
  before: Entry<T> | undefined,
  after: Entry<T>,
  options: { readonly rules: ChangeRules; readonly initial: boolean },
): readonly Change<T>[] {
  if (before === undefined) return [{ kind: 'add', after, initial: options.initial }]
  switch (options.rules) {
    case 'client-go': {
      const isSync = before.resourceVersion !== undefined && before.resourceVersion === after.resourceVersion
      return [{ kind: 'update', before, after, route: isSync ? 'due' : 'all' }]
    }
    case 'log':
      if (before.uid !== after.uid) {
        return [
          { kind: 'delete', before, finalStateUnknown: true },
          { kind: 'add', after, initial: false },
        ]
      }
      return [{ kind: 'update', before, after, route: 'all' }]
    default:
      return options.rules satisfies never
  }
}

/** Whether an entry may be left where it stands: handlers hear nothing, so what they were given before stays what is held. */
export function isNoChange<T>(before: Entry<T> | undefined, after: Entry<T>, rules: ChangeRules): boolean {
  return rules === 'log' && before !== undefined && isSameContent(before, after)
}
