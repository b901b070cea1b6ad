// One open watch of a fake source.

import type { KubedeltaError } from '../base/errors.ts'
import type { WatchFrame } from '../watch/source.ts'

/** Frames on their way to one reader: what is pushed while nobody reads comes as one chunk. */
export class FakeWatch {
  #frames: WatchFrame[] = []
  #end: { readonly error: KubedeltaError | undefined } | undefined
  #wake: (() => void) | undefined

  push(frame: WatchFrame): void {
    this.#frames.push(frame)
    this.#wake?.()
  }

  /** Ends the iteration after the frames pushed before. */
  close(): void {
    this.#end ??= { error: undefined }
    this.#wake?.()
  }

  /** Ends the iteration before the last frame that was pushed. */
  cut(): void {
    this.#frames.pop()
    this.close()
  }

  /** Fails the iteration after the frames pushed before. */
  fail(error: KubedeltaError): void {
    this.#end ??= { error }
    this.#wake?.()
  }

  /** @throws the signal's reason when it aborts, the error it was failed with */
  async *frames(signal: AbortSignal): AsyncGenerator<readonly WatchFrame[]> {
    const onAbort = (): void => this.#wake?.()
    signal.addEventListener('abort', onAbort)
    try {
      for (;;) {
        signal.throwIfAborted()
        if (this.#frames.length > 0) yield this.#frames.splice(0)
        else if (this.#end === undefined) await new Promise<void>((resolve) => (this.#wake = resolve))
        else if (this.#end.error === undefined) return
        else throw this.#end.error
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}
