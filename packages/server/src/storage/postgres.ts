/**
 * The stores on PostgreSQL, where any number of nodes append to one log. A node appends under a lock on the log's head row
 * in the ledger and then on the log's row in the vault: no advisory locks, LISTEN, LOCK TABLE, PL/pgSQL or sequences, and
 * `site_id` first in every table of a log, so that Citus, YugabyteDB and CockroachDB stay possible.
 *
 * Why two locks. A node that freezes while it holds the head loses that lock to `idle_in_transaction_session_timeout`;
 * another goes on, and when the first wakes up it must not touch the vault rows that the other wrote. So a node writes the
 * vault only under the vault's own lock, and only if its lock on the head was still there after the vault's was taken:
 * whoever takes the head from it then waits for the vault.
 */
import type pg from 'pg'
import { fromKey, type KeyColumns, toKey } from './api-key-row.js'
import { type EntryColumns, toEntry } from './entry-row.js'
import { type Database, openDatabase, RETRYABLE, retrying, type Session } from './postgres-database.js'
import {
  type ActiveDay,
  type Batch,
  type Count,
  CURRENT_KEY,
  DAY_MS,
  type Dated,
  type DocumentRow,
  type EntryRow,
  type FacetQuery,
  type Forgetting,
  type Grade,
  type Head,
  type KeyStore,
  type Known,
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
  type TileRow,
  type VaultRow,
} from './storage.js'

/** Numbered by place, forward only: a released line is never edited, a change is a new line. */
const LEDGER_MIGRATIONS = [
  // Taking the rights from the owner itself refuses UPDATE, DELETE and TRUNCATE alike, without a trigger function. The
  // owner can grant them back, as it could drop a trigger; a superuser is never refused, which `warn` is told.
  `CREATE TABLE avow_logs (
     site_id TEXT PRIMARY KEY, origin TEXT NOT NULL,
     size BIGINT NOT NULL, root BYTEA NOT NULL, checkpoint TEXT NOT NULL, recorded_at BIGINT NOT NULL
   );
   CREATE TABLE avow_entries (
     site_id TEXT NOT NULL, idx BIGINT NOT NULL, entry BYTEA NOT NULL, sealed_a BYTEA, sealed_b BYTEA,
     PRIMARY KEY (site_id, idx)
   );
   CREATE TABLE avow_heads (
     site_id TEXT NOT NULL, size BIGINT NOT NULL, root BYTEA NOT NULL,
     PRIMARY KEY (site_id, size)
   );
   CREATE TABLE avow_tiles (
     site_id TEXT NOT NULL, level INTEGER NOT NULL, n BIGINT NOT NULL, hashes BYTEA NOT NULL,
     PRIMARY KEY (site_id, level, n)
   );
   CREATE TABLE avow_documents (
     site_id TEXT NOT NULL, idx BIGINT NOT NULL, kind TEXT NOT NULL, hash TEXT NOT NULL, version TEXT NOT NULL,
     language TEXT, body TEXT NOT NULL,
     PRIMARY KEY (site_id, idx)
   );
   REVOKE UPDATE, DELETE, TRUNCATE ON avow_entries, avow_heads FROM PUBLIC, CURRENT_USER;`,
  'ALTER TABLE avow_documents ADD COLUMN recorded_at BIGINT',
]

const VAULT_MIGRATIONS = [
  `CREATE TABLE avow_vault_logs (site_id TEXT PRIMARY KEY);
   CREATE TABLE avow_vault (
     site_id TEXT NOT NULL, idx BIGINT NOT NULL,
     key BYTEA NOT NULL, fingerprint BYTEA NOT NULL, subject BYTEA, secrets BYTEA NOT NULL, erased TEXT,
     PRIMARY KEY (site_id, idx)
   );
   CREATE UNIQUE INDEX avow_vault_key ON avow_vault (site_id, key);
   CREATE INDEX avow_vault_subject ON avow_vault (site_id, subject, idx) WHERE subject IS NOT NULL;
   CREATE TABLE avow_api_keys (
     id TEXT PRIMARY KEY, hash BYTEA NOT NULL UNIQUE, name TEXT NOT NULL, site TEXT NOT NULL, scopes TEXT NOT NULL,
     created_at BIGINT NOT NULL, expires_at BIGINT, revoked_at BIGINT
   );
   CREATE TABLE avow_vault_values (name TEXT PRIMARY KEY, value BYTEA NOT NULL);`,
  // In the row that an append locks anyway, so that asking under the lock costs nothing.
  'ALTER TABLE avow_vault_logs ADD COLUMN key_id TEXT',
  // A node of an earlier release would forget whom a row is about and leave whose account it is: there its erasure fails,
  // and is carried out at the next start, by one that knows better.
  `ALTER TABLE avow_vault ADD COLUMN account BYTEA, ADD CHECK (account IS NULL OR erased IS NULL);
   CREATE INDEX avow_vault_account ON avow_vault (site_id, account, idx) WHERE account IS NOT NULL;`,
  // Keys of several sites need nothing new: their names stand in `site`, parted by spaces.
  `ALTER TABLE avow_api_keys ADD COLUMN old_hash BYTEA, ADD COLUMN old_until BIGINT, ADD COLUMN reason TEXT, ADD COLUMN used_on TEXT`,
  // Rows that stand already have neither facet nor time until the first start has dated them. Facets are numbered under the
  // lock of an append.
  `ALTER TABLE avow_vault ADD COLUMN facet INTEGER, ADD COLUMN recorded_at BIGINT;
   CREATE INDEX avow_vault_facet ON avow_vault (site_id, facet, idx) WHERE facet IS NOT NULL;
   CREATE INDEX avow_vault_recorded ON avow_vault (site_id, recorded_at, idx);
   CREATE INDEX avow_vault_erased ON avow_vault (site_id, idx) WHERE erased = 'erase';
   CREATE TABLE avow_facets (site_id TEXT NOT NULL, facet TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (site_id, facet));
   CREATE TABLE avow_counts (
     site_id TEXT NOT NULL, day INTEGER NOT NULL, facet INTEGER NOT NULL, count BIGINT NOT NULL,
     PRIMARY KEY (site_id, day, facet)
   );`,
  `CREATE TABLE avow_active (
     site_id TEXT NOT NULL, subject BYTEA NOT NULL, day INTEGER NOT NULL,
     PRIMARY KEY (site_id, subject)
   );
   CREATE INDEX avow_active_day ON avow_active (site_id, day);`,
  'CREATE TABLE avow_served (site_id TEXT NOT NULL, day INTEGER NOT NULL, PRIMARY KEY (site_id, day))',
]

