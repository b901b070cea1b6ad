// Tells of changes that a watch brings, besides passing them on.

import type { ListWatch } from './source.ts'

/** The same source; `onChange` is called for each part of a watch that holds a change, before it is passed on. */
export function tapped(source: ListWatch, onChange: () => void): ListWatch {
  return {
    resource: source.resource,
    name: source.name,
    list: (request, signal) => source.list(request, signal),
    async *watch(request, signal) {
      for await (const frames of source.watch(request, signal)) {
        if (frames.some(({ kind }) => kind === 'added' || kind === 'modified' || kind === 'deleted')) onChange()
        yield frames
      }
    },
  }
}
