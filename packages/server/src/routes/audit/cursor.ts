/**
 * Where the next page begins, and of which log it is a page. Opaque to whoever holds it, and of use to nobody else: it is
 * signed for the one who asked, for what was asked, and for the log as it stood.
 */
import { timingSafeEqual } from 'node:crypto'
import { decodeBase64url, encodeBase64url } from '../../ledger/base64.js'
import { InputError } from '../../problem.js'

export interface Cursor {
  /** Of the log when the first page was made: what was recorded later is on no page. */
  readonly size: number
  /** Of the last entry that was looked at. */
  readonly index: number
}

/** Signs a text with a key of the site's own. */
export type Sign = (text: string) => Uint8Array

const VERSION = 1
const NUMBER_BYTES = 6
const MAC_BYTES = 16
const LENGTH = 1 + 2 * NUMBER_BYTES + MAC_BYTES

/** `bound`: who asked, what for, of which log. */
export function encodeCursor({ size, index }: Cursor, bound: readonly unknown[], sign: Sign): string {
  const bytes = Buffer.alloc(LENGTH)
  bytes.writeUInt8(VERSION)
  bytes.writeUIntBE(size, 1, NUMBER_BYTES)
  bytes.writeUIntBE(index, 1 + NUMBER_BYTES, NUMBER_BYTES)
  bytes.set(macOf({ size, index }, bound, sign), LENGTH - MAC_BYTES)
  return encodeBase64url(bytes)
}

/** Throws `InputError` for what isn't a cursor that was given to this one, for this question. */
export function parseCursor(text: string, bound: readonly unknown[], sign: Sign): Cursor {
  const refused = new InputError('cursor', 'the cursor of the page before: same key, same filters, same log')
  let bytes: Buffer
  try {
    bytes = Buffer.from(decodeBase64url(text))
  } catch {
    // Not base64url: no cursor of ours.
    throw refused
  }
  if (bytes.length !== LENGTH || bytes[0] !== VERSION) throw refused
  const cursor = { size: bytes.readUIntBE(1, NUMBER_BYTES), index: bytes.readUIntBE(1 + NUMBER_BYTES, NUMBER_BYTES) }
  if (!timingSafeEqual(bytes.subarray(LENGTH - MAC_BYTES), macOf(cursor, bound, sign))) throw refused
  return cursor
}

const macOf = ({ size, index }: Cursor, bound: readonly unknown[], sign: Sign): Uint8Array =>
  sign(JSON.stringify([VERSION, size, index, ...bound])).subarray(0, MAC_BYTES)
