// Shows a run of the demo on the terminal while it goes on.

import type { Clock } from '../../base/clock.ts'
import type { DemoRun } from './demo-run.ts'
import { Screen } from './screen.ts'
import { sizeOf } from './states.ts'
import { layOutPicture, type Picture } from './view.ts'

/** Often enough to look alive, seldom enough to read. */
const FRAME_MS = 100

/** A terminal that can be drawn on. */
export function isDrawable(environment: Readonly<Record<string, string | undefined>>): boolean {
  return process.stdout.isTTY && environment['TERM'] !== 'dumb'
}

/** Draws until it is disposed of. */
export class LiveView implements Disposable {
  readonly #screen = new Screen()
  readonly #timer: NodeJS.Timeout

  constructor(run: DemoRun, { clock, environment }: LiveViewOptions) {
    const { LC_ALL, LC_CTYPE, LANG } = environment
    const isUnicode = /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '')
    const draw = (): void => {
      const { size } = this.#screen
      this.#screen.draw(layOutPicture(pictureOf(run, clock.now(), size.columns), size, isUnicode))
    }
    this.#timer = setInterval(draw, FRAME_MS)
    draw()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#screen[Symbol.dispose]()
  }
}

interface LiveViewOptions {
  readonly clock: Clock
  readonly environment: Readonly<Record<string, string | undefined>>
}

function pictureOf(run: DemoRun, nowMs: number, columns: number): Picture {
  const { activity, endsAtMs, isEnding, phase, startedAtMs, story } = run
  return {
    nowMs,
    endsAtMs,
    isEnding,
    startedAtMs,
    phase,
    resources: run.resources.map((each) => {
      const { published, recovered } = each.tally
      return {
        resource: each.resource,
        cluster: each.clusterStates().size,
        cache: each.cacheStates().size,
        behind: sizeOf(each.difference()),
        ...published,
        recovered: recovered.ADDED + recovered.UPDATED + recovered.DELETED,
      }
    }),
    rate: activity.rate(nowMs),
    lagMs: activity.lagMs(nowMs),
    strip: activity.strip(columns, nowMs),
    story,
    records: activity.last(MAX_RECORDS),
  }
}

/** More than any terminal has rows for. */
const MAX_RECORDS = 100
