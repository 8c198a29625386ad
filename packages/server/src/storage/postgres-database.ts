/**
 * One PostgreSQL database: a pool of connections, transactions that are durable when they resolve and that free their locks
 * when the node dies, forward-only migrations, and errors told apart. Knows nothing of logs.
 */
import pg from 'pg'
import { UnavailableError } from './storage.js'

/**
 * How long a node may be silent within a transaction before its locks are taken from it. A batch of a thousand is built in
 * a twentieth of a second. The vault's is the shorter, so that whoever gets the head finds the vault free.
 */
const IDLE_MS = { ledger: 3000, vault: 2000 } as const

/** How long a lock is waited for: longer than a dead node keeps one. */
const LOCK_TIMEOUT_MS = 6000

/** Longer than any lock is waited for, since waiting counts. */
const STATEMENT_TIMEOUT_MS = 10_000

/** For a server that no longer answers; above what the server itself ends. */
const ANSWER_TIMEOUT_MS = 15_000

/** Nodes that start at once wait for the one that migrates. */
const MIGRATION_TIMEOUT_MS = 120_000

/** Each store's, so that a hundred connections of a default server serve four nodes. */
const CONNECTIONS = 10

/** A vault of some millions of rows is cleaned in less. */
const VACUUM_TIMEOUT_MS = 60_000

/** Other transactions may get in the way this often; more means that something else is wrong. */
const TRIES = 6

/** Sizes, indexes and times stay below 2^53, and are numbers everywhere else. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: string) =>
    oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
}

/** Serialization failure, deadlock: the transaction was rolled back, and the same again may do. */
export const RETRYABLE = /^(40001|40P01)$/

/** What two nodes do to each other that create the same tables at once. */
const RACED = /^(40001|40P01|23505|42P07|42710|XX000)$/

// Connections, resources, timeouts, a standby that is still read-only, shutting down, input and output: the world is down.
const UNAVAILABLE = /^(08|53|58|25006|25P0[34]|40|55P03|57)/

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '')

/** Tells a database that can't be reached or written now from a statement that is wrong. */
function translated(error: unknown, name: string): unknown {
  if (!(error instanceof Error)) return error
  const isBug =
    error instanceof pg.DatabaseError
      ? !UNAVAILABLE.test(error.code ?? '')
      : error instanceof TypeError || error instanceof RangeError
  return isBug ? error : new UnavailableError(`the ${name} did not take it: ${error.message}`, { cause: error })
}

/** Of an error, or of what it was translated from. */
const isRetryable = (error: unknown, codes: RegExp) =>
  codes.test(codeOf(error)) || (error instanceof UnavailableError && codes.test(codeOf(error.cause)))

export async function retrying<T>(codes: RegExp, work: () => Promise<T>): Promise<T> {
  for (let left = TRIES - 1; ; left--) {
    try {
      return await work()
    } catch (error) {
      // Rolled back on account of another transaction, which has gone on: the same again may do.
      if (left === 0 || !isRetryable(error, codes)) throw error
    }
  }
}

/** Statements of one transaction, or each one by itself. */
export interface Session {
  rows<Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<Row[]>
  /** How many rows were written. */
  run(sql: string, values?: readonly unknown[]): Promise<number>
}

/** One of the two stores: a pool of connections, and transactions that are durable when they resolve. */
export class Database implements Session {
  /** For messages: without the password. */
  readonly name: string
  readonly server: string
  readonly #store: 'ledger' | 'vault'
  readonly #pool: pg.Pool
  /** Told what an operator should know. */
  readonly #warn: (line: string) => void

