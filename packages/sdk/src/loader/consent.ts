/**
 * What this page knows of the visitor's decision, and the only place that changes it. The cookie is written before this
 * tells anybody, so a page that dies at any moment has lost nothing. No markup, no network.
 */
import type { Choices, SiteConfig, State } from '../wire.js'
import { attempt } from './attempt.js'
import { compareDecisions, countGrants, type Decision, decodeDecision, encodeDecision } from './cookie.js'
import type { Jar } from './jar.js'
import { grants, isNewDay, mustAsk, slideMs, stands } from './rules.js'

/** Keeps what is to be sent; `value` is the decision as the cookie has it. */
export type Keep = (decision: Decision, value: string) => void

export interface Consent {
  readonly site: SiteConfig
  /** The browser says "Global Privacy Control". */
  readonly signal: boolean
  /** The decision, or null where none counts. */
  decision(): Decision | null
  /** The decision, whether it counts or not. */
  known(): Decision | null
  granted(): string[]
  /** Whether the visitor is to be asked. */
  asks(): boolean
  /**
   * Takes a choice: the cookie first, then `keep` what is to be sent, then everybody is told. `secret` is for a
   * browser that has none yet: what earlier records are filed under stays, even where their choice no longer counts.
   * `more` is what is otherwise.
   */
  decide(choices: Choices, secret: string, keep: Keep, more?: Partial<Decision>): void
  /** Changes what is known without anything to send. */
  amend(more: Partial<Decision>): void
  /** Goes back to undecided, for good: an older answer brings nothing back. */
  drop(): void
  /** What the server holds closes gates, and opens none. */
  obey(state: State): void
  /** Reads the jar again. */
  refresh(): void
  /** A sign of a person. True where it is the day's first. */
  slide(): boolean
  /** `own`: decided here, so there is a submission to send. Who came last is told first. */
  subscribe(listener: (own: boolean) => void): void
}

/** Each category that is not among the granted is denied. */
export const deny = (site: SiteConfig, granted: readonly string[] = []): Choices =>
  Object.fromEntries(site.categories.map((name) => [name, granted.includes(name)]))

/**
 * `kept` gives decisions that are in storage, which the jar may have lost, or have an older one in the place of. `signal`: the
 * browser says "Global Privacy Control".
 */
export function createConsent(
  site: SiteConfig,
  jar: Jar,
  now: () => number,
  signal: boolean,
  kept: () => readonly (Decision | null)[],
): Consent {
  const listeners: ((own: boolean) => void)[] = []
  let known: Decision | null = null
  /** Whether the jar keeps what is written to it; where it doesn't, an empty jar says nothing. */
  let keeps = false
  /** The newest there ever was: what is older was brought back by an answer that came late. */
  let newest: Pick<Decision, 'n' | 'decidedAt'> = { n: 0, decidedAt: 0 }
  let told: string
  const decision = () => (stands(known, site, now()) ? known : null)
  const granted = () => grants(known, site, now(), signal)
  const summary = () => `${decision() && granted()}`

  /** `own`: it is newer than all there is, in whatever tab. */
  function write(made: Decision, own?: boolean): void {
    const value = encodeDecision(made)
    // As it will be read, in whole seconds: else each reading would find another decision.
    known = decodeDecision(value)
    newest = known!
    // What undid a grant must outlive it. A grant is never kept twice: a copy could outlive its cookie.
    jar.write(value, site.inactivityDays, countGrants(made) ? (own ? false : undefined) : made.n > 1 || undefined)
    keeps = !!jar.read()
  }

  function tell(own: boolean): void {
    told = summary()
    // One that fails keeps no gate open.
    for (const listener of listeners) attempt(() => listener(own))
  }

  function refresh(): void {
    const read = decodeDecision(jar.read())
    // An emptied jar is the person's wish. Only where it never kept anything does the page's own memory count.
    if (read) keeps = true
    else if (keeps) known = null
    const isNews = () =>
      known ? compareDecisions(read!, known) >= 0 : read!.n > newest.n || read!.decidedAt > newest.decidedAt
    // In an emptied jar another tab begins to count anew.
    if (read && isNews()) known = known || read.n > newest.n ? read : { ...read, n: newest.n + 1 }
    for (const one of kept()) {
      // It takes no grant from elsewhere, but it does take a refusal, while that counts.
      if (
        stands(one, site, now()) &&
        one.n >= newest.n &&
        (known ? compareDecisions(one, known) > 0 : !countGrants(one))
      )
        known = one
    }
    newest = known ?? newest
    // Gates close first, then the older decision goes.
    if (summary() !== told) tell(false)
    if (read !== known) {
      if (known) write(known)
      else jar.write('', -1)
    }
  }
  refresh()

  function drop(): void {
    known = null
    keeps = false
    jar.write('', -1, false)
    tell(false)
  }

  function amend(more: Partial<Decision>): void {
    write({ ...known!, ...more, n: newest.n + 1 }, true)
    tell(false)
  }

  return {
    site,
    signal,
    decision,
    known: () => known,
    granted,
    asks: () => mustAsk(known, site, now(), signal),
    refresh,
    drop,
    amend,
    subscribe: (listener) => void listeners.unshift(listener),

    decide(choices, secret, keep, more) {
      // Another tab may have decided since.
      refresh()
      const decidedAt = now()
      const made = {
        version: site.policy.version,
        choices,
        decidedAt,
        lastActive: decidedAt,
        secret: known?.secret || secret,
        gpc: signal && countGrants({ choices }) > 0,
        ...more,
        n: newest.n + 1,
      }
      write(made, true)
      // What can't be kept still counts here.
      attempt(() => keep(made, encodeDecision(made)))
      tell(true)
    },

    obey(state) {
      if (!known?.secret) return
      const isGranted = countGrants(known)
      // Erased, undecided: nobody is known by this secret any more. A denial stays one, without it.
      if (/^[eu]/.test(state)) isGranted ? drop() : amend({ secret: '' })
      else if (isGranted) {
        // Withdrawn, refused, restricted: on another device, or on the server, and so here.
        if (/^[wr]/.test(state)) amend({ choices: deny(site) })
        // Lapsed, superseded: asked again, under the same secret.
        else if (/^[ls]/.test(state)) amend({ decidedAt: 0, lastActive: 0 })
      }
    },

    slide() {
      if (!known || now() - known.lastActive < slideMs) return false
      // Another tab may have decided, or the person emptied the jar: sliding must not bring an old choice back.
      refresh()
      const current = decision()
      if (current) write({ ...current, lastActive: now() })
      return !!current && isNewDay(current.lastActive, now())
    },
  }
}
