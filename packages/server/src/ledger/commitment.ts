/** Commitments: what a leaf says of a part, without saying the part. Only its secret opens it. */
import { hmacSha256 } from '../merkle/hash.js'
import { encodeBase64url } from './base64.js'
import { jcs } from './entry.js'

/** The two parts of a record, and the body of a tombstone or an event. */
export type PartKind = 'evidence' | 'identity' | 'body'

export const SECRET_SIZE = 32

const label = (kind: PartKind) => new TextEncoder().encode(`avow/${kind}/v1`)
const LABELS = { evidence: label('evidence'), identity: label('identity'), body: label('body') }

/** base64url, 43 characters. */
export function commit(kind: PartKind, secret: Uint8Array, part: object): string {
  return commitText(kind, secret, jcs(part))
}

/** The same for a part that is canonical text already. */
export function commitText(kind: PartKind, secret: Uint8Array, text: Uint8Array): string {
  // HMAC pads short keys: without this, a secret and the same with a zero behind it would open the same commitment.
  if (secret.length !== SECRET_SIZE) throw new Error(`a secret has ${SECRET_SIZE} bytes, not ${secret.length}`)
  return encodeBase64url(hmacSha256(secret, LABELS[kind], text))
}
