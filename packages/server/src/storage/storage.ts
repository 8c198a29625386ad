/**
 * What a log needs of a database, as whole operations: there is no transaction to hold, so a driver may be synchronous
 * (SQLite), on the wire (PostgreSQL) or a plain object (memory). `conformance.ts` is this contract as tests.
 *
 * Two stores stand behind it. The *ledger* is never forgotten: entries, sealed parts, tiles, documents, heads. The *vault*
 * can be: secrets, keyed indexes. They are committed vault first, so a crash between the two leaves vault rows at or past
 * the head, which every reader ignores and the next append removes.
 */

/** Where a log stands. */
export interface Head {
  /** Leaves in the tree. */
  readonly size: number
  readonly root: Uint8Array
  /** The signed checkpoint of this size; empty only while `size` is 0 and nothing was ever appended. */
  readonly checkpoint: string
  /** When the last entry was recorded, Unix milliseconds. Never decreases. */
  readonly recordedAt: number
}

/** One leaf and the ciphertexts of its parts: evidence then identity, or one body, or none. */
export interface EntryRow {
  readonly entry: Uint8Array
  readonly sealed: readonly Uint8Array[]
}

/** What can be forgotten of one entry. */
export interface VaultRow {
  /** Makes a repeated append harmless: one entry per key, ever. 16 bytes. */
  readonly key: Uint8Array
  /** Tells the same submission sent twice from another one under the same key. 32 bytes, zeros once erased. */
  readonly fingerprint: Uint8Array
  /** Keyed blind index of the subject; null for entries about nobody, and about nobody any more. 16 bytes. */
  readonly subject: Uint8Array | null
  /** Keyed blind index of the account, for the few entries that were made signed in; null as `subject` is. 16 bytes. */
  readonly account: Uint8Array | null
  /** The parts' secrets in the order of `EntryRow.sealed`, wrapped; empty where there are none. */
  readonly secrets: Uint8Array
  readonly erased: Grade | null
}

/** A vault row as it is appended, with what may be asked about the entry without opening it. */
export interface NewVaultRow extends VaultRow {
  /** Enumerations alone, opaque here: entries of which the same may be said have the same. Null for what nobody asks about. */
  readonly facet: string | null
  /** Unix milliseconds. Never decreases from one entry to the next. */
  readonly recordedAt: number
}

/** Which entries are looked for by what is said of them. */
export interface FacetQuery {
  /** Any of these. */
  readonly facets: readonly string[]
  /** Those that are linked to somebody (null), or those that were unlinked. What was erased whole is found by nobody. */
  readonly erased: 'unlink' | null
  /** Indexes `[from, below)`. */
  readonly from: number
  readonly below: number
  readonly order: 'newest' | 'oldest'
  readonly limit: number
}

/** What a row that an earlier release wrote lacks. */
export interface Dated {
  readonly index: number
  readonly facet: string | null
  readonly recordedAt: number
}

/** How many entries of a facet were recorded on a day. */
export interface Count {
  /** UTC days since 1970-01-01. */
  readonly day: number
  readonly facet: string
  readonly count: number
}

/** An entry with what opens it. */
export interface StoredRow {
  readonly index: number
  readonly row: EntryRow
  /** As in its vault row; null where there is none. */
  readonly secrets: Uint8Array | null
}

export const DAY_MS = 86_400_000

/** How much of a record is forgotten: its link to a person, or all of it. */
export type Grade = 'unlink' | 'erase'

/** What is left of a vault row after an erasure. */
export interface Forgetting {
  readonly index: number
  readonly grade: Grade
  /** The wrapped secret of the evidence part, which unlinking keeps; else empty. */
  readonly secrets: Uint8Array
}

/** A document whose hash an entry carries, so that proofs of it can be handed out with its text. */
export interface DocumentRow {
  readonly index: number
  readonly kind: 'policy' | 'notice'
  readonly hash: string
  readonly version: string
  /** Of a notice; null for a policy. */
  readonly language: string | null
  readonly body: string
  /** When it was logged, Unix milliseconds; null where a release logged it that didn't keep that. */
  readonly recordedAt: number | null
}

