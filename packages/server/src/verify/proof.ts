/** Verifies a receipt, as a `.tlog-proof` file, with nothing but a public key. */
import { parseProofFile } from '../ledger/proof-file.js'
import { verifyInclusion } from '../merkle/proof.js'
import { VerificationError } from '../merkle/verification-error.js'
import { openWitnessed, type WitnessPolicy } from './policy.js'
import { type EvidencePart, type IdentityPart, OPENING, openRecord } from './record.js'
import { parseObject } from './shape.js'
import { parseUniqueJson } from './unique-keys.js'

export interface VerifiedReceipt {
  readonly index: number
  /** Size of the log that the checkpoint signs. */
  readonly size: number
  readonly origin: string
  /** Null where the part was erased before this copy was made. */
  readonly evidence: EvidencePart | null
  readonly identity: IdentityPart | null
}

/** `policy`: whose cosignatures its checkpoint needs besides; nobody's, if left out. */
export function verifyProofFile(text: string, vkey: string, policy: WitnessPolicy | null = null): VerifiedReceipt {
  const { extra, index, proof, checkpoint } = parseProofFile(text)
  const { origin, size, root } = openWitnessed(checkpoint, vkey, policy)
  if (!extra) throw new VerificationError('receipt does not say what was recorded')
  const { leaf, evidence, identity } = openRecord(parseObject(parseExtra(extra), 'receipt', OPENING), 'receipt')
  verifyInclusion(leaf, index, size, root, proof)
  return { index, size, origin, evidence, identity }
}

function parseExtra(extra: Uint8Array): unknown {
  try {
    return parseUniqueJson(new TextDecoder('utf-8', { fatal: true }).decode(extra))
  } catch (error) {
    if (error instanceof VerificationError) throw error
    // Not UTF-8 or not JSON: it opens nothing.
    throw new VerificationError('receipt does not say what was recorded')
  }
}
