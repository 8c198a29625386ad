/**
 * The stores as two SQLite files, `ledger.db` and `vault.db`. WAL with synchronous=FULL: better-sqlite3's default in WAL
 * is NORMAL, which can lose acknowledged commits in a power cut. The ledger's file is held exclusively, so that two
 * processes can't each extend the same head; the vault's is not, so that keys can be made while the server runs.
 */
import { existsSync, mkdirSync, statSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { fromKey, type KeyColumns, toKey } from './api-key-row.js'
import { type EntryColumns, toEntry } from './entry-row.js'
import { migrate } from './migrate.js'
import { Facets } from './sqlite-facets.js'
import { type Findable, Finder } from './sqlite-finder.js'
import {
  type ActiveDay,
  type Batch,
  type Count,
  CURRENT_KEY,
  type Dated,
  type DocumentRow,
  type EntryRow,
  type FacetQuery,
  type Forgetting,
  type Head,
  type KeyStore,
  type Known,
  LockedError,
  type LogStore,
  LostVaultError,
  missingStore,
  type NewVaultRow,
  type OpenedKeys,
  type OpenOptions,
  OriginError,
  otherKey,
  type Standing,
  type Storage,
  type StoredRow,
  UnavailableError,
  type VaultRow,
} from './storage.js'

/**
 * Numbered by place, forward only: a released line is never edited, a change is a new line. Tables of large rows keep
 * their rowid: without it a row over a quarter page spills into a page of its own, and commits write twice as much.
 */
const LEDGER_MIGRATIONS = [
  `CREATE TABLE logs (
     site_id TEXT PRIMARY KEY, origin TEXT NOT NULL,
     size INTEGER NOT NULL, root BLOB NOT NULL, checkpoint TEXT NOT NULL, recorded_at INTEGER NOT NULL
   ) WITHOUT ROWID;
   CREATE TABLE entries (
     site_id TEXT NOT NULL, idx INTEGER NOT NULL, entry BLOB NOT NULL, sealed_a BLOB, sealed_b BLOB,
     PRIMARY KEY (site_id, idx)
   );
   CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
   CREATE TRIGGER entries_never_go BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
   CREATE TABLE heads (
     site_id TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL,
     PRIMARY KEY (site_id, size)
   ) WITHOUT ROWID;
   CREATE TABLE tiles (
     site_id TEXT NOT NULL, level INTEGER NOT NULL, n INTEGER NOT NULL, hashes BLOB NOT NULL,
     PRIMARY KEY (site_id, level, n)
   );
   CREATE TABLE documents (
     site_id TEXT NOT NULL, idx INTEGER NOT NULL, kind TEXT NOT NULL, hash TEXT NOT NULL, version TEXT NOT NULL,
     language TEXT, body TEXT NOT NULL,
     PRIMARY KEY (site_id, idx)
   );`,
  'ALTER TABLE documents ADD COLUMN recorded_at INTEGER',
]

const VAULT_MIGRATIONS = [
  `CREATE TABLE vault (
     site_id TEXT NOT NULL, idx INTEGER NOT NULL,
     key BLOB NOT NULL, fingerprint BLOB NOT NULL, subject BLOB, secrets BLOB NOT NULL, erased TEXT,
     PRIMARY KEY (site_id, idx)
   ) WITHOUT ROWID;
   CREATE UNIQUE INDEX vault_key ON vault (site_id, key);
   CREATE INDEX vault_subject ON vault (site_id, subject, idx) WHERE subject IS NOT NULL;
   CREATE TABLE api_keys (
     id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL, site TEXT NOT NULL, scopes TEXT NOT NULL,
     created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER
   ) WITHOUT ROWID;
   CREATE TABLE vault_values (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;`,
  // See `Finder`. Rows below `until` are all in `found`; of the others some are.
  `CREATE TABLE found (
     site_id TEXT NOT NULL, kind INTEGER NOT NULL, blind BLOB NOT NULL, idx INTEGER NOT NULL,
     PRIMARY KEY (site_id, kind, blind, idx)
   ) WITHOUT ROWID;
   CREATE TABLE found_until (site_id TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
   INSERT INTO found SELECT site_id, 0, key, idx FROM vault;
   INSERT INTO found SELECT site_id, 1, subject, idx FROM vault WHERE subject IS NOT NULL;
   INSERT INTO found_until SELECT site_id, max(idx) + 1 FROM vault GROUP BY site_id;
   DROP INDEX vault_key;
   DROP INDEX vault_subject;`,
  // Found by the `Finder`, which has nothing to take over: of what was recorded before, nothing is an account's.
  'ALTER TABLE vault ADD COLUMN account BLOB',
  // Keys of several sites need nothing new: their names stand in `site`, parted by spaces.
  `ALTER TABLE api_keys ADD COLUMN old_hash BLOB;
   ALTER TABLE api_keys ADD COLUMN old_until INTEGER;
   ALTER TABLE api_keys ADD COLUMN reason TEXT;
   ALTER TABLE api_keys ADD COLUMN used_on TEXT;`,
  // See `Facets`. Rows that stand already have neither until the first start has dated them.
  `ALTER TABLE vault ADD COLUMN facet INTEGER;
   ALTER TABLE vault ADD COLUMN recorded_at INTEGER;
   CREATE INDEX vault_erased ON vault (site_id, idx) WHERE erased = 'erase';
   CREATE TABLE facets (id INTEGER PRIMARY KEY, site_id TEXT NOT NULL, facet TEXT NOT NULL, UNIQUE (site_id, facet));
   CREATE TABLE facet_blocks (facet INTEGER NOT NULL, block INTEGER NOT NULL, PRIMARY KEY (facet, block)) WITHOUT ROWID;
   CREATE TABLE counts (
     site_id TEXT NOT NULL, day INTEGER NOT NULL, facet INTEGER NOT NULL, count INTEGER NOT NULL,
     PRIMARY KEY (site_id, day, facet)
   ) WITHOUT ROWID;`,
  `CREATE TABLE active (
     site_id TEXT NOT NULL, subject BLOB NOT NULL, day INTEGER NOT NULL,
     PRIMARY KEY (site_id, subject)
   ) WITHOUT ROWID;
   CREATE INDEX active_day ON active (site_id, day);`,
  'CREATE TABLE served (site_id TEXT NOT NULL, day INTEGER NOT NULL, PRIMARY KEY (site_id, day)) WITHOUT ROWID',
]

/** How long a lock is waited for that another process holds: keys are made while the server runs. */
const LOCK_WAIT_MS = 5000

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

function openFile(file: string, exclusive: boolean, migrations: readonly string[]): Database.Database {
  const db = writing(() => new Database(file, { timeout: exclusive ? 0 : LOCK_WAIT_MS }), `${file} can't be opened`)
  try {
    if (exclusive) db.pragma('locking_mode = EXCLUSIVE')
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    // Moving pages from the log to the file rewrites the same few busy ones each time: do it every 64 MiB, not every 4.
    db.pragma('wal_autocheckpoint = 16384')
    // Secrets that are deleted are to be gone from the file, not only from its index.
    db.pragma('secure_delete = ON')
    migrate(db, file, migrations)
    // Takes the exclusive lock now, at start, and not in the middle of the first append.
    if (exclusive) db.exec('BEGIN IMMEDIATE; COMMIT')
    if (db.pragma('synchronous', { simple: true }) !== 2) throw new Error(`${file}: synchronous is not FULL`)
    // A damaged table is to be found now, and not in the middle of an answer. Reading all of a large file would take too
    // long: what is looked at is where each table starts.
    const tables = db.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all()
    for (const table of tables) db.prepare(`SELECT * FROM "${table}" NOT INDEXED LIMIT 1`).get()
    return db
  } catch (error) {
    db.close()
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) {
      throw new LockedError(`${file} is held by another process: stop it first, one server per data folder`)
    }
    if (error instanceof Database.SqliteError && /^SQLITE_(NOTADB|CORRUPT)/.test(error.code)) {
      throw new Error(
        `${file} is not a readable database (${error.message}): restore it from a backup; nothing was written`,
      )
    }
    return writing(() => {
      throw error
    }, `${file} can't be written`)
  }
}

