/**
 * The controller: what is known, what follows, who is told. It writes the cookie and keeps the submission before it
 * tells anybody, so a page that dies at any moment has lost nothing. No markup, no network.
 */
import type { SiteConfig } from '../wire.js'
import { type Decision, decodeDecision, encodeDecision } from './cookie.js'
import type { Jar } from './jar.js'
import { grants, slideMs, stands } from './rules.js'

export interface Consent {
  readonly site: SiteConfig
  /** The decision, or null where none counts. */
  decision(): Decision | null
  granted(): string[]
  /**
   * Takes a choice: the cookie first, then `keep` what is to be sent, then everybody is told. `secret` is for a
   * browser that has none yet: what earlier records are filed under stays, even where their choice no longer counts.
   */
  decide(grant: (category: string) => boolean, secret: string, keep: (decision: Decision) => void): void
  /** Goes back to undecided. */
  forget(): void
  /** Reads the jar again. */
  refresh(): void
  /** A sign of a person. */
  slide(): void
  /** `own`: decided here, so there is a submission to send. Who came last is told first. */
  subscribe(listener: (own: boolean) => void): void
}

export function createConsent(site: SiteConfig, jar: Jar, now: () => number): Consent {
  const listeners: ((own: boolean) => void)[] = []
  let known = decodeDecision(jar.read())
  /** Whether the jar keeps what is written to it; where it doesn't, an empty jar says nothing. */
  let keeps = !!known
  const decision = () => (stands(known, site, now()) ? known : null)
  const granted = () => grants(known, site, now())
  const summary = () => `${decision() && granted()}`
  let told = summary()

  function write(made: Decision): void {
    known = made
    jar.write(encodeDecision(made), site.inactivityDays)
    keeps = !!jar.read()
  }

  function tell(own: boolean): void {
    told = summary()
    for (const listener of listeners) listener(own)
  }

  function refresh(): void {
    const read = decodeDecision(jar.read())
    // An emptied jar is the person's wish. Only where it never kept anything does the page's own memory count.
    if (read || keeps) {
      known = read
      keeps = true
    }
    if (summary() !== told) tell(false)
  }

  return {
    site,
    decision,
    granted,
    refresh,
    subscribe: (listener) => void listeners.unshift(listener),

    decide(grant, secret, keep) {
      const decidedAt = now()
      write({
        n: (known?.n ?? 0) + 1,
        version: site.policy.version,
        choices: Object.fromEntries(site.categories.map((name) => [name, grant(name)])),
        decidedAt,
        lastActive: decidedAt,
        secret: known?.secret || secret,
      })
      keep(known!)
      tell(true)
    },

    forget() {
      known = null
      keeps = false
      jar.write('', 0)
      tell(false)
    },

    slide() {
      if (!known || now() - known.lastActive < slideMs) return
      // Another tab may have decided, or the person emptied the jar: sliding must not bring an old choice back.
      refresh()
      if (decision()) write({ ...known, lastActive: now() })
    },
  }
}
