/** Receipts: the visitor's own copy verifies alone, and not once anything in it is changed. */
import { expect, test } from 'vitest'
import { VerificationError } from '../merkle/verification-error.js'
import { verifyProofFile } from './proof.js'
import { origin, signer, subject, testReceipt } from './test-bundle.js'

test('a receipt verifies, and says what was recorded', () => {
  expect(verifyProofFile(testReceipt(), signer.vkey)).toMatchObject({
    index: 2,
    size: 6,
    origin,
    evidence: { action: 'accept-all', choices: { analytics: true }, policy: { version: '2026-04' } },
    identity: { subject },
  })
})

test('a receipt with any character changed is refused', () => {
  const text = testReceipt()
  for (let at = 0; at < text.length; at++) {
    const changed = `${text.slice(0, at)}${String.fromCharCode(text.charCodeAt(at) ^ 1)}${text.slice(at + 1)}`
    expect(() => verifyProofFile(changed, signer.vkey), `character ${at}`).toThrow(VerificationError)
  }
})

test('a receipt with a line less or a line twice is refused', () => {
  const lines = testReceipt().split('\n')
  for (const [at, line] of lines.entries()) {
    // The signature line may be there twice: it still signs the same head.
    for (const changed of line.startsWith('—')
      ? [lines.toSpliced(at, 1)]
      : [lines.toSpliced(at, 1), lines.toSpliced(at, 0, line)]) {
      expect(() => verifyProofFile(changed.join('\n'), signer.vkey), `line ${at}`).toThrow(VerificationError)
    }
  }
})

test('a receipt that opens nothing is refused', () => {
  const text = testReceipt()
  for (const extra of ['', 'extra bm8=\n', 'extra e30=\n', 'extra /w==\n']) {
    expect(() => verifyProofFile(text.replace(/extra .*\n/, extra), signer.vkey)).toThrow(VerificationError)
  }
})
