/**
 * How many opted in, refused, withdrew, lapsed, from counts by day and facet. Pure. A count is of what was recorded, not of
 * people: who decides twice is counted twice.
 */

import { type Facet, parseFacet } from './facet.js'
import { DAY_MS } from './utc-day.js'

export const INTERVALS = ['day', 'week', 'month'] as const
export type Interval = (typeof INTERVALS)[number]

export const DIMENSIONS = ['version', 'language', 'layer'] as const
export type Dimension = (typeof DIMENSIONS)[number]

/** Counts are rounded to this for whoever may not read records. */
const ROUNDING = 5

/** A cell with fewer is shown to them with others of its kind, or not at all. */
const CELL_MIN = 10

export interface Tally {
  /** Decisions that granted a category, one at least. */
  readonly optIns: number
  /** Decisions that granted none. */
  readonly refusals: number
  readonly withdrawals: number
  readonly lapses: number
}

export interface Rates {
  /** Of decisions, the part that granted; null where there was none, as for all of these. */
  readonly optIn: number | null
  readonly refusal: number | null
  /** Withdrawals and lapses for each opt-in of the same cell: above 1 where people end what they granted before. */
  readonly withdrawal: number | null
  readonly lapse: number | null
}

export interface Cell extends Tally {
  /** In the order asked for; null of cells that were merged. */
  readonly of: readonly (string | null)[]
  readonly rates: Rates
}

export interface Period {
  /** UTC days since 1970-01-01, its first. */
  readonly day: number
  readonly cells: readonly Cell[]
}

const NONE: Tally = { optIns: 0, refusals: 0, withdrawals: 0, lapses: 0 }

/** What one record counts as; null for what takes over an earlier decision. */
function kindOf({ action, choices }: Facet): keyof Tally | null {
  // Whatever its choices say.
  if (action === 'lapse') return 'lapses'
  if (action === 'link') return null
  if (action === 'withdraw') return 'withdrawals'
  return Object.values(choices).some(Boolean) ? 'optIns' : 'refusals'
}

/** The first day of the period that a day is in. Weeks begin on Monday (ISO 8601). */
export function periodOf(day: number, interval: Interval): number {
  if (interval === 'day') return day
  // 1970-01-01 was a Thursday.
  if (interval === 'week') return day - ((((day + 3) % 7) + 7) % 7)
  const date = new Date(day * DAY_MS)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) / DAY_MS
}

/**
 * Days `[from, to)`, made longer at both ends until they are whole periods, and then without those that are not over on
 * `today`: a count that still moves tells whoever watches it what each person did. `from` is `to` where nothing is left.
 */
export function finishedPeriods(
  from: number,
  to: number,
  interval: Interval,
  today: number,
): { from: number; to: number } {
  let end = to
  // A month has at most 31 days, and the day after its last is in the next.
  if (from < to) while (periodOf(end, interval) !== end) end++
  end = Math.min(end, periodOf(today, interval))
  return { from: Math.min(from < to ? periodOf(from, interval) : from, end), to: end }
}

const sum = (a: Tally, b: Tally): Tally => ({
  optIns: a.optIns + b.optIns,
  refusals: a.refusals + b.refusals,
  withdrawals: a.withdrawals + b.withdrawals,
  lapses: a.lapses + b.lapses,
})

const total = ({ optIns, refusals, withdrawals, lapses }: Tally) => optIns + refusals + withdrawals + lapses

function ratesOf({ optIns, refusals, withdrawals, lapses }: Tally): Rates {
  const decisions = optIns + refusals
  const part = (count: number, whole: number) => (whole === 0 ? null : Math.round((count / whole) * 10_000) / 10_000)
  return {
    optIn: part(optIns, decisions),
    refusal: part(refusals, decisions),
    withdrawal: part(withdrawals, optIns),
    lapse: part(lapses, optIns),
  }
}

/**
 * By period and cell, both in order; a period or cell in which nothing was recorded is left out. `shown`: what a facet says that is
 * kept hidden.
 */
export function statistics(
  counts: readonly { readonly day: number; readonly facet: string; readonly count: number }[],
  interval: Interval,
  by: readonly Dimension[],
  shown: (facet: string) => string = (facet) => facet,
): Period[] {
  // A year has a count for each facet and day, tens of thousands, of some hundred facets: each is read once.
  const known = new Map<string, { readonly kind: keyof Tally | null; readonly of: string }>()
  const read = (hidden: string) => {
    const facet = parseFacet(shown(hidden))
    const found = { kind: kindOf(facet), of: JSON.stringify(by.map((dimension) => facet[dimension])) }
    known.set(hidden, found)
    return found
  }
  const periods = new Map<number, Map<string, { -readonly [kind in keyof Tally]: number }>>()
  for (const { day, facet, count } of counts) {
    const { kind, of } = known.get(facet) ?? read(facet)
    if (kind === null) continue
    const start = periodOf(day, interval)
    const cells = periods.get(start) ?? new Map()
    if (cells.size === 0) periods.set(start, cells)
    const tally = cells.get(of) ?? { ...NONE }
    tally[kind] += count
    cells.set(of, tally)
  }
  return [...periods]
    .sort(([a], [b]) => a - b)
    .map(([day, cells]) => ({
      day,
      cells: [...cells]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([of, tally]) => ({ of: JSON.parse(of), ...tally, rates: ratesOf(tally) })),
    }))
}

const rounded = (count: number) => Math.round(count / ROUNDING) * ROUNDING

/** For whoever may not read records: small cells merged, or left out where they are few together; then all rounded. */
export function coarsened(periods: readonly Period[]): Period[] {
  return periods.flatMap(({ day, cells }) => {
    const large = cells.filter((cell) => total(cell) >= CELL_MIN)
    const small = cells.filter((cell) => total(cell) < CELL_MIN)
    const merged = small.reduce<Tally>(sum, NONE)
    const rest = total(merged) >= CELL_MIN ? [{ ...merged, of: (cells[0]?.of ?? []).map(() => null) }] : []
    const shown = [...large, ...rest].map(({ of, optIns, refusals, withdrawals, lapses }) => {
      const tally = {
        optIns: rounded(optIns),
        refusals: rounded(refusals),
        withdrawals: rounded(withdrawals),
        lapses: rounded(lapses),
      }
      return { of, ...tally, rates: ratesOf(tally) }
    })
    return shown.length === 0 ? [] : [{ day, cells: shown }]
  })
}
