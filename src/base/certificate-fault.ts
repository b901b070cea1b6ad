// Says what is wrong with a certificate that a TLS handshake did not accept.

/** Nobody trusted has signed it; it is for another name; its time has not come or is over. */
export type CertificateFault = 'untrusted' | 'other-name' | 'out-of-date'

/** The fault that a code of Node's stands for; undefined for a code that is not about the peer's certificate. */
export function certificateFault(code: string): CertificateFault | undefined {
  return FAULTS.get(code)
}

/** https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const FAULTS: ReadonlyMap<string, CertificateFault> = new Map([
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'untrusted'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'untrusted'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'untrusted'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'untrusted'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'untrusted'],
  ['CERT_SIGNATURE_FAILURE', 'untrusted'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'other-name'],
  ['CERT_HAS_EXPIRED', 'out-of-date'],
  ['CERT_NOT_YET_VALID', 'out-of-date'],
])
