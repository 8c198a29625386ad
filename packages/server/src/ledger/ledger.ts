/**
 * An append-only log of sealed entries. What arrives while a batch is being written becomes the next one: one lock, one
 * signature, one commit for all of them. It knows nothing of consent: what to seal is composed by the caller once the
 * time of recording is known, and found again by opaque keys.
 */
import { createHash, randomInt, timingSafeEqual } from 'node:crypto'
import { TILE_WIDTH, TileEdge } from '../merkle/tile.js'
import { EMPTY_ROOT, leafHash } from '../merkle/tree.js'
import {
  type ActiveDay,
  type Batch,
  type Count,
  type Dated,
  type DocumentRow,
  type EntryRow,
  type FacetQuery,
  type Forgetting,
  type Grade,
  type Head,
  type LogStore,
  type NewVaultRow,
  type Standing,
  UnavailableError,
} from '../storage/storage.js'
import type { Keyring } from '../vault/keyring.js'
import { Auditor } from './auditor.js'
import { encodeBase64 } from './base64.js'
import { formatCheckpoint, openCheckpoint } from './checkpoint.js'
import type { Escrow, EscrowedTombstone } from './escrow.js'
import {
  type Composed,
  type OpenedConsent,
  type OpenedEvent,
  type OpenedTombstone,
  type Sealed,
  Sealer,
} from './sealer.js'
import type { Signer } from './signer.js'

export type { Composed, OpenedConsent, OpenedEvent, OpenedTombstone } from './sealer.js'

/** Entries in one commit. At 1,024 the commit is a small part of the cost of an entry; more would only delay answers. */
const BATCH_LIMIT = 1024

/** Entries looked at in one step of work that walks the whole log, so that requests are answered in between. */
const WALK_STEP = 1024

/** Records read in one go. */
const OPEN_STEP = 128

/** Records opened in one go, which takes a millisecond: whoever submits a consent meanwhile takes several turns to be answered. */
const OPEN_SLICE = 32

/** The escrow keeps which record and which grade, no more. */
const LOST_GROUND = 'an erasure that was interrupted, or whose tombstone was lost: its ground is not known any more'

/** What is to be appended. */
export interface Draft {
  /** 16 bytes; the log takes one entry per key, ever. */
  readonly key: Uint8Array
  /** 32 bytes; the same key with another fingerprint is a `ConflictError`. */
  readonly fingerprint: Uint8Array
  /** Called once the time of recording is known, Unix milliseconds; again, if another node recorded something later. Must not throw. */
  compose(recordedAt: number): Composed
}

export interface Appended {
  readonly index: number
  /** True if the key stood already and nothing was appended. */
  readonly repeated: boolean
  /** A consent that was appended just now, so that it needn't be read back. */
  readonly opened: OpenedConsent | null
}

/** Where a record is. */
export interface Place {
  /** Name of the log: this one, or an earlier epoch of it. */
  readonly log: string
  readonly index: number
}

/** A key was used before, for something else. */
export class ConflictError extends Error {
  override name = 'ConflictError'
}

/** The key's record was erased since. Appending it again would bring somebody back who asked to be forgotten. */
export class ErasedError extends Error {
  override name = 'ErasedError'
}

/** The stored log is not the one that was published. Reads go on; the message says what to do. */
export class ForkError extends Error {
  override name = 'ForkError'
}

export interface LedgerParts {
  /** Names the log in the stores and in what binds ciphertexts to their place. */
  readonly log: string
  readonly store: LogStore
  readonly signer: Signer
  readonly keyring: Keyring
  readonly escrow: Escrow
  /** Earlier epochs of this log: what is forgotten of them has its tombstones here. */
  readonly earlier?: readonly Ledger[]
  /** Unix milliseconds. */
  readonly now: () => number
  /** Entries in one commit at most; 1 is for measuring what batches are worth. */
  readonly batchLimit?: number
  /** Told what an operator must know. */
  readonly warn: (line: string) => void
}

interface Waiting {
  readonly draft: Draft
  sealed: SealedDraft | null
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: unknown) => void
}

interface SealedDraft {
  readonly recordedAt: number
  readonly composed: Composed
  readonly sealed: Sealed
}

