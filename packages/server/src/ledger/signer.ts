/** Signing notes with an Ed25519 seed. Apart from `note.ts`, so that a browser can open notes without Node. */
import { createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto'
import { decodeBase64url } from './base64.js'
import { formatSignatureLine, formatVkey, isNoteText, keyIdOf, requireKeyName } from './note.js'

// PKCS #8 of an Ed25519 key up to the seed itself (RFC 8410 §7): Node takes no raw keys.
const PKCS8_PREFIX = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20)

export interface Signer {
  readonly name: string
  /** The verifier key to give to whoever checks. */
  readonly vkey: string
  /** The whole note: the text, an empty line, the signature line. */
  sign(text: string): string
}

/** 32 random bytes: the whole private key. */
export function generateSeed(): Uint8Array {
  return new Uint8Array(randomBytes(32))
}

export function createSigner(name: string, seed: Uint8Array): Signer {
  if (seed.length !== 32) throw new Error(`a signing seed has 32 bytes, not ${seed.length}`)
  requireKeyName(name)
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const publicKey = decodeBase64url(createPublicKey(key).export({ format: 'jwk' }).x!)
  const keyId = keyIdOf(name, publicKey)
  return {
    name,
    vkey: formatVkey(name, publicKey),
    sign(text) {
      if (!isNoteText(text)) throw new Error('a note is lines of plain text, the last one ended')
      return `${text}\n${formatSignatureLine(name, keyId, sign(null, Buffer.from(text), key))}`
    },
  }
}
