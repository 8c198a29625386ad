/**
 * Which checkpoint of a log is served, where witnesses cosign. They are asked after batches, one run at a time and never
 * on the way of an append: *open* raises an alarm when too few answer and serves the checkpoint without them, *closed*
 * serves none that is not cosigned.
 */
import { type Head, UnavailableError } from '../storage/storage.js'
import { openCheckpoint } from './checkpoint.js'
import { cosignersOf } from './cosignature.js'
import { cosign, type Submitting, WitnessAheadError, WitnessError, type WitnessTarget } from './witness.js'

export type WitnessMode = 'open' | 'closed'

/** Where the newest cosigned checkpoint outlives the process: what is here may be served again after a restart. */
export interface KeptCheckpoint {
  /** Null where there is none. */
  read(): string | null
  /** Durable when it returns. */
  write(note: string): void
  /** Durable when it returns. Throws `UnavailableError` if it can't be: then nothing newer may be served. */
  forget(): void
}

export interface PublicationParts {
  readonly log: string
  readonly vkey: string
  readonly witnesses: readonly WitnessTarget[]
  /** Whether these witnesses, by their `alias`, are enough. */
  readonly isMet: (cosigned: ReadonlySet<string>) => boolean
  readonly mode: WitnessMode
  /** The newest head there is. */
  readonly newest: () => Promise<Head>
  readonly prove: Submitting['prove']
  readonly kept: KeptCheckpoint
  readonly fetch: Submitting['fetch']
  /** Aborts after so many milliseconds. */
  readonly timeout: (ms: number) => AbortSignal
  /** Calls once, after so many milliseconds; what it answers takes that back. */
  readonly later: (ms: number, call: () => void) => () => void
  /** Told what an operator must know. */
  readonly warn: (line: string) => void
}

/** A witness that takes longer is counted as silent, so that the others are heard. */
const TIMEOUT_MS = 5000

/** Between two runs: a busy log has hundreds of heads a second, and witnesses serve many logs. */
const PAUSE_MS = 1000
const PAUSE_AFTER_FAILURE_MS = 30_000

export class Publication {
  readonly #parts: PublicationParts
  /** By alias, the size that a witness cosigned last. */
  readonly #seen = new Map<string, number>()
  #cosigned: Head | null = null
  /** What is served: the newest cosigned head, or a newer one without enough cosignatures. Never replaced by a smaller one. */
  #served: Head | null = null
  #isFailing = false
  /** Something may have been appended since the run under way began. */
  #isDue = false
  #run: Promise<void> | null = null
  #cancel: (() => void) | null = null
  #isClosed = false
  /** What was told last, so that a witness that stays away is told once. */
  #warned: string | null = null

