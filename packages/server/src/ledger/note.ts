/** Signed notes (c2sp.org/signed-note): verifier keys, and opening what somebody signed. Signing is in `signer.ts`. */
import { sha256, verifyEd25519 } from '../merkle/hash.js'
import { VerificationError } from '../merkle/verification-error.js'
import { decodeBase64, EncodingError, encodeBase64 } from './base64.js'

/** A public key and the name it signs under. What it signs depends on the type of signature, which its id covers. */
export interface Verifier {
  readonly name: string
  readonly keyId: Uint8Array
  readonly publicKey: Uint8Array
}

/** Signature lines read from one note: room for every witness, and an end to what a stranger can make us check. */
const SIGNATURE_LIMIT = 100

/** Characters of a note. A checkpoint has a few hundred. */
const NOTE_LIMIT = 1_000_000

/** The signature types of the specification that are known here: of a log, and of a witness. */
export const ED25519 = 0x01
export const COSIGNATURE = 0x04
export type SignatureType = typeof ED25519 | typeof COSIGNATURE

const KEY_ID_SIZE = 4

export function keyIdOf(name: string, publicKey: Uint8Array, type: SignatureType = ED25519): Uint8Array {
  return sha256(new TextEncoder().encode(`${name}\n`), Uint8Array.of(type), publicKey).subarray(0, KEY_ID_SIZE)
}

export function formatVkey(name: string, publicKey: Uint8Array, type: SignatureType = ED25519): string {
  requireKeyName(name)
  const key = new Uint8Array([type, ...publicKey])
  return `${name}+${hexOf(keyIdOf(name, publicKey, type))}+${encodeBase64(key)}`
}

/** Refuses with an `EncodingError`: a key one can't read is not yet a false proof. */
export function parseVkey(vkey: string, type: SignatureType = ED25519): Verifier {
  // Cut at the first two only: base64 has `+` of its own.
  const [, name, id, encoded] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/s.exec(vkey) ?? []
  if (name === undefined || id === undefined || encoded === undefined) {
    throw new EncodingError('verifier key: expected name+id+key')
  }
  requireKeyName(name)
  const key = decodeBase64(encoded)
  if (key.length !== 33 || key[0] !== type) {
    const expected = type === ED25519 ? 'an Ed25519 public key' : 'an Ed25519 public key of a witness'
    throw new EncodingError(`verifier key: expected ${expected}`)
  }
  const publicKey = key.subarray(1)
  const keyId = keyIdOf(name, publicKey, type)
  if (hexOf(keyId) !== id) throw new EncodingError('verifier key: its id is not that of its name and key')
  return { name, keyId, publicKey }
}

/**
 * The text of a note, and who of `verifiers` signed it. Signatures by others are passed over; a false signature under
 * a known name and id refuses the whole note, whoever else signed; so does a note that none of them signed.
 */
export function openNote(note: string, verifiers: readonly Verifier[]): { text: string; verified: Verifier[] } {
  const { text, signatures } = parseNote(note)
  const message = new TextEncoder().encode(text)
  const verified = signersOf(signatures, verifiers, ({ publicKey }, signature) =>
    verifyEd25519(publicKey, message, signature),
  )
  if (verified.length === 0) throw new VerificationError('note is not signed by the key given')
  return { text, verified }
}

/** A signature line as it was read: nothing in it is checked yet. */
export interface NoteSignature {
  readonly name: string
  /** In hex. */
  readonly keyId: string
  readonly signature: Uint8Array
}

/** The text of a note and its signature lines. Throws for what is no note; who signed it is for the caller to check. */
export function parseNote(note: string): { text: string; signatures: NoteSignature[] } {
  if (note.length > NOTE_LIMIT) throw new VerificationError('note is too long')
  if (!isPlainText(note)) throw new VerificationError('note has characters that no note has')
  // The last empty line: the text may have empty lines itself.
  const cut = note.lastIndexOf('\n\n')
  if (cut < 0 || !note.endsWith('\n')) throw new VerificationError('note has no signatures')
  const text = note.slice(0, cut + 1)
  const lines = note.slice(cut + 2, -1).split('\n')
  if (lines.length > SIGNATURE_LIMIT) throw new VerificationError(`note has more than ${SIGNATURE_LIMIT} signatures`)
  return { text, signatures: lines.map(parseSignatureLine) }
}

/** Who of `verifiers` signed, by `isTrue`: others are passed over, a false signature under a known name and id throws. */
export function signersOf<V extends Verifier>(
  signatures: readonly NoteSignature[],
  verifiers: readonly V[],
  isTrue: (verifier: V, signature: Uint8Array) => boolean,
): V[] {
  const verified: V[] = []
  for (const { name, keyId, signature } of signatures) {
    const verifier = verifiers.find((known) => known.name === name && hexOf(known.keyId) === keyId)
    if (!verifier) continue
    if (!isTrue(verifier, signature)) throw new VerificationError(`signature of ${name} is false`)
    if (!verified.includes(verifier)) verified.push(verifier)
  }
  return verified
}

/** A text can be signed if it ends its last line and holds nothing that some reader would show otherwise. */
export function isNoteText(text: string): boolean {
  return text.endsWith('\n') && isPlainText(text)
}

export function requireKeyName(name: string): void {
  if (!/^[^\s+]+$/u.test(name) || !isPlainText(name)) {
    throw new EncodingError('key name: expected no space, no line break and no +')
  }
}

export function formatSignatureLine(name: string, keyId: Uint8Array, signature: Uint8Array): string {
  return `— ${name} ${encodeBase64(new Uint8Array([...keyId, ...signature]))}\n`
}

function parseSignatureLine(line: string): NoteSignature {
  const [, name, encoded] = /^— ([^\s+]+) (\S+)$/u.exec(line) ?? []
  if (name === undefined || encoded === undefined) throw new VerificationError('note has a malformed signature line')
  let bytes: Uint8Array
  try {
    bytes = decodeBase64(encoded)
  } catch {
    // Whatever is wrong with the encoding: nothing was signed by it.
    throw new VerificationError(`signature of ${name} is not base64`)
  }
  if (bytes.length <= KEY_ID_SIZE) throw new VerificationError(`signature of ${name} is too short`)
  return { name, keyId: hexOf(bytes.subarray(0, KEY_ID_SIZE)), signature: bytes.subarray(KEY_ID_SIZE) }
}

/** No control character but the line feed, no half of a surrogate pair, which would not survive UTF-8. */
function isPlainText(text: string): boolean {
  for (const letter of text) {
    const code = letter.codePointAt(0)!
    if ((code < 0x20 && letter !== '\n') || (code >= 0xd800 && code <= 0xdfff)) return false
  }
  return true
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