/** Entries nearest to where a page begins, in which most of what is asked for fills it. */
const NEAR = 2048

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

interface HeadColumns {
  size: number
  root: Buffer
  checkpoint: string
  recorded_at: number
}

/** Counts the rows that a statement returns with their facet and time; $1 is the site. */
const counting = (rows: string) =>
  `INSERT INTO avow_counts AS counted (site_id, day, facet, count)
   SELECT $1, recorded_at / ${DAY_MS}, facet, count(*) FROM ${rows} WHERE facet IS NOT NULL GROUP BY 2, 3
   ON CONFLICT (site_id, day, facet) DO UPDATE SET count = counted.count + excluded.count`

interface VaultColumns {
  idx: number
  key: Buffer
  fingerprint: Buffer
  subject: Buffer | null
  account: Buffer | null
  secrets: Buffer
  erased: Grade | null
}

/** Which key-encryption key this node wraps with; what it wraps is written only while that is the vault's, too. */
class NodeKey {
  #id: string | null = null

  get id(): string | null {
    return this.#id
  }

  /** Throws, so that nothing is written, unless the vault's is this one. */
  require(current: string | null): void {
    if (current !== this.#id) throw otherKey(current, this.#id)
  }

  /** For what belongs to no log: the vault's key stays what it is until the transaction ends. */
  async hold(vault: Session): Promise<void> {
    this.require(await currentKey(vault, 'FOR SHARE'))
  }

  async use(vault: Database, id: string, before: string | null): Promise<void> {
    await vault.transaction(async (session) => {
      const value = Buffer.from(id)
      if (before === null)
        await session.run('INSERT INTO avow_vault_values VALUES ($1, $2) ON CONFLICT DO NOTHING', [CURRENT_KEY, value])
      const current = await currentKey(session, 'FOR UPDATE')
      if (current !== before && current !== id) throw otherKey(current, id)
      if (current !== id)
        await session.run('UPDATE avow_vault_values SET value = $2 WHERE name = $1', [CURRENT_KEY, value])
      // In this order: who makes a log's row holds the value, so that by now its row is there to be seen. Each waits for
      // what is being written under the key before.
      await session.run('UPDATE avow_vault_logs SET key_id = $1 WHERE key_id IS DISTINCT FROM $1', [id])
    })
    this.#id = id
  }
}

async function currentKey(vault: Session, lock = ''): Promise<string | null> {
  const [row] = await vault.rows<{ value: Buffer }>(`SELECT value FROM avow_vault_values WHERE name = $1 ${lock}`, [
    CURRENT_KEY,
  ])
  return row ? row.value.toString() : null
}

class PostgresLog implements LogStore {
  readonly isShared = true
  readonly #ledger: Database
  readonly #vault: Database
  readonly #site: string
  readonly #key: NodeKey
  /** Numbers of facets that were committed; none is ever given twice. */
  readonly #facets = new Map<string, number>()

  constructor(ledger: Database, vault: Database, site: string, key: NodeKey) {
    this.#ledger = ledger
    this.#vault = vault
    this.#site = site
    this.#key = key
  }

  async #head(session: Session, lock = ''): Promise<Head> {
    const [row] = await session.rows<HeadColumns>(
      `SELECT size, root, checkpoint, recorded_at FROM avow_logs WHERE site_id = $1 ${lock}`,
      [this.#site],
    )
    if (!row) throw new Error(`the log of ${this.#site} has no head`)
    return { size: row.size, root: row.root, checkpoint: row.checkpoint, recordedAt: row.recorded_at }
  }

  async head(): Promise<Head> {
    return this.#head(this.#ledger)
  }

