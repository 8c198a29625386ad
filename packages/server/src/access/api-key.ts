/**
 * Keys to the private surface: `avow_<env>_<random><checksum>` in `Authorization: Bearer`. The checksum tells a mistyped or
 * leaked key at sight. A secret is shown once; only its SHA-256 is stored, and it stands in no message.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { Refusal } from '../problem.js'
import type { ApiKeyRow, KeyStore, Rotation } from '../storage/storage.js'
import type { Caller, Scope } from './caller.js'

const RANDOM_LENGTH = 32
const CHECKSUM_LENGTH = 6

/** How long an old secret works beside the one that takes its place: a day to put the new one everywhere. */
export const OVERLAP_MS = 86_400_000

/** Longer than that it is no rotation any more, but two keys. */
export const OVERLAP_LIMIT_MS = 30 * 86_400_000

const checksumOf = (body: string) => createHash('sha256').update(body).digest('base64url').slice(0, CHECKSUM_LENGTH)
const hashOf = (secret: string) => createHash('sha256').update(secret).digest()

/** Names and reasons are short, and stand on one line wherever they are shown. */
export const NAME_LIMIT = 100
export const REASON_LIMIT = 200

/** Free of what breaks a line, or turns round how the rest of it is shown. */
export const isOnOneLine = (text: string): boolean => !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(text)

export const isLine = (text: string, limit: number): boolean =>
  text.trim().length > 0 && text.length <= limit && isOnOneLine(text)

/** A fresh secret. */
function createSecret(env: string): string {
  const body = `avow_${env}_${randomBytes(RANDOM_LENGTH).toString('base64url').slice(0, RANDOM_LENGTH)}`
  return body + checksumOf(body)
}

/** What a new key is to be. */
export interface NewKey {
  /** Who will hold it. */
  readonly name: string
  /** Null for all. */
  readonly sites: readonly string[] | null
  readonly scopes: readonly Scope[]
  /** Unix milliseconds; null or left out, it doesn't expire. */
  readonly expiresAt?: number | null
  /** Why its holder asks, where a request doesn't say. */
  readonly reason?: string | null
  /** In front of the secret, so that a key of a test installation is told at sight. */
  readonly env?: string
}

/** Makes a key. `secret` is to be shown once and never kept; `row` is to be stored. `now`: Unix milliseconds. */
export function createApiKey(wanted: NewKey, now: number): { secret: string; row: ApiKeyRow } {
  const secret = createSecret(wanted.env ?? 'live')
  const row: ApiKeyRow = {
    id: `key_${randomBytes(9).toString('base64url')}`,
    hash: hashOf(secret),
    name: wanted.name,
    // Each once, however often it was named.
    sites: wanted.sites && [...new Set(wanted.sites)],
    scopes: [...new Set(wanted.scopes)],
    createdAt: now,
    expiresAt: wanted.expiresAt ?? null,
    revokedAt: null,
    oldHash: null,
    oldUntil: null,
    reason: wanted.reason ?? null,
    usedOn: null,
  }
  return { secret, row }
}

/**
 * A fresh secret for a key. The old one works for `overlapMs` more, and no longer than it would have. `expiresAt` left out
 * stays what it is.
 */
export function createRotation(
  { expiresAt }: ApiKeyRow,
  wanted: { overlapMs: number; expiresAt?: number | null; env?: string },
  now: number,
): { secret: string; rotation: Rotation } {
  const secret = createSecret(wanted.env ?? 'live')
  const oldUntil = Math.min(now + wanted.overlapMs, expiresAt ?? Number.POSITIVE_INFINITY)
  const newExpiry = wanted.expiresAt === undefined ? expiresAt : wanted.expiresAt
  return { secret, rotation: { hash: hashOf(secret), oldUntil, expiresAt: newExpiry } }
}

/** Null for what can't be one of our keys: mistyped, cut short, somebody else's. */
function parseSecret(bearer: string): string | null {
  if (!/^avow_[a-z]{1,12}_[\w-]{38}$/.test(bearer)) return null
  return checksumOf(bearer.slice(0, -CHECKSUM_LENGTH)) === bearer.slice(-CHECKSUM_LENGTH) ? bearer : null
}

const sameHash = (a: Uint8Array | null, b: Uint8Array) => a !== null && a.length === b.length && timingSafeEqual(a, b)

/** Who holds this key. Rejects with a `Refusal` (401) for one that is not good now. `now`: Unix milliseconds. */
export async function authenticateKey(keys: KeyStore, bearer: string, now: number): Promise<Caller> {
  const secret = parseSecret(bearer)
  if (!secret) throw unauthorized('unauthorized', 'that is not a key of this kind: it was cut short or mistyped')
  const hash = hashOf(secret)
  const row = await keys.find(hash)
  // The database found it by the hash; that it is the hash is not left to how a database compares.
  const isCurrent = row !== null && sameHash(row.hash, hash)
  if (!row || !(isCurrent || sameHash(row.oldHash, hash)))
    throw unauthorized('unauthorized', 'the key is not known here')
  if (row.revokedAt !== null && row.revokedAt <= now) throw unauthorized('key-revoked', 'the key was revoked')
  const expiresAt = isCurrent ? row.expiresAt : row.oldUntil
  if (expiresAt !== null && expiresAt <= now)
    throw unauthorized('key-expired', isCurrent ? 'the key has expired' : 'the key was rotated: use its new secret')
  const today = new Date(now).toISOString().slice(0, 10)
  if (row.usedOn === null || row.usedOn < today) await keys.used(row.id, today)
  const { id, name, sites, scopes, reason } = row
  return { kind: 'key', id, name, grants: [{ sites, scopes: scopes as Scope[] }], reason }
}

type UnauthorizedCode = 'unauthorized' | 'key-revoked' | 'key-expired' | 'token-refused'

/** With the header that every 401 has to carry (RFC 9110 §15.5.2). */
export const unauthorized = (code: UnauthorizedCode, detail: string): Refusal =>
  new Refusal(code, detail, { headers: { 'www-authenticate': 'Bearer realm="avow"' } })
