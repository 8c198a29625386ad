/**
 * The last day on which anything was known of a subject: one day each, in the vault, and no history of visits. It is written a
 * moment later, many at once, and keeps no request waiting.
 */
import type { ActiveDay } from '../storage/storage.js'

/** How long a day waits for others, so that one commit writes them all. A crash loses so much of what was known. */
const WAIT_MS = 2000

/** Written in one step, so that a commit of records never waits long behind it. */
const STEP = 512

/** Subjects that this process remembers for a day, some ten megabytes: beyond it some are written twice. */
const WRITTEN_LIMIT = 100_000

/** Days that wait where the vault can't be written to. What comes then is not known of; mostly, a later day will be. */
const WAITING_LIMIT = 100_000

/** Where the days of one log are kept. */
interface Keeper {
  readonly log: string
  keepActive(days: readonly ActiveDay[]): Promise<void>
}

export interface LastActiveParts {
  /** Calls once, after so many milliseconds; what it answers takes that back. */
  readonly later: (ms: number, call: () => void) => () => void
  /** Told what an operator must know. */
  readonly warn: (line: string) => void
}

interface Waiting {
  readonly keeper: Keeper
  readonly active: ActiveDay
}

export class LastActive {
  readonly #parts: LastActiveParts
  #waiting = new Map<string, Waiting>()
  #written = { day: 0, names: new Set<string>() }
  #cancel: (() => void) | null = null
  #flushing: Promise<void> = Promise.resolve()

  constructor(parts: LastActiveParts) {
    this.#parts = parts
  }

  /**
   * Something is known of a subject on this day. `isNew`: by a record of this moment, so that what was written of them
   * before may have been erased since.
   */
  seen(keeper: Keeper, active: ActiveDay, isNew: boolean): void {
    const name = `${keeper.log}/${Buffer.from(active.subject).toString('hex')}`
    if (active.day !== this.#written.day) this.#written = { day: active.day, names: new Set() }
    if (this.#written.names.has(name) && !isNew) return
    if (this.#waiting.size < WAITING_LIMIT) this.#waiting.set(name, { keeper, active })
    this.#cancel ??= this.#parts.later(WAIT_MS, () => {
      this.flush().catch((error: Error) => this.#parts.warn(`who was active is not written yet: ${error.message}`))
    })
  }

  /** Resolves when all that was seen is kept. Rejects if it can't be: it is kept with what is seen next. */
  flush(): Promise<void> {
    const flushed = this.#flushing.then(() => this.#flush())
    this.#flushing = flushed.catch(() => {})
    return flushed
  }

  async #flush(): Promise<void> {
    this.#cancel?.()
    this.#cancel = null
    while (this.#waiting.size > 0) {
      const [[, { keeper: first }]] = this.#waiting as unknown as [[string, Waiting]]
      // In the order in which they lie on disk: of many, those of one step are on few pages.
      const step = [...this.#waiting]
        .filter(([, { keeper }]) => keeper === first)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .slice(0, STEP)
      await first.keepActive(step.map(([, { active }]) => active))
      for (const [name, waiting] of step) {
        // Seen again meanwhile, on another day.
        if (this.#waiting.get(name)?.active.day === waiting.active.day) this.#waiting.delete(name)
        if (waiting.active.day === this.#written.day && this.#written.names.size < WRITTEN_LIMIT)
          this.#written.names.add(name)
      }
    }
  }
}