interface Composing {
  readonly entries: EntryRow[]
  readonly vault: NewVaultRow[]
  readonly documents: DocumentRow[]
  /** Of the last entry. */
  recordedAt: number
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

export class Ledger {
  readonly origin: string
  readonly #parts: LedgerParts
  readonly #sealer: Sealer
  readonly #auditor: Auditor
  /** This one and those of earlier epochs, by name. */
  readonly #logs: ReadonlyMap<string, Ledger>
  #head: Head
  #edge: TileEdge
  /** Why nothing may be appended; null while all is well. */
  #fork: string | null = null
  /** Entries that the vault may lack: it was older than the ledger at start, which was told. */
  #lostBelow = 0
  #waiting: Waiting[] = []
  /** Nothing is recorded as earlier than this, Unix milliseconds: when what arrived last was, here or in an earlier epoch. */
  #recordedAt = 0
  #writing: Promise<void> | null = null
  #tellGrown: () => void = () => {}

  private constructor(parts: LedgerParts, head: Head, edge: TileEdge) {
    this.origin = parts.signer.name
    this.#parts = parts
    this.#sealer = new Sealer(parts.log, parts.keyring)
    this.#auditor = new Auditor((level, n) => parts.store.tile(level, n))
    this.#logs = new Map([this, ...(parts.earlier ?? [])].map((ledger) => [ledger.log, ledger]))
    this.#head = head
    this.#edge = edge
  }

  /**
   * Takes up a log where it stands, and finishes what a crash interrupted. Rejects if the stored tree isn't the one that
   * the stored checkpoint signs, or another key signed it. A log older than its escrow is taken up for reading alone.
   * Nothing is appended: see `finishErasures`.
   */
  static async open(parts: LedgerParts): Promise<Ledger> {
    const { store, signer, escrow, warn, log } = parts
    // Asked before the store is, for what other nodes append in between is no fork.
    const escrowed = escrow.highest()
    const { head, edge } = await readHead(store, signer)
    const ledger = new Ledger(parts, head, edge)
    // Of what an older copy lacks, the escrow still knows it.
    const earlier = (parts.earlier ?? []).map((one) => one.#recordedAt)
    ledger.#recordedAt = Math.max(head.recordedAt, escrowed?.recordedAt ?? 0, ...earlier)
    if (
      escrowed &&
      (escrowed.size > head.size || encodeBase64(await ledger.#auditor.root(escrowed.size)) !== escrowed.root)
    ) {
      ledger.#refuse(head.size, escrowed.size)
      // Reads go on, so what was forgotten since this copy was made must be forgotten in it, too.
      await ledger.#carryOut(escrow.tombstones())
      return ledger
    }
    await store.reconcile()
    const lost = head.size - (await store.vaultSize())
    if (lost > 0) {
      warn(`the vault of ${log} is older than its ledger: the last ${lost} entries can't be opened any more`)
      ledger.#lostBelow = head.size
    }
    // An escrow that is new, to a log that isn't: the next older vault is to bring nobody back either.
    if (!escrowed && head.size > 0) await escrow.putTombstones(await ledger.#standingTombstones())
    // All of them, whatever the vault says of itself: it may have gone back under a process that then went on.
    await ledger.#carryOut(escrow.tombstones())
    // What was committed and not yet escrowed when the process died is as good as any other head.
    if (head.size > 0 && head.size !== escrowed?.size) await escrow.put(head)
    return ledger
  }

  /** The newest head this process has published. */
  get head(): Head {
    return this.#head
  }

  /** Whether the vault lacked entries that the ledger has when it was opened: an older copy, or a new one. */
  get isVaultOlder(): boolean {
    return this.#lostBelow > 0
  }

  /** Its name in the stores and in addresses. */
  get log(): string {
    return this.#parts.log
  }

  get vkey(): string {
    return this.#parts.signer.vkey
  }

  /** Why nothing may be appended; null while all is well. */
  get fork(): string | null {
    return this.#fork
  }

  /** The newest head there is, also where other processes append to the same log. */
  async latest(): Promise<Head> {
    if (this.#parts.store.isShared) await this.#refresh()
    return this.#head
  }

  /**
   * Resolves once the entry is durable and its head is escrowed. Rejects with `ConflictError`, `ErasedError`, `ForkError`,
   * or with what the store or the escrow said: whoever asked may then send the same again.
   */
  append(draft: Draft): Promise<Appended> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.at(-1)?.sealed !== null) setImmediate(() => this.#sealWaiting())
      this.#waiting.push({ draft, sealed: null, resolve, reject })
      this.#writing ??= this.#writeAll()
    })
  }

  /**
   * Seals what arrived in this turn of the event loop. Not when its batch's turn comes, for then nobody would be writing; and
   * not each as it arrives, for a processor that does one thing after another takes a fifth less for it.
   */
  #sealWaiting(): void {
    this.#waiting = this.#waiting.filter((waiting) => {
      if (waiting.sealed) return true
      try {
        waiting.sealed = this.#seal(waiting.draft, Math.max(this.#parts.now(), this.#head.recordedAt, this.#recordedAt))
        this.#recordedAt = waiting.sealed.recordedAt
        return true
      } catch (error) {
        // What can't be composed is nobody else's trouble.
        waiting.reject(error)
        return false
      }
    })
  }

