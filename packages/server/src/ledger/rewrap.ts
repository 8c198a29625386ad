/** Wraps a log's secrets with the newest key-encryption key, step by step, without opening the log. */
import type { Storage } from '../storage/storage.js'
import type { Keyring } from '../vault/keyring.js'
import { Sealer } from './sealer.js'

/** Entries in one transaction. */
const STEP = 1024

/**
 * Goes on until nothing is left that the newest key didn't wrap. Rejects with `KeyringError` if a secret was wrapped with
 * none of the keys; running it again goes on where it stopped.
 */
export async function rewrapLog(
  storage: Storage,
  log: string,
  keyring: Keyring,
  progress: (done: number, of: number) => void,
): Promise<void> {
  const { log: store } = await storage.openLog(log, null)
  const sealer = new Sealer(log, keyring)
  let left: number
  do {
    left = 0
    const size = await store.vaultSize()
    for (let start = 0; start < size; start += STEP) {
      await store.rewrap(start, start + STEP, (index, secrets) => {
        const fresh = sealer.rewrap(index, secrets)
        if (fresh) left++
        return fresh
      })
      progress(Math.min(start + STEP, size), size)
    }
  } while (left > 0)
}