/** Tells a database that can't be written now from one that is wrong. `outcome`: what is said to have come of it. */
function writing<T>(write: () => T, outcome = 'nothing was written'): T {
  try {
    return write()
  } catch (error) {
    if (error instanceof Database.SqliteError && /^SQLITE_(FULL|IOERR|BUSY|CANTOPEN|READONLY)/.test(error.code)) {
      throw new UnavailableError(`${outcome}: ${error.message}`, { cause: error })
    }
    throw error
  }
}

/** In the vault's own values from the commit that overwrites something until nothing of it is left. */
const SCRUB_DUE = 'scrub-due'
/** How long a scrub waits for another process that reads the vault. Nobody is answered meanwhile, so it is short. */
const READER_WAIT_MS = 250
const NOT_SCRUBBED =
  'what was overwritten in vault.db is not cleared from the file yet; it is tried again at the next erasure, and at each start'

/**
 * Leaves nothing of what was overwritten in the vault. `secure_delete` clears the row itself, but not the copies of it that
 * SQLite left between rows when it moved them to another page: only writing the file anew is sure. Two seconds for a
 * million entries, in which the thread does nothing else.
 */
class Scrubber {
  readonly #vault: Database.Database
  readonly #due
  #next: Promise<void> | null = null

  constructor(vault: Database.Database) {
    this.#vault = vault
    this.#due = {
      set: vault.prepare('INSERT INTO vault_values VALUES (?, zeroblob(0)) ON CONFLICT DO NOTHING'),
      has: vault.prepare('SELECT 1 FROM vault_values WHERE name = ?'),
      clear: vault.prepare('DELETE FROM vault_values WHERE name = ?'),
    }
  }

  /** Overwrites in one transaction. Whatever comes between its commit and the scrub, the scrub stays due. */
  overwrite(write: () => void): void {
    const transaction = this.#vault.transaction(() => {
      write()
      this.#due.set.run(SCRUB_DUE)
    })
    writing(() => transaction.immediate())
  }

  /** Scrubs if it is due, once for all who ask in one turn of the event loop: those who came during the last one, too. */
  scrub(): Promise<void> {
    this.#next ??= new Promise<void>((resume) => setImmediate(resume)).then(() => {
      this.#next = null
      this.scrubNow()
    })
    return this.#next
  }

  /** Throws `UnavailableError`, leaving it due, if the file can't be written anew, or another process reads it. */
  scrubNow(): void {
    if (!this.#due.has.get(SCRUB_DUE)) return
    this.#vault.pragma(`busy_timeout = ${READER_WAIT_MS}`)
    try {
      writing(() => {
        // Before as well: with a reader it fails here, and not after the log has grown by all of the file.
        this.#emptyWal()
        this.#vault.exec('VACUUM')
        this.#emptyWal()
        this.#due.clear.run(SCRUB_DUE)
      }, NOT_SCRUBBED)
    } finally {
      this.#vault.pragma(`busy_timeout = ${LOCK_WAIT_MS}`)
    }
  }

  /** Resolves when no scrub is about to run. */
  async settled(): Promise<void> {
    // Whoever asked for it is told if it fails.
    await this.#next?.catch(() => {})
  }

  /** Moves the write-ahead log into the file and empties it: it holds the pages as they were before. */
  #emptyWal(): void {
    const [answer] = this.#vault.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[]
    if (answer?.busy !== 0) throw new UnavailableError(`${NOT_SCRUBBED}: another process reads it`)
  }
}

