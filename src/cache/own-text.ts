// Gives a text memory of its own.

/** The same text: one that was cut from others or glued of them keeps those alive. */
export function ownText(text: string): string {
  const written = scratch.write(text)
  const own = scratch.toString('utf8', 0, written)
  // Too long, or no valid Unicode: kept as it came.
  return own === text ? own : text
}

/** Longer than any key: a namespace has 63 characters, a name 253. */
const scratch = Buffer.allocUnsafeSlow(1_024)
