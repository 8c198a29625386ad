/**
 * Records page by page: of a log as it stood when the first page was asked for, so that what is recorded meanwhile moves
 * nothing. A page is a step of constant size, also for whoever wants all of them.
 */
import type { Caller } from '../../access/caller.js'
import { parseFacet } from '../../consent/facet.js'
import { matchesEvidence, matchesFacet, type RecordFilter } from '../../consent/record-filter.js'
import type { Ledger } from '../../ledger/ledger.js'
import { InputError } from '../../problem.js'
import { type LinkedRecord, openLinked, type Site } from '../site.js'
import { encodeCursor, parseCursor, type Sign } from './cursor.js'

export interface Page {
  /** That are linked to a person, in the order asked for. */
  readonly records: readonly LinkedRecord[]
  /** The cursor of the page after this one; null where there is none. */
  readonly next: string | null
}

/** Records that match and are on no page. */
export interface LeftOut {
  /** Whose evidence is still there, and nobody it is about. */
  readonly unlinked: number
  /** That were erased whole in the time asked for. Nobody knows whether they would have matched. */
  readonly erased: number
}

export interface Pages {
  /** The log as all pages see it. */
  readonly log: { readonly size: number; readonly checkpoint: string }
  /** From the cursor on, each with at most `limit` records; one at least, which may be empty. */
  pages(): AsyncGenerator<Page>
  /** Of the whole question, wherever the cursor stands. None for a question about somebody: they are not found any more. */
  leftOut(): Promise<LeftOut>
}

export interface PageOptions {
  /** Of an earlier page; null for the first. */
  readonly cursor: string | null
  /** Where to begin, where no cursor says it: of which size the log is, and which entry was the last to be had, if any. */
  readonly start?: { readonly size: number; readonly index: number | null } | null
  /** Records of a page at most; asked for each. */
  readonly limit: () => number
  readonly caller: Pick<Caller, 'kind' | 'id'>
}

/** Indexes, counted without opening them, in one step. */
const COUNT_STEP = 4096

/** Where in the log to look. */
interface Range {
  readonly from: number
  readonly below: number
}

/** Rejects with `InputError` for a cursor that is not of this question. */
export async function pagesOf(
  site: Site,
  ledger: Ledger,
  filter: RecordFilter,
  { cursor, start = null, limit, caller }: PageOptions,
): Promise<Pages> {
  const sign: Sign = site.blind.cursor
  const bound = [caller.kind, caller.id, ledger.log, filter]
  const after = cursor === null ? start : parseCursor(cursor, bound, sign)
  const log = await snapshot(ledger, after?.size ?? null)
  const whole = await rangeOf(ledger, filter, log.size)
  const find = await finderOf(site, ledger, filter)

  async function* pages(): AsyncGenerator<Page> {
    let range = after && after.index !== null ? beyond(whole, after.index, filter.order) : whole
    for (;;) {
      // One more, which says whether there is another page.
      const most = limit()
      const found = await find(range, most + 1)
      const indexes = found.slice(0, most)
      const last = indexes.at(-1)
      const isLast = last === undefined || found.length <= most
      const opened = await openLinked(ledger, indexes)
      // Of a person all records are opened; by facet those that match were found.
      const records = opened.filter(({ evidence }) => matchesEvidence(filter, evidence))
      yield { records, next: isLast ? null : encodeCursor({ size: log.size, index: last }, bound, sign) }
      if (isLast) return
      range = beyond(range, last, filter.order)
    }
  }

  return { log, pages, leftOut: () => countLeftOut(site, ledger, filter, whole) }
}

/** The newest head, or that of the first page. Rejects with `InputError` where the log has gone back behind it. */
async function snapshot(ledger: Ledger, size: number | null): Promise<Pages['log']> {
  const head = await ledger.latest()
  if (size === null) return { size: head.size, checkpoint: head.checkpoint }
  const checkpoint = await ledger.checkpointAt(size)
  if (checkpoint === null) throw new InputError('cursor', 'a cursor of this log, which has gone back since')
  return { size, checkpoint }
}

/** Times of recording never decrease, so that a span of time is a span of the log. */
async function rangeOf(ledger: Ledger, { from, to }: RecordFilter, size: number): Promise<Range> {
  const [first, end] = await Promise.all([
    from === null ? 0 : ledger.firstAt(from),
    to === null ? size : ledger.firstAt(to),
  ])
  return { from: first, below: Math.min(end, size) }
}

const beyond = ({ from, below }: Range, index: number, order: RecordFilter['order']): Range =>
  order === 'newest' ? { from, below: Math.min(below, index) } : { from: Math.max(from, index + 1), below }

/** The facets that match. */
const facetsOf = async ({ blind }: Site, ledger: Ledger, filter: RecordFilter) =>
  (await ledger.facets()).filter((hidden) => matchesFacet(filter, parseFacet(blind.showFacet(hidden))))

type Find = (range: Range, limit: number) => Promise<number[]>

/** Finds indexes in a range in the order asked for: by whom they are about where that is said, else by facet. */
async function finderOf(site: Site, ledger: Ledger, filter: RecordFilter): Promise<Find> {
  const { blind } = site
  const { subject, account, order } = filter
  if (subject === null && account === null) {
    const facets = await facetsOf(site, ledger, filter)
    return (range, limit) => ledger.findFacets({ ...range, facets, erased: null, order, limit })
  }
  const bySubject = subject === null ? null : await ledger.findSubject(blind.subject(subject))
  const byAccount = account === null ? null : await ledger.findAccount(blind.account(account))
  const both = bySubject && byAccount && new Set(byAccount)
  const indexes = both ? bySubject.filter((index) => both.has(index)) : (bySubject ?? byAccount ?? [])
  const records = (await openLinked(ledger, indexes)).filter(({ evidence }) => matchesEvidence(filter, evidence))
  const matching = records.map(({ index }) => index)
  if (order === 'newest') matching.reverse()
  return async ({ from, below }, limit) => matching.filter((index) => index >= from && index < below).slice(0, limit)
}

async function countLeftOut(site: Site, ledger: Ledger, filter: RecordFilter, whole: Range): Promise<LeftOut> {
  if (filter.subject !== null || filter.account !== null) return { unlinked: 0, erased: 0 }
  const facets = await facetsOf(site, ledger, filter)
  let unlinked = 0
  for (let range = whole; ; ) {
    const query = { ...range, facets, erased: 'unlink', order: 'oldest', limit: COUNT_STEP } as const
    const found = await ledger.findFacets(query)
    unlinked += found.length
    if (found.length < COUNT_STEP) break
    range = beyond(range, found.at(-1)!, 'oldest')
  }
  return { unlinked, erased: await ledger.countErased(whole.from, whole.below) }
}
