/** Base64 both ways, by one strict spelling. Plain code, so that a browser verifies with the same lines as the server. */

/** Text that is not an encoding of anything, or not the one canonical encoding. */
export class EncodingError extends Error {
  override name = 'EncodingError'
}

const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const URL_SAFE = `${STANDARD.slice(0, 62)}-_`
const STANDARD_VALUES = valuesOf(STANDARD)
const URL_SAFE_VALUES = valuesOf(URL_SAFE)

// Node's own encoder is ten times as fast, and every receipt is encoded.
const inNode =
  typeof Buffer === 'undefined'
    ? null
    : (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)

/** RFC 4648 §4, padded. */
export function encodeBase64(bytes: Uint8Array): string {
  if (inNode) return inNode(bytes).toString('base64')
  return encode(bytes, STANDARD) + '='.repeat((3 - (bytes.length % 3)) % 3)
}

/** Refuses missing padding, white space and stray bits: two texts never mean the same bytes. */
export function decodeBase64(text: string): Uint8Array {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  if (text.length % 4 !== 0) throw new EncodingError('expected padded base64')
  return decode(text, text.length - padding, STANDARD_VALUES)
}

/** RFC 4648 §5, not padded. */
export function encodeBase64url(bytes: Uint8Array): string {
  return inNode ? inNode(bytes).toString('base64url') : encode(bytes, URL_SAFE)
}

export function decodeBase64url(text: string): Uint8Array {
  return decode(text, text.length, URL_SAFE_VALUES)
}

function encode(bytes: Uint8Array, alphabet: string): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at
    const group = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    text += alphabet[group >> 18]! + alphabet[(group >> 12) & 63]!
    if (left > 1) text += alphabet[(group >> 6) & 63]!
    if (left > 2) text += alphabet[group & 63]!
  }
  return text
}

function decode(text: string, length: number, values: Int8Array): Uint8Array {
  if (length % 4 === 1) throw new EncodingError('expected base64 of whole bytes')
  const bytes = new Uint8Array(Math.floor((length * 3) / 4))
  let [bits, waiting, end] = [0, 0, 0]
  for (let at = 0; at < length; at++) {
    const value = values[text.charCodeAt(at)] ?? -1
    if (value < 0) throw new EncodingError(`expected only base64, found something else at ${at}`)
    bits = ((bits << 6) | value) & 0xfff
    waiting += 6
    if (waiting >= 8) {
      waiting -= 8
      bytes[end++] = bits >> waiting
    }
  }
  if ((bits & ((1 << waiting) - 1)) !== 0) throw new EncodingError('expected canonical base64, with no stray bits')
  return bytes
}

function valuesOf(alphabet: string): Int8Array {
  const values = new Int8Array(128).fill(-1)
  for (const [value, letter] of [...alphabet].entries()) values[letter.charCodeAt(0)] = value
  return values
}
