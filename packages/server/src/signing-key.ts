/** Where a site's signing seed is kept, and how it is made. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import path from 'node:path'
import { decodeBase64, encodeBase64 } from './ledger/base64.js'
import { generateSeed } from './ledger/signer.js'

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
    throw new Error(`${file} is missing, and the log was signed with it: restore it from a backup; nothing was written`)
  }
  const seed = generateSeed()
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  const descriptor = openSync(file, 'wx', 0o600)
  writeSync(descriptor, `${encodeBase64(seed)}\n`)
  fsyncSync(descriptor)
  closeSync(descriptor)
  return seed
}
