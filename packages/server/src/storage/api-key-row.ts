/** An API key as a row of either database, and back. */
import type { ApiKeyRow } from './storage.js'

export interface KeyColumns {
  id: string
  hash: Buffer
  name: string
  /** Names, parted by spaces, which no name has; `*` for all. */
  site: string
  scopes: string
  created_at: number
  expires_at: number | null
  revoked_at: number | null
  old_hash: Buffer | null
  old_until: number | null
  reason: string | null
  used_on: string | null
}

/** In the order of the table's columns. */
export const fromKey = (row: ApiKeyRow) => [
  row.id,
  row.hash,
  row.name,
  row.sites?.join(' ') ?? '*',
  row.scopes.join(' '),
  row.createdAt,
  row.expiresAt,
  row.revokedAt,
  row.oldHash,
  row.oldUntil,
  row.reason,
  row.usedOn,
]

export const toKey = (row: KeyColumns): ApiKeyRow => ({
  id: row.id,
  hash: row.hash,
  name: row.name,
  sites: row.site === '*' ? null : row.site.split(' '),
  scopes: row.scopes.split(' '),
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  revokedAt: row.revoked_at,
  oldHash: row.old_hash,
  oldUntil: row.old_until,
  reason: row.reason,
  usedOn: row.used_on,
})
