/** A key as people compare it: read out on the telephone, or printed on a letter. */
import { parseVkey } from '../ledger/note.js'
import { sha256 } from '../merkle/hash.js'

/** SHA-256 of the public key in groups of eight hexadecimal digits. Throws `EncodingError` for what is no verifier key. */
export function fingerprintOf(vkey: string): string {
  const hex = Array.from(sha256(parseVkey(vkey).publicKey), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.match(/.{8}/g)!.join(' ')
}
