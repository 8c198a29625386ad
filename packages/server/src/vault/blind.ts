/** Keyed blind indexes: what a subject or a submission is found by in the vault, telling nothing to who lacks the key. */
import { randomBytes } from 'node:crypto'
import { hmacSha256 } from '../merkle/hash.js'
import type { Storage } from '../storage/storage.js'
import type { Keyring } from './keyring.js'

const INDEX_SIZE = 16

export interface Blinder {
  subject(subject: string): Uint8Array
  /** Of a UUIDv7. Its first four bytes are the id's own, coarse time (about 17 minutes), so that new keys lie close together on disk. */
  submission(id: string): Uint8Array
  /** Of a document's hash. */
  document(hash: string): Uint8Array
}

/** Where a site's key is kept, wrapped. */
const PLACE = 'blind-index/'
const placeOf = (site: string) => PLACE + site

/** The sites that a vault, by the names of its values, has been opened for. */
export const blindedSites = (names: readonly string[]): string[] =>
  names.filter((name) => name.startsWith(PLACE)).map((name) => name.slice(PLACE.length))

/**
 * The key is random, made once for each site, never derived from a key-encryption key: rotating that must not move what
 * is found by this. Rejects with `KeyringError` if the vault was wrapped with a key that isn't given.
 */
export async function openBlinder(storage: Storage, site: string, keyring: Keyring): Promise<Blinder> {
  const place = placeOf(site)
  const key = keyring.unwrap(await storage.vaultValue(place, () => keyring.wrap(randomBytes(32), place)), place)
  const blind = (kind: string, value: string) => Buffer.from(hmacSha256(key, Buffer.from(`avow/${kind}/v1\0${value}`)))
  return {
    subject: (subject) => blind('subject', subject).subarray(0, INDEX_SIZE),
    document: (hash) => blind('document', hash).subarray(0, INDEX_SIZE),
    submission(id) {
      const index = blind('submission', id).subarray(0, INDEX_SIZE)
      const milliseconds = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
      index.writeUInt32BE(Math.floor(milliseconds / 2 ** 20) >>> 0)
      return index
    },
  }
}

/** Wraps a site's key with the newest key-encryption key. */
export async function rewrapBlinder(storage: Storage, site: string, keyring: Keyring): Promise<void> {
  const place = placeOf(site)
  const wrapped = await storage.vaultValue(place, () => keyring.wrap(randomBytes(32), place))
  if (!keyring.isCurrent(wrapped))
    await storage.replaceVaultValue(place, keyring.wrap(keyring.unwrap(wrapped, place), place))
}