/** The last day on which something was known of a subject. */
export interface ActiveDay {
  /** Keyed blind index. */
  readonly subject: Uint8Array
  /** UTC days since 1970-01-01. */
  readonly day: number
}

/** The right-most tile of a level, or a full one: its hashes so far, 32 bytes each. */
export interface TileRow {
  readonly level: number
  readonly n: number
  readonly hashes: Uint8Array
}

/** Everything one append writes. `entries[i]` and `vault[i]` stand at index `from + i`, `from` being the old head's size. */
export interface Batch {
  readonly head: Head
  readonly entries: readonly EntryRow[]
  readonly vault: readonly NewVaultRow[]
  readonly tiles: readonly TileRow[]
  readonly documents: readonly DocumentRow[]
}

/** An entry that already stands under a key. */
export interface Known {
  readonly index: number
  readonly fingerprint: Uint8Array
  readonly erased: Grade | null
}

/** What an append finds, read under the same lock that the batch is written under. */
export interface Standing {
  readonly head: Head
  /** Entries that already stand under one of the keys asked for, by the key in hex. */
  readonly known: ReadonlyMap<string, Known>
  /** The right-most tile of every level, when the head is not at the size the caller assumed: somebody else appended. */
  readonly edge: readonly TileRow[] | null
  /** The root that the store has for the size the caller assumed; null where no head of that size was ever stored. */
  readonly assumedRoot: Uint8Array | null
  /** Whether the vault has a row for the newest entry, as every vault has that is not older than its ledger. */
  readonly hasNewest: boolean
}

export interface LogStore {
  /** Whether other processes may append to the same log. */
  readonly isShared: boolean

  head(): Promise<Head>

  /** The root of a size that once was a head; null for every other size. */
  rootAt(size: number): Promise<Uint8Array | null>

  /**
   * Removes the vault rows at or past the head, which a crash between the two commits left behind. Not before the head
   * is known to be the newest there ever was: under an older ledger these rows are somebody's secrets.
   */
  reconcile(): Promise<void>

  /**
   * Appends what `build` makes of the log's standing, atomically and durably: when this resolves, the batch survives a
   * power cut. One append at a time per log, whoever else writes to the database. `build` is synchronous and may run
   * again if the database asks for a retry; null from it appends nothing. If it throws, or the database fails, nothing
   * is appended and this rejects.
   */
  append(
    keys: readonly Uint8Array[],
    assumedSize: number,
    build: (standing: Standing) => Batch | null,
  ): Promise<Batch | null>

  /** Entries `[start, end)`; fewer where the log ends. */
  entries(start: number, end: number): Promise<EntryRow[]>
  /** Entries at these indexes with what opens them, in the same order; what is past the head is left out. */
  rows(indexes: readonly number[]): Promise<StoredRow[]>
  /** A tile's hashes so far; null where there is none. */
  tile(level: number, n: number): Promise<Uint8Array | null>
  /** In the order they were logged. */
  documents(): Promise<DocumentRow[]>

  /** Null past the head and for an unknown index. */
  vaultRow(index: number): Promise<VaultRow | null>
  /** One past the highest index the vault has a row for, past the head or not. */
  vaultSize(): Promise<number>
  /**
   * Forgets, durably; what is overwritten is not left in the files where the database can help it. Repeating it changes
   * nothing, and what was erased whole stays so, whatever was composed before that and comes late. Of a subject whom no
   * entry is about any more, the last day goes, too. Given nothing, it makes up for clearing that failed.
   */
  forget(changes: readonly Forgetting[]): Promise<void>
  /** Replaces wrapped secrets in `[start, end)` by what `convert` answers, null leaving one as it is; one transaction. */
  rewrap(start: number, end: number, convert: (index: number, secrets: Uint8Array) => Uint8Array | null): Promise<void>
  findKey(key: Uint8Array): Promise<Known | null>
  /** Indexes of a subject's entries, ascending. */
  findSubject(subject: Uint8Array): Promise<number[]>
  /** Indexes of an account's entries, ascending. */
  findAccount(account: Uint8Array): Promise<number[]>
  /** Indexes below `before` of entries that are about somebody, descending, at most `limit`. */
  recent(before: number, limit: number): Promise<number[]>