export interface SecretsRow {
  readonly index: number
  readonly secrets: Uint8Array
}

interface HeadRow {
  size: number
  root: Buffer
  checkpoint: string
  recorded_at: number
}

/** Rows read for each that is asked for, at most, to read them in one go. */
const SPARSE_LIMIT = 2

export class SqliteLog implements LogStore {
  // The ledger's file is held exclusively.
  readonly isShared = false
  readonly #statements
  readonly #vault: Database.Database
  readonly #ledger: Database.Database
  readonly #scrubber: Scrubber
  readonly #finder: Finder
  readonly #facets: Facets
  readonly #site: string

  constructor(ledger: Database.Database, vault: Database.Database, scrubber: Scrubber, site: string) {
    this.#ledger = ledger
    this.#vault = vault
    this.#scrubber = scrubber
    this.#finder = new Finder(vault, site)
    this.#facets = new Facets(vault, site)
    this.#site = site
    this.#statements = {
      head: ledger.prepare<[string], HeadRow>('SELECT size, root, checkpoint, recorded_at FROM logs WHERE site_id = ?'),
      setHead: ledger.prepare('UPDATE logs SET size = ?, root = ?, checkpoint = ?, recorded_at = ? WHERE site_id = ?'),
      addEntry: ledger.prepare('INSERT INTO entries (site_id, idx, entry, sealed_a, sealed_b) VALUES (?, ?, ?, ?, ?)'),
      entries: ledger.prepare<[string, number, number], EntryColumns>(
        'SELECT entry, sealed_a, sealed_b FROM entries WHERE site_id = ? AND idx >= ? AND idx < ? ORDER BY idx',
      ),
      setTile: ledger.prepare(
        'INSERT INTO tiles (site_id, level, n, hashes) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET hashes = excluded.hashes',
      ),
      tile: ledger.prepare<[string, number, number], { hashes: Buffer }>(
        'SELECT hashes FROM tiles WHERE site_id = ? AND level = ? AND n = ?',
      ),
      edge: ledger.prepare<[string], { level: number; n: number; hashes: Buffer }>(
        'SELECT level, max(n) AS n, hashes FROM tiles WHERE site_id = ? GROUP BY level',
      ),
      addDocument: ledger.prepare(
        'INSERT INTO documents (site_id, idx, kind, hash, version, language, body, recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ),
      documents: ledger.prepare<[string], Omit<DocumentRow, 'index'> & { idx: number }>(
        'SELECT idx, kind, hash, version, language, body, recorded_at AS recordedAt FROM documents WHERE site_id = ? ORDER BY idx',
      ),
      addHead: ledger.prepare('INSERT INTO heads (site_id, size, root) VALUES (?, ?, ?)'),
      rootAt: ledger.prepare<[string, number], Buffer>('SELECT root FROM heads WHERE site_id = ? AND size = ?').pluck(),
      vaultSize: vault
        .prepare<[string], number>('SELECT coalesce(max(idx) + 1, 0) FROM vault WHERE site_id = ?')
        .pluck(),
      forget: vault.prepare(
        `UPDATE vault SET secrets = ?, erased = ?, subject = NULL, account = NULL, fingerprint = zeroblob(32),
                facet = CASE ? WHEN 'erase' THEN NULL ELSE facet END
          WHERE site_id = ? AND idx = ? AND erased IS NOT 'erase'`,
      ),
      facetAt: vault
        .prepare<[string, number], number | null>('SELECT facet FROM vault WHERE site_id = ? AND idx = ?')
        .pluck(),
      secrets: vault.prepare<[string, number, number], { idx: number; secrets: Buffer }>(
        'SELECT idx, secrets FROM vault WHERE site_id = ? AND idx >= ? AND idx < ?',
      ),
      secretsAt: vault
        .prepare<[string, number], Buffer>('SELECT secrets FROM vault WHERE site_id = ? AND idx = ?')
        .pluck(),
      setSecrets: vault.prepare('UPDATE vault SET secrets = ? WHERE site_id = ? AND idx = ?'),
      dropOrphans: vault.prepare<
        [string, number],
        Findable & { idx: number; facet: number | null; recorded_at: number | null }
      >('DELETE FROM vault WHERE site_id = ? AND idx >= ? RETURNING idx, key, subject, account, facet, recorded_at'),
      addVault: vault.prepare(
        `INSERT INTO vault (site_id, idx, key, fingerprint, subject, account, secrets, erased, facet, recorded_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ),
      vaultRow: vault.prepare<[string, number], VaultRow>(
        'SELECT key, fingerprint, subject, account, secrets, erased FROM vault WHERE site_id = ? AND idx = ?',
      ),
      recent: vault
        .prepare<[string, number, number], number>(
          'SELECT idx FROM vault WHERE site_id = ? AND idx < ? AND subject IS NOT NULL ORDER BY idx DESC LIMIT ?',
        )
        .pluck(),
      keepActive: vault.prepare(
        `INSERT INTO active (site_id, subject, day) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET day = excluded.day WHERE excluded.day > day`,
      ),
      idle: vault.prepare<[string, number, number], ActiveDay>(
        'SELECT subject, day FROM active WHERE site_id = ? AND day <= ? ORDER BY day LIMIT ?',
      ),
      dropActive: vault.prepare('DELETE FROM active WHERE site_id = ? AND subject = ? AND day <= ?'),
      keepServed: vault.prepare('INSERT INTO served (site_id, day) VALUES (?, ?) ON CONFLICT DO NOTHING'),
      dropServed: vault.prepare('DELETE FROM served WHERE site_id = ? AND day > ?'),
      served: vault.prepare<[string], number>('SELECT day FROM served WHERE site_id = ? ORDER BY day').pluck(),
    }
  }

  #head(): Head {
    const row = this.#statements.head.get(this.#site)
    if (!row) throw new Error(`the log of ${this.#site} has no head`)
    return { size: row.size, root: row.root, checkpoint: row.checkpoint, recordedAt: row.recorded_at }
  }

  async head(): Promise<Head> {
    return this.#head()
  }

  async append(keys: readonly Uint8Array[], assumedSize: number, build: (standing: Standing) => Batch | null) {
    const batch = build(this.standing(keys, assumedSize))
    if (batch) this.commit(batch)
    return batch
  }

  /** The first half of an append. Nobody else writes to the file, so nothing changes until the second. */
  standing(keys: readonly Uint8Array[], assumedSize: number): Standing {
    const head = this.#head()
    const known = new Map<string, Known>()
    this.#reading(() => {
      for (const key of keys) {
        const found = this.#findKey(key, head.size)
        if (found) known.set(hex(key), found)
      }
    })
    const edge = head.size === assumedSize ? null : this.#statements.edge.all(this.#site)
    const assumedRoot = this.#statements.rootAt.get(this.#site, assumedSize) ?? null
    const hasNewest = head.size === 0 || this.#statements.vaultRow.get(this.#site, head.size - 1) !== undefined
    return { head, known, edge, assumedRoot, hasNewest }
  }

  /** The second half. Throws, nothing being appended, if it can't be written. */
  commit(batch: Batch): void {
    const from = batch.head.size - batch.entries.length
    if (from !== this.#head().size) throw new Error(`a batch from ${from} does not extend the log of ${this.#site}`)
    // If the second fails, vault rows without their entries are past the head: unseen, and gone at the next append.
    this.#inVault(() => this.#commitVault(() => this.#writeVault(from, batch.vault)))
    writing(() => this.#ledger.transaction(() => this.#writeLedger(from, batch)).immediate())
  }

  /** For each row of a batch that was committed, its subject's entries; none where it is about nobody. */
  besides({ head, vault }: Batch): number[][] {
    return this.#reading(() => vault.map(({ subject }) => (subject ? this.#finder.subject(subject, head.size) : [])))
  }

  /** Reads much of the vault in one transaction: each by itself would lock and unlock the file, which others may write to. */
  #reading<T>(read: () => T): T {
    return this.#vault.transaction(read).deferred()
  }

  async rootAt(size: number) {
    return this.#statements.rootAt.get(this.#site, size) ?? null
  }

  async reconcile() {
    this.#inVault(() => this.#commitVault(() => this.#dropOrphans(this.#head().size)))
  }

  /** Does what is one transaction of the vault, and of what finds its rows. */
  #inVault(transact: () => void): void {
    try {
      transact()
    } catch (error) {
      this.#finder.rollBack()
      this.#facets.rollBack()
      throw error
    }
  }

  #commitVault(write: () => void): void {
    writing(() => this.#vault.transaction(write).immediate())
  }

  #dropOrphans(from: number): void {
    for (const row of this.#statements.dropOrphans.all(this.#site, from)) {
      this.#finder.remove(row.idx, row)
      this.#facets.remove(row)
    }
  }

