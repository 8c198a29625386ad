import { expect, test } from 'vitest'
import { createMemoryStorage } from '../storage/memory.js'
import { LostVaultError, type Storage } from '../storage/storage.js'
import { openBlinder } from './blind.js'
import { createKeyring, KeyringError } from './keyring.js'
import { openVault } from './vault.js'

const key = (fill: number) => new Uint8Array(32).fill(fill)
const [old, fresh] = [key(1), key(2)]

/** Stores that tell what was written to them, by the name of the operation. */
function watched(storage: Storage): { storage: Storage; written: string[] } {
  const written: string[] = []
  const noting = <A extends unknown[], R>(name: string, work: (...args: A) => R) =>
    ((...args: A) => {
      written.push(name)
      return work(...args)
    }) as typeof work
  return {
    written,
    storage: {
      ...storage,
      useKey: noting('useKey', storage.useKey),
      replaceVaultValues: noting('replaceVaultValues', storage.replaceVaultValues),
      vaultValue: noting('vaultValue', storage.vaultValue),
    },
  }
}

async function appendTo(storage: Storage, log: string): Promise<void> {
  const bytes = new Uint8Array(16)
  await (await storage.openLog(log, 'log.example')).log.append([], 0, () => ({
    head: { size: 1, root: new Uint8Array(32), checkpoint: 'checkpoint', recordedAt: 1 },
    entries: [{ entry: bytes, sealed: [] }],
    vault: [
      {
        key: bytes,
        fingerprint: new Uint8Array(32),
        subject: null,
        account: null,
        secrets: new Uint8Array(0),
        erased: null,
        facet: null,
        recordedAt: 1,
      },
    ],
    tiles: [],
    documents: [],
  }))
}

test('of several sites, one that was wrapped with another key is enough for nothing to be written', async () => {
  const storage = createMemoryStorage()
  await openBlinder(storage, 'right', createKeyring([fresh]))
  await openBlinder(storage, 'wrong', createKeyring([old]))
  const { storage: seen, written } = watched(storage)
  const opening = openVault(seen, createKeyring([fresh]))
  await expect(opening).rejects.toThrow(KeyringError)
  await expect(opening).rejects.toThrow(/blind-index\/wrong was wrapped with key/)
  expect(written).toEqual([])
})

test('a vault is opened with the key that is its newest, and the cure is said where it is not', async () => {
  const storage = createMemoryStorage()
  await openVault(storage, createKeyring([old]))
  await openBlinder(storage, 'site', createKeyring([old]))
  await openVault(storage, createKeyring([old]))
  const { storage: seen, written } = watched(storage)
  // As after a rotation that stopped between its two steps, and as with a key file from before one.
  await expect(openVault(seen, createKeyring([fresh, old]))).rejects.toThrow(/run it again; nothing was written/)
  await storage.useKey(createKeyring([fresh]).currentId, createKeyring([old]).currentId)
  await expect(openVault(seen, createKeyring([old]))).rejects.toThrow(
    /the key file that the last `avow kek rotate` wrote/,
  )
  expect(written).toEqual([])
})

test('a ledger with entries of a site that the vault knows nothing of is told from one that is new', async () => {
  const storage = createMemoryStorage()
  await storage.openLog('new', 'log.example')
  await openVault(storage, createKeyring([old]))
  await openBlinder(storage, 'site', createKeyring([old]))
  await appendTo(storage, 'site')
  // Its later epochs are found by the same key.
  await appendTo(storage, 'site.e2')
  await openVault(storage, createKeyring([old]))
  await appendTo(storage, 'other')
  const { storage: seen, written } = watched(storage)
  const opening = openVault(seen, createKeyring([old]))
  await expect(opening).rejects.toThrow(LostVaultError)
  await expect(opening).rejects.toThrow(
    /the vault in memory is missing, empty or another's, and the ledger in memory has entries/,
  )
  expect(written).toEqual([])
  await openVault(storage, createKeyring([old]), true)
})
