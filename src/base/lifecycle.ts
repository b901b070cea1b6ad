// Runs several things that live until a signal aborts, as one.

/**
 * Runs all of them under one signal. When one fails the others are aborted and awaited.
 * @throws the first failure, once everything has ended; an abort from outside is no failure
 */
export async function runAll(
  signal: AbortSignal,
  runs: ReadonlyArray<(signal: AbortSignal) => Promise<void>>,
): Promise<void> {
  const own = new AbortController()
  const both = AbortSignal.any([signal, own.signal])
  let failure: { readonly error: unknown } | undefined
  await Promise.all(
    runs.map(async (run) => {
      try {
        await run(both)
      } catch (error) {
        // What an aborted run throws is its way to end, not a second failure.
        if (both.aborted) return
        failure = { error }
        own.abort(error)
      }
    }),
  )
  if (failure !== undefined) throw failure.error
}
