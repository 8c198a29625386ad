/** Keyed blind indexes: what a subject, an account or a submission is found by in the vault, telling nothing to who lacks the key. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { hmacSha256 } from '../merkle/hash.js'
import type { Storage } from '../storage/storage.js'
import type { Keyring } from './keyring.js'

const INDEX_SIZE = 16

export interface Blinder {
  subject(subject: string): Uint8Array
  /** Of the site's own name for somebody. */
  account(account: string): Uint8Array
  /** What an account is called in its own browsers: the same on all of them, and nothing that the vault finds it by. */
  pseudonym(account: string): string
  /** Of a UUIDv7. Its first four bytes are the id's own, coarse time (about 17 minutes), so that new keys lie close together on disk. */
  submission(id: string): Uint8Array
  /** Of a document's hash. */
  document(hash: string): Uint8Array
  /** A UUIDv7 for the lapse of a subject after this day, the same whoever makes it. */
  lapse(subject: Uint8Array, day: number): string
  /** Of a step of an access to the private surface, whose id is a UUIDv7; in order of time as a submission's is. */
  access(id: string, step: 'start' | 'end'): Uint8Array
  /** Of who asked, by the id of the key or the subject of the token. */
  accessor(id: string): Uint8Array
  /** Of what was asked for by this name, where nobody need read it again. */
  asked(name: string, value: string): Uint8Array
  /** What shows that a cursor was given out here, for what the text says. */
  cursor(text: string): Uint8Array
  /** A facet as the vault keeps it: found again by being the same each time, and read by nobody who lacks the key. */
  hideFacet(facet: string): string
  /** What was hidden. Throws for what this key did not hide. */
  showFacet(hidden: string): string
}

/** Facets are few, and each is read for thousands of records: those that were met are remembered, up to so many. */
const FACETS_LIMIT = 4096
const NONCE_SIZE = 12
const TAG_SIZE = 16
/** What is hidden is filled up to a multiple of this, so that its length doesn't tell what was chosen. */
const PAD_BYTES = 512

/** Where a site's key is kept, wrapped. */
const PLACE = 'blind-index/'
const placeOf = (site: string) => PLACE + site

type Values = ReadonlyMap<string, Uint8Array>

/** The sites that a vault, by its values, has been opened for. */
export const blindedSites = (values: Values): string[] =>
  [...values.keys()].filter((name) => name.startsWith(PLACE)).map((name) => name.slice(PLACE.length))

/** Throws `KeyringError` unless the keys open the key of every site. */
export function requireBlinders(values: Values, keyring: Keyring): void {
  for (const [place, wrapped] of values) if (place.startsWith(PLACE)) keyring.unwrap(wrapped, place)
}

/**
 * The key is random, made once for each site, never derived from a key-encryption key: rotating that must not move what
 * is found by this. Rejects with `KeyringError` if the vault was wrapped with a key that isn't given.
 */
export async function openBlinder(storage: Storage, site: string, keyring: Keyring): Promise<Blinder> {
  const place = placeOf(site)
  const key = keyring.unwrap(await storage.vaultValue(place, () => keyring.wrap(randomBytes(32), place)), place)
  const blind = (kind: string, value: string) => Buffer.from(hmacSha256(key, Buffer.from(`avow/${kind}/v1\0${value}`)))
  const timed = (id: string, kind: string, value: string) => {
    const index = blind(kind, value).subarray(0, INDEX_SIZE)
    const milliseconds = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
    index.writeUInt32BE(Math.floor(milliseconds / 2 ** 20) >>> 0)
    return index
  }
  return {
    subject: (subject) => blind('subject', subject).subarray(0, INDEX_SIZE),
    account: (account) => blind('account', account).subarray(0, INDEX_SIZE),
    pseudonym: (account) => blind('pseudonym', account).subarray(0, INDEX_SIZE).toString('base64url'),
    document: (hash) => blind('document', hash).subarray(0, INDEX_SIZE),
    submission: (id) => timed(id, 'submission', id),
    lapse: (subject, day) => {
      const bytes = blind('lapse', `${Buffer.from(subject).toString('hex')}/${day}`).subarray(0, 16)
      bytes.writeUIntBE((day + 1) * 86_400_000, 0, 6)
      bytes[6] = 0x70 | (bytes[6]! & 0x0f)
      bytes[8] = 0x80 | (bytes[8]! & 0x3f)
      return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
    },
    access: (id, step) => timed(id, 'access', `${id}/${step}`),
    accessor: (id) => blind('accessor', id).subarray(0, INDEX_SIZE),
    asked: (name, value) => blind('asked', `${name}=${value}`).subarray(0, INDEX_SIZE),
    cursor: (text) => blind('cursor', text),
    ...facetHider(blind('facet-key', ''), (facet) => blind('facet', facet).subarray(0, NONCE_SIZE)),
  }
}

/**
 * AES-256-GCM under a nonce that is made of what is hidden: the same text is the same ciphertext, and no nonce serves two texts,
 * as a synthetic one doesn't in RFC 5297.
 */
function facetHider(key: Uint8Array, nonceOf: (facet: string) => Uint8Array): Pick<Blinder, 'hideFacet' | 'showFacet'> {
  const hidden = new Map<string, string>()
  const shown = new Map<string, string>()
  const remember = (facet: string, text: string) => {
    if (shown.size >= FACETS_LIMIT) for (const known of [hidden, shown]) known.clear()
    hidden.set(facet, text)
    shown.set(text, facet)
  }
  return {
    hideFacet(facet) {
      const known = hidden.get(facet)
      if (known !== undefined) return known
      const plain = Buffer.from(facet)
      const padded = Buffer.alloc(Math.ceil(plain.length / PAD_BYTES) * PAD_BYTES, ' ')
      padded.set(plain)
      const nonce = nonceOf(facet)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      const text = Buffer.concat([nonce, cipher.update(padded), cipher.final(), cipher.getAuthTag()]).toString(
        'base64url',
      )
      remember(facet, text)
      return text
    },
    showFacet(text) {
      const known = shown.get(text)
      if (known !== undefined) return known
      const bytes = Buffer.from(text, 'base64url')
      const end = bytes.length - TAG_SIZE
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_SIZE), { authTagLength: TAG_SIZE })
      decipher.setAuthTag(bytes.subarray(end))
      const plain = Buffer.concat([decipher.update(bytes.subarray(NONCE_SIZE, end)), decipher.final()])
      const facet = plain.toString().trimEnd()
      remember(facet, text)
      return facet
    },
  }
}

/** Wraps the key of every site with the newest key-encryption key, also of a site that has no log yet. */
export async function rewrapBlinders(storage: Storage, keyring: Keyring): Promise<void> {
  const fresh = new Map<string, Uint8Array>()
  for (const [place, wrapped] of await storage.vaultValues()) {
    if (place.startsWith(PLACE) && !keyring.isCurrent(wrapped))
      fresh.set(place, keyring.wrap(keyring.unwrap(wrapped, place), place))
  }
  await storage.replaceVaultValues(fresh)
}
