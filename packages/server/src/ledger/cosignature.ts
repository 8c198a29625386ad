/** Cosignatures of witnesses (c2sp.org/tlog-cosignature, `cosignature/v1`): outsiders who saw a checkpoint grow from the last one they saw. */
import { verifyEd25519 } from '../merkle/hash.js'
import { VerificationError } from '../merkle/verification-error.js'
import { COSIGNATURE, type NoteSignature, parseNote, parseVkey, signersOf, type Verifier } from './note.js'

// Unix seconds as a big-endian 64-bit number, then an Ed25519 signature.
const TIME_SIZE = 8
const SIGNATURE_SIZE = TIME_SIZE + 64

/** Refuses with an `EncodingError` what is not the key of a witness. */
export const parseWitnessKey = (vkey: string): Verifier => parseVkey(vkey, COSIGNATURE)

/** What a witness signs: the checkpoint's text, and when. */
export function cosignatureMessage(text: string, unixSeconds: bigint | number): Uint8Array {
  return new TextEncoder().encode(`cosignature/v1\ntime ${unixSeconds}\n${text}`)
}

/** Who of these witnesses cosigned the checkpoint. A false cosignature under a known name and id throws. */
export function cosignersOf<V extends Verifier>(note: string, witnesses: readonly V[]): V[] {
  const { text, signatures } = parseNote(note)
  return cosignersAmong(text, signatures, witnesses)
}

export function cosignersAmong<V extends Verifier>(
  text: string,
  signatures: readonly NoteSignature[],
  witnesses: readonly V[],
): V[] {
  return signersOf(signatures, witnesses, ({ publicKey }, signature) => isCosignature(publicKey, text, signature))
}

function isCosignature(publicKey: Uint8Array, text: string, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_SIZE) return false
  const seconds = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0)
  return verifyEd25519(publicKey, cosignatureMessage(text, seconds), signature.subarray(TIME_SIZE))
}

/** A witness' answer: signature lines alone. Throws for anything else. */
export function parseSignatureLines(lines: string): NoteSignature[] {
  // A note's own rules apply to its signature lines, so any text will do in front of them.
  if (!lines.startsWith('— ')) throw new VerificationError('expected signature lines')
  return parseNote(`-\n\n${lines}`).signatures
}
