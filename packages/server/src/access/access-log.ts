/**
 * Who asked the private surface for what, and why: a log of a site's own, never served to anybody without a key. Each
 * access has two entries, one before anything is answered and one with how many rows it was.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Draft, Ledger, OpenedEvent } from '../ledger/ledger.js'
import { InputError } from '../problem.js'
import { UnavailableError } from '../storage/storage.js'
import type { Blinder } from '../vault/blind.js'
import { askedAccount, askedRecord, askedSubject } from './asked.js'
import type { Caller } from './caller.js'

/** What the log is called in the stores. No name of a site or of an epoch has this ending, so that no route reaches it. */
export const accessLogOf = (site: string): string => `${site}.access`

/** How long an access is kept: 90 times 24 hours. */
export const KEEP_MS = 90 * 24 * 3_600_000

/** Entries looked at for one page: who asks for the rare one gets fewer rows and a cursor, not a long wait. */
const LOOK_LIMIT = 4096

/** Read at a time; what is looked for is mostly among the first. */
const STEP = 128

/** Forgotten in one step of the store. */
const FORGET_LIMIT = 65_536

/** What is known before anything is answered. */
export interface Access {
  readonly who: Pick<Caller, 'kind' | 'id' | 'name'>
  /** `GET /v1/audit/records/{id}`, without what it was asked for. */
  readonly route: string
  /** See `asked`. */
  readonly filters: Readonly<Record<string, string>>
  readonly reason: string | null
}

interface Start extends Access {
  readonly step: 'start'
  readonly id: string
  readonly at: string
}

interface End {
  readonly step: 'end'
  readonly id: string
  readonly at: string
  readonly status: number
  readonly rows: number
}

/** As it is read. `status` and `rows` are null where the process ended before it could tell. */
export interface LoggedAccess extends Access {
  readonly log: string
  readonly index: number
  readonly id: string
  readonly at: string
  readonly status: number | null
  readonly rows: number | null
}

export interface AccessQuery {
  /** Id of a key, or subject of a token. */
  readonly who?: string | undefined
  readonly route?: string | undefined
  /** A consent id: who looked at this person? */
  readonly subject?: string | undefined
  /** The id of a record: who asked for it by that? */
  readonly record?: string | undefined
  /** The site's own name of an account: who looked it up? */
  readonly account?: string | undefined
  /** Unix milliseconds, `[from, to)`. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** Where the page before ended. */
  readonly before?: AccessPlace | undefined
  readonly limit: number
}

export interface AccessPlace {
  readonly log: string
  readonly index: number
}

export interface Sweep {
  /** Entries that are over; each access has two. */
  readonly count: number
  /** When the first and the last of them were recorded; null for none. */
  readonly first: string | null
  readonly last: string | null
}

/** Returns at once; `counted` is called when it is known how many rows it was. */
type EndAccess = (status: number, rows: number | Promise<number>, counted: (rows: number) => void) => void

export interface AccessLogParts {
  /** The newest epoch, which is appended to, first. */
  readonly ledgers: readonly [Ledger, ...Ledger[]]
  readonly blind: Blinder
  /** Unix milliseconds. */
  readonly now: () => number
  /** Told what an operator must know. */
  readonly warn: (line: string) => void
  /** Entries looked at for one page; fewer are for tests. */
  readonly lookLimit?: number
}

export class AccessLog {
  readonly #parts: AccessLogParts
  readonly #ending = new Set<Promise<void>>()

  constructor(parts: AccessLogParts) {
    this.#parts = parts
  }

  /** Keyed indexes of what a request asked for are made with this. */
  get blind(): Blinder {
    return this.#parts.blind
  }

  /** The newest head, whose checkpoint signs all that is listed. */
  async head(): Promise<{ size: number; checkpoint: string }> {
    const { size, checkpoint } = await this.#parts.ledgers[0].latest()
    return { size, checkpoint }
  }

  get vkey(): string {
    return this.#parts.ledgers[0].vkey
  }

