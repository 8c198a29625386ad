/** Receipts as files (c2sp.org/tlog-proof): what opens the leaf, where it is, its inclusion proof, the checkpoint. */
import { HASH_SIZE } from '../merkle/hash.js'
import { VerificationError } from '../merkle/verification-error.js'
import { decodeBase64, encodeBase64 } from './base64.js'

const HEADER = 'c2sp.org/tlog-proof@v1'

/** Hashes of a proof: no tree with a safe size is higher. */
const PROOF_LIMIT = 53

export interface ProofFile {
  readonly extra?: Uint8Array
  readonly index: number
  /** Leaf side first. */
  readonly proof: readonly Uint8Array[]
  /** The signed note, byte for byte. */
  readonly checkpoint: string
}

export function formatProofFile({ extra, index, proof, checkpoint }: ProofFile): string {
  const lines = [HEADER]
  if (extra) lines.push(`extra ${encodeBase64(extra)}`)
  lines.push(`index ${index}`, ...proof.map(encodeBase64), '', checkpoint)
  return lines.join('\n')
}

export function parseProofFile(text: string): ProofFile {
  // The first empty line: everything past it belongs to the checkpoint.
  const cut = text.indexOf('\n\n')
  const lines = text.slice(0, Math.max(cut, 0)).split('\n')
  if (lines.shift() !== HEADER) throw new VerificationError(`receipt is not a ${HEADER}`)
  const extra = lines[0]?.startsWith('extra ') ? bytesOf(lines.shift()!.slice('extra '.length)) : null
  const [, digits] = /^index (0|[1-9]\d{0,15})$/.exec(lines.shift() ?? '') ?? []
  const index = Number(digits)
  if (digits === undefined || !Number.isSafeInteger(index)) throw new VerificationError('receipt has no index')
  if (lines.length > PROOF_LIMIT) throw new VerificationError('receipt has a proof that is too long')
  const proof = lines.map(bytesOf)
  if (proof.some((hash) => hash.length !== HASH_SIZE)) throw new VerificationError('receipt has a hash of a wrong size')
  return { ...(extra ? { extra } : {}), index, proof, checkpoint: text.slice(cut + 2) }
}

function bytesOf(encoded: string): Uint8Array {
  try {
    return decodeBase64(encoded)
  } catch {
    // Whatever is wrong with the encoding: it proves nothing.
    throw new VerificationError('receipt has a line that is not base64')
  }
}
