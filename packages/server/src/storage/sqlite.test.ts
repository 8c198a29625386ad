import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, expect, test } from 'vitest'
import { createApiKey } from '../access/api-key.js'
import { conformance } from './conformance.js'
import { openSqliteKeys, openSqliteStorage } from './sqlite.js'
import { LockedError, type LogStore, type NewVaultRow, type Storage, UnavailableError } from './storage.js'

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
  const { row } = createApiKey({ name: 'n', sites: ['s'], scopes: ['admin'] }, 0)
  await beside.keys.add(row)
  beside.close()
  expect(await storage.keys.find(row.hash)).not.toBeNull()
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
    account: null,
    secrets: new Uint8Array(0),
    erased: null,
    facet: null,
    recordedAt: 1,
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
  vault.exec(
    `INSERT INTO vault VALUES ('site', 0, x'${'01'.repeat(16)}', x'00', x'${'02'.repeat(16)}', x'03', NULL, x'${'04'.repeat(16)}', NULL, NULL)`,
  )
  vault.close()
  const storage = await openSqliteStorage(data)
  const { log } = await storage.openLog('site', null)
  expect(await log.vaultRow(0)).toBeNull()
  expect(await log.findKey(new Uint8Array(16).fill(1))).toBeNull()
  expect(await log.findSubject(new Uint8Array(16).fill(2))).toEqual([])
  expect(await log.findAccount(new Uint8Array(16).fill(4))).toEqual([])
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

/** Leaves a vault as it is after its schema was changed, and before its rows were dated. */
function undate(data: string) {
  const db = new Database(path.join(data, 'vault.db'))
  db.exec('UPDATE vault SET facet = NULL, recorded_at = NULL')
  for (const table of ['facets', 'facet_blocks', 'counts']) db.exec(`DELETE FROM ${table}`)
  db.close()
}

/** Takes a vault back to before there were facets. */
function dropFacets(db: Database.Database) {
  db.exec('ALTER TABLE vault DROP COLUMN facet; ALTER TABLE vault DROP COLUMN recorded_at; DROP INDEX vault_erased')
  for (const table of ['facets', 'facet_blocks', 'counts']) db.exec(`DROP TABLE ${table}`)
}

test('a vault of before there were facets is dated from the newest row down, each row counted once', async () => {
  const { data, storage } = await recorded()
  await storage.close()
  undate(data)
  const again = await openSqliteStorage(data)
  const { log } = await again.openLog('site', null)
  const all = { facets: ['even', 'odd'], erased: null, from: 0, below: COUNT, order: 'oldest', limit: 3 } as const
  expect([await log.undated(), await log.findFacets(all)]).toEqual([COUNT, []])
  const dated = (from: number, end: number) =>
    Array.from({ length: end - from }, (_, i) => {
      const index = from + i
      return { index, facet: index % 2 === 0 ? 'even' : 'odd', recordedAt: index }
    })
  await log.date(dated(150, COUNT))
  expect([await log.undated(), await log.findFacets(all)]).toEqual([150, [150, 151, 152]])
  await log.date(dated(140, 160))
  expect(await log.undated()).toBe(140)
  await log.date(dated(0, 140))
  expect([await log.undated(), await log.findFacets(all), await log.firstAt(7)]).toEqual([0, [0, 1, 2], 7])
  expect((await log.counts(0, 1)).map(({ facet, count }) => [facet, count]).sort()).toEqual([
    ['even', COUNT / 2],
    ['odd', COUNT / 2],
  ])
  await again.close()
})

test('a vault of before there were accounts is taken up as it is, and then finds by account', async () => {
  const { data, rows, storage } = await recorded()
  await storage.close()
  const db = new Database(path.join(data, 'vault.db'))
  dropFacets(db)
  db.exec('ALTER TABLE vault DROP COLUMN account; DROP TABLE active; DROP TABLE served')
  for (const column of ['old_hash', 'old_until', 'reason', 'used_on'])
    db.exec(`ALTER TABLE api_keys DROP COLUMN ${column}`)
  db.pragma('user_version = 2')
  db.close()
  const again = await openSqliteStorage(data)
  const { log } = await again.openLog('site', null)
  expect(await log.findSubject(rows[7]!.subject!)).toEqual([7])
  expect((await log.vaultRow(7))?.account).toBeNull()
  const account = randomBytes(16)
  await log.append([], COUNT, () => ({
    head: { size: COUNT + 1, root: new Uint8Array(32), checkpoint: 'c', recordedAt: 1 },
    entries: [{ entry: new Uint8Array(3), sealed: [] }],
    vault: [{ ...rows[7]!, key: randomBytes(16), account }],
    tiles: [],
    documents: [],
  }))
  expect(await log.findSubject(rows[7]!.subject!)).toEqual([7, COUNT])
  expect(await log.findAccount(account)).toEqual([COUNT])
  await again.close()
})

