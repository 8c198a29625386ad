/** What must be refused of a proof, for the tests: every change of a bit, every change of its length. */
import { flipped } from './test-trees.js'
import { VerificationError } from './verification-error.js'

// A million refusals are made here; a stack trace for each would be most of the time.
Error.stackTraceLimit = 0

// Half a million proofs each: seconds, and more of them on a busy machine.
export const EXHAUSTIVE_MS = 120_000

export function refuses(check: () => void, what: () => string): void {
  try {
    check()
  } catch (error) {
    if (error instanceof VerificationError) return
    throw error
  }
  throw new Error(`accepted: ${what()}`)
}

/** Every proof that differs from this one by a bit, a missing hash, one too many, or a hash of another length. */
export function* mutations(proof: readonly Uint8Array[]): Generator<Uint8Array[]> {
  for (const [at, hash] of proof.entries()) for (let bit = 0; bit < 256; bit++) yield proof.with(at, flipped(hash, bit))
  yield* lengthMutations(proof)
}

export function* lengthMutations(proof: readonly Uint8Array[]): Generator<Uint8Array[]> {
  for (const [at, hash] of proof.entries()) {
    yield proof.toSpliced(at, 1)
    yield proof.toSpliced(at, 0, hash)
    yield proof.with(at, hash.subarray(0, 31))
    yield proof.with(at, new Uint8Array([...hash, 0]))
    yield proof.with(at, new Uint8Array(0))
  }
  yield [...proof, new Uint8Array(32)]
  yield [new Uint8Array(32), ...proof]
}
