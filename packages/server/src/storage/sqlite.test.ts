import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, expect, test } from 'vitest'
import { conformance } from './conformance.js'
import { openSqliteKeys, openSqliteStorage } from './sqlite.js'
import { LockedError, type Storage } from './storage.js'

const folders: string[] = []
function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'avow-sqlite-'))
  folders.push(made)
  return made
}
afterAll(() => {
  for (const made of folders) rmSync(made, { recursive: true })
})

const folderOf = new Map<Storage, string>()
async function create(data = folder()): Promise<Storage> {
  const storage = await openSqliteStorage(data)
  folderOf.set(storage, data)
  return storage
}

conformance('SQLite', {
  create,
  async reopen(storage) {
    await storage.close()
    return create(folderOf.get(storage)!)
  },
})

test('a second process on the same folder is refused, and told why', async () => {
  const data = folder()
  const storage = await openSqliteStorage(data)
  await expect(openSqliteStorage(data)).rejects.toThrow(LockedError)
  await expect(openSqliteStorage(data)).rejects.toThrow(/ledger\.db is held by another process/)
  await storage.close()
})

test('keys can be made while a server holds the ledger', async () => {
  const data = folder()
  const storage = await openSqliteStorage(data)
  const beside = await openSqliteKeys(data)
  await beside.keys.add({
    id: 'k',
    hash: new Uint8Array(32),
    name: 'n',
    site: 's',
    scopes: ['admin'],
    createdAt: 0,
    expiresAt: null,
    revokedAt: null,
  })
  beside.close()
  expect(await storage.keys.find(new Uint8Array(32))).not.toBeNull()
  await storage.close()
})

test('entries can be neither changed nor deleted', async () => {
  const data = folder()
  const storage = await openSqliteStorage(data)
  const { log } = await storage.openLog('site', 'o')
  const row = {
    key: new Uint8Array(16),
    fingerprint: new Uint8Array(32),
    subject: null,
    secrets: new Uint8Array(0),
    erased: null,
  }
  await log.append([], 0, () => ({
    head: { size: 1, root: new Uint8Array(32), checkpoint: 'c', recordedAt: 1 },
    entries: [{ entry: new Uint8Array(3), sealed: [] }],
    vault: [row],
    tiles: [],
    documents: [],
  }))
  await storage.close()
  const db = new Database(path.join(data, 'ledger.db'))
  expect(() => db.exec("UPDATE entries SET entry = x'00'")).toThrow('append-only')
  expect(() => db.exec('DELETE FROM entries')).toThrow('append-only')
  db.close()
})

test('a crash between the two commits leaves vault rows that nobody sees and reconciling removes', async () => {
  const data = folder()
  const first = await openSqliteStorage(data)
  await first.openLog('site', 'o')
  await first.close()
  const vault = new Database(path.join(data, 'vault.db'))
  vault.exec(`INSERT INTO vault VALUES ('site', 0, x'${'01'.repeat(16)}', x'00', x'${'02'.repeat(16)}', x'03', NULL)`)
  vault.close()
  const storage = await openSqliteStorage(data)
  const { log } = await storage.openLog('site', null)
  expect(await log.vaultRow(0)).toBeNull()
  expect(await log.findKey(new Uint8Array(16).fill(1))).toBeNull()
  expect(await log.findSubject(new Uint8Array(16).fill(2))).toEqual([])
  // Not before it is asked to: under an older ledger these rows are somebody's secrets.
  expect(await log.vaultSize()).toBe(1)
  await log.reconcile()
  await storage.close()
  const after = new Database(path.join(data, 'vault.db'))
  expect(after.prepare('SELECT count(*) AS n FROM vault').get()).toEqual({ n: 0 })
  after.close()
})

test('a file that is no database is named, and left as it is', async () => {
  const data = folder()
  writeFileSync(path.join(data, 'ledger.db'), 'this is not a database, it only has its name. '.repeat(100))
  await expect(openSqliteStorage(data)).rejects.toThrow(/ledger\.db is not a readable database/)
})

test('a database of a newer release is named, and left as it is', async () => {
  const data = folder()
  await (await openSqliteStorage(data)).close()
  const db = new Database(path.join(data, 'vault.db'))
  db.pragma('user_version = 99')
  db.close()
  await expect(openSqliteStorage(data)).rejects.toThrow(/vault\.db was written by a newer release/)
})

test('a vault that is missing beside a ledger with entries is not made anew', async () => {
  const data = folder()
  const storage = await openSqliteStorage(data)
  const { log } = await storage.openLog('site', 'o')
  await log.append([], 0, () => ({
    head: { size: 1, root: new Uint8Array(32), checkpoint: 'c', recordedAt: 1 },
    entries: [{ entry: new Uint8Array(3), sealed: [] }],
    vault: [
      {
        key: new Uint8Array(16),
        fingerprint: new Uint8Array(32),
        subject: null,
        secrets: new Uint8Array(0),
        erased: null,
      },
    ],
    tiles: [],
    documents: [],
  }))
  await storage.close()
  rmSync(path.join(data, 'vault.db'))
  await expect(openSqliteStorage(data)).rejects.toThrow(/vault\.db is missing.*restore it/)
})