  /** Runs `work` as the only one who appends; what it wrote to the vault is committed before what it returns is. */
  #locked<T>(
    work: (head: Head, ledger: Session, vault: Session) => Promise<T>,
    finish: (result: T, head: Head, ledger: Session) => Promise<void>,
  ): Promise<T> {
    return retrying(RETRYABLE, () =>
      this.#ledger.transaction(async (ledger) => {
        const head = await this.#head(ledger, 'FOR UPDATE')
        const result = await this.#vault.transaction(async (vault) => {
          await this.#lockVault(vault)
          return work(head, ledger, vault)
        })
        await finish(result, head, ledger)
        return result
      }),
    )
  }

  /** The vault's own lock on the log. Throws if what this node wraps may not be written any more. */
  async #lockVault(vault: Session): Promise<void> {
    const lock = () =>
      vault.rows<{ key_id: string | null }>('SELECT key_id FROM avow_vault_logs WHERE site_id = $1 FOR UPDATE', [
        this.#site,
      ])
    let [row] = await lock()
    if (!row) {
      // A log that is new to this vault.
      await this.#key.hold(vault)
      await vault.run('INSERT INTO avow_vault_logs VALUES ($1, $2) ON CONFLICT DO NOTHING', [this.#site, this.#key.id])
      ;[row] = await lock()
    }
    this.#key.require(row?.key_id ?? null)
  }

  append(keys: readonly Uint8Array[], assumedSize: number, build: (standing: Standing) => Batch | null) {
    return this.#locked<Batch | null>(
      async (head, ledger, vault) => {
        const [{ known, hasNewest }, { edge, assumedRoot }] = await Promise.all([
          this.#inVault(vault, keys, head.size),
          this.#assumed(ledger, assumedSize, head.size),
        ])
        const batch = build({ head, known, edge, assumedRoot, hasNewest })
        if (batch) await this.#writeVault(vault, head.size, batch.vault)
        return batch
      },
      async (batch, head, ledger) => {
        if (batch) await this.#writeLedger(ledger, head.size, batch)
      },
    )
  }

  /** What a vault whose ledger has `size` entries knows of the keys, and whether it knows the newest entry. */
  async #inVault(vault: Session, keys: readonly Uint8Array[], size: number) {
    const rows = await vault.rows<VaultColumns>(
      `SELECT key, idx, fingerprint, erased FROM avow_vault WHERE site_id = $1 AND key = ANY($2::bytea[]) AND idx < $3
       UNION ALL
       SELECT key, idx, fingerprint, erased FROM avow_vault WHERE site_id = $1 AND idx = $3 - 1`,
      [this.#site, keys, size],
    )
    const known = new Map<string, Known>()
    for (const { key, idx, fingerprint, erased } of rows) known.set(hex(key), { index: idx, fingerprint, erased })
    return { known, hasNewest: size === 0 || rows.some(({ idx }) => idx === size - 1) }
  }

  /** Also what shows, asked after the vault was locked, that the lock on the head is still held. Always asks. */
  async #assumed(ledger: Session, assumedSize: number, size: number) {
    const assumedRoot = await this.#rootAt(ledger, assumedSize)
    if (assumedSize === size) return { assumedRoot, edge: null }
    // The newest tile of each level by its key, not by reading them all: where several nodes append this is the rule.
    const edge = await ledger.rows<TileRow & pg.QueryResultRow>(
      `SELECT newest.level, newest.n, newest.hashes
         FROM unnest(ARRAY[0, 1, 2, 3, 4, 5, 6, 7]) AS levels (level)
         CROSS JOIN LATERAL (
           SELECT level, n, hashes FROM avow_tiles
            WHERE site_id = $1 AND avow_tiles.level = levels.level ORDER BY n DESC LIMIT 1
         ) AS newest`,
      [this.#site],
    )
    return { assumedRoot, edge }
  }

  async #writeVault(vault: Session, from: number, rows: readonly NewVaultRow[]) {
    await this.#dropOrphans(vault, from)
    const numbers = await this.#number(vault, rows)
    await vault.run(
      `WITH added AS (
         INSERT INTO avow_vault (site_id, idx, key, fingerprint, subject, secrets, erased, account, facet, recorded_at)
         SELECT $1, * FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[], $7::text[], $8::bytea[],
                                  $9::integer[], $10::bigint[])
         RETURNING facet, recorded_at
       ) ${counting('added')}`,
      [
        this.#site,
        rows.map((_, i) => from + i),
        rows.map(({ key }) => key),
        rows.map(({ fingerprint }) => fingerprint),
        rows.map(({ subject }) => subject),
        rows.map(({ secrets }) => secrets),
        rows.map(({ erased }) => erased),
        rows.map(({ account }) => account),
        rows.map(({ facet }) => (facet === null ? null : numbers.get(facet))),
        rows.map(({ recordedAt }) => recordedAt),
      ],
    )
  }

  /** What an append left whose second commit never came, and that it was counted. */
  async #dropOrphans(vault: Session, from: number) {
    await vault.run(
      `WITH gone AS (DELETE FROM avow_vault WHERE site_id = $1 AND idx >= $2 RETURNING facet, recorded_at),
            less AS (SELECT recorded_at / ${DAY_MS} AS day, facet, count(*) AS count FROM gone
                      WHERE facet IS NOT NULL GROUP BY 1, 2)
       UPDATE avow_counts AS counted SET count = counted.count - less.count
         FROM less WHERE counted.site_id = $1 AND counted.day = less.day AND counted.facet = less.facet`,
      [this.#site, from],
    )
  }

  /** The numbers of these rows' facets, under the vault's lock. */
  async #number(vault: Session, rows: readonly { readonly facet: string | null }[]): Promise<Map<string, number>> {
    const texts = [...new Set(rows.map(({ facet }) => facet))].filter((facet) => facet !== null)
    const unknown = texts.filter((text) => !this.#facets.has(text))
    // Kept only once another transaction has committed them: a number that is given here may be rolled back.
    for (const { facet, id } of await this.#numbersOf(vault, unknown)) this.#facets.set(facet, id)
    const numbers = new Map(texts.flatMap((text) => (this.#facets.has(text) ? [[text, this.#facets.get(text)!]] : [])))
    const fresh = texts.filter((text) => !numbers.has(text))
    if (fresh.length === 0) return numbers
    const added = await vault.rows<{ facet: string; id: number }>(
      `INSERT INTO avow_facets (site_id, facet, id)
       SELECT $1, facet, n + (SELECT coalesce(max(id), 0) FROM avow_facets WHERE site_id = $1)
         FROM unnest($2::text[]) WITH ORDINALITY AS fresh (facet, n)
       RETURNING facet, id`,
      [this.#site, fresh],
    )
    for (const { facet, id } of added) numbers.set(facet, id)
    return numbers
  }

  async #numbersOf(vault: Session, texts: readonly string[]): Promise<{ facet: string; id: number }[]> {
    if (texts.length === 0) return []
    return vault.rows('SELECT facet, id FROM avow_facets WHERE site_id = $1 AND facet = ANY($2::text[])', [
      this.#site,
      texts,
    ])
  }

  async #writeLedger(ledger: Session, from: number, { entries, tiles, documents, head }: Batch) {
    const moved = await ledger.run(
      `WITH
         added_entries AS (
           INSERT INTO avow_entries (site_id, idx, entry, sealed_a, sealed_b)
           SELECT $1, * FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[])
         ),
         written_tiles AS (
           INSERT INTO avow_tiles (site_id, level, n, hashes)
           SELECT $1, * FROM unnest($6::integer[], $7::bigint[], $8::bytea[])
           ON CONFLICT (site_id, level, n) DO UPDATE SET hashes = excluded.hashes
         ),
         added_documents AS (
           INSERT INTO avow_documents (site_id, idx, kind, hash, version, language, body, recorded_at)
           SELECT $1, * FROM unnest($9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $20::bigint[])
         ),
         added_head AS (INSERT INTO avow_heads (site_id, size, root) VALUES ($1, $15, $16))
       UPDATE avow_logs SET size = $15, root = $16, checkpoint = $17, recorded_at = $18 WHERE site_id = $1 AND size = $19`,
      [
        this.#site,
        entries.map((_, i) => from + i),
        entries.map(({ entry }) => entry),
        entries.map(({ sealed }) => sealed[0] ?? null),
        entries.map(({ sealed }) => sealed[1] ?? null),
        tiles.map(({ level }) => level),
        tiles.map(({ n }) => n),
        tiles.map(({ hashes }) => hashes),
        documents.map(({ index }) => index),
        documents.map(({ kind }) => kind),
        documents.map(({ hash }) => hash),
        documents.map(({ version }) => version),
        documents.map(({ language }) => language),
        documents.map(({ body }) => body),
        head.size,
        head.root,
        head.checkpoint,
        head.recordedAt,
        from,
        documents.map(({ recordedAt }) => recordedAt),
      ],
    )
    if (moved !== 1) throw new Error(`the head of ${this.#site} moved while it was locked`)
  }

  async #rootAt(session: Session, size: number): Promise<Uint8Array | null> {
    const [row] = await session.rows<{ root: Buffer }>('SELECT root FROM avow_heads WHERE site_id = $1 AND size = $2', [
      this.#site,
      size,
    ])
    return row?.root ?? null
  }

  async rootAt(size: number) {
    return this.#rootAt(this.#ledger, size)
  }

  /** Under both locks: rows past the head are also what another node is about to commit. */
  async reconcile() {
    await this.#locked(
      async (head, ledger, vault) => {
        // As in an append: the lock on the head must have outlasted the wait for the vault's.
        await ledger.run('SELECT 1')
        await this.#dropOrphans(vault, head.size)
      },
      async () => {},
    )
  }

  async vaultSize() {
    const [row] = await this.#vault.rows<{ size: number }>(
      'SELECT coalesce(max(idx) + 1, 0) AS size FROM avow_vault WHERE site_id = $1',
      [this.#site],
    )
    return row?.size ?? 0
  }

  async forget(changes: readonly Forgetting[]) {
    // Nothing to make up for: what VACUUM could not clear it was warned of, and later cleaning will.
    if (changes.length === 0) return
    const dropped = await retrying(RETRYABLE, () =>
      this.#vault.transaction(async (vault) => {
        await this.#lockVault(vault)
        const days = await vault.run(
          `DELETE FROM avow_active AS active
            WHERE site_id = $1 AND subject IN (SELECT subject FROM avow_vault WHERE site_id = $1 AND idx = ANY($2::bigint[]))
              AND NOT EXISTS (
                SELECT 1 FROM avow_vault AS other
                 WHERE other.site_id = $1 AND other.subject = active.subject AND other.idx <> ALL($2::bigint[])
              )`,
          [this.#site, changes.map(({ index }) => index)],
        )
        await vault.run(
          // Another node may have erased more since these were composed: nothing comes back.
          `UPDATE avow_vault AS kept
              SET secrets = less.secrets, erased = less.grade, subject = NULL, account = NULL,
                  facet = CASE less.grade WHEN 'erase' THEN NULL ELSE kept.facet END,
                  fingerprint = decode(repeat('00', 32), 'hex')
             FROM unnest($2::bigint[], $3::bytea[], $4::text[]) AS less (idx, secrets, grade)
            WHERE kept.site_id = $1 AND kept.idx = less.idx AND kept.erased IS DISTINCT FROM 'erase'`,
          [
            this.#site,
            changes.map(({ index }) => index),
            changes.map(({ secrets }) => secrets),
            changes.map(({ grade }) => grade),
          ],
        )
        return days
      }),
    )
    await this.#vault.vacuum('INDEX_CLEANUP ON', 'avow_vault')
    if (dropped > 0) await this.#vault.vacuum('INDEX_CLEANUP ON', 'avow_active')
  }

  async rewrap(start: number, end: number, convert: (index: number, secrets: Uint8Array) => Uint8Array | null) {
    await retrying(RETRYABLE, () =>
      this.#vault.transaction(async (vault) => {
        await this.#lockVault(vault)
        // Locked, so that an erasure by another node is not undone by writing back what was read before it.
        const rows = await vault.rows<VaultColumns>(
          'SELECT idx, secrets FROM avow_vault WHERE site_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx FOR UPDATE',
          [this.#site, start, end],
        )
        const converted = rows.flatMap(({ idx, secrets }) => {
          const fresh = convert(idx, secrets)
          return fresh ? [{ idx, fresh }] : []
        })
        await vault.run(
          `UPDATE avow_vault AS kept SET secrets = fresh.secrets
             FROM unnest($2::bigint[], $3::bytea[]) AS fresh (idx, secrets)
            WHERE kept.site_id = $1 AND kept.idx = fresh.idx`,
          [this.#site, converted.map(({ idx }) => idx), converted.map(({ fresh }) => fresh)],
        )
      }),
    )
  }

  async entries(start: number, end: number): Promise<EntryRow[]> {
    const rows = await this.#ledger.rows<EntryColumns>(
      'SELECT entry, sealed_a, sealed_b FROM avow_entries WHERE site_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx',
      [this.#site, start, end],
    )
    return rows.map(toEntry)
  }

  async rows(indexes: readonly number[]): Promise<StoredRow[]> {
    const { size } = await this.head()
    const wanted = indexes.filter((index) => index < size)
    const [entries, vault] = await Promise.all([
      this.#ledger.rows<EntryColumns & { idx: number }>(
        'SELECT idx, entry, sealed_a, sealed_b FROM avow_entries WHERE site_id = $1 AND idx = ANY($2::bigint[])',
        [this.#site, wanted],
      ),
      this.#vault.rows<VaultColumns>(
        'SELECT idx, secrets FROM avow_vault WHERE site_id = $1 AND idx = ANY($2::bigint[])',
        [this.#site, wanted],
      ),
    ])
    const entryAt = new Map(entries.map((row) => [row.idx, toEntry(row)]))
    const secretsAt = new Map(vault.map(({ idx, secrets }) => [idx, secrets]))
    return wanted.flatMap((index) => {
      const row = entryAt.get(index)
      return row ? [{ index, row, secrets: secretsAt.get(index) ?? null }] : []
    })
  }

  async tile(level: number, n: number) {
    const [row] = await this.#ledger.rows<{ hashes: Buffer }>(
      'SELECT hashes FROM avow_tiles WHERE site_id = $1 AND level = $2 AND n = $3',
      [this.#site, level, n],
    )
    return row?.hashes ?? null
  }

  async documents(): Promise<DocumentRow[]> {
    const rows = await this.#ledger.rows<Omit<DocumentRow, 'index'> & { idx: number }>(
      `SELECT idx, kind, hash, version, language, body, recorded_at AS "recordedAt"
         FROM avow_documents WHERE site_id = $1 ORDER BY idx`,
      [this.#site],
    )
    return rows.map(({ idx, ...row }) => ({ index: idx, ...row }))
  }

  async vaultRow(index: number): Promise<VaultRow | null> {
    if (index >= (await this.head()).size) return null
    const [row] = await this.#vault.rows<VaultColumns>(
      'SELECT key, fingerprint, subject, account, secrets, erased FROM avow_vault WHERE site_id = $1 AND idx = $2',
      [this.#site, index],
    )
    return row ?? null
  }

  async findKey(key: Uint8Array) {
    return (await this.#inVault(this.#vault, [key], (await this.head()).size)).known.get(hex(key)) ?? null
  }

  async findSubject(subject: Uint8Array) {
    return this.#findBy('subject', subject)
  }

  async findAccount(account: Uint8Array) {
    return this.#findBy('account', account)
  }

  async #findBy(whose: 'subject' | 'account', blind: Uint8Array): Promise<number[]> {
    const rows = await this.#vault.rows<{ idx: number }>(
      `SELECT idx FROM avow_vault WHERE site_id = $1 AND ${whose} = $2 AND idx < $3 ORDER BY idx`,
      [this.#site, blind, (await this.head()).size],
    )
    return rows.map(({ idx }) => idx)
  }

  async recent(before: number, limit: number) {
    const rows = await this.#vault.rows<{ idx: number }>(
      'SELECT idx FROM avow_vault WHERE site_id = $1 AND idx < $2 AND subject IS NOT NULL ORDER BY idx DESC LIMIT $3',
      [this.#site, Math.min(before, (await this.head()).size), limit],
    )
    return rows.map(({ idx }) => idx)
  }

  async facets() {
    const rows = await this.#vault.rows<{ facet: string }>('SELECT facet FROM avow_facets WHERE site_id = $1', [
      this.#site,
    ])
    return rows.map(({ facet }) => facet)
  }

  async findFacets({ facets, erased, from, below, order, limit }: FacetQuery) {
    const end = Math.min(below, (await this.head()).size)
    const numbers = (await this.#numbersOf(this.#vault, facets)).map(({ id }) => id)
    if (numbers.length === 0 || from >= end) return []
    const direction = order === 'newest' ? 'DESC' : 'ASC'
    const isErased = erased === null ? 'erased IS NULL' : `erased = 'unlink'`
    const find = async (text: string, start: number, stop: number) => {
      const rows = await this.#vault.rows<{ idx: number }>(text, [this.#site, numbers, start, stop, limit])
      return rows.map(({ idx }) => idx)
    }
    const near = await find(
      `SELECT idx FROM avow_vault WHERE site_id = $1 AND facet = ANY($2::integer[]) AND ${isErased} AND idx >= $3 AND idx < $4
        ORDER BY idx ${direction} LIMIT $5`,
      order === 'newest' ? Math.max(from, end - NEAR) : from,
      order === 'newest' ? end : Math.min(end, from + NEAR),
    )
    if (near.length === limit || end - from <= NEAR) return near
    // By the index of each facet: in one scan the server would sort all that there are.
    return find(
      `SELECT found.idx FROM unnest($2::integer[]) AS wanted (facet) CROSS JOIN LATERAL (
         SELECT idx FROM avow_vault
          WHERE site_id = $1 AND avow_vault.facet = wanted.facet AND ${isErased} AND idx >= $3 AND idx < $4
          ORDER BY idx ${direction} LIMIT $5
       ) AS found ORDER BY found.idx ${direction} LIMIT $5`,
      from,
      end,
    )
  }

  async firstAt(recordedAt: number) {
    const { size } = await this.head()
    const [row] = await this.#vault.rows<{ idx: number }>(
      'SELECT idx FROM avow_vault WHERE site_id = $1 AND recorded_at >= $2 ORDER BY recorded_at, idx LIMIT 1',
      [this.#site, recordedAt],
    )
    return Math.min(row?.idx ?? size, size)
  }

  async countErased(from: number, below: number) {
    const [row] = await this.#vault.rows<{ count: number }>(
      `SELECT count(*) AS count FROM avow_vault WHERE site_id = $1 AND idx >= $2 AND idx < $3 AND erased = 'erase'`,
      [this.#site, from, Math.min(below, (await this.head()).size)],
    )
    return row?.count ?? 0
  }

  async counts(from: number, below: number): Promise<Count[]> {
    // Less what stands at or past the head, of a batch that nobody has seen.
    return this.#vault.rows<Count & pg.QueryResultRow>(
      `WITH unseen AS (
         SELECT recorded_at / ${DAY_MS} AS day, facet, count(*) AS count FROM avow_vault
          WHERE site_id = $1 AND idx >= $4 AND facet IS NOT NULL GROUP BY 1, 2)
       SELECT counted.day, avow_facets.facet, counted.count - coalesce(unseen.count, 0) AS count
         FROM avow_counts AS counted
         JOIN avow_facets ON avow_facets.site_id = $1 AND avow_facets.id = counted.facet
         LEFT JOIN unseen ON unseen.day = counted.day AND unseen.facet = counted.facet
        WHERE counted.site_id = $1 AND counted.day >= $2 AND counted.day < $3
          AND counted.count > coalesce(unseen.count, 0)`,
      [this.#site, from, below, (await this.head()).size],
    )
  }

  async undated() {
    const rowFrom = async (index: number) => {
      const [row] = await this.#vault.rows<{ recorded_at: number | null }>(
        'SELECT recorded_at FROM avow_vault WHERE site_id = $1 AND idx >= $2 ORDER BY idx LIMIT 1',
        [this.#site, index],
      )
      return row
    }
    const isDated = async (index: number) => (await rowFrom(index))?.recorded_at !== null
    if (await isDated(0)) return 0
    let [from, end] = [0, (await this.head()).size]
    while (from < end) {
      const middle = Math.floor((from + end) / 2)
      if (await isDated(middle)) end = middle
      else from = middle + 1
    }
    return from
  }

  async date(rows: readonly Dated[]) {
    await retrying(RETRYABLE, () =>
      this.#vault.transaction(async (vault) => {
        await this.#lockVault(vault)
        const numbers = await this.#number(vault, rows)
        // Another node may have dated them, or erased one, since they were read.
        await vault.run(
          `WITH dated AS (
             UPDATE avow_vault AS kept
                SET recorded_at = fresh.recorded_at,
                    facet = CASE kept.erased WHEN 'erase' THEN NULL ELSE fresh.facet END
               FROM unnest($2::bigint[], $3::integer[], $4::bigint[]) AS fresh (idx, facet, recorded_at)
              WHERE kept.site_id = $1 AND kept.idx = fresh.idx AND kept.recorded_at IS NULL
             RETURNING kept.facet, kept.recorded_at
           ) ${counting('dated')}`,
          [
            this.#site,
            rows.map(({ index }) => index),
            rows.map(({ facet }) => (facet === null ? null : numbers.get(facet))),
            rows.map(({ recordedAt }) => recordedAt),
          ],
        )
      }),
    )
  }

  /** Under the vault's lock, as an erasure is: else the day of somebody who is being forgotten would come back after it. */
  async keepActive(days: readonly ActiveDay[]) {
    await retrying(RETRYABLE, () =>
      this.#vault.transaction(async (vault) => {
        await this.#lockVault(vault)
        await vault.run(
          `INSERT INTO avow_active AS kept (site_id, subject, day)
           SELECT $1, subject, max(day) FROM unnest($2::bytea[], $3::integer[]) AS seen (subject, day)
            WHERE EXISTS (SELECT 1 FROM avow_vault WHERE site_id = $1 AND avow_vault.subject = seen.subject)
            GROUP BY subject
           ON CONFLICT (site_id, subject) DO UPDATE SET day = excluded.day WHERE excluded.day > kept.day`,
          [this.#site, days.map(({ subject }) => subject), days.map(({ day }) => day)],
        )
      }),
    )
  }

  async idle(until: number, limit: number): Promise<ActiveDay[]> {
    return this.#vault.rows<{ subject: Buffer; day: number }>(
      'SELECT subject, day FROM avow_active WHERE site_id = $1 AND day <= $2 ORDER BY day LIMIT $3',
      [this.#site, until, limit],
    )
  }

  async dropActive(days: readonly ActiveDay[]) {
    await retrying(RETRYABLE, () =>
      this.#vault.transaction(async (vault) => {
        await this.#lockVault(vault)
        await vault.run(
          `DELETE FROM avow_active AS kept USING unnest($2::bytea[], $3::integer[]) AS old (subject, day)
            WHERE kept.site_id = $1 AND kept.subject = old.subject AND kept.day <= old.day`,
          [this.#site, days.map(({ subject }) => subject), days.map(({ day }) => day)],
        )
      }),
    )
  }

  async keepServed(day: number) {
    await retrying(RETRYABLE, () =>
      this.#vault.transaction(async (vault) => {
        await vault.run('DELETE FROM avow_served WHERE site_id = $1 AND day > $2', [this.#site, day])
        await vault.run('INSERT INTO avow_served (site_id, day) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
          this.#site,
          day,
        ])
      }),
    )
  }

  async forgetServed() {
    await retrying(RETRYABLE, () =>
      this.#vault.transaction((vault) => vault.run('DELETE FROM avow_served WHERE site_id = $1', [this.#site])),
    )
  }

  async served(): Promise<number[]> {
    const rows = await this.#vault.rows<{ day: number }>(
      'SELECT day FROM avow_served WHERE site_id = $1 ORDER BY day',
      [this.#site],
    )
    return rows.map(({ day }) => day)
  }
}

