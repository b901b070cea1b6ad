import assert from 'node:assert/strict'
import { test } from 'node:test'
import { certificateFault, type CertificateFault } from '../../../src/base/certificate-fault.ts'

const CASES: ReadonlyArray<readonly [code: string, fault: CertificateFault | undefined]> = [
  ['SELF_SIGNED_CERT_IN_CHAIN', 'untrusted'],
  ['CERT_SIGNATURE_FAILURE', 'untrusted'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'other-name'],
  ['CERT_HAS_EXPIRED', 'out-of-date'],
  ['CERT_NOT_YET_VALID', 'out-of-date'],
  ['ECONNREFUSED', undefined],
  ['', undefined],
]

for (const [code, fault] of CASES) {
  test(`${JSON.stringify(code)} is ${fault === undefined ? 'not about the certificate' : `a certificate that is ${fault}`}`, () => {
    assert.equal(certificateFault(code), fault)
  })
}
