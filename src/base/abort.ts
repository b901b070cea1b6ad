// Abortable waiting that leaves no listener behind.

/** Resolves when the signal aborts; never rejects. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/**
 * Waits for `promise`, but no longer than until the signal aborts.
 * @throws the signal's reason when it aborts first; `promise` itself goes on, its rejection then is not lost but ignored here
 */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    // Nobody waits for it then: a rejection would end the process as unhandled.
    promise.catch(() => {})
    throw signal.reason
  }
  let onAbort = (): void => {}
  const abort = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([promise, abort])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
