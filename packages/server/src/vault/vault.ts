/** Taking up a vault: that it is the ledger's, and that the keys at hand open it, is known before anything is written. */
import { LostVaultError, type Storage } from '../storage/storage.js'
import { blindedSites, requireBlinders } from './blind.js'
import { type Keyring, KeyringError } from './keyring.js'

/**
 * Once it resolves, this process may write what it wraps. Rejects, nothing being written, with `LostVaultError` if the
 * ledger has entries of a site that the vault knows nothing of, unless it `isLost`, and with `KeyringError` if it was
 * wrapped with another key.
 */
export async function openVault(storage: Storage, keyring: Keyring, isLost = false): Promise<void> {
  const current = await checkVault(storage, keyring, isLost)
  if (current !== null && current !== keyring.currentId) throw staleKeys(current, keyring)
  await storage.useKey(keyring.currentId, current)
}

/** Id of the key that the vault is wrapped with; null for one that is new. Rejects as `openVault` does. */
export async function checkVault(storage: Storage, keyring: Keyring, isLost = false): Promise<string | null> {
  const values = await storage.vaultValues()
  const sites = blindedSites(values)
  for (const log of await storage.logs()) {
    // Epochs of a site share its key.
    if (isLost || sites.includes(log.split('.')[0]!)) continue
    // Another key for its blind indexes would find nothing of what was recorded.
    if ((await (await storage.openLog(log, null)).log.head()).size > 0) throw new LostVaultError(storage.names)
  }
  requireBlinders(values, keyring)
  const current = await storage.currentKey()
  if (current !== null && !keyring.ids.includes(current)) throw staleKeys(current, keyring)
  return current
}

const staleKeys = (current: string, { currentId }: Keyring) =>
  new KeyringError(
    `the vault is wrapped with key ${current}, and the first of the keys given is ${currentId}: restart with the key file that the ` +
      'last `avow kek rotate` wrote, and if that was interrupted, run it again; nothing was written',
  )