const keyStore = (vault: Database): KeyStore => {
  const one = async (where: string, value: unknown) => {
    const [row] = await vault.rows<KeyColumns>(`SELECT * FROM avow_api_keys WHERE ${where}`, [value])
    return row ? toKey(row) : null
  }
  const write = (text: string, values: readonly unknown[]) => vault.transaction((session) => session.run(text, values))
  return {
    async add(row) {
      await write('INSERT INTO avow_api_keys VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)', fromKey(row))
    },
    find: (hash) => one('hash = $1 OR old_hash = $1', hash),
    get: (id) => one('id = $1', id),
    list: async () => (await vault.rows<KeyColumns>('SELECT * FROM avow_api_keys ORDER BY created_at, id')).map(toKey),
    rotate: async (id, { hash, expiresAt, oldUntil }) =>
      (await write(
        `UPDATE avow_api_keys SET old_hash = hash, old_until = $2, hash = $3, expires_at = $4
          WHERE id = $1 AND revoked_at IS NULL`,
        [id, oldUntil, hash, expiresAt],
      )) > 0,
    revoke: async (id, at) =>
      (await write('UPDATE avow_api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1', [id, at])) > 0,
    async used(id, day) {
      await write('UPDATE avow_api_keys SET used_on = $2 WHERE id = $1 AND (used_on IS NULL OR used_on < $2)', [
        id,
        day,
      ])
    },
  }
}

