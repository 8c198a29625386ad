/** Who holds checkpoints outside, per log: witnesses that cosign what is served, and whoever is handed an anchor every hour. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { anchorTo, startAnchoring } from './ledger/anchor.js'
import type { Ledger } from './ledger/ledger.js'
import { type KeptCheckpoint, Publication, type WitnessMode } from './ledger/publication.js'
import type { WitnessTarget } from './ledger/witness.js'

/** What reaching outside needs of the world. */
export interface Outside {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly spawn: (command: string, options: SpawnOptions) => ChildProcess
  /** Aborts after so many milliseconds. */
  readonly timeout: (ms: number) => AbortSignal
  /** Calls once, after so many milliseconds; what it answers takes that back. */
  readonly later: (ms: number, call: () => void) => () => void
  /** Resolves after so many milliseconds, for which the process stays alive. */
  readonly wait: (ms: number) => Promise<void>
}

export const realOutside: Outside = {
  fetch: (url, init) => fetch(url, init),
  spawn: (command, options) => spawn(command, options),
  timeout: AbortSignal.timeout,
  later(ms, call) {
    const timer = setTimeout(call, ms)
    // Nobody outside keeps this process alive.
    timer.unref()
    return () => clearTimeout(timer)
  },
  wait: (ms) => sleep(ms),
}

export interface Witnessing {
  readonly witnesses: readonly WitnessTarget[]
  /** Whether these witnesses, by their `alias`, are enough. */
  readonly isMet: (cosigned: ReadonlySet<string>) => boolean
  readonly mode: WitnessMode
}

export interface OutsidersOptions {
  /** A command or an http(s) address; null for none. */
  readonly anchor: string | null
  readonly witnessing: Witnessing | null
  readonly keptOf: (log: string) => KeptCheckpoint
  readonly outside: Outside
  /** Told what an operator must know. */
  readonly warn: (line: string) => void
}

export interface Outsiders {
  /** By the name of a log. Empty where there are no witnesses. */
  readonly publications: ReadonlyMap<string, Publication>
  close(): Promise<void>
}

/**
 * Starts asking witnesses and anchoring, for each of these logs. No outsider makes the server wait, or fail. Rejects, with
 * nothing left running, if what was published last can't be read.
 */
export async function startOutsiders(ledgers: Iterable<Ledger>, options: OutsidersOptions): Promise<Outsiders> {
  const publications = new Map<string, Publication>()
  const stops: (() => Promise<void>)[] = []
  const close = async () => {
    await Promise.all(stops.map((stop) => stop()))
  }
  try {
    for (const ledger of ledgers) startOne(ledger, options, publications, stops)
  } catch (error) {
    await close()
    throw error
  }
  return { publications, close }
}

function startOne(
  ledger: Ledger,
  options: OutsidersOptions,
  publications: Map<string, Publication>,
  stops: (() => Promise<void>)[],
): void {
  const { anchor, witnessing, outside, warn } = options
  const { log } = ledger
  if (witnessing) {
    const publication = new Publication({
      ...outside,
      ...witnessing,
      log,
      vkey: ledger.vkey,
      newest: () => ledger.latest(),
      prove: (from, to) => ledger.proveConsistency(from, to),
      kept: options.keptOf(log),
      warn,
    })
    publications.set(log, publication)
    ledger.onGrown(() => publication.grown())
    stops.push(() => publication.close())
    publication.grown()
  } else {
    // Newer checkpoints are served from now on: should there be witnesses again, the one that is kept would be a step back.
    options.keptOf(log).forget()
  }
  if (anchor === null) return
  const checkpoint = async () => {
    const publication = publications.get(log)
    // At start the witnesses are being asked: what is anchored should carry their cosignatures.
    await publication?.settled()
    return (await (publication?.served() ?? ledger.latest())).checkpoint
  }
  const anchoring = startAnchoring({ ...outside, log, send: anchorTo(anchor, outside), checkpoint, warn })
  stops.push(() => anchoring.stop())
}
