/** The same as `hash.ts` for a browser, where `node:crypto` is missing and `crypto.subtle` is asynchronous, or absent on plain http. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 as sha256Of } from '@noble/hashes/sha2.js'

export const HASH_SIZE = 32

/** The hash of the parts, one after another. */
export function sha256(...parts: Uint8Array[]): Uint8Array {
  const hash = sha256Of.create()
  for (const part of parts) hash.update(part)
  return hash.digest()
}

export function hmacSha256(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  const mac = hmac.create(sha256Of, key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** Answers no to anything that is not a signature of this message by this key, a malformed key included. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  try {
    // The strict rules of RFC 8032, as Node has them, not the laxer ZIP 215 that is this library's default.
    return ed25519.verify(signature, message, publicKey, { zip215: false })
  } catch {
    // Bytes that are no point of the curve: such a key has signed nothing.
    return false
  }
}
