/**
 * An append-only log of sealed entries. What arrives while a batch is being written becomes the next one: one lock, one
 * signature, one commit for all of them. It knows nothing of consent: what to seal is composed by the caller once the
 * time of recording is known, and found again by opaque keys.
 */
import { timingSafeEqual } from 'node:crypto'
import { HASH_SIZE } from '../merkle/hash.js'
import { consistencyNodes, consistencyProof, inclusionNodes, inclusionProof } from '../merkle/proof.js'
import { nodeReader, TILE_WIDTH, TileEdge } from '../merkle/tile.js'
import { EMPTY_ROOT, leafHash, type NodeId } from '../merkle/tree.js'
import type { Batch, DocumentRow, EntryRow, Head, LogStore, Standing, VaultRow } from '../storage/storage.js'
import { formatCheckpoint, openCheckpoint } from './checkpoint.js'
import { commit } from './commitment.js'
import { type Entry, encodeEntry } from './entry.js'
import { openSeal, randomSecret, seal } from './seal.js'
import type { Signer } from './signer.js'

/** Entries in one commit. At 1,024 the commit is a small part of the cost of an entry; more would only delay answers. */
const BATCH_LIMIT = 1024

/** Full tiles kept in memory, 8 KiB each: the newest half a million entries prove without touching the disk. */
const TILE_CACHE_LIMIT = 2048

const SECRET_SIZE = 32

/** What is to be appended. */
export interface Draft {
  /** 16 bytes; the log takes one entry per key, ever. */
  readonly key: Uint8Array
  /** 32 bytes; the same key with another fingerprint is a `ConflictError`. */
  readonly fingerprint: Uint8Array
  /** Called once the time of recording is known, Unix milliseconds. Must not throw. */
  compose(recordedAt: number): Composed
}

export type Composed =
  | { readonly kind: 'consent'; readonly subject: Uint8Array; readonly evidence: object; readonly identity: object }
  | ({ readonly kind: 'document' } & { readonly document: Omit<DocumentRow, 'index'> })

export interface Appended {
  readonly index: number
  /** True if the key stood already and nothing was appended. */
  readonly repeated: boolean
}

/** An entry with what opens it. */
export interface OpenedConsent {
  readonly index: number
  /** The JCS text that the tree commits to. */
  readonly entry: string
  readonly evidence: object
  readonly identity: object
  readonly secrets: { readonly evidence: Uint8Array; readonly identity: Uint8Array }
}

/** A key was used before, for something else. */
export class ConflictError extends Error {
  override name = 'ConflictError'
}

interface Waiting {
  readonly draft: Draft
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: unknown) => void
}

interface Composing {
  readonly entries: EntryRow[]
  readonly vault: VaultRow[]
  readonly documents: DocumentRow[]
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

export class Ledger {
  readonly origin: string
  readonly #site: string
  readonly #store: LogStore
  readonly #signer: Signer
  readonly #now: () => number
  readonly #tiles = new Map<string, Uint8Array>()
  #head: Head
  #edge: TileEdge
  #waiting: Waiting[] = []
  #writing: Promise<void> | null = null

  private constructor(site: string, store: LogStore, signer: Signer, now: () => number, head: Head, edge: TileEdge) {
    this.origin = signer.name
    this.#site = site
    this.#store = store
    this.#signer = signer
    this.#now = now
    this.#head = head
    this.#edge = edge
  }

  /**
   * Takes up a log where it stands. `now` gives Unix milliseconds. Rejects if the stored tree isn't the one that the
   * stored checkpoint signs, or another key signed it.
   */
  static async open(site: string, store: LogStore, signer: Signer, now: () => number): Promise<Ledger> {
    const stored = await store.head()
    if (stored.size === 0) {
      const checkpoint = signer.sign(formatCheckpoint({ origin: signer.name, size: 0, root: EMPTY_ROOT }))
      const head = { ...stored, root: EMPTY_ROOT, checkpoint }
      return new Ledger(
        site,
        store,
        signer,
        now,
        head,
        TileEdge.restore(0, () => null),
      )
    }
    const edge = await restoreEdge(store, stored.size)
    const { size, root } = openCheckpoint(stored.checkpoint, signer.vkey)
    if (size !== stored.size || hex(root) !== hex(edge.append([]).root)) {
      throw new Error(
        `the stored tree of ${signer.name} is not the one its checkpoint of size ${size} signs: restore ledger.db from a backup; nothing was written`,
      )
    }
    return new Ledger(site, store, signer, now, stored, edge)
  }

  get head(): Head {
    return this.#head
  }

