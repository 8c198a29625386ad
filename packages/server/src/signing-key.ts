/** Where a site's signing seed is kept, how it is made, and that every node has the same. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { decodeBase64, encodeBase64 } from './ledger/base64.js'
import { parseNote, parseVkey } from './ledger/note.js'
import { generateSeed, type Signer } from './ledger/signer.js'
import { sha256 } from './merkle/hash.js'
import { createFile, syncFolder } from './storage/durable-file.js'
import type { Storage } from './storage/storage.js'

/** One seed for all epochs of a site: the key's name tells them apart. */
export const seedFile = (data: string, site: string): string => path.join(data, 'keys', `${site}.seed`)

/**
 * Reads the seed. It is made only for a log that has nothing signed yet: a new key on an old log would orphan every
 * receipt, so a missing one is an error that says what to restore.
 */
export function readSeed(file: string, isNew: boolean): Uint8Array {
  if (existsSync(file)) {
    try {
      return decodeBase64(readFileSync(file, 'utf8').trim())
    } catch (error) {
      throw new Error(`${file} can't be read as a signing key: restore it from a backup; nothing was written`, {
        cause: error,
      })
    }
  }
  if (!isNew) {
    throw new Error(
      `${file} is missing, and the log was signed with it: restore it from a backup, or copy it from another node; nothing was written`,
    )
  }
  const seed = generateSeed()
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  createFile(file, `${encodeBase64(seed)}\n`)
  syncFolder(path.dirname(path.dirname(file)))
  return seed
}

/**
 * Throws, saying the cure, unless the site's logs are signed with this key: that of `checkpoint`, where there is one, and the
 * one that the vault was told first, by whichever node.
 */
export async function requireSigningKey(
  storage: Storage,
  site: string,
  { vkey }: Signer,
  checkpoint: string,
): Promise<void> {
  const { name, keyId, publicKey } = parseVkey(vkey)
  // Before it is told to the vault: with the wrong seed there the right one would be refused from then on.
  const isSigner =
    checkpoint === '' ||
    parseNote(checkpoint).signatures.some((line) => line.name === name && line.keyId === hex(keyId))
  const own = sha256(publicKey)
  const pinned = isSigner && (await storage.vaultValue(`signing-key/${site}`, () => own))
  if (!pinned || hex(pinned) !== hex(own))
    throw new Error(
      `keys/${site}.seed in the data folder is not the one that the log of ${site} is signed with: copy it from the first node, ` +
        'or restore it from a backup',
    )
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