  /** The log of this name, for whoever checks it entry by entry: the newest epoch, or an earlier one. */
  ledger(log: string): Ledger | undefined {
    return this.#parts.ledgers.find((ledger) => ledger.log === log)
  }

  /**
   * Resolves once the access is durable: only then may a row leave. Rejects with `UnavailableError` if it can't be. What it
   * answers is called when the answer is made, and doesn't keep it waiting.
   */
  async begin(access: Access): Promise<EndAccess> {
    const { blind, now } = this.#parts
    const id = createId(now())
    const started = this.#append(blind.access(id, 'start'), blind.accessor(access.who.id), (at) => ({
      step: 'start',
      id,
      at,
      ...access,
    }))
    await started.catch((cause: Error) => {
      // Whatever it is, nobody is told anything without it.
      throw new UnavailableError(`an access could not be logged: ${cause.message}`, { cause })
    })
    return (status, rows, counted) => {
      const end = (count: number) => {
        counted(count)
        this.#follow(id, this.#end(id, status, count))
      }
      // One that is still being streamed keeps nobody waiting who asks what is recorded.
      if (typeof rows === 'number') end(rows)
      else rows.then(end, (error) => this.#warn(id, error))
    }
  }

  #follow(id: string, written: Promise<void>): void {
    const ending = written.catch((error) => this.#warn(id, error))
    this.#ending.add(ending)
    void ending.then(() => this.#ending.delete(ending))
  }

  /** The answer is on its way, and that it was asked for is recorded: what is lost is how much it was. */
  #warn(id: string, error: Error): void {
    this.#parts.warn(`the access ${id} is recorded without its rows: ${error.message}`)
  }

  #end(id: string, status: number, rows: number): Promise<void> {
    return this.#append(this.#parts.blind.access(id, 'end'), null, (at) => ({ step: 'end', id, at, status, rows }))
  }

  async #append(key: Uint8Array, subject: Uint8Array | null, bodyAt: (at: string) => Start | End): Promise<void> {
    const draft: Draft = {
      key,
      fingerprint: createHash('sha256').update(key).digest(),
      compose: (recordedAt) => ({ kind: 'event', subject, body: bodyAt(new Date(recordedAt).toISOString()) }),
    }
    await this.#parts.ledgers[0].append(draft)
  }

  /** Resolves when the rows of every access that is answered are recorded, or never will be. */
  async settled(): Promise<void> {
    await Promise.all(this.#ending)
  }

  /**
   * Accesses, newest first. `next` is null when there are no more; a page may be short and yet not the last, so that no
   * question walks the whole log at once.
   */
  async list(query: AccessQuery): Promise<{ accesses: LoggedAccess[]; next: AccessPlace | null }> {
    await this.settled()
    const wanted = this.#matcher(query)
    const accesses: LoggedAccess[] = []
    const { lookLimit = LOOK_LIMIT } = this.#parts
    let looked = 0
    for (const { ledger, before } of this.#from(query.before)) {
      const below = query.to === undefined ? before : Math.min(before, await this.#firstAt(ledger, query.to))
      for await (const start of this.#starts(ledger, below, query.who)) {
        if (query.from !== undefined && Date.parse(start.at) < query.from) return { accesses, next: null }
        looked++
        if (wanted(start)) accesses.push(await this.#whole(ledger, start))
        if (accesses.length === query.limit || looked === lookLimit)
          return { accesses, next: { log: ledger.log, index: start.index } }
      }
    }
    return { accesses, next: null }
  }

  #matcher({ who, route, subject, record, account }: AccessQuery): (start: Start) => boolean {
    const { blind } = this.#parts
    const wanted = {
      subject: subject && askedSubject(subject, blind),
      record: record && askedRecord(record, blind),
      account: account && askedAccount(account, blind),
    }
    return ({ who: { id }, route: asked, filters }) =>
      (who === undefined || id === who) &&
      (route === undefined || asked === route) &&
      (wanted.subject === undefined || filters.subject === wanted.subject) &&
      (wanted.account === undefined || filters.account === wanted.account) &&
      (wanted.record === undefined || [filters.id, filters.record, filters.after].includes(wanted.record))
  }

  /** The epochs from this place on, the newest first, and below which index each is read. */
  #from(place: AccessPlace | undefined): { ledger: Ledger; before: number }[] {
    const { ledgers } = this.#parts
    const start = place === undefined ? 0 : ledgers.findIndex(({ log }) => log === place.log)
    if (start < 0) throw new InputError('cursor', 'the cursor of an earlier page of this log')
    return ledgers.slice(start).map((ledger, i) => ({
      ledger,
      before: i === 0 && place !== undefined ? place.index : Number.MAX_SAFE_INTEGER,
    }))
  }

  /** The lowest index from which on every access was recorded at this time or later. */
  async #firstAt(ledger: Ledger, time: number): Promise<number> {
    let [from, end] = [0, (await ledger.latest()).size]
    while (from < end) {
      const middle = Math.floor((from + end) / 2)
      // The newest access up to there: between them lie their ends, and what was forgotten says no time.
      const [event] = await ledger.openEvents(await ledger.recent(middle + 1, 1))
      if (event && Date.parse(startOf(event).at) >= time) end = middle
      else from = middle + 1
    }
    return end
  }

  /** Those below `before`, newest first; of one caller alone where that is asked for. */
  async *#starts(ledger: Ledger, before: number, who: string | undefined): AsyncGenerator<Start & { index: number }> {
    const own = who === undefined ? null : await ledger.findSubject(this.#parts.blind.accessor(who))
    const pages = own?.filter((index) => index < before).reverse()
    let below = Math.min(before, (await ledger.latest()).size)
    for (let at = 0; ; at += STEP) {
      const indexes = pages ? pages.slice(at, at + STEP) : await ledger.recent(below, STEP)
      // Between two reads the sweep may have forgotten some, which are then left out.
      for (const event of await ledger.openEvents(indexes)) yield { ...startOf(event), index: event.index }
      const last = indexes.at(-1)
      if (last === undefined) return
      below = last
    }
  }

  async #whole(ledger: Ledger, { step: _, ...start }: Start & { index: number }): Promise<LoggedAccess> {
    const index = await ledger.find(this.#parts.blind.access(start.id, 'end'))
    const [end] = index === null ? [] : await ledger.openEvents([index])
    const { status, rows } = (end?.body ?? { status: null, rows: null }) as Pick<LoggedAccess, 'status' | 'rows'>
    return { log: ledger.log, ...start, status, rows }
  }

  /**
   * Forgets what is older than `KEEP_MS`, of all epochs; answers what that was. The log stays whole and verifies: what goes
   * is the secrets. `isDry`: only says what would go.
   */
  async sweep(isDry = false): Promise<Sweep> {
    const { ledgers, now } = this.#parts
    const until = now() - KEEP_MS
    const isOver = ({ body }: OpenedEvent) => Date.parse((body as Start | End).at) <= until
    const swept: { count: number; first: string | null; last: string | null } = { count: 0, first: null, last: null }
    for (const ledger of [...ledgers].reverse()) {
      let due: number[] = []
      for await (const event of ledger.overdueEvents(isOver)) {
        const { at } = event.body as Start | End
        swept.count++
        swept.first ??= at
        swept.last = at
        if (!isDry) due.push(event.index)
        if (due.length === FORGET_LIMIT) {
          await ledger.forgetEvents(due)
          due = []
        }
      }
      if (due.length > 0) await ledger.forgetEvents(due)
    }
    return swept
  }
}

/** All that stands in this log under a subject is one: see `begin`. */
const startOf = ({ body }: OpenedEvent) => body as Start

/** A UUIDv7 (RFC 9562 §5.7): the stores keep what is near in time near on disk. */
function createId(now: number): string {
  const time = now.toString(16).padStart(12, '0')
  const random = randomBytes(10).toString('hex')
  const variant = '89ab'[Number.parseInt(random[3]!, 16) % 4]!
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-${variant}${random.slice(4, 7)}-${random.slice(7, 19)}`
}