  /** All facets that were ever appended, in no order. */
  facets(): Promise<string[]>
  /** Indexes of entries of these facets, in the order asked for, at most `limit`. */
  findFacets(query: FacetQuery): Promise<number[]>
  /** The lowest index that was recorded at this time (Unix milliseconds) or later; the size where there is none. */
  firstAt(recordedAt: number): Promise<number>
  /** How many entries in `[from, below)` were erased whole. */
  countErased(from: number, below: number): Promise<number>
  /**
   * How many entries of each facet were recorded on the days `[from, below)`: counted in the commit that appends them, once
   * each, and never lowered by what is forgotten.
   */
  counts(from: number, below: number): Promise<Count[]>
  /** Rows below were written by an earlier release and are not dated yet; 0 for none. */
  undated(): Promise<number>
  /** Dates rows that are not dated yet, and counts them; the highest first, so that `undated` is always a beginning of the log. */
  date(rows: readonly Dated[]): Promise<void>
  /** Keeps each subject's last day, one alone, which never moves back. Nothing is kept of whom no entry here is about. */
  keepActive(days: readonly ActiveDay[]): Promise<void>
  /** Subjects whose last day is `until` or before, those of the oldest day first, at most `limit`. */
  idle(until: number, limit: number): Promise<ActiveDay[]>
  /** Forgets these days, but for a subject of which a later one was kept since. */
  dropActive(days: readonly ActiveDay[]): Promise<void>
  /**
   * Keeps that on this day, UTC days since 1970-01-01, a server was there to hear of anybody, and of no later one: those are left
   * by a clock that was ahead.
   */
  keepServed(day: number): Promise<void>
  /** The days that were kept so, ascending. */
  served(): Promise<number[]>
  /** Forgets them all. */
  forgetServed(): Promise<void>
}

/** A key to the private surface. No secret is ever stored, only its SHA-256. */
export interface ApiKeyRow {
  /** Public name of the key, safe to log; stays what it is when the secret is rotated. */
  readonly id: string
  readonly hash: Uint8Array
  readonly name: string
  /** The sites it reaches; null for all. */
  readonly sites: readonly string[] | null
  readonly scopes: readonly string[]
  /** Unix milliseconds, as all times here. */
  readonly createdAt: number
  readonly expiresAt: number | null
  readonly revokedAt: number | null
  /** The secret before the last rotation, and until when it still works; both null where there is none. */
  readonly oldHash: Uint8Array | null
  readonly oldUntil: number | null
  /** Why its holder asks, where a request doesn't say. */
  readonly reason: string | null
  /** UTC day of the last use, `2026-11-23`; null before the first. */
  readonly usedOn: string | null
}

/** A fresh secret in the place of one that works on for a while. */
export interface Rotation {
  readonly hash: Uint8Array
  readonly expiresAt: number | null
  readonly oldUntil: number
}

/** Changes are one step each, so that of two at once neither undoes the other: a key that was revoked stays so. */
export interface KeyStore {
  add(row: ApiKeyRow): Promise<void>
  /** The key that has this secret, or had it before its last rotation. */
  find(hash: Uint8Array): Promise<ApiKeyRow | null>
  get(id: string): Promise<ApiKeyRow | null>
  /** In the order they were made. */
  list(): Promise<ApiKeyRow[]>
  /** The secret becomes the old one, and the one before it stops. False, nothing being changed, for a key that is revoked or unknown. */
  rotate(id: string, rotation: Rotation): Promise<boolean>
  /** Repeating it changes nothing. False for an unknown key. */
  revoke(id: string, at: number): Promise<boolean>
  /** Never moves back. */
  used(id: string, day: string): Promise<void>
}