test('a ledger of before the time of documents was kept is taken up as it is', async () => {
  const data = folder()
  await (await openSqliteStorage(data)).close()
  const db = new Database(path.join(data, 'ledger.db'))
  db.exec(`ALTER TABLE documents DROP COLUMN recorded_at;
    INSERT INTO logs VALUES ('site', 'o', 0, zeroblob(32), '', 0);
    INSERT INTO documents VALUES ('site', 0, 'policy', 'h', '1', NULL, '{}')`)
  db.pragma('user_version = 1')
  db.close()
  const storage = await openSqliteStorage(data)
  const { log } = await storage.openLog('site', null)
  expect(await log.documents()).toMatchObject([{ index: 0, hash: 'h', recordedAt: null }])
  await storage.close()
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
  await storage.close()
  rmSync(path.join(data, 'vault.db'))
  await expect(openSqliteStorage(data)).rejects.toThrow(/vault\.db is missing.*restore it/)
})

const COUNT = 200

/** A log of a few hundred records, all of it moved from the write-ahead log to the file. */
async function recorded(data = folder()) {
  const storage = await openSqliteStorage(data)
  const { log } = await storage.openLog('site', 'o')
  const rows = Array.from(
    { length: COUNT },
    (_, i): NewVaultRow => ({
      key: randomBytes(16),
      fingerprint: randomBytes(32),
      subject: randomBytes(16),
      account: randomBytes(16),
      secrets: randomBytes(96),
      erased: null,
      facet: i % 2 === 0 ? 'even' : 'odd',
      recordedAt: 1,
    }),
  )
  await log.append([], 0, () => ({
    head: { size: COUNT, root: new Uint8Array(32), checkpoint: 'c', recordedAt: 1 },
    entries: rows.map(() => ({ entry: new Uint8Array(3), sealed: [] })),
    vault: rows,
    tiles: [],
    documents: [],
  }))
  await storage.close()
  const opened = await openSqliteStorage(data)
  return { data, rows, storage: opened, log: (await opened.openLog('site', null)).log }
}

const erase = (log: LogStore, indexes: readonly number[]) =>
  log.forget(indexes.map((index) => ({ index, grade: 'erase' as const, secrets: new Uint8Array(0) })))

/** Which of these rows any file of the folder still has anything of that is to be forgotten. */
function leftOf(data: string, rows: readonly NewVaultRow[], indexes: readonly number[]): number[] {
  const files = readdirSync(data).map((name) => readFileSync(path.join(data, name)))
  return indexes.filter((index) => {
    const { fingerprint, subject, account, secrets } = rows[index]!
    return [fingerprint, subject!, account!, secrets].some((bytes) =>
      files.some((file) => file.includes(Buffer.from(bytes))),
    )
  })
}

/** Another process in the middle of reading the vault; answers how to end it. */
function startReading(data: string): () => void {
  const reader = new Database(path.join(data, 'vault.db'))
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM vault').get()
  return () => void reader.close()
}

test('an erasure says that it failed while another process reads the vault, and makes up for it when asked again', async () => {
  const { data, rows, storage, log } = await recorded()
  const endReading = startReading(data)
  await expect(erase(log, [3, 150])).rejects.toThrow(UnavailableError)
  await expect(erase(log, [3])).rejects.toThrow(/not cleared from the file yet.*another process reads it/)
  expect((await log.vaultRow(3))?.erased).toBe('erase')
  expect(leftOf(data, rows, [3, 4, 150])).toEqual([3, 4, 150])
  endReading()
  // All that the ledger finds left to do by then.
  await log.forget([])
  expect(leftOf(data, rows, [3, 4, 150])).toEqual([4])
  await storage.close()
})

test('what a crash left behind after an erasure is cleared at the next start', async () => {
  const { data, rows, storage, log } = await recorded()
  const endReading = startReading(data)
  await expect(erase(log, [3, 150])).rejects.toThrow(UnavailableError)
  // The files as they are between the erasure's commit and the scrub.
  const crashed = folder()
  cpSync(data, crashed, { recursive: true })
  endReading()
  await storage.close()
  expect(leftOf(crashed, rows, [3, 4, 150])).toEqual([3, 4, 150])
  const again = await openSqliteStorage(crashed)
  expect(leftOf(crashed, rows, [3, 4, 150])).toEqual([4])
  await again.close()
})

test('a start that can not clear what an erasure left behind is refused, and the next one does', async () => {
  const { data, rows, storage, log } = await recorded()
  const endReading = startReading(data)
  await expect(erase(log, [3])).rejects.toThrow(UnavailableError)
  await storage.close()
  await expect(openSqliteStorage(data)).rejects.toThrow(UnavailableError)
  endReading()
  const again = await openSqliteStorage(data)
  expect(leftOf(data, rows, [3, 4])).toEqual([4])
  await again.close()
})