  async vaultSize() {
    return this.#statements.vaultSize.get(this.#site) ?? 0
  }

  async forget(changes: readonly Forgetting[]) {
    const { forget, vaultRow, facetAt, dropActive } = this.#statements
    const write = () => {
      for (const { index, grade, secrets } of changes) {
        const row = vaultRow.get(this.#site, index)
        if (row) this.#finder.unlink(index, row)
        const facet = facetAt.get(this.#site, index) ?? null
        forget.run(secrets, grade, grade, this.#site, index)
        if (grade === 'erase') this.#facets.forget(index, facet)
        if (row?.subject && !this.#has(row.subject)) dropActive.run(this.#site, row.subject, Number.MAX_SAFE_INTEGER)
      }
    }
    if (changes.length > 0) this.#inVault(() => this.#scrubber.overwrite(write))
    // Also for nothing: asked for again, it makes up for a scrub that failed.
    await this.#scrubber.scrub()
  }

  async rewrap(start: number, end: number, convert: (index: number, secrets: Uint8Array) => Uint8Array | null) {
    const converted = this.secrets(start, end).map(({ index, secrets }) => ({
      index,
      secrets: convert(index, secrets),
    }))
    this.replaceSecrets(converted.filter((row): row is SecretsRow => row.secrets !== null))
  }

  /** Wrapped secrets of `[start, end)`. */
  secrets(start: number, end: number): SecretsRow[] {
    return this.#statements.secrets.all(this.#site, start, end).map(({ idx, secrets }) => ({ index: idx, secrets }))
  }

  /** One step of many: what it leaves behind is scrubbed after the last, with `replaceVaultValues`, or at the next start. */
  replaceSecrets(rows: readonly SecretsRow[]): void {
    if (rows.length === 0) return
    const { setSecrets } = this.#statements
    this.#scrubber.overwrite(() => {
      for (const { index, secrets } of rows) setSecrets.run(secrets, this.#site, index)
    })
  }

  #writeVault(from: number, rows: readonly NewVaultRow[]) {
    const { addVault } = this.#statements
    // Left by an append whose second commit failed, a full disk for instance.
    this.#dropOrphans(from)
    this.#finder.add(from, rows)
    const facets = this.#facets.add(from, rows)
    rows.forEach(({ key, fingerprint, subject, account, secrets, erased, recordedAt }, i) => {
      const facet = facets[i]
      addVault.run(this.#site, from + i, key, fingerprint, subject, account, secrets, erased, facet, recordedAt)
    })
  }

  #writeLedger(from: number, { entries, tiles, documents, head }: Batch) {
    const { addEntry, setTile, addDocument, addHead, setHead } = this.#statements
    entries.forEach(({ entry, sealed }, i) => {
      addEntry.run(this.#site, from + i, entry, sealed[0] ?? null, sealed[1] ?? null)
    })
    for (const tile of tiles) setTile.run(this.#site, tile.level, tile.n, tile.hashes)
    for (const d of documents)
      addDocument.run(this.#site, d.index, d.kind, d.hash, d.version, d.language, d.body, d.recordedAt)
    addHead.run(this.#site, head.size, head.root)
    setHead.run(head.size, head.root, head.checkpoint, head.recordedAt, this.#site)
  }

  #findKey(key: Uint8Array, below: number): Known | null {
    const index = this.#finder.key(key, below)
    const row = index === null ? undefined : this.#statements.vaultRow.get(this.#site, index)
    return row ? { index: index!, fingerprint: row.fingerprint, erased: row.erased } : null
  }

  async entries(start: number, end: number): Promise<EntryRow[]> {
    return this.#statements.entries.all(this.#site, start, end).map(toEntry)
  }

  async rows(indexes: readonly number[]): Promise<StoredRow[]> {
    const { entries, secrets, secretsAt } = this.#statements
    const { size } = this.#head()
    if (indexes.length === 0) return []
    const [from, end] = [Math.min(...indexes), Math.min(Math.max(...indexes) + 1, size)]
    // Where nearly all of a span are asked for, one question for each table takes half the time of one for each row.
    if (end - from <= indexes.length * SPARSE_LIMIT) {
      const found = entries.all(this.#site, from, end)
      const kept = new Map(secrets.all(this.#site, from, end).map(({ idx, secrets }) => [idx, secrets]))
      return indexes.flatMap((index) => {
        const entry = index < end ? found[index - from] : undefined
        return entry ? [{ index, row: toEntry(entry), secrets: kept.get(index) ?? null }] : []
      })
    }
    return indexes.flatMap((index) => {
      const found = index < size ? entries.get(this.#site, index, index + 1) : undefined
      return found ? [{ index, row: toEntry(found), secrets: secretsAt.get(this.#site, index) ?? null }] : []
    })
  }

  async tile(level: number, n: number) {
    return this.#statements.tile.get(this.#site, level, n)?.hashes ?? null
  }

  async documents(): Promise<DocumentRow[]> {
    return this.#statements.documents.all(this.#site).map(({ idx, ...row }) => ({ index: idx, ...row }))
  }

  async vaultRow(index: number): Promise<VaultRow | null> {
    if (index >= this.#head().size) return null
    return this.#statements.vaultRow.get(this.#site, index) ?? null
  }

  async findKey(key: Uint8Array) {
    return this.#findKey(key, this.#head().size)
  }

  async findSubject(subject: Uint8Array) {
    return this.#finder.subject(subject, this.#head().size)
  }

  async findAccount(account: Uint8Array) {
    return this.#finder.account(account, this.#head().size)
  }

  async recent(before: number, limit: number) {
    return this.#statements.recent.all(this.#site, Math.min(before, this.#head().size), limit)
  }

  async facets() {
    return this.#facets.list()
  }

  async findFacets(query: FacetQuery) {
    return this.#facets.find({ ...query, below: Math.min(query.below, this.#head().size) })
  }

  async firstAt(recordedAt: number) {
    return this.#facets.firstAt(recordedAt, this.#head().size)
  }

  async countErased(from: number, below: number) {
    return this.#facets.countErased(from, Math.min(below, this.#head().size))
  }

  async counts(from: number, below: number): Promise<Count[]> {
    return this.#facets.counts(from, below, this.#head().size)
  }

  async undated() {
    return this.#facets.undated(this.#head().size)
  }

  async date(rows: readonly Dated[]) {
    this.#inVault(() => this.#commitVault(() => this.#facets.date(rows)))
  }

  /** Whether any row is about this subject, past the head or not. */
  #has(subject: Uint8Array): boolean {
    return this.#finder.subject(subject, Number.MAX_SAFE_INTEGER).length > 0
  }

  async keepActive(days: readonly ActiveDay[]) {
    this.#commitVault(() => {
      for (const { subject, day } of days)
        if (this.#has(subject)) this.#statements.keepActive.run(this.#site, subject, day)
    })
  }

  async idle(until: number, limit: number) {
    return this.#statements.idle.all(this.#site, until, limit)
  }

  async dropActive(days: readonly ActiveDay[]) {
    this.#commitVault(() => {
      for (const { subject, day } of days) this.#statements.dropActive.run(this.#site, subject, day)
    })
  }

  async keepServed(day: number) {
    this.#commitVault(() => {
      this.#statements.dropServed.run(this.#site, day)
      this.#statements.keepServed.run(this.#site, day)
    })
  }

  async forgetServed() {
    this.#commitVault(() => this.#statements.dropServed.run(this.#site, -1))
  }

  async served() {
    return this.#statements.served.all(this.#site)
  }
}

function keyStore(vault: Database.Database): KeyStore {
  const add = vault.prepare('INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const find = vault.prepare<[Uint8Array, Uint8Array], KeyColumns>(
    'SELECT * FROM api_keys WHERE hash = ? UNION ALL SELECT * FROM api_keys WHERE old_hash = ?',
  )
  const get = vault.prepare<[string], KeyColumns>('SELECT * FROM api_keys WHERE id = ?')
  const list = vault.prepare<[], KeyColumns>('SELECT * FROM api_keys ORDER BY created_at, id')
  const rotate = vault.prepare(
    'UPDATE api_keys SET old_hash = hash, old_until = ?, hash = ?, expires_at = ? WHERE id = ? AND revoked_at IS NULL',
  )
  const revoke = vault.prepare('UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?')
  const used = vault.prepare('UPDATE api_keys SET used_on = ? WHERE id = ? AND (used_on IS NULL OR used_on < ?)')
  const found = (row: KeyColumns | undefined) => (row ? toKey(row) : null)
  return {
    add: async (row) => void writing(() => add.run(...fromKey(row))),
    find: async (hash) => found(find.get(hash, hash)),
    get: async (id) => found(get.get(id)),
    list: async () => list.all().map(toKey),
    rotate: async (id, { hash, expiresAt, oldUntil }) =>
      writing(() => rotate.run(oldUntil, hash, expiresAt, id)).changes > 0,
    revoke: async (id, at) => writing(() => revoke.run(at, id)).changes > 0,
    used: async (id, day) => void writing(() => used.run(day, id, day)),
  }
}

const isThere = (file: string) => existsSync(file) && statSync(file).size > 0

/**
 * Opens `ledger.db` and `vault.db` in `folder`, creating what is missing unless it `mustExist`. Rejects with `LockedError` if
 * another process serves from it, and with `LostVaultError`, nothing being written, if the ledger has entries and the vault
 * is missing.
 */
export async function openSqliteStorage(folder: string, { mustExist, lost }: OpenOptions = {}): Promise<Storage> {
  const names = { ledger: path.join(folder, 'ledger.db'), vault: path.join(folder, 'vault.db') }
  const hasVault = isThere(names.vault)
  if (mustExist && !isThere(names.ledger) && !(lost === 'ledger' && hasVault)) throw missingStore(names.ledger)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const ledger = openFile(names.ledger, true, LEDGER_MIGRATIONS)
  let vault: Database.Database
  try {
    const hasEntries = ledger.prepare('SELECT 1 FROM logs WHERE size > 0').get() !== undefined
    // A new vault would have another key for its blind indexes: nothing that was recorded could be found again.
    if (hasEntries && !hasVault && lost !== 'vault') throw new LostVaultError(names)
    if (mustExist && !hasVault && lost !== 'vault') throw missingStore(names.vault)
    vault = openFile(names.vault, false, VAULT_MIGRATIONS)
  } catch (error) {
    ledger.close()
    throw error
  }
  const scrubber = new Scrubber(vault)
  try {
    // Left by a crash between an erasure's commit and its scrub, or by a scrub that failed.
    scrubber.scrubNow()
  } catch (error) {
    vault.close()
    ledger.close()
    throw error
  }
  const findLog = ledger.prepare<[string], { origin: string }>('SELECT origin FROM logs WHERE site_id = ?')
  const listLogs = ledger.prepare<[], string>('SELECT site_id FROM logs').pluck()
  const addLog = ledger.prepare('INSERT INTO logs VALUES (?, ?, 0, ?, ?, 0)')
  const findValue = vault.prepare<[string], Buffer>('SELECT value FROM vault_values WHERE name = ?').pluck()
  const setValue = vault.prepare('UPDATE vault_values SET value = ? WHERE name = ?')
  const addValue = vault.prepare('INSERT INTO vault_values VALUES (?, ?)')
  // Nobody else writes to these files: nothing is under way with another key.
  const currentKey = () => findValue.get(CURRENT_KEY)?.toString() ?? null
  return {
    names,
    keys: keyStore(vault),
    logs: async () => listLogs.all(),
    async openLog(site, origin) {
      const stored = findLog.get(site)?.origin ?? null
      const name = stored ?? origin
      if (name === null || (origin !== null && origin !== name)) throw new OriginError(site, stored, origin)
      if (stored === null) writing(() => addLog.run(site, name, Buffer.alloc(32), ''))
      return { origin: name, log: new SqliteLog(ledger, vault, scrubber, site) }
    },
    async vaultValue(name, create) {
      const stored = findValue.get(name)
      if (stored) return stored
      const value = create()
      writing(() => addValue.run(name, value))
      return value
    },
    async replaceVaultValues(values) {
      scrubber.overwrite(() => {
        for (const [name, value] of values) setValue.run(value, name)
      })
      await scrubber.scrub()
    },
    vaultValues: async () => valuesOf(vault),
    currentKey: async () => currentKey(),
    async useKey(id, before) {
      const current = currentKey()
      if (current !== before && current !== id) throw otherKey(current, id)
      if (current === id) return
      const value = Buffer.from(id)
      writing(() => (current === null ? addValue.run(CURRENT_KEY, value) : setValue.run(value, CURRENT_KEY)))
    },
    async close() {
      await scrubber.settled()
      // The reverse of opening; closing checkpoints the WAL, so that a copied file is whole.
      vault.close()
      ledger.close()
    },
  }
}

/**
 * Opens only `vault.db` of `folder`, for making keys while a server runs beside. Rejects if it isn't there: a key in a
 * vault that nobody serves from would open nothing.
 */
export async function openSqliteKeys(folder: string): Promise<OpenedKeys> {
  const file = path.join(folder, 'vault.db')
  if (!existsSync(file))
    throw new Error(`${file} is not there: start the server on this folder first, or name another with AVOW_DATA`)
  const vault = openFile(file, false, VAULT_MIGRATIONS)
  return { keys: keyStore(vault), vaultValues: async () => valuesOf(vault), close: async () => void vault.close() }
}

function valuesOf(vault: Database.Database): ReadonlyMap<string, Uint8Array> {
  const rows = vault.prepare<[], { name: string; value: Buffer }>('SELECT name, value FROM vault_values').all()
  return new Map(rows.map(({ name, value }) => [name, value]))
}
