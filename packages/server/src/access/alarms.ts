/**
 * When somebody should look: many rows to one caller, many refusals, a request outside of working hours. Told to the
 * process's log, and to a webhook where there is one. A process counts for itself and forgets when it ends.
 */
import { InputError } from '../problem.js'
import type { Caller } from './caller.js'

export interface AlarmOptions {
  /** Rows to one caller within an hour, from which on it is told; null for never. */
  readonly rows?: number | null
  /** Requests refused with 401 or 403 within five minutes, from which on it is told; null for never. */
  readonly refusals?: number | null
  /** When people are expected to ask; null for always. */
  readonly hours?: WorkingHours | null
}

/** Local times of a place, on some days of the week. */
export interface WorkingHours {
  /** 0 is Sunday. */
  readonly days: readonly number[]
  /** Minutes after midnight, `[from, to)`. */
  readonly from: number
  readonly to: number
  readonly timeZone: string
}

type Who = Pick<Caller, 'kind' | 'id' | 'name'>

interface Raised {
  /** Unix milliseconds. */
  readonly at: number
  /** Null for refusals, which may be about none. */
  readonly site: string | null
  readonly who: Who | null
  readonly route: string
  readonly detail: string
}

export interface Alarm extends Raised {
  readonly kind: 'many-rows' | 'refusals' | 'off-hours'
}

export const ROWS_DEFAULT = 10_000
export const REFUSALS_DEFAULT = 20

const ROWS_WINDOW_MS = 3_600_000
const REFUSALS_WINDOW_MS = 300_000
/** Whoever works at night is told of once. */
const OFF_HOURS_WINDOW_MS = 12 * 3_600_000

/** Callers counted at once. More than a company has; who was counted longest ago is forgotten first. */
const CALLERS_LIMIT = 10_000

/** Parts of a window that are counted apart: what is over is forgotten a part at a time. */
const PARTS = 12

/**
 * Counts by name within a span of time that ends now. It may reach back a part of itself too far, and never too short: no
 * span of that length has `limit` or more, wherever it begins, and isn't told of.
 */
class Windows {
  readonly #windowMs: number
  /** The one that was counted last is the last. */
  readonly #open = new Map<string, { readonly counts: Map<number, number>; toldAt: number }>()

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  /** True for the one that takes the count to `limit` or above; then not again for the length of a window. */
  reaches(name: string, added: number, limit: number, now: number): boolean {
    const window = this.#touch(name)
    const { counts, toldAt } = window
    const part = Math.floor((now * PARTS) / this.#windowMs)
    for (const old of counts.keys()) if (old < part - PARTS) counts.delete(old)
    counts.set(part, (counts.get(part) ?? 0) + added)
    // A clock that was set back keeps nobody quiet until it is there again.
    const isTold = toldAt <= now && now < toldAt + this.#windowMs
    if (isTold || [...counts.values()].reduce((sum, count) => sum + count, 0) < limit) return false
    // What was told of is not told of again.
    counts.clear()
    window.toldAt = now
    return true
  }

  #touch(name: string) {
    const window = this.#open.get(name) ?? { counts: new Map<number, number>(), toldAt: Number.NEGATIVE_INFINITY }
    this.#open.delete(name)
    this.#open.set(name, window)
    if (this.#open.size > CALLERS_LIMIT) {
      const [oldest] = this.#open.keys()
      this.#open.delete(oldest!)
    }
    return window
  }
}

export class Alarms {
  readonly #options: Required<AlarmOptions>
  readonly #raise: (alarm: Alarm) => void
  readonly #rows = new Windows(ROWS_WINDOW_MS)
  readonly #refusals = new Windows(REFUSALS_WINDOW_MS)
  readonly #offHours = new Windows(OFF_HOURS_WINDOW_MS)

  /** `raise` must return at once, and not throw. */
  constructor(
    { rows = ROWS_DEFAULT, refusals = REFUSALS_DEFAULT, hours = null }: AlarmOptions,
    raise: (alarm: Alarm) => void,
  ) {
    this.#options = { rows, refusals, hours }
    this.#raise = raise
  }

  /** A request was let in. */
  asked(site: string, who: Who, route: string, now: number): void {
    const { hours } = this.#options
    if (hours === null || isWithin(hours, now) || !this.#offHours.reaches(nameOf(who), 1, 1, now)) return
    this.#raise({ kind: 'off-hours', at: now, site, who, route, detail: 'asked outside of working hours' })
  }

  /** So many rows leave to it. In pages or at once is the same. */
  answered(site: string, who: Who, route: string, rows: number, now: number): void {
    const { rows: limit } = this.#options
    if (limit === null || !this.#rows.reaches(`${site}/${nameOf(who)}`, rows, limit, now)) return
    this.#raise({ kind: 'many-rows', at: now, site, who, route, detail: `${limit} rows or more within an hour` })
  }

  /** A request was refused with 401 or 403. */
  refused(route: string, now: number): void {
    const { refusals: limit } = this.#options
    if (limit === null || !this.#refusals.reaches('', 1, limit, now)) return
    this.#raise({
      kind: 'refusals',
      at: now,
      site: null,
      who: null,
      route,
      detail: `${limit} refusals within five minutes`,
    })
  }
}

const nameOf = ({ kind, id }: Who) => `${kind} ${id}`

/** For people: one line. */
export function describeAlarm({ kind, site, who, route, detail }: Alarm): string {
  const caller = who === null ? '' : `${who.kind} ${who.id} (${who.name}), `
  return `alarm ${kind}: ${caller}${site === null ? '' : `site ${site}, `}${route}: ${detail}`
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/** `mon-fri 08:00-19:00 Europe/Paris`. Throws `InputError`. */
export function parseHours(name: string, text: string): WorkingHours {
  const found = /^([a-z]{3})-([a-z]{3}) ([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d) (\S+)$/.exec(text)
  const [first, last] = [DAYS.indexOf(found?.[1] ?? ''), DAYS.indexOf(found?.[2] ?? '')]
  const [from, to] = [3, 5].map((at) => Number(found?.[at]) * 60 + Number(found?.[at + 1])) as [number, number]
  const timeZone = found?.[7] ?? ''
  if (first < 0 || last < 0 || !(from < to && to <= 1440) || !isTimeZone(timeZone))
    throw new InputError(name, 'days, times and where: "mon-fri 08:00-19:00 Europe/Paris"')
  const days = Array.from({ length: ((last - first + 7) % 7) + 1 }, (_, i) => (first + i) % 7)
  return { days, from, to, timeZone }
}

function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone })
    return true
  } catch {
    // No zone that this Node knows.
    return false
  }
}

export function isWithin({ days, from, to, timeZone }: WorkingHours, now: number): boolean {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(now)
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? ''
  const minute = Number(part('hour')) * 60 + Number(part('minute'))
  return days.includes(DAYS.indexOf(part('weekday').toLowerCase())) && minute >= from && minute < to
}
