// Where a decoder finds the schemas that records were written with.

/**
 * Writer schemas already at hand, as JSON text. Looking up never waits: what is missing is fetched outside of the
 * decoder, which then decodes the same bytes again.
 */
export interface SchemaSource {
  /** @param fingerprint as `rabinFingerprint` prints it */
  byFingerprint(fingerprint: string): string | undefined
  /** @param id as a schema registry gave it */
  byId(id: number): string | undefined
}

/** Writer schemas learned from progress records and from a registry. */
export class SchemaStore implements SchemaSource {
  readonly #byFingerprint = new Map<string, string>()
  readonly #byId = new Map<number, string>()

  byFingerprint(fingerprint: string): string | undefined {
    return this.#byFingerprint.get(fingerprint)
  }

  byId(id: number): string | undefined {
    return this.#byId.get(id)
  }

  /** Takes over what a progress record's `schemas` holds: fingerprint -> schema text. */
  learn(schemas: Readonly<Record<string, string>>): void {
    for (const [fingerprint, text] of Object.entries(schemas)) this.#byFingerprint.set(fingerprint, text)
  }

  /** Takes over a schema of a registry. */
  learnId(id: number, text: string): void {
    this.#byId.set(id, text)
  }
}
