/** Keyed blind indexes: what a subject or a submission is found by in the vault, telling nothing to who lacks the key. */
import { createHmac, randomBytes } from 'node:crypto'
import type { Storage } from '../storage/storage.js'

const INDEX_SIZE = 16

export interface Blinder {
  subject(subject: string): Uint8Array
  /** Of a UUIDv7. Its first four bytes are the id's own, coarse time (about 17 minutes), so that new keys lie close together on disk. */
  submission(id: string): Uint8Array
  /** Of a document's hash. */
  document(hash: string): Uint8Array
}

/** The key is random, made once for each site, and lives in the vault alone. */
export async function openBlinder(storage: Storage, site: string): Promise<Blinder> {
  const key = await storage.vaultValue(`blind-index/${site}`, () => randomBytes(32))
  const blind = (kind: string, value: string) => createHmac('sha256', key).update(`avow/${kind}/v1\0${value}`).digest()
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