  constructor(store: 'ledger' | 'vault', url: string, warn: (line: string) => void) {
    if (!/^postgres(ql)?:\/\//.test(url)) throw new Error(`the address of the ${store} must begin with postgres://`)
    const { host, port, database } = new pg.Client({ connectionString: url })
    this.#store = store
    this.#warn = warn
    this.server = `${host}:${port}`
    this.name = `${store} (database ${database} on ${this.server})`
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: 'avow',
      max: CONNECTIONS,
      connectionTimeoutMillis: 5000,
      query_timeout: ANSWER_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5000,
      types,
      onConnect: async (client) => {
        // A connection that is lost while nobody asks anything says so in an event, which would end the process if
        // nobody listened. Whoever asks next is told; the pool drops the connection.
        client.on('error', () => {})
        // Of no use to a server that does not know them, or behind a pooler that shares the connection; the timeouts of
        // each transaction free the locks of a dead node there as well.
        await client
          .query('SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3')
          .catch(() => {})
      },
    })
    this.#pool.on('error', () => {})
  }

  async #translating<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw translated(error, this.name)
    }
  }

  async rows<Row extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []) {
    return (await this.#translating(() => this.#pool.query<Row>(sql, [...values]))).rows
  }

  async run(sql: string, values: readonly unknown[] = []) {
    return (await this.#translating(() => this.#pool.query(sql, [...values]))).rowCount ?? 0
  }

  /** Commits what `work` wrote, durably; rolls back if it throws. The settings are the transaction's own, so that a pooler does no harm. */
  async transaction<T>(work: (session: Session) => Promise<T>, patienceMs?: number): Promise<T> {
    const client = await this.#translating(() => this.#pool.connect())
    const wait = patienceMs ?? STATEMENT_TIMEOUT_MS
    const session: Session = {
      rows: async <Row extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []) =>
        (await this.#translating(() => client.query<Row>(asked(sql, values, wait)))).rows,
      run: async (sql, values = []) =>
        (await this.#translating(() => client.query(asked(sql, values, wait)))).rowCount ?? 0,
    }
    try {
      await this.#translating(() =>
        client.query(
          `BEGIN ISOLATION LEVEL READ COMMITTED;
           SET LOCAL synchronous_commit = on;
           SET LOCAL statement_timeout = ${wait};
           SET LOCAL lock_timeout = ${patienceMs ?? LOCK_TIMEOUT_MS};
           SET LOCAL idle_in_transaction_session_timeout = ${IDLE_MS[this.#store]}`,
        ),
      )
      const result = await work(session)
      // A timeout that ends the wait for a synchronous standby would report a success that is not durable there.
      await this.#translating(() => client.query('SET LOCAL statement_timeout = 0; COMMIT'))
      client.release()
      return result
    } catch (error) {
      // Closing a connection rolls back as well, and one that no longer answers would not answer to this either.
      if (error instanceof UnavailableError && !(error.cause instanceof pg.DatabaseError)) client.release(true)
      else
        await client.query('ROLLBACK').then(
          () => client.release(),
          () => client.release(true),
        )
      throw error
    }
  }

  /**
   * Brings the tables to the newest schema, whoever else starts at the same time. Rejects if a newer release wrote them.
   * Where there are no tables yet `beforeFirst` is called, and none are made if it throws.
   */
  async migrate(steps: readonly string[], beforeFirst: () => void | Promise<void>): Promise<void> {
    const table = `avow_${this.#store}_schema`
    try {
      // Asked first without a lock and without the right to create: a server that is up to date needs neither.
      const [row] = await this.rows<{ version: number }>(`SELECT version FROM ${table} WHERE id = 1`)
      if (row && this.#isNewest(row.version, steps)) return
    } catch (error) {
      // No table of this name yet.
      if (codeOf(error) !== '42P01') throw error
      await beforeFirst()
    }
    await retrying(RACED, () =>
      this.transaction(async (session) => {
        await session.run(`CREATE TABLE IF NOT EXISTS ${table} (id INTEGER PRIMARY KEY, version INTEGER NOT NULL)`)
        await session.run(`INSERT INTO ${table} VALUES (1, 0) ON CONFLICT DO NOTHING`)
        const [row] = await session.rows<{ version: number }>(`SELECT version FROM ${table} WHERE id = 1 FOR UPDATE`)
        if (!row || this.#isNewest(row.version, steps)) return
        for (const step of steps.slice(row.version)) await session.run(step)
        await session.run(`UPDATE ${table} SET version = $1 WHERE id = 1`, [steps.length])
      }, MIGRATION_TIMEOUT_MS),
    )
  }

  #isNewest(version: number, steps: readonly string[]): boolean {
    if (version <= steps.length) return version === steps.length
    throw new Error(
      `the ${this.name} was written by a newer release (schema ${version}, this one knows ${steps.length}): start that release`,
    )
  }

  /** Makes sure that a commit is durable here; tells what weakens the promise. */
  async inspect(): Promise<void> {
    const [setting] = await this.transaction((session) =>
      session.rows<{ commit: string; fsync: string; superuser: boolean }>(
        `SELECT current_setting('synchronous_commit') AS commit, current_setting('fsync', true) AS fsync,
                (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser`,
      ),
    )
    if (setting?.commit !== 'on') throw new Error(`the ${this.name} does not take synchronous_commit = on`)
    if (setting.fsync === 'off')
      this.#warn(`the ${this.name} runs with fsync = off: a power cut can lose acknowledged records`)
    if (setting.superuser && this.#store === 'ledger')
      this.#warn(`the ${this.name} is reached as a superuser, who may change entries: give Avow a role of its own`)
  }

  /**
   * Clears away the rows that were replaced. `INDEX_CLEANUP ON`: from their pages and from the indexes, which the server would
   * leave as they are where little was replaced; nobody has to wait. `FULL`: by writing new files, while the table is locked.
   * It is no promise: where it fails, the server's own cleaning comes later.
   */
  async vacuum(how: 'INDEX_CLEANUP ON' | 'FULL', table: string): Promise<void> {
    try {
      await this.#pool.query(asked(`VACUUM (${how}) ${table}`, [], VACUUM_TIMEOUT_MS))
    } catch (error) {
      this.#warn(
        `the ${this.name} did not clean ${table}: what was overwritten stays in its files until it does (${(error as Error).message})`,
      )
    }
  }

  close(): Promise<void> {
    return this.#pool.end()
  }
}

/** On this side of the wire the wait is as long as on the other, and a little more. */
const asked = (text: string, values: readonly unknown[], waitMs: number) => ({
  text,
  values: [...values],
  query_timeout: waitMs + ANSWER_TIMEOUT_MS - STATEMENT_TIMEOUT_MS,
})

/**
 * Opens a store. Rejects, naming the database and the cure, if it can't be used, or with what `beforeFirst`, given its name,
 * throws where it has no tables yet.
 */
export async function openDatabase(
  store: 'ledger' | 'vault',
  url: string,
  steps: readonly string[],
  warn: (line: string) => void,
  beforeFirst: (name: string) => void | Promise<void> = () => {},
): Promise<Database> {
  const database = new Database(store, url, warn)
  try {
    await database.migrate(steps, () => beforeFirst(database.name))
    return database
  } catch (error) {
    await database.close()
    // Authentication, an unknown database, a role that may not create tables: the answer is in the address or the server.
    if (/^(28|3D|42501)/.test(codeOf(error)))
      throw new Error(
        `the ${database.name} can't be used: ${(error as Error).message}; check its address, and that the role may create tables there`,
        { cause: error },
      )
    throw error
  }
}
