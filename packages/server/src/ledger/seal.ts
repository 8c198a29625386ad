/** Sealing: a part encrypted under its own secret, padded so that its length tells nothing. Forget the secret, and it is gone. */
import { createCipheriv, createDecipheriv, randomFillSync } from 'node:crypto'
import { hmacSha256 } from '../merkle/hash.js'
import { VerificationError } from '../merkle/verification-error.js'
import { type PartKind, SECRET_SIZE } from './commitment.js'
import { jcs } from './entry.js'

/** Plaintexts are filled up to a multiple of this. */
const PAD_BYTES = 512
/**
 * And at least to this, so that parts of one kind share a length whatever was chosen. Evidence is 440 to 890 bytes with up
 * to five optional categories, and 1,024 with as many and as long names, labels and languages as there may be. An
 * identity is 180 to 210, and 465 with as long an account as there may be. Every step costs: an entry with 512 more
 * doesn't fit twice into a page of SQLite.
 */
const AT_LEAST = { evidence: 1024, identity: 512, body: 512 } as const satisfies Record<PartKind, number>
const NONCE_SIZE = 12
const TAG_SIZE = 16
const KEY_LABEL = new TextEncoder().encode('avow/seal/v1')
const SPACE = 0x20

/** `nonce || ciphertext || tag`. `aad` ties it to its place: a sealed part moved elsewhere does not open. */
export function seal(kind: PartKind, part: object, secret: Uint8Array, aad: string): Uint8Array {
  return sealText(kind, jcs(part), secret, aad)
}

/** The same for a part that is canonical text already. */
export function sealText(kind: PartKind, text: Uint8Array, secret: Uint8Array, aad: string): Uint8Array {
  const size = Math.max(AT_LEAST[kind], Math.ceil(text.length / PAD_BYTES) * PAD_BYTES)
  const plain = Buffer.allocUnsafe(size).fill(SPACE, text.length)
  plain.set(text)
  const nonce = randomFrom(NONCE_SIZE)
  const cipher = createCipheriv('aes-256-gcm', sealKey(secret), nonce).setAAD(Buffer.from(aad))
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Opens what was sealed with any padding. */
export function openSeal(sealed: Uint8Array, secret: Uint8Array, aad: string): object {
  const end = sealed.length - TAG_SIZE
  if (end - NONCE_SIZE < PAD_BYTES || (end - NONCE_SIZE) % PAD_BYTES !== 0) {
    throw new VerificationError('sealed part has an impossible length')
  }
  const key = sealKey(secret)
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_SIZE), { authTagLength: TAG_SIZE })
    decipher.setAAD(Buffer.from(aad)).setAuthTag(sealed.subarray(end))
    // GCM is a stream: everything comes out of `update`, and `final` says whether it is true.
    const plain = decipher.update(sealed.subarray(NONCE_SIZE, end))
    decipher.final()
    return JSON.parse(plain.toString('utf8'))
  } catch {
    // Another secret, another place, or changed bytes: it can't be told which, and nothing was opened.
    throw new VerificationError('sealed part does not open with this secret in this place')
  }
}

/** A fresh secret for one part. */
export function randomSecret(): Uint8Array {
  return randomFrom(SECRET_SIZE)
}

function sealKey(secret: Uint8Array): Uint8Array {
  if (secret.length !== SECRET_SIZE) throw new Error(`a secret has ${SECRET_SIZE} bytes, not ${secret.length}`)
  return hmacSha256(secret, KEY_LABEL)
}

// Asking the system for a few bytes costs far more than the bytes: it is asked for many at once.
const pool = new Uint8Array(16_384)
let used = pool.length

function randomFrom(size: number): Uint8Array {
  if (used + size > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const bytes = pool.slice(used, used + size)
  // What was handed out is not kept: an erased secret must not live on here.
  pool.fill(0, used, used + size)
  used += size
  return bytes
}