test('what a rotation left behind half-way is cleared at the next start', async () => {
  const { data, rows, storage, log } = await recorded()
  const old = rows.map((row) => ({ ...row, fingerprint: row.secrets, subject: row.secrets, account: row.secrets }))
  await log.rewrap(0, 100, () => randomBytes(96))
  const crashed = folder()
  cpSync(data, crashed, { recursive: true })
  await storage.close()
  expect(leftOf(crashed, old, [0, 99, 100])).toEqual([0, 99, 100])
  const again = await openSqliteStorage(crashed)
  expect(leftOf(crashed, old, [0, 99, 100])).toEqual([100])
  await again.close()
})

test('erasures that come together have the file written anew once, and a start after them not at all', async () => {
  const { data, rows, storage, log } = await recorded()
  // SQLite counts it up at each VACUUM.
  const counter = new Database(path.join(data, 'vault.db'))
  const count = () => counter.pragma('schema_version', { simple: true }) as number
  const before = count()
  const indexes = Array.from({ length: 20 }, (_, i) => i * 7)
  await Promise.all(indexes.map((index) => erase(log, [index])))
  expect(count()).toBe(before + 1)
  expect(leftOf(data, rows, [...indexes, 199])).toEqual([199])
  await erase(log, [199])
  expect(count()).toBe(before + 2)
  await storage.close()
  await (await openSqliteStorage(data)).close()
  expect(count()).toBe(before + 2)
  counter.close()
})

test('closing waits for the erasure that was asked for before it', async () => {
  const { data, rows, storage, log } = await recorded()
  const [erased] = await Promise.allSettled([erase(log, [3]), storage.close()])
  expect(erased.status).toBe('fulfilled')
  expect(leftOf(data, rows, [3, 4])).toEqual([4])
})

const BLOCK_BYTES = 4096

/** A disk of two MiB, where mounting one is permitted. */
function mountSmallDisk(): { disk: string; unmount(): void } | null {
  const disk = folder()
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]).status !== 0) return null
  return { disk, unmount: () => void spawnSync('umount', [disk]) }
}

const canMount = mountSmallDisk()
canMount?.unmount()
if (!canMount) console.warn('not run: no small disk may be mounted here, so a start on a full one was not tried')

test('what the vault refused is found at no place that another entry takes later', async () => {
  const { log } = await (await create()).openLog('site', 'o')
  const append = (key: Buffer, secrets: Buffer | null) =>
    log.append([key], 0, () => ({
      head: { size: 1, root: Buffer.alloc(32), checkpoint: 'c', recordedAt: 1 },
      entries: [{ entry: Buffer.of(1), sealed: [] }],
      // No vault takes a row without them.
      vault: [
        {
          ...{ key, secrets: secrets as Buffer, fingerprint: key, subject: key, account: null, erased: null },
          ...{ facet: null, recordedAt: 1 },
        },
      ],
      ...{ tiles: [], documents: [] },
    }))
  const [refused, taken] = [Buffer.alloc(16, 1), Buffer.alloc(16, 2)]
  await expect(append(refused, null)).rejects.toThrow(/NOT NULL/)
  await append(taken, Buffer.alloc(0))
  expect([await log.findKey(refused), await log.findSubject(refused)]).toEqual([null, []])
  expect(await log.findSubject(taken)).toEqual([0])
})

test.skipIf(!canMount)(
  'whatever a start was about to write when the disk was full, it says so and that nothing was written',
  async () => {
    const failed = new Set<string>()
    for (let spare = 0; ; spare++) {
      const small = mountSmallDisk()!
      let doing = 'opening'
      let storage: Storage | null = null
      try {
        writeFileSync(path.join(small.disk, 'filler'), Buffer.alloc((512 - 2 - spare) * BLOCK_BYTES))
        storage = await openSqliteStorage(path.join(small.disk, 'data'))
        doing = 'taking a key'
        await storage.useKey('aaaa', null)
        doing = 'making a value'
        await storage.vaultValue('large', () => new Uint8Array(5 * BLOCK_BYTES))
        doing = 'opening a log'
        await storage.openLog('site', `log.example/${'o'.repeat(5 * BLOCK_BYTES)}`)
        break
      } catch (error) {
        failed.add(doing)
        expect(error).toBeInstanceOf(UnavailableError)
        expect((error as Error).message).toMatch(/nothing was written|(ledger|vault)\.db can't be (opened|written): /)
      } finally {
        await storage?.close()
        small.unmount()
      }
    }
    expect([...failed]).toEqual(['opening', 'taking a key', 'making a value', 'opening a log'])
  },
)
