// The 64-bit Rabin fingerprint by which Avro names a schema.

/**
 * CRC-64-AVRO of a schema's parsing canonical form, as 16 hexadecimal digits of the number, most significant first.
 * In single-object frames the same number stands least significant byte first.
 * (https://avro.apache.org/docs/1.12.0/specification/#schema-fingerprints)
 */
export function rabinFingerprint(canonicalForm: string): string {
  let fingerprint = EMPTY
  for (const byte of Buffer.from(canonicalForm, 'utf8')) {
    const entry = TABLE[Number((fingerprint ^ BigInt(byte)) & 0xffn)] ?? 0n
    fingerprint = (fingerprint >> 8n) ^ entry
  }
  return fingerprint.toString(16).padStart(16, '0')
}

/** The fingerprint of no bytes at all, which the specification also makes the polynomial. */
const EMPTY = 0xc15d213aa4d7a795n

const TABLE: readonly bigint[] = Array.from({ length: 256 }, (_, index) => {
  let entry = BigInt(index)
  for (let bit = 0; bit < 8; bit++) entry = (entry >> 1n) ^ ((entry & 1n) === 1n ? EMPTY : 0n)
  return entry
})