  get vkey(): string {
    return this.#signer.vkey
  }

  /** Resolves once the entry is durable. Rejects with `ConflictError`, or with what the store said: then nothing was appended. */
  append(draft: Draft): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ draft, resolve, reject })
      this.#writing ??= this.#writeAll()
    })
  }

  /** Resolves when everything handed to `append` so far is answered. */
  async settled(): Promise<void> {
    await this.#writing
  }

  async #writeAll(): Promise<void> {
    // One turn of the event loop first: requests that are already at the door join the batch.
    await new Promise<void>((resume) => setImmediate(resume))
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH_LIMIT)
      try {
        await this.#write(batch)
      } catch (error) {
        // Nothing was appended; whoever waits decides whether to try again.
        for (const { reject } of batch) reject(error)
      }
    }
    this.#writing = null
  }

  async #write(waiting: readonly Waiting[]): Promise<void> {
    let answers: (() => void)[] = []
    let edge = this.#edge
    const keys = waiting.map(({ draft }) => draft.key)
    const written = await this.#store.append(keys, this.#edge.size, (standing) => {
      answers = []
      const before = standing.edge ? edgeOf(standing) : this.#edge
      const recordedAt = Math.max(this.#now(), standing.head.recordedAt)
      const composing = this.#compose(waiting, standing, recordedAt, answers)
      if (composing.entries.length === 0) return null
      const grown = before.append(composing.entries.map(({ entry }) => leafHash(entry)))
      edge = grown.edge
      const { size } = grown.edge
      const checkpoint = this.#signer.sign(formatCheckpoint({ origin: this.origin, size, root: grown.root }))
      return {
        head: { size, root: grown.root, checkpoint, recordedAt },
        tiles: grown.writes,
        ...composing,
      } satisfies Batch
    })
    if (written) {
      // Only now: a commit that failed must leave the edge where it was.
      this.#head = written.head
      this.#edge = edge
      for (const tile of written.tiles) this.#remember(tile.level, tile.n, tile.hashes)
    }
    for (const answer of answers) answer()
  }

  #compose(waiting: readonly Waiting[], standing: Standing, recordedAt: number, answers: (() => void)[]): Composing {
    const composing: Composing = { entries: [], vault: [], documents: [] }
    const known = new Map(standing.known)
    for (const { draft, resolve, reject } of waiting) {
      const key = hex(draft.key)
      const before = known.get(key)
      if (before) {
        const same = timingSafeEqual(before.fingerprint, draft.fingerprint)
        answers.push(() =>
          same
            ? resolve({ index: before.index, repeated: true })
            : reject(new ConflictError('the key was used before')),
        )
        continue
      }
      const index = standing.head.size + composing.entries.length
      known.set(key, { index, fingerprint: draft.fingerprint })
      const sealed = this.#seal(draft.compose(recordedAt), index)
      composing.entries.push({ entry: encodeEntry(sealed.entry), sealed: sealed.parts })
      composing.vault.push({
        key: draft.key,
        fingerprint: draft.fingerprint,
        subject: sealed.subject,
        secrets: sealed.secrets,
      })
      if (sealed.document) composing.documents.push(sealed.document)
      answers.push(() => resolve({ index, repeated: false }))
    }
    return composing
  }

  #seal(composed: Composed, index: number) {
    if (composed.kind === 'document') {
      const { kind, hash, version, language } = composed.document
      const entry: Entry =
        kind === 'policy'
          ? { type: 'policy', v: 1, hash, version }
          : { type: 'notice', v: 1, hash, language: language ?? '', version }
      return { entry, parts: [], subject: null, secrets: new Uint8Array(0), document: { ...composed.document, index } }
    }
    const { evidence, identity, subject } = composed
    const [a, b] = [randomSecret(), randomSecret()]
    const entry: Entry = {
      type: 'consent',
      v: 1,
      evidence: commit('evidence', a, evidence),
      identity: commit('identity', b, identity),
    }
    const parts = [seal(evidence, a, this.#associated('evidence')), seal(identity, b, this.#associated('identity'))]
    const secrets = new Uint8Array(2 * SECRET_SIZE)
    secrets.set(a)
    secrets.set(b, SECRET_SIZE)
    return { entry, parts, subject, secrets, document: null }
  }

  /** Binds a ciphertext to its site and its place in the entry. */
  #associated(part: 'evidence' | 'identity'): string {
    return `${this.#site}/consent/${part}`
  }

  /** The consent records at these indexes, in the same order; an index that holds none is left out. */
  async open(indexes: readonly number[]): Promise<OpenedConsent[]> {
    const opened = await Promise.all(indexes.map((index) => this.#openOne(index)))
    return opened.filter((record) => record !== null)
  }

  async #openOne(index: number): Promise<OpenedConsent | null> {
    const [[row], vault] = await Promise.all([this.#store.entries(index, index + 1), this.#store.vaultRow(index)])
    const [evidence, identity] = row?.sealed ?? []
    if (!row || !vault || !evidence || !identity || vault.secrets.length !== 2 * SECRET_SIZE) return null
    const secrets = { evidence: vault.secrets.subarray(0, SECRET_SIZE), identity: vault.secrets.subarray(SECRET_SIZE) }
    return {
      index,
      entry: new TextDecoder().decode(row.entry),
      evidence: openSeal(evidence, secrets.evidence, this.#associated('evidence')),
      identity: openSeal(identity, secrets.identity, this.#associated('identity')),
      secrets,
    }
  }

  /** The entry's index, if the key was appended. */
  async find(key: Uint8Array): Promise<number | null> {
    return (await this.#store.findKey(key))?.index ?? null
  }

  /** Indexes of the subject's entries, ascending. */
  findSubject(subject: Uint8Array): Promise<number[]> {
    return this.#store.findSubject(subject)
  }

  /** Indexes below `before` of entries about somebody, newest first. */
  recent(before: number, limit: number): Promise<number[]> {
    return this.#store.recent(before, limit)
  }

  documents(): Promise<DocumentRow[]> {
    return this.#store.documents()
  }

  /** Entries `[start, end)` as the tree commits to them. */
  async entries(start: number, end: number): Promise<Uint8Array[]> {
    return (await this.#store.entries(start, end)).map(({ entry }) => entry)
  }

  /** Hashes of a tile so far, of which whoever asks takes the width that a size has; null where there is none. */
  async tile(level: number, n: number): Promise<Uint8Array | null> {
    return this.#tiles.get(`${level}/${n}`) ?? (await this.#store.tile(level, n))
  }

  /** Inclusion proofs of these entries in the tree of `size`. */
  async prove(indexes: readonly number[], size = this.#head.size): Promise<Uint8Array[][]> {
    const read = await this.#reader(indexes.flatMap((index) => inclusionNodes(index, size).flat()))
    return indexes.map((index) => inclusionProof(index, size, read))
  }

  /** Proof that the tree of size `from` is a prefix of the tree of size `to`. */
  async proveConsistency(from: number, to = this.#head.size): Promise<Uint8Array[]> {
    return consistencyProof(from, to, await this.#reader(consistencyNodes(from, to).flat()))
  }

  /** Loads the tiles these nodes lie in, then reads from memory. */
  async #reader(nodes: readonly NodeId[]) {
    const tiles = new Map<string, Uint8Array>()
    for (const { level, index } of nodes) {
      const tileLevel = Math.floor(level / 8)
      const n = Math.floor((index * 2 ** (level % 8)) / TILE_WIDTH)
      const key = `${tileLevel}/${n}`
      if (tiles.has(key)) continue
      const tile = await this.tile(tileLevel, n)
      if (!tile) throw new Error(`tile ${key} of ${this.origin} is missing`)
      // A partial one may have grown while it was read; only what is written here is known to be the newest.
      if (tile.length === TILE_WIDTH * HASH_SIZE) this.#remember(tileLevel, n, tile)
      tiles.set(key, tile)
    }
    return nodeReader((level, n) => tiles.get(`${level}/${n}`)!)
  }

  #remember(level: number, n: number, hashes: Uint8Array) {
    const key = `${level}/${n}`
    // Taken out and put back, so that the first key is always the one unused for longest.
    this.#tiles.delete(key)
    this.#tiles.set(key, hashes)
    if (this.#tiles.size > TILE_CACHE_LIMIT) this.#tiles.delete(this.#tiles.keys().next().value!)
  }
}

function edgeOf({ head, edge }: Standing): TileEdge {
  return TileEdge.restore(
    head.size,
    (level, n) => edge?.find((tile) => tile.level === level && tile.n === n)?.hashes ?? null,
  )
}

async function restoreEdge(store: LogStore, size: number): Promise<TileEdge> {
  const tiles = new Map<string, Uint8Array | null>()
  for (let level = 0; TILE_WIDTH ** level <= size; level++) {
    const n = Math.ceil(Math.floor(size / TILE_WIDTH ** level) / TILE_WIDTH) - 1
    tiles.set(`${level}/${n}`, await store.tile(level, n))
  }
  return TileEdge.restore(size, (level, n) => tiles.get(`${level}/${n}`) ?? null)
}