  #seal(draft: Draft, recordedAt: number): SealedDraft {
    const composed = draft.compose(recordedAt)
    return { recordedAt, composed, sealed: this.#sealer.seal(composed) }
  }

  /** Has `tell` called after each batch that this process published. It must return at once, and not throw. */
  onGrown(tell: () => void): void {
    this.#tellGrown = tell
  }

  /** Resolves when everything handed to `append` so far is answered. */
  async settled(): Promise<void> {
    await this.#writing
  }

  async #writeAll(): Promise<void> {
    let published: Answer[] = []
    do {
      // One turn of the event loop first: requests that are already at the door join the batch.
      await new Promise<void>((resume) => setImmediate(resume))
      this.#sealWaiting()
      const batch = this.#waiting.splice(0, this.#parts.batchLimit ?? BATCH_LIMIT)
      // Answers are made while the next batch is being written: they take as long, and the store would have nothing to do.
      const before = published
      const answerBefore = () => {
        for (const { answer } of before.splice(0)) answer()
      }
      published = []
      try {
        if (batch.length > 0) published = await this.#write(batch, answerBefore)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
      answerBefore()
    } while (this.#waiting.length > 0 || published.length > 0)
    this.#writing = null
  }

  /** Answers what to answer, once it is published. `meanwhile` is called when the batch is handed to the store. */
  async #write(waiting: readonly Waiting[], meanwhile: () => void): Promise<Answer[]> {
    const { store, escrow, signer } = this.#parts
    if (this.#fork !== null) throw new ForkError(this.#fork)
    let answers: Answer[] = []
    // As it is now: `latest` may move on while the store is waited for.
    const [assumed, assumedEdge] = [this.#head, this.#edge]
    let edge = assumedEdge
    // Asked before the store is: what was escrowed by then is in the store by the time its head is read. Asked later, the
    // next batch of another node would look like a fork to one that was frozen in between.
    const escrowed = store.isShared ? (escrow.highest()?.size ?? 0) : 0
    const keys = waiting.map(({ draft }) => draft.key)
    const written = await store.append(keys, assumed.size, (standing) => {
      answers = []
      this.#requireNoFork(standing, assumed, escrowed)
      this.#requireVault(standing)
      const before = standing.edge ? edgeOf(standing) : assumedEdge
      const composing = this.#compose(waiting, standing, answers)
      setImmediate(meanwhile)
      if (composing.entries.length === 0) return null
      const grown = before.append(composing.entries.map(({ entry }) => leafHash(entry)))
      edge = grown.edge
      const { size } = edge
      const checkpoint = signer.sign(formatCheckpoint({ origin: this.origin, size, root: grown.root }))
      return {
        head: { size, root: grown.root, checkpoint, recordedAt: composing.recordedAt },
        tiles: grown.writes,
        ...composing,
      } satisfies Batch
    })
    if (written) {
      // Escrow before publishing. Where it fails the batch stands but isn't published, and the next one starts from it.
      await escrow.put(written.head)
      // Only now: a commit that failed must leave the edge where it was. `latest` may have moved on further.
      if (written.head.size > this.#head.size) {
        this.#head = written.head
        this.#edge = edge
      }
      this.#auditor.remember(written.tiles)
      this.#tellGrown()
    }
    // Something repeated may stand in a batch of another process, or in one that was never published.
    if (answers.some(({ index }) => index >= this.#head.size)) await this.#refresh()
    return answers
  }

  /** Throws if the store's log isn't the one this process, or anyone who shares its escrow, has seen. */
  #requireNoFork(standing: Standing, assumed: Head, escrowed: number): void {
    const isRewound =
      standing.head.size < assumed.size ||
      (assumed.size > 0 && (!standing.assumedRoot || hex(standing.assumedRoot) !== hex(assumed.root)))
    if (!isRewound && escrowed <= standing.head.size) return
    throw new ForkError(this.#refuse(standing.head.size, Math.max(escrowed, assumed.size)))
  }

  /** From here on nothing is appended; that is told once. Answers why. */
  #refuse(stored: number, published: number): string {
    if (this.#fork === null) {
      this.#fork = forkMessage(this.log, stored, published)
      this.#parts.warn(this.#fork)
    }
    return this.#fork
  }

  /** Throws if the vault went back under this process: what was erased since would be there again, and stay. */
  #requireVault({ head, hasNewest }: Standing): void {
    if (hasNewest || head.size <= this.#lostBelow) return
    throw new UnavailableError(
      `the vault of ${this.log} lacks the newest of ${head.size} entries: an older copy took its place while this server ran. ` +
        'Nothing was written. Restore the newest vault; or, if it is lost, restart every server, which carries out again what was erased',
    )
  }

  #compose(waiting: readonly Waiting[], standing: Standing, answers: Answer[]): Composing {
    const composing: Composing = { entries: [], vault: [], documents: [], recordedAt: standing.head.recordedAt }
    const known = new Map(standing.known)
    for (const { draft, sealed: early, resolve, reject } of waiting) {
      const { key, fingerprint } = draft
      const before = known.get(hex(key))
      if (before) {
        answers.push({ index: before.index, answer: () => answerRepeated(before, fingerprint, resolve, reject) })
        continue
      }
      const index = standing.head.size + composing.entries.length
      known.set(hex(key), { index, fingerprint, erased: null })
      // Another node may have recorded something later meanwhile: its clock runs ahead, or it was quicker.
      const { recordedAt, composed, sealed } =
        early && early.recordedAt >= composing.recordedAt ? early : this.#seal(draft, composing.recordedAt)
      composing.recordedAt = recordedAt
      const { row, subject, account } = sealed
      const opened = this.#sealer.opened(composed, sealed, index)
      composing.entries.push(row)
      composing.vault.push({
        key,
        fingerprint,
        erased: null,
        subject,
        account,
        secrets: this.#sealer.wrap(sealed, index),
        facet: composed.kind === 'consent' ? composed.facet : null,
        recordedAt,
      })
      if (composed.kind === 'document') composing.documents.push({ ...composed.document, index, recordedAt })
      answers.push({ index, answer: () => resolve({ index, repeated: false, opened }) })
    }
    return composing
  }

  /** Takes up what another process appended, or this one didn't come to publish. */
  async #refresh(): Promise<void> {
    const { store, signer, escrow } = this.#parts
    const seen = this.#head
    const { head, edge } = await readHead(store, signer)
    const seenRoot = seen.size === 0 ? seen.root : head.size < seen.size ? null : await store.rootAt(seen.size)
    if (!seenRoot || hex(seenRoot) !== hex(seen.root)) {
      this.#refuse(head.size, seen.size)
      return
    }
    // A write that went on meanwhile may have moved this process further than what was read.
    if (head.size <= this.#head.size) return
    await escrow.put(head)
    if (head.size <= this.#head.size) return
    this.#head = head
    this.#edge = edge
  }

  /**
   * Forgets records, of earlier epochs too: appends a tombstone for each, then deletes the secrets. *unlink* takes the
   * identity and keeps the evidence, *erase* takes both. `ground`: why, for the tombstone. Places that hold no consent are
   * passed over.
   */
  async erase(records: readonly Place[], grade: Grade, ground: string): Promise<void> {
    const { escrow, now } = this.#parts
    if (this.#fork !== null) throw new ForkError(this.#fork)
    const due = await this.#due(records.map(({ log, index }) => ({ log, index, grade })))
    // Asked for again, since its rest could not be cleared from the files: the store makes up for it.
    if (due.length === 0) return this.#carryOut([])
    // So that the order of tombstones says nothing about whose they are.
    for (let i = due.length - 1; i > 0; i--) {
      const j = randomInt(i + 1)
      ;[due[i], due[j]] = [due[j]!, due[i]!]
    }
    // First of all: whoever dies from here on, every node knows what is to be looked for.
    await escrow.putTombstones(due)
    const at = new Date(now()).toISOString()
    await Promise.all(due.map((tombstone) => this.append(this.#tombstoneDraft(tombstone, at, ground))))
    await this.#carryOut(due)
  }

  /** Those of consents that are not carried out, each once. */
  async #due(tombstones: readonly EscrowedTombstone[]): Promise<EscrowedTombstone[]> {
    const due = new Map<string, EscrowedTombstone>()
    for (const tombstone of tombstones) {
      const { log, index, grade } = tombstone
      const ledger = this.#ledgerOf(log)
      const row = await ledger.#parts.store.vaultRow(index)
      if (!row || row.erased === 'erase' || row.erased === grade) continue
      if (await ledger.#isConsent(index)) due.set(`${log}/${index}/${grade}`, tombstone)
    }
    return [...due.values()]
  }

  #ledgerOf(log: string): Ledger {
    const ledger = this.#logs.get(log)
    if (!ledger) throw new Error(`${this.log} knows no log ${log}, in which a record is to be forgotten`)
    return ledger
  }

  async #isConsent(index: number): Promise<boolean> {
    const [entry] = await this.#parts.store.entries(index, index + 1)
    return entry?.sealed.length === 2
  }

  /** Deletes what tombstones say is forgotten. Repeating it changes nothing. */
  async #carryOut(tombstones: readonly EscrowedTombstone[]): Promise<void> {
    const due = await this.#due(tombstones)
    for (const ledger of this.#logs.values()) {
      const { store } = ledger.#parts
      const changes = new Map<number, Forgetting>()
      for (const { index, grade } of due.filter(({ log }) => log === ledger.log)) {
        const row = await store.vaultRow(index)
        // One change for each record: of two, the one that leaves less.
        if (row && changes.get(index)?.grade !== 'erase')
          changes.set(index, ledger.#sealer.forgetting(index, grade, row))
      }
      await store.forget([...changes.values()])
    }
  }

  /**
   * Appends the tombstones that the escrows have and no log has: of erasures that a crash interrupted, which are carried out
   * by now, and of those whose tombstone an older ledger lacks. One that only an older vault lost the key of, which finds it,
   * is appended once more; that does no harm. For the newest epoch alone.
   */
  async finishErasures(): Promise<void> {
    const escrowed = [...this.#logs.values()].flatMap((ledger) => ledger.#parts.escrow.tombstones())
    const missing = new Map<string, EscrowedTombstone>()
    for (const tombstone of escrowed) {
      const { log, index, grade } = tombstone
      // Past the head of an older ledger there is nothing to be said of.
      if (!(await this.#stands(tombstone)) && (await this.#ledgerOf(log).#isConsent(index)))
        missing.set(`${log}/${index}/${grade}`, tombstone)
    }
    const at = new Date(this.#parts.now()).toISOString()
    const due = [...missing.values()]
    await Promise.all(due.map((tombstone) => this.append(this.#tombstoneDraft(tombstone, at, LOST_GROUND))))
  }

  /** Whether the tombstone stands in this log or an earlier one. */
  async #stands(tombstone: EscrowedTombstone): Promise<boolean> {
    const found = [...this.#logs.values()].map((ledger) =>
      ledger.#parts.store.findKey(tombstoneDigest(tombstone, ledger.log).key),
    )
    return (await Promise.all(found)).some((known) => known !== null)
  }

  /** What the log's own tombstones say, as the escrow keeps it. */
  async #standingTombstones(): Promise<EscrowedTombstone[]> {
    const nameOf = new Map([...this.#logs.values()].map(({ origin, log }) => [origin, log]))
    return (await this.tombstones()).flatMap(({ body: { log: origin = this.origin, index, grade } }) => {
      const log = nameOf.get(origin)
      return log === undefined ? [] : [{ log, index, grade }]
    })
  }

  #tombstoneDraft(tombstone: EscrowedTombstone, at: string, ground: string): Draft {
    const { log, index, grade } = tombstone
    const place = log === this.log ? { index } : { index, log: this.#logs.get(log)!.origin }
    const body = { at, grade, ground, ...place }
    return { ...tombstoneDigest(tombstone, this.log), compose: () => ({ kind: 'tombstone', body }) }
  }

  /** The tombstones in this log that can be opened. */
  async tombstones(): Promise<OpenedTombstone[]> {
    const { store } = this.#parts
    const found: OpenedTombstone[] = []
    for (let from = 0; from < this.#head.size; from += WALK_STEP) {
      const rows = await store.entries(from, Math.min(from + WALK_STEP, this.#head.size))
      for (const [i, row] of rows.entries()) {
        // The vault is asked for the few that are one.
        if (!this.#sealer.isTombstone(row)) continue
        const tombstone = this.#sealer.openTombstone(from + i, row, (await store.vaultRow(from + i))?.secrets ?? null)
        if (tombstone) found.push(tombstone)
      }
    }
    return found
  }

  /** The consent records at these indexes, in the same order; what holds none, or was erased whole, is left out. */
  async open(indexes: readonly number[]): Promise<OpenedConsent[]> {
    return this.#openEach(indexes, (index, row, secrets) => this.#sealer.openConsent(index, row, secrets))
  }

  /** The events at these indexes, in the same order; what is none, or was forgotten, is left out. */
  async openEvents(indexes: readonly number[]): Promise<OpenedEvent[]> {
    return this.#openEach(indexes, (index, row, secrets) => this.#sealer.openEvent(index, row, secrets))
  }

  async #openEach<T>(
    indexes: readonly number[],
    open: (index: number, row: EntryRow, secrets: Uint8Array | null) => T | null,
  ): Promise<T[]> {
    const opened: T[] = []
    for (let start = 0; start < indexes.length; start += OPEN_STEP) {
      const rows = await this.#parts.store.rows(indexes.slice(start, start + OPEN_STEP))
      for (const [i, { index, row, secrets }] of rows.entries()) {
        if (i > 0 && i % OPEN_SLICE === 0) await new Promise<void>((resume) => setImmediate(resume))
        const record = open(index, row, secrets)
        if (record !== null) opened.push(record)
      }
    }
    return opened
  }

  /**
   * The oldest events that were not forgotten, as long as they are `isOver`. For logs whose events go in the order they
   * came: what was forgotten is a beginning of the log, so that looking for it doesn't walk all of it.
   */
  async *overdueEvents(isOver: (event: OpenedEvent) => boolean): AsyncGenerator<OpenedEvent> {
    const { store } = this.#parts
    const { size } = await this.latest()
    let [from, end] = [0, size]
    while (from < end) {
      const middle = Math.floor((from + end) / 2)
      // A row that is missing, of a vault older than its ledger, is among the newest.
      if ((await store.vaultRow(middle))?.erased === 'erase') from = middle + 1
      else end = middle
    }
    for (; from < size; from += OPEN_STEP) {
      const step = Array.from({ length: Math.min(OPEN_STEP, size - from) }, (_, i) => from + i)
      for (const event of await this.openEvents(step)) {
        if (!isOver(event)) return
        yield event
      }
    }
  }

  /**
   * Forgets events, durably, and without tombstones: for a log whose events have a term that was known beforehand. The tree
   * stays whole. An older vault brings them back until this is asked for again.
   */
  async forgetEvents(indexes: readonly number[]): Promise<void> {
    const secrets = new Uint8Array(0)
    await this.#parts.store.forget(indexes.map((index) => ({ index, grade: 'erase', secrets })))
  }

  /** What `append` would answer to a repetition; null if the key is not here. Rejects as `append` does. */
  async repeated({ key, fingerprint }: Pick<Draft, 'key' | 'fingerprint'>): Promise<Appended | null> {
    const before = await this.#parts.store.findKey(key)
    return before && new Promise((resolve, reject) => answerRepeated(before, fingerprint, resolve, reject))
  }

  /** The entry's index, if the key was appended and not erased since: who knows the key must not find what was unlinked. */
  async find(key: Uint8Array): Promise<number | null> {
    const known = await this.#parts.store.findKey(key)
    return known && !known.erased ? known.index : null
  }

  /** Where what was appended under this key stands, and how much of it was forgotten; null where nothing was. */
  async forgotten(key: Uint8Array): Promise<{ index: number; grade: Grade } | null> {
    const known = await this.#parts.store.findKey(key)
    return known?.erased ? { index: known.index, grade: known.erased } : null
  }

  /** The tombstone that says so, in this log or an earlier one; null where it is lost, or can't be opened any more. */
  async tombstoneOf(erased: EscrowedTombstone): Promise<(OpenedTombstone & { readonly log: string }) | null> {
    for (const ledger of this.#logs.values()) {
      const { store } = ledger.#parts
      const known = await store.findKey(tombstoneDigest(erased, ledger.log).key)
      if (!known) continue
      const [[row], vault] = await Promise.all([
        store.entries(known.index, known.index + 1),
        store.vaultRow(known.index),
      ])
      const opened = row ? ledger.#sealer.openTombstone(known.index, row, vault?.secrets ?? null) : null
      if (opened) return { log: ledger.log, ...opened }
    }
    return null
  }

  /** Indexes of the subject's entries, ascending. */
  findSubject(subject: Uint8Array): Promise<number[]> {
    return this.#parts.store.findSubject(subject)
  }

  /** Indexes of the account's entries, ascending. */
  findAccount(account: Uint8Array): Promise<number[]> {
    return this.#parts.store.findAccount(account)
  }

  /** Indexes below `before` of entries about somebody, newest first. */
  recent(before: number, limit: number): Promise<number[]> {
    return this.#parts.store.recent(before, limit)
  }

  /** All facets that entries were ever appended with. */
  facets(): Promise<string[]> {
    return this.#parts.store.facets()
  }

  /** Indexes of entries of these facets. */
  findFacets(query: FacetQuery): Promise<number[]> {
    return this.#parts.store.findFacets(query)
  }

  /** The lowest index that was recorded at this time or later; the size where there is none. */
  firstAt(recordedAt: number): Promise<number> {
    return this.#parts.store.firstAt(recordedAt)
  }

  /** How many entries in `[from, below)` were erased whole. */
  countErased(from: number, below: number): Promise<number> {
    return this.#parts.store.countErased(from, below)
  }

  /** How many entries of each facet were recorded on UTC days `[from, below)`, counted from 1970-01-01; erased ones too. */
  counts(from: number, below: number): Promise<Count[]> {
    return this.#parts.store.counts(from, below)
  }

  /**
   * Makes up for what an earlier release didn't write: facet and time of each entry. `describe` says them of a consent's
   * evidence; everything else counts as recorded with the consent after it. A record that was erased whole has no facet.
   */
  async dateEarlier(describe: (evidence: object) => Omit<Dated, 'index'>): Promise<void> {
    const { store } = this.#parts
    let end = await store.undated()
    if (end === 0) return
    this.#parts.warn(`${end} entries of ${this.log} are prepared for being looked for, once; that takes a while`)
    const { size, recordedAt: newest } = await store.head()
    const [after] = await this.open(indexesIn(end, Math.min(end + WALK_STEP, size)))
    let recordedAt = after?.evidence ? describe(after.evidence).recordedAt : newest
    for (; end > 0; end = Math.max(0, end - WALK_STEP)) {
      const from = Math.max(0, end - WALK_STEP)
      const dated: Dated[] = []
      for (const { index, row, secrets } of (await store.rows(indexesIn(from, end))).reverse()) {
        const evidence = this.#sealer.openConsent(index, row, secrets)?.evidence
        const said = evidence ? describe(evidence) : { facet: null, recordedAt }
        recordedAt = said.recordedAt
        dated.push({ index, ...said })
      }
      await store.date(dated)
    }
  }

  /** The checkpoint of a size that was one of the log's heads; null for every other. */
  async checkpointAt(size: number): Promise<string | null> {
    if (size === this.#head.size) return this.#head.checkpoint
    const root = size > this.#head.size ? null : await this.#parts.store.rootAt(size)
    // Signing is deterministic (RFC 8032): the same statement of the same tree, byte for byte.
    return root && this.#parts.signer.sign(formatCheckpoint({ origin: this.origin, size, root }))
  }

  documents(): Promise<DocumentRow[]> {
    return this.#parts.store.documents()
  }

  /** See `LogStore`. */
  keepActive(days: readonly ActiveDay[]): Promise<void> {
    return this.#parts.store.keepActive(days)
  }

  idle(until: number, limit: number): Promise<ActiveDay[]> {
    return this.#parts.store.idle(until, limit)
  }

  dropActive(days: readonly ActiveDay[]): Promise<void> {
    return this.#parts.store.dropActive(days)
  }

  keepServed(day: number): Promise<void> {
    return this.#parts.store.keepServed(day)
  }

  served(): Promise<number[]> {
    return this.#parts.store.served()
  }

  forgetServed(): Promise<void> {
    return this.#parts.store.forgetServed()
  }

  /** Entries `[start, end)` as the tree commits to them. */
  async entries(start: number, end: number): Promise<Uint8Array[]> {
    return (await this.#parts.store.entries(start, end)).map(({ entry }) => entry)
  }

  /** At least `width` hashes of a tile; null where there are fewer. */
  tile(level: number, n: number, width: number): Promise<Uint8Array | null> {
    return this.#auditor.tile(level, n, width)
  }

  /** Inclusion proofs of these entries in the tree of `size`. */
  prove(indexes: readonly number[], size = this.#head.size): Promise<Uint8Array[][]> {
    return this.#auditor.inclusion(indexes, size)
  }

  /** Proof that the tree of size `from` is a prefix of the tree of size `to`. */
  proveConsistency(from: number, to = this.#head.size): Promise<Uint8Array[]> {
    return this.#auditor.consistency(from, to)
  }
}

const indexesIn = (from: number, end: number) => Array.from({ length: Math.max(0, end - from) }, (_, i) => from + i)

interface Answer {
  readonly index: number
  readonly answer: () => void
}

function answerRepeated(
  before: { index: number; fingerprint: Uint8Array; erased: Grade | null },
  fingerprint: Uint8Array,
  resolve: Waiting['resolve'],
  reject: Waiting['reject'],
): void {
  if (before.erased) reject(new ErasedError('the record was erased'))
  else if (!timingSafeEqual(before.fingerprint, fingerprint)) reject(new ConflictError('the key was used before'))
  else resolve({ index: before.index, repeated: true, opened: null })
}

/** Its key is of what it erases, so that an erasure that is asked for twice has one tombstone. `own`: the log it goes to. */
function tombstoneDigest({ log, index, grade }: EscrowedTombstone, own: string): Pick<Draft, 'key' | 'fingerprint'> {
  const place = log === own ? `${index}` : `${log}/${index}`
  const digest = createHash('sha256').update(`avow/tombstone/v1/${grade}/${place}`).digest()
  return { key: digest.subarray(0, 16), fingerprint: digest }
}

function forkMessage(log: string, stored: number, published: number): string {
  return (
    `the log of ${log} stands at ${stored} entries, and ${published} were published: this is an older copy, or another one. ` +
    'Nothing is appended, since that would fork the log; reads go on. Restore the newest copy of the ledger, or, if it is lost, ' +
    'run `avow recover --new-epoch`, which starts a new log that names this one'
  )
}

function edgeOf({ head, edge }: Standing): TileEdge {
  return TileEdge.restore(
    head.size,
    (level, n) => edge?.find((tile) => tile.level === level && tile.n === n)?.hashes ?? null,
  )
}

/** The stored head, checked against its signature and its tree. */
async function readHead(store: LogStore, signer: Signer): Promise<{ head: Head; edge: TileEdge }> {
  const stored = await store.head()
  if (stored.size === 0) {
    const checkpoint = signer.sign(formatCheckpoint({ origin: signer.name, size: 0, root: EMPTY_ROOT }))
    return { head: { ...stored, root: EMPTY_ROOT, checkpoint }, edge: TileEdge.restore(0, () => null) }
  }
  const tiles = new Map<string, Uint8Array | null>()
  for (let level = 0; TILE_WIDTH ** level <= stored.size; level++) {
    const n = Math.ceil(Math.floor(stored.size / TILE_WIDTH ** level) / TILE_WIDTH) - 1
    tiles.set(`${level}/${n}`, await store.tile(level, n))
  }
  let edge: TileEdge
  try {
    edge = TileEdge.restore(stored.size, (level, n) => tiles.get(`${level}/${n}`) ?? null)
  } catch (error) {
    throw new Error(
      `the stored tree of ${signer.name} is damaged (${(error as Error).message}): restore the ledger from a backup; nothing was written`,
      { cause: error },
    )
  }
  const { size, root } = openCheckpoint(stored.checkpoint, signer.vkey)
  if (size !== stored.size || hex(root) !== hex(edge.append([]).root)) {
    throw new Error(
      `the stored tree of ${signer.name} is not the one its checkpoint of size ${size} signs: restore the ledger from a backup; nothing was written`,
    )
  }
  return { head: stored, edge }
}
