/** SHA-256, HMAC and Ed25519 verification by Node. The one file here that knows `node:crypto`: `hash.web.ts` stands in for it in a browser. */
import { createPublicKey, hash, verify } from 'node:crypto'

export const HASH_SIZE = 32

/** The hash of the parts, one after another. */
export function sha256(...parts: Uint8Array[]): Uint8Array {
  // One call on joined bytes: for a tree node that is faster than three updates of a hash object.
  return plain(hash('sha256', parts.length === 1 ? parts[0]! : joined(parts), 'buffer'))
}

export function hmacSha256(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  // RFC 2104 spelt out: two one-shot hashes take half the time of an Hmac object. A key longer than a block is hashed first.
  if (key.length > BLOCK_SIZE) return hmacSha256(sha256(key), ...parts)
  const inner = sha256(pad(key, 0x36), ...parts)
  return sha256(pad(key, 0x5c), inner)
}

const BLOCK_SIZE = 64

function pad(key: Uint8Array, byte: number): Uint8Array {
  const padded = new Uint8Array(BLOCK_SIZE).fill(byte)
  for (let at = 0; at < key.length; at++) padded[at] = byte ^ key[at]!
  return padded
}

/** Answers no to anything that is not a signature of this message by this key, a malformed key included. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  try {
    const key = createPublicKey({ key: joined([SPKI_PREFIX, publicKey]) as Buffer, format: 'der', type: 'spki' })
    return verify(null, message, key, signature)
  } catch {
    // Bytes that are no point of the curve: such a key has signed nothing.
    return false
  }
}

// SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410 §4): Node takes no raw keys.
const SPKI_PREFIX = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00)

/** Not a `Buffer`, whose `slice` does not copy: code that works here must work the same in a browser. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}

function joined(parts: Uint8Array[]): Uint8Array {
  let size = 0
  for (const part of parts) size += part.length
  const all = Buffer.allocUnsafe(size)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