/** The API keys alone, without the logs. */
export interface OpenedKeys {
  readonly keys: KeyStore
  vaultValues(): Promise<ReadonlyMap<string, Uint8Array>>
  close(): Promise<void>
}

/** The vault's own value that says which key-encryption key is the newest, by its id. */
export const CURRENT_KEY = 'current-key'

/** What is done about a store that isn't there. */
export interface OpenOptions {
  /** It is refused with `missingStore`. Else it is made, where the other one has nothing that it lacks. */
  readonly mustExist?: boolean
  /** The one that is known to be lost is made anew all the same, beside the other. */
  readonly lost?: 'ledger' | 'vault'
}

export interface StoreNames {
  readonly ledger: string
  readonly vault: string
}

export interface Storage {
  /** What each store is called in messages; no password. */
  readonly names: StoreNames
  readonly keys: KeyStore
  /** Names of the logs there are. */
  logs(): Promise<string[]>
  /**
   * Opens a site's log, creating it at size 0. `origin` is stored with the first opening; null takes what is stored.
   * Rejects with `OriginError` if another origin is stored, or none is and none was given.
   */
  openLog(site: string, origin: string | null): Promise<{ origin: string; log: LogStore }>
  /** A value of the vault's own, made by `create` the first time it is asked for. */
  vaultValue(name: string, create: () => Uint8Array): Promise<Uint8Array>
  /** In one step; then clears away what this and all that was rewrapped before it left behind, as far as the database can. */
  replaceVaultValues(values: ReadonlyMap<string, Uint8Array>): Promise<void>
  /** All values of the vault's own, by name. */
  vaultValues(): Promise<ReadonlyMap<string, Uint8Array>>
  /** Id of the key-encryption key that the vault's secrets are wrapped with; null for a new vault. */
  currentKey(): Promise<string | null>
  /**
   * Says that this process wraps with the key of this id from here on, and makes it the vault's in the place of `before`.
   * From when it resolves, whatever another process wraps with another key is refused with `UnavailableError`, and
   * nothing of it is under way any more. Rejects with it, changing nothing, if the vault's is neither of the two.
   */
  useKey(id: string, before: string | null): Promise<void>
  close(): Promise<void>
}

/** The log was opened under another origin before; a new name would make every receipt it gave unverifiable. */
export class OriginError extends Error {
  override name = 'OriginError'

  constructor(site: string, stored: string | null, given: string | null) {
    super(
      stored === null
        ? `the log of ${site} has no origin yet: set AVOW_ORIGIN, or a public address to derive it from`
        : `the log of ${site} was opened as ${stored}, not ${given}: set AVOW_ORIGIN back, or keep this data elsewhere and start a new log`,
    )
  }
}

/** Another process holds the database. */
export class LockedError extends Error {
  override name = 'LockedError'
}

/** The ledger has entries of which the vault knows nothing: another address, an empty disk, a vault that is lost. */
export class LostVaultError extends Error {
  override name = 'LostVaultError'

  constructor({ ledger, vault }: StoreNames) {
    super(
      `${vault} is missing, empty or another's, and ${ledger} has entries: restore it, an older copy if need be, or name the right one; ` +
        'nothing was written. If it is lost for good, `avow vault create` makes a new one: what was recorded so far can then be neither opened nor found',
    )
  }
}

/** A command that looks after stores was pointed at none. */
export const missingStore = (name: string): Error =>
  new Error(
    `${name} is not there: name the stores with --data (AVOW_DATA), or with --database and --vault; nothing was written`,
  )

/** The database can't be reached or written to, a full disk for instance. Nothing was changed; it may work again later. */
export class UnavailableError extends Error {
  override name = 'UnavailableError'
}

/** What refuses to wrap with a key that isn't the vault's any more, or not yet. */
export const otherKey = (current: string | null, own: string | null): UnavailableError =>
  new UnavailableError(
    `the vault is wrapped with key ${current ?? '(none)'}, and this process wraps with ${own ?? '(none)'}: nothing was written. ` +
      'Restart it with the key file that `avow kek rotate` wrote last',
  )
