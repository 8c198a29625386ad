/** Entries: the bytes the tree commits to. Canonical JSON with no personal data, no identifier and no exact time. */
import canonicalize from 'canonicalize'
import { VerificationError } from '../merkle/verification-error.js'

export interface ConsentEntry {
  readonly evidence: string
  readonly identity: string
  readonly type: 'consent'
  readonly v: 1
}

export interface PolicyEntry {
  readonly hash: string
  readonly type: 'policy'
  readonly v: 1
  readonly version: string
}

export interface NoticeEntry {
  readonly hash: string
  readonly language: string
  readonly type: 'notice'
  readonly v: 1
  readonly version: string
}

/** What was erased, and why: sealed. One per record. */
export interface TombstoneEntry {
  readonly body: string
  readonly type: 'tombstone'
  readonly v: 1
}

/** A step worth proving that is not a consent: sealed. */
export interface EventEntry {
  readonly body: string
  readonly type: 'event'
  readonly v: 1
}

/** The first entry of a new log: the head of the one it continues, `root` as in its checkpoint. */
export interface EpochEntry {
  readonly origin: string
  readonly root: string
  readonly size: number
  readonly type: 'epoch'
  readonly v: 1
}

export type Entry = ConsentEntry | PolicyEntry | NoticeEntry | TombstoneEntry | EventEntry | EpochEntry

/** Bytes of an entry: an entry bundle gives its size sixteen bits. */
export const ENTRY_LIMIT = 65_536

const HASH = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/
const isHash = (value: unknown) => typeof value === 'string' && HASH.test(value)
const isText = (value: unknown) => typeof value === 'string' && value.length > 0
const isRoot = (value: unknown) => typeof value === 'string' && /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(value)
const isSize = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0

/** By type, every field besides `type` and `v`. */
const FIELDS: Record<Entry['type'], Record<string, (value: unknown) => boolean>> = {
  consent: { evidence: isHash, identity: isHash },
  policy: { hash: isHash, version: isText },
  notice: { hash: isHash, language: isText, version: isText },
  tombstone: { body: isHash },
  event: { body: isHash },
  epoch: { origin: isText, root: isRoot, size: isSize },
}

/** The canonical JSON of a value (RFC 8785), as bytes: what is hashed, committed to and signed. */
export function jcs(value: unknown): Uint8Array {
  const text = isInOrder(value) ? JSON.stringify(value) : canonicalize(value)
  if (text === undefined) throw new Error('no JSON can be made of this value')
  return bytesOf(text)
}

export function encodeEntry(entry: Entry): Uint8Array {
  if (!isEntry(entry)) throw new Error('not an entry that a log may hold')
  const bytes = jcs(entry)
  if (bytes.length >= ENTRY_LIMIT) throw new Error(`an entry has under ${ENTRY_LIMIT} bytes, this one ${bytes.length}`)
  return bytes
}

/** The same for a consent, of which there are most: its commitments were made here, and need no look. */
export function encodeConsent(evidence: string, identity: string): Uint8Array {
  return bytesOf(`{"evidence":"${evidence}","identity":"${identity}","type":"consent","v":1}`)
}

/** UTF-8. In Node out of its pool of small buffers: an array of its own costs three times as much, and the collector's time. */
function bytesOf(text: string): Uint8Array {
  if (typeof Buffer === 'undefined') return new TextEncoder().encode(text)
  const { buffer, byteOffset, length } = Buffer.from(text)
  return new Uint8Array(buffer, byteOffset, length)
}

/** Takes only the bytes that `encodeEntry` would make: one meaning, one leaf. */
export function parseEntry(bytes: Uint8Array): Entry {
  if (bytes.length >= ENTRY_LIMIT) throw new VerificationError('entry is too long')
  let value: unknown
  let canonical: Uint8Array
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
    canonical = jcs(value)
  } catch {
    // Not UTF-8, not JSON, or JSON without a canonical form: all the same to whoever checks.
    throw new VerificationError('entry is not JSON')
  }
  if (!isEntry(value)) throw new VerificationError('entry is of no known type')
  if (canonical.length !== bytes.length || canonical.some((byte, at) => byte !== bytes[at])) {
    throw new VerificationError('entry is not in its canonical form')
  }
  return value
}

/** Strings as ES2024 has them: in Node 20, and not in every browser that verifies. */
type Scalar = string & { isWellFormed?(): boolean }

/**
 * Whether `JSON.stringify` writes a value as RFC 8785 would: plain values, keys in order. What this server composes is,
 * and is written several times faster; everything else takes the long way.
 */
function isInOrder(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return (value as Scalar).isWellFormed?.() ?? false
    case 'number':
      return Number.isFinite(value)
    case 'boolean':
      return true
    case 'object':
      break
    default:
      return false
  }
  if (value === null) return true
  if (Array.isArray(value)) return value.every(isInOrder)
  if (Object.getPrototypeOf(value) !== Object.prototype || 'toJSON' in value) return false
  let last = ''
  for (const key in value) {
    if (key < last || !(key as Scalar).isWellFormed?.() || !isInOrder((value as Record<string, unknown>)[key]))
      return false
    last = key
  }
  return true
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { type, v, ...rest } = value as Record<string, unknown>
  if (typeof type !== 'string' || !Object.hasOwn(FIELDS, type) || v !== 1) return false
  const fields = Object.entries(FIELDS[type as Entry['type']])
  return Object.keys(rest).length === fields.length && fields.every(([name, accepts]) => accepts(rest[name]))
}
