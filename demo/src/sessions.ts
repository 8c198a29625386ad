/**
 * Who is signed in. Every page visit has a session, signed in or not, since the sign-in form needs a CSRF token too.
 * The file holds hashes: a copy of it signs nobody in. A session ends when it has been inactive for 30 days, by the
 * clock handed in and not by the browser's cookie jar, which a stolen cookie would not obey.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import Database from 'better-sqlite3'

export const INACTIVITY_MS = 30 * 24 * 60 * 60 * 1000

/** Ended sessions are thrown away at most this often. */
const SWEEP_EVERY_MS = 60 * 60 * 1000

export interface Session {
  /** What the browser's cookie holds. */
  readonly token: string
  /** Null until somebody signs in. */
  readonly account: string | null
  /** Names this browser's share of the demo's traffic panel; kept when the token changes at sign-in. */
  readonly traffic: string
  readonly csrfHash: Buffer
}

interface Row {
  account: string | null
  traffic: string
  csrf: Buffer
  lastActive: number
}

export interface ApiKey {
  readonly name: string
  readonly prefix: string
  readonly createdAt: number
}

export interface Sessions {
  /** The live session of this token, or null. Does not count as activity. */
  find(token: string | undefined): Session | null
  /** A fresh session with its CSRF token. */
  start(account: string | null, traffic?: string): { session: Session; csrf: string }
  /** A fresh CSRF token for a session whose browser lost its own. */
  renewCsrf(session: Session): string
  /** The person did something: 30 more days. */
  touch(session: Session): void
  end(session: Session): void
  /** Newest first. */
  apiKeys(account: string): ApiKey[]
  /** Answers the whole key, this once: only its hash is kept. */
  createApiKey(account: string, name: string): string
  close(): void
}

/** Keys one account may hold: an invented limit, so that the table stays a table. */
export const API_KEY_LIMIT = 20

export function openSessions(file: string, now: () => number): Sessions {
  const database = new Database(file)
  database.pragma('journal_mode = WAL')
  database.exec(`
    CREATE TABLE IF NOT EXISTS session (
      token BLOB PRIMARY KEY, csrf BLOB NOT NULL, account TEXT, traffic TEXT NOT NULL, lastActive INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS apiKey (
      hash BLOB PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, prefix TEXT NOT NULL, createdAt INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
  `)
  const select = database.prepare<[Buffer], Row>(
    'SELECT account, traffic, csrf, lastActive FROM session WHERE token = ?',
  )
  const insert = database.prepare(
    'INSERT INTO session (token, csrf, account, traffic, lastActive) VALUES (?, ?, ?, ?, ?)',
  )
  const setCsrf = database.prepare('UPDATE session SET csrf = ? WHERE token = ?')
  const setActive = database.prepare('UPDATE session SET lastActive = ? WHERE token = ?')
  const remove = database.prepare('DELETE FROM session WHERE token = ?')
  const sweep = database.prepare('DELETE FROM session WHERE lastActive <= ?')
  const selectKeys = database.prepare<[string], ApiKey>(
    'SELECT name, prefix, createdAt FROM apiKey WHERE account = ? ORDER BY createdAt DESC, prefix',
  )
  const insertKey = database.prepare(
    'INSERT INTO apiKey (hash, account, name, prefix, createdAt) VALUES (?, ?, ?, ?, ?)',
  )
  let sweptAt = Number.NEGATIVE_INFINITY

  return {
    find(token) {
      if (!token) return null
      const row = select.get(hash(token))
      if (!row || now() - row.lastActive >= INACTIVITY_MS) return null
      return { token, account: row.account, traffic: row.traffic, csrfHash: row.csrf }
    },
    start(account, traffic = randomToken()) {
      if (now() - sweptAt >= SWEEP_EVERY_MS) {
        sweep.run(now() - INACTIVITY_MS)
        sweptAt = now()
      }
      const token = randomToken()
      const csrf = randomToken()
      insert.run(hash(token), hash(csrf), account, traffic, now())
      return { session: { token, account, traffic, csrfHash: hash(csrf) }, csrf }
    },
    renewCsrf(session) {
      const csrf = randomToken()
      setCsrf.run(hash(csrf), hash(session.token))
      return csrf
    },
    touch: (session) => void setActive.run(now(), hash(session.token)),
    end: (session) => void remove.run(hash(session.token)),
    apiKeys: (account) => selectKeys.all(account),
    createApiKey(account, name) {
      const key = `fr_live_${randomToken()}`
      insertKey.run(hash(key), account, name, key.slice(0, 12), now())
      return key
    },
    close: () => void database.close(),
  }
}

/** Whether this is the CSRF token that the session was given. */
export function isCsrfToken(session: Session, token: string | undefined): boolean {
  return token !== undefined && timingSafeEqual(hash(token), session.csrfHash)
}

// 256 random bits need no slow hash: there is nothing to guess.
const hash = (token: string): Buffer => createHash('sha256').update(token).digest()
const randomToken = (): string => randomBytes(32).toString('base64url')