  constructor(parts: PublicationParts) {
    this.#parts = parts
    const note = parts.kept.read()
    if (note === null) return
    try {
      const head = { ...openCheckpoint(note, parts.vkey), checkpoint: note, recordedAt: 0 }
      if (parts.isMet(this.#aliasesOf(note))) this.#cosigned = this.#served = head
    } catch (error) {
      parts.warn(`the cosigned checkpoint kept for ${parts.log} is passed over: ${(error as Error).message}`)
    }
    for (const { alias } of parts.witnesses) this.#seen.set(alias, this.#cosigned?.size ?? 0)
  }

  /** The newest head that enough witnesses cosigned; null before the first. */
  get cosigned(): Head | null {
    return this.#cosigned
  }

  /** Whether too few witnesses answered when they were asked last. */
  get isFailing(): boolean {
    return this.#isFailing
  }

  /** The head to serve: never smaller than one served before. Rejects with `UnavailableError` while nothing may be. */
  async served(): Promise<Head> {
    if (this.#parts.mode === 'closed') {
      // Another node may have appended, which only asking tells.
      this.grown()
      if (this.#served) return this.#served
      throw new UnavailableError(`no checkpoint of ${this.#parts.log} is cosigned yet`)
    }
    const newest = await this.#parts.newest()
    if (newest.size > (this.#cosigned?.size ?? 0)) this.grown()
    if (this.#served && (!this.#isFailing || newest.size <= this.#served.size)) return this.#served
    // From here on the one that is kept would look like a rollback to whoever watches, also after a restart.
    if (this.#served === this.#cosigned) this.#parts.kept.forget()
    this.#served = newest
    return newest
  }

  /** To be called after each batch, and once at start. Returns at once. */
  grown(): void {
    this.#isDue = true
    if (this.#run || this.#cancel || this.#isClosed) return
    this.#isDue = false
    this.#run = this.#ask().finally(() => {
      this.#run = null
      if (this.#isClosed) return
      this.#cancel = this.#parts.later(this.#isFailing ? PAUSE_AFTER_FAILURE_MS : PAUSE_MS, () => {
        this.#cancel = null
        if (this.#isDue || this.#isFailing) this.grown()
      })
    })
  }

  /** Resolves when the run under way has ended. */
  async settled(): Promise<void> {
    await this.#run
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel?.()
    await this.#run
  }

  async #ask(): Promise<void> {
    const { log, witnesses, isMet, newest } = this.#parts
    const silent: WitnessError[] = []
    const lines = new Map<string, string>()
    try {
      const head = await newest()
      if (head.size === 0 || (head.size === this.#cosigned?.size && !this.#isFailing)) return
      const publish = () => this.#publish({ ...head, checkpoint: head.checkpoint + [...lines.values()].join('') })
      await Promise.all(
        witnesses.map(async (witness) => {
          try {
            lines.set(witness.alias, await this.#askOne(witness, head))
          } catch (error) {
            // Anything else is no matter of this witness, and must not look like one that is down.
            if (!(error instanceof WitnessError)) throw error
            silent.push(error)
            return
          }
          // At once when they are enough, so that a slow one delays nobody; again with the others' lines.
          if (isMet(new Set(lines.keys()))) publish()
        }),
      )
      if (!isMet(new Set(lines.keys()))) return await this.#fallBehind(head, lines.size, silent)
    } catch (error) {
      return this.#fail((error as Error).message)
    }
    this.#succeed()
    // Enough is enough for the log, but the operator should know which one is away before a second one is.
    if (silent.length > 0) this.#warnOnce(`${log}: ${silent.map(({ message }) => message).join('; ')}`)
    else this.#warned = null
  }

  /** Too few cosigned: an alarm, unless another node was only faster, and the next run has its head. */
  async #fallBehind(head: Head, cosigned: number, silent: readonly WitnessError[]): Promise<void> {
    const ahead = silent.flatMap((error) => (error instanceof WitnessAheadError ? [error.size] : []))
    if (ahead.length > 0 && ahead.length === silent.length) {
      const { size } = await this.#parts.newest()
      if (size >= Math.max(...ahead)) {
        this.#isDue = true
        return
      }
    }
    const why = silent.map(({ message }) => message).join('; ')
    this.#fail(`only ${cosigned} of ${this.#parts.witnesses.length} witnesses cosigned ${head.size} entries: ${why}`)
  }

  #warnOnce(line: string): void {
    if (this.#warned === line) return
    this.#warned = line
    this.#parts.warn(line)
  }

  async #askOne(witness: WitnessTarget, head: Head): Promise<string> {
    const { prove, fetch, timeout } = this.#parts
    const line = await cosign(witness, head, this.#seen.get(witness.alias) ?? 0, {
      prove,
      fetch,
      signal: timeout(TIMEOUT_MS),
    })
    this.#seen.set(witness.alias, head.size)
    return line
  }

  #publish(head: Head): void {
    if (head.size >= (this.#served?.size ?? 0)) {
      // Kept before it is served: what was served once must be there after a restart.
      this.#parts.kept.write(head.checkpoint)
      this.#served = head
    }
    this.#cosigned = head
  }

  #succeed(): void {
    if (this.#isFailing) this.#parts.warn(`${this.#parts.log}: enough witnesses cosign again`)
    this.#isFailing = false
  }

  #fail(why: string): void {
    const { log, mode } = this.#parts
    const meanwhile =
      mode === 'open' ? 'the checkpoint is served without them' : 'no newer checkpoint is served until they do'
    this.#warnOnce(`ALARM ${log}: ${why}; ${meanwhile}`)
    this.#isFailing = true
  }

  #aliasesOf(note: string): Set<string> {
    return new Set(cosignersOf(note, this.#parts.witnesses).map(({ alias }) => alias))
  }
}
