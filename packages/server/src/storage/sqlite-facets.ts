/**
 * Finds entries by what may be said of them without opening them. A plain index would change a page for each facet that a
 * batch has; so what is kept is in which blocks of the log a facet occurs, a row when it is the first there, and the
 * block is then read. Counts by day are kept beside it.
 */
import type Database from 'better-sqlite3'
import { type Count, DAY_MS, type Dated, type FacetQuery, type NewVaultRow } from './storage.js'

/** Entries in a block. Fewer mean more rows to write, more mean more to read for each that is found of a rare facet. */
const BLOCK = 256

const blockOf = (index: number) => Math.floor(index / BLOCK)
const dayOf = (recordedAt: number) => Math.floor(recordedAt / DAY_MS)

/** What is kept of a row: its facet by its number, and when it was recorded. */
interface FacetColumns {
  readonly idx: number
  readonly facet: number | null
  readonly recorded_at: number | null
}

export class Facets {
  readonly #site: string
  readonly #statements
  /** Numbers by facet; of those that were looked for so far. */
  readonly #numbers = new Map<string, number>()

  constructor(vault: Database.Database, site: string) {
    this.#site = site
    const next = (what: 'max' | 'min', how: '<=' | '>=') =>
      vault
        .prepare<[number, number], number | null>(
          `SELECT ${what}(block) FROM facet_blocks WHERE facet = ? AND block ${how} ?`,
        )
        .pluck()
    const inBlock = (order: 'ASC' | 'DESC') =>
      vault
        .prepare<[string, number, number, 'unlink' | null, string], number>(
          `SELECT idx FROM vault WHERE site_id = ? AND idx >= ? AND idx < ? AND erased IS ?
              AND facet IN (SELECT value FROM json_each(?)) ORDER BY idx ${order}`,
        )
        .pluck()
    this.#statements = {
      number: vault.prepare<[string, string], number>('SELECT id FROM facets WHERE site_id = ? AND facet = ?').pluck(),
      add: vault
        .prepare<[string, string], number>('INSERT INTO facets (site_id, facet) VALUES (?, ?) RETURNING id')
        .pluck(),
      list: vault.prepare<[string], string>('SELECT facet FROM facets WHERE site_id = ?').pluck(),
      addBlock: vault.prepare('INSERT INTO facet_blocks (facet, block) VALUES (?, ?) ON CONFLICT DO NOTHING'),
      tidyBlock: vault.prepare(
        `DELETE FROM facet_blocks WHERE facet = ? AND block = ? AND NOT EXISTS (
           SELECT 1 FROM vault WHERE site_id = ? AND idx >= ? AND idx < ? AND vault.facet = facet_blocks.facet)`,
      ),
      count: vault.prepare(
        `INSERT INTO counts (site_id, day, facet, count) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET count = count + excluded.count`,
      ),
      counts: vault.prepare<[{ site: string; from: number; below: number; size: number }], Count>(
        // Less what stands at or past the head: a batch whose second commit failed, which nobody has seen.
        `SELECT day, facets.facet, count - (
             SELECT count(*) FROM vault WHERE vault.site_id = counts.site_id AND idx >= @size
                AND vault.facet = counts.facet AND recorded_at / ${DAY_MS} = day) AS count
           FROM counts JOIN facets ON facets.id = counts.facet
          WHERE counts.site_id = @site AND day >= @from AND day < @below`,
      ),
      newest: { next: next('max', '<='), inBlock: inBlock('DESC') },
      oldest: { next: next('min', '>='), inBlock: inBlock('ASC') },
      dated: vault
        .prepare<[string, number], number>(
          'SELECT recorded_at FROM vault WHERE site_id = ? AND idx >= ? AND recorded_at IS NOT NULL ORDER BY idx LIMIT 1',
        )
        .pluck(),
      row: vault.prepare<[string, number], FacetColumns>(
        'SELECT idx, facet, recorded_at FROM vault WHERE site_id = ? AND idx >= ? ORDER BY idx LIMIT 1',
      ),
      date: vault.prepare(
        'UPDATE vault SET facet = ?, recorded_at = ? WHERE site_id = ? AND idx = ? AND recorded_at IS NULL',
      ),
      countErased: vault
        .prepare<[string, number, number], number>(
          `SELECT count(*) FROM vault WHERE site_id = ? AND idx >= ? AND idx < ? AND erased = 'erase'`,
        )
        .pluck(),
    }
  }

  /**
   * Takes rows before they are added, the first at `from`; answers their facets' numbers. To be called, as all that changes
   * something, in the vault's transaction.
   */
  add(from: number, rows: readonly Pick<NewVaultRow, 'facet' | 'recordedAt'>[]): (number | null)[] {
    const numbers = rows.map(({ facet }) => (facet === null ? null : this.#numberOf(facet)))
    const placed = new Set<string>()
    const counted = new Map<string, { number: number; day: number; count: number }>()
    numbers.forEach((number, i) => {
      if (number === null) return
      const block = blockOf(from + i)
      if (!placed.has(`${number}/${block}`)) this.#statements.addBlock.run(number, block)
      placed.add(`${number}/${block}`)
      const day = dayOf(rows[i]!.recordedAt)
      const before = counted.get(`${number}/${day}`)
      if (before) before.count++
      else counted.set(`${number}/${day}`, { number, day, count: 1 })
    })
    for (const { number, day, count } of counted.values()) this.#statements.count.run(this.#site, day, number, count)
    return numbers
  }

  /** Takes back what `add` did for a row that was removed. */
  remove({ idx, facet, recorded_at }: FacetColumns): void {
    if (facet === null || recorded_at === null) return
    this.#statements.count.run(this.#site, dayOf(recorded_at), facet, -1)
    this.#tidy(idx, facet)
  }

  /** Forgets what a row said, once the row itself doesn't say it any more; what was counted stays counted. */
  forget(index: number, facet: number | null): void {
    if (facet !== null) this.#tidy(index, facet)
  }

  /** To be called when a transaction failed: a number that was given in it may be another facet's. */
  rollBack(): void {
    this.#numbers.clear()
  }

  /** Else the block would say what the one that was erased had been. */
  #tidy(index: number, facet: number): void {
    const block = blockOf(index)
    this.#statements.tidyBlock.run(facet, block, this.#site, block * BLOCK, (block + 1) * BLOCK)
  }

  #numberOf(facet: string): number {
    const number = this.#find(facet) ?? this.#statements.add.get(this.#site, facet)!
    this.#numbers.set(facet, number)
    return number
  }

  #find(facet: string): number | undefined {
    return this.#numbers.get(facet) ?? this.#statements.number.get(this.#site, facet)
  }

  list(): string[] {
    return this.#statements.list.all(this.#site)
  }

  find({ facets, erased, from, below, order, limit }: FacetQuery): number[] {
    const found: number[] = []
    if (from >= below) return found
    const { next, inBlock } = this.#statements[order]
    const [first, last] = order === 'newest' ? [below - 1, from] : [from, below - 1]
    const step = order === 'newest' ? -1 : 1
    // For each facet the next block that has it; blocks are read in order, and only those that have one.
    let ahead = facets.flatMap((facet) => {
      const number = this.#find(facet)
      return number === undefined ? [] : [{ number, block: next.get(number, blockOf(first)) ?? null }]
    })
    for (;;) {
      ahead = ahead.filter(({ block }) => block !== null && (blockOf(last) - block) * step >= 0)
      if (ahead.length === 0 || found.length >= limit) return found.slice(0, limit)
      const block = ahead.reduce(
        (nearest, { block }) => ((block! - nearest) * step < 0 ? block! : nearest),
        ahead[0]!.block!,
      )
      const here = ahead.filter((one) => one.block === block)
      const [start, end] = [Math.max(block * BLOCK, from), Math.min((block + 1) * BLOCK, below)]
      found.push(...inBlock.all(this.#site, start, end, erased, JSON.stringify(here.map(({ number }) => number))))
      for (const one of here) one.block = next.get(one.number, block + step) ?? null
    }
  }

  firstAt(recordedAt: number, size: number): number {
    let [from, end] = [0, size]
    while (from < end) {
      const middle = Math.floor((from + end) / 2)
      if ((this.#statements.dated.get(this.#site, middle) ?? Number.POSITIVE_INFINITY) >= recordedAt) end = middle
      else from = middle + 1
    }
    return from
  }

  countErased(from: number, below: number): number {
    return this.#statements.countErased.get(this.#site, from, below)!
  }

  counts(from: number, below: number, size: number): Count[] {
    return this.#statements.counts.all({ site: this.#site, from, below, size }).filter(({ count }) => count > 0)
  }

  undated(size: number): number {
    const { row } = this.#statements
    const isDated = (index: number) => row.get(this.#site, index)?.recorded_at !== null
    if (isDated(0)) return 0
    let [from, end] = [0, size]
    while (from < end) {
      const middle = Math.floor((from + end) / 2)
      if (isDated(middle)) end = middle
      else from = middle + 1
    }
    return from
  }

  date(rows: readonly Dated[]): void {
    for (const row of rows) {
      const number = row.facet === null ? null : this.#numberOf(row.facet)
      const { changes } = this.#statements.date.run(number, row.recordedAt, this.#site, row.index)
      if (changes > 0) this.add(row.index, [row])
    }
  }
}
