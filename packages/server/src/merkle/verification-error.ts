/** What a check throws when the thing checked is false. */

/** Thrown, never returned: a forgotten `try` fails loudly, a forgotten `if` around a boolean passes everything. */
export class VerificationError extends Error {
  override name = 'VerificationError'
}