export interface PostgresOptions extends OpenOptions {
  /** `postgres://…` of the ledger. */
  readonly database: string
  /** `postgres://…` of the vault. */
  readonly vault: string
  /** Told what an operator should know. */
  readonly warn: (line: string) => void
}

/**
 * Opens the two databases and brings their tables to the newest schema, making what is missing unless it `mustExist`. Rejects
 * with `LostVaultError`, nothing being written, if the ledger has entries and the vault has no tables.
 */
export async function openPostgresStorage(options: PostgresOptions): Promise<Storage> {
  const { warn, mustExist = false, lost } = options
  const ledger = await openDatabase('ledger', options.database, LEDGER_MIGRATIONS, warn, async (name) => {
    if (mustExist && lost !== 'ledger') throw missingStore(`the ${name}`)
    // Neither is made where the other one isn't there either.
    if (mustExist) await (await openDatabase('vault', options.vault, VAULT_MIGRATIONS, warn, refuse)).close()
  })
  let vault: Database
  try {
    const isNew = (await ledger.rows('SELECT 1 FROM avow_logs WHERE size > 0 LIMIT 1')).length === 0
    vault = await openDatabase('vault', options.vault, VAULT_MIGRATIONS, warn, (name) => {
      if (lost === 'vault') return
      if (!isNew) throw new LostVaultError({ ledger: `the ${ledger.name}`, vault: `the ${name}` })
      if (mustExist) refuse(name)
    })
  } catch (error) {
    await ledger.close()
    throw error
  }
  const close = async () => {
    await Promise.all([ledger.close(), vault.close()])
  }
  try {
    await Promise.all([ledger.inspect(), vault.inspect()])
  } catch (error) {
    await close()
    throw error
  }
  if (ledger.server === vault.server)
    warn(
      `ledger and vault are on one server, ${ledger.server}: a backup of it keeps what is erased for as long as the ledger's backups are kept`,
    )
  const originOf = async (site: string) => {
    const [row] = await ledger.rows<{ origin: string }>('SELECT origin FROM avow_logs WHERE site_id = $1', [site])
    return row?.origin ?? null
  }
  const key = new NodeKey()
  const storedValue = async (name: string) => {
    const [row] = await vault.rows<{ value: Buffer }>('SELECT value FROM avow_vault_values WHERE name = $1', [name])
    return row?.value ?? null
  }
  return {
    names: { ledger: `the ${ledger.name}`, vault: `the ${vault.name}` },
    keys: keyStore(vault),
    logs: async () =>
      (await ledger.rows<{ site_id: string }>('SELECT site_id FROM avow_logs')).map((row) => row.site_id),
    async openLog(site, origin) {
      if (origin !== null && (await originOf(site)) === null)
        await ledger.transaction((session) =>
          session.run(`INSERT INTO avow_logs VALUES ($1, $2, 0, $3, '', 0) ON CONFLICT DO NOTHING`, [
            site,
            origin,
            Buffer.alloc(32),
          ]),
        )
      // Another node may have been first, with another origin.
      const stored = await originOf(site)
      if (stored === null || (origin !== null && origin !== stored)) throw new OriginError(site, stored, origin)
      return { origin: stored, log: new PostgresLog(ledger, vault, site, key) }
    },
    async vaultValue(name, create) {
      const stored = await storedValue(name)
      if (stored) return stored
      await vault.transaction(async (session) => {
        await key.hold(session)
        await session.run('INSERT INTO avow_vault_values VALUES ($1, $2) ON CONFLICT DO NOTHING', [name, create()])
      })
      // Another node may have been first: its value is everybody's.
      return (await storedValue(name))!
    },
    async replaceVaultValues(values) {
      await vault.transaction(async (session) => {
        await key.hold(session)
        for (const [name, value] of values)
          await session.run('UPDATE avow_vault_values SET value = $2 WHERE name = $1', [name, value])
      })
      // Into new files: rows that were replaced leave traces between those that stay. Too long a lock for every erasure.
      await vault.vacuum('FULL', 'avow_vault')
      await vault.vacuum('FULL', 'avow_vault_values')
    },
    vaultValues: () => valuesOf(vault),
    currentKey: () => currentKey(vault),
    useKey: (id, before) => key.use(vault, id, before),
    close,
  }
}

async function valuesOf(vault: Database): Promise<ReadonlyMap<string, Uint8Array>> {
  const rows = await vault.rows<{ name: string; value: Buffer }>('SELECT name, value FROM avow_vault_values')
  return new Map(rows.map(({ name, value }) => [name, value]))
}

const refuse = (name: string): never => {
  throw missingStore(`the ${name}`)
}

/** Opens only the vault, for making keys while servers run beside. Rejects if it has no tables. */
export async function openPostgresKeys(url: string): Promise<OpenedKeys> {
  const vault = await openDatabase('vault', url, VAULT_MIGRATIONS, () => {}, refuse)
  return { keys: keyStore(vault), vaultValues: () => valuesOf(vault), close: () => vault.close() }
}
