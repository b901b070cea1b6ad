// Guards what must not be done twice.

/** A function that does something when it is first called, and nothing from then on. */
export function once(action: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    action()
  }
}
