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

export function formatProofFile(file: ProofFile): string {
  return [...linesOf(file), file.checkpoint].join('\n')
}

/**
 * The same as a JSON string, all ASCII: the dash in a checkpoint would make two bytes of each character of an answer, which
 * is then written at a third of the speed.
 */
export function proofFileJson(file: ProofFile): string {
  return `"${linesOf(file).join('\\n')}\\n${checkpointJson(file.checkpoint).slice(1)}`
}

/** All but the checkpoint. Base64 and digits: nothing that JSON would write otherwise. */
function linesOf({ extra, index, proof }: ProofFile): string[] {
  const lines = [HEADER]
  if (extra) lines.push(`extra ${encodeBase64(extra)}`)
  lines.push(`index ${index}`, ...proof.map(encodeBase64), '')
  return lines
}

let newest = { checkpoint: '', json: '""' }

/** Kept for the next receipt: all that are handed out after a batch are proved against one checkpoint. */
function checkpointJson(checkpoint: string): string {
  if (newest.checkpoint !== checkpoint) newest = { checkpoint, json: asciiJson(checkpoint) }
  return newest.json
}

function asciiJson(text: string): string {
  const json = JSON.stringify(text).replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  // Out of bytes: a string made of one with wide characters stays wide, and so does all that it is joined to.
  return Buffer.from(json, 'latin1').toString('latin1')
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
