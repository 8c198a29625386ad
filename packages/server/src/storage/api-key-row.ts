/** An API key as a row of either database, and back. */
import type { ApiKeyRow } from './storage.js'

export interface KeyColumns {
  id: string
  hash: Buffer
  name: string
  site: string
  scopes: string
  created_at: number
  expires_at: number | null
  revoked_at: number | null
}

/** In the order of the table's columns. */
export const fromKey = ({ id, hash, name, site, scopes, createdAt, expiresAt, revokedAt }: ApiKeyRow) => [
  id,
  hash,
  name,
  site,
  scopes.join(' '),
  createdAt,
  expiresAt,
  revokedAt,
]

export const toKey = (row: KeyColumns): ApiKeyRow => ({
  id: row.id,
  hash: row.hash,
  name: row.name,
  site: row.site,
  scopes: row.scopes.split(' '),
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  revokedAt: row.revoked_at,
})
