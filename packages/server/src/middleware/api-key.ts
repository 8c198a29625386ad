/**
 * Who may ask the audit API: `avow_<env>_<random><checksum>` in `Authorization: Bearer`. The checksum tells a mistyped or
 * leaked key at sight; only the SHA-256 is stored, and found by equality of that hash, so nothing is compared byte by byte.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createMiddleware } from 'hono/factory'
import { Refusal } from '../problem.js'
import type { ApiKeyRow, KeyStore } from '../storage/storage.js'

export const SCOPES = [
  'audit:read',
  'audit:export',
  'stats:read',
  'access:read',
  'rights:read',
  'rights:write',
  'purposes:read',
  'purposes:write',
  'admin',
] as const
export type Scope = (typeof SCOPES)[number]

const RANDOM_LENGTH = 32
const CHECKSUM_LENGTH = 6

const checksumOf = (body: string) => createHash('sha256').update(body).digest('base64url').slice(0, CHECKSUM_LENGTH)
const hashOf = (key: string) => createHash('sha256').update(key).digest()

/** Makes a key. `token` is to be shown once and never kept; `row` is to be stored. `now`: Unix milliseconds. */
export function createApiKey(
  wanted: { name: string; site: string; scopes: readonly Scope[]; expiresAt?: number | null; env?: string },
  now: number,
): { token: string; row: ApiKeyRow } {
  const body = `avow_${wanted.env ?? 'live'}_${randomBytes(RANDOM_LENGTH).toString('base64url').slice(0, RANDOM_LENGTH)}`
  const token = body + checksumOf(body)
  const row: ApiKeyRow = {
    id: `key_${randomBytes(9).toString('base64url')}`,
    hash: hashOf(token),
    name: wanted.name,
    site: wanted.site,
    scopes: [...wanted.scopes],
    createdAt: now,
    expiresAt: wanted.expiresAt ?? null,
    revokedAt: null,
  }
  return { token, row }
}

/** Null for what can't be one of our keys: mistyped, cut short, somebody else's. */
function parseApiKey(header: string | undefined): string | null {
  const token = /^Bearer (avow_[a-z]{1,12}_[\w-]{38})$/.exec(header ?? '')?.[1]
  if (!token) return null
  return checksumOf(token.slice(0, -CHECKSUM_LENGTH)) === token.slice(-CHECKSUM_LENGTH) ? token : null
}

export type KeyEnv = { Variables: { apiKey: ApiKeyRow } }

/** Lets through who holds a valid key with this scope, and leaves the key in `apiKey`. `now` gives Unix milliseconds. */
export function requireKey(keys: KeyStore, scope: Scope, now: () => number) {
  return createMiddleware<KeyEnv>(async (c, next) => {
    const unauthorized = (detail: string) =>
      new Refusal('unauthorized', detail, { headers: { 'www-authenticate': 'Bearer realm="avow"' } })
    const header = c.req.header('authorization')
    if (!header) throw unauthorized('send the key as Authorization: Bearer avow_…')
    const token = parseApiKey(header)
    if (!token) throw unauthorized('that is not a key of this kind: it was cut short or mistyped')
    const row = await keys.find(hashOf(token))
    if (!row) throw unauthorized('the key is not known here')
    if (row.revokedAt !== null && row.revokedAt <= now()) throw unauthorized('the key was revoked')
    if (row.expiresAt !== null && row.expiresAt <= now()) throw unauthorized('the key has expired')
    if (!row.scopes.includes(scope)) throw new Refusal('forbidden', `the key lacks the scope ${scope}`)
    c.set('apiKey', row)
    await next()
  })
}
