/** The stores that a command works on: SQLite files in a folder, or two PostgreSQL databases. */
import { InputError } from '../problem.js'
import { openPostgresKeys, openPostgresStorage } from '../storage/postgres.js'
import { openSqliteKeys, openSqliteStorage } from '../storage/sqlite.js'
import type { OpenedKeys, OpenOptions, Storage } from '../storage/storage.js'

/** Flags that several commands share; `AVOW_DATA`, `AVOW_DATABASE` and `AVOW_VAULT` stand in for them. */
export const STORE_OPTIONS = {
  data: { type: 'string', default: process.env.AVOW_DATA || './data' },
  database: { type: 'string', default: process.env.AVOW_DATABASE || '' },
  vault: { type: 'string', default: process.env.AVOW_VAULT || '' },
} as const

export interface StoreChoice {
  readonly data: string
  /** `postgres://…` of the ledger; empty for SQLite. */
  readonly database: string
  /** `postgres://…` of the vault. */
  readonly vault: string
}

/** The API keys of these stores, also while a server runs on them. */
export function openKeys({ data, vault }: StoreChoice): Promise<OpenedKeys> {
  return vault ? openPostgresKeys(vault) : openSqliteKeys(data)
}

/** Rejects, nothing being made, for stores that are not as `options` says. */
export async function openStores({ data, database, vault }: StoreChoice, options: OpenOptions = {}): Promise<Storage> {
  if (!database && !vault) return openSqliteStorage(data, options)
  if (!database) throw new InputError('--database', 'the URL of the ledger, since --vault is given')
  if (!vault)
    throw new InputError(
      '--vault',
      'the URL of the vault: a database of its own, so that it can be forgotten while the ledger is kept',
    )
  return openPostgresStorage({ ...options, database, vault, warn: (line) => console.error(line) })
}
