/** The rules of consent. Pure: what is known goes in, what follows comes out. No DOM, no clock, no network. */
import type { SiteConfig } from '../wire.js'
import type { Decision } from './cookie.js'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** `lastActive` moves in the jar no more often than this; a choice may lapse that much early, never late. */
export const slideMs = hourMs

/** What a choice is measured against. */
export type Terms = Pick<SiteConfig, 'accepts' | 'categories' | 'inactivityDays' | 'maxAgeDays' | 'gpc'>

/** Whether a decision still counts; if not, the visitor is asked. */
export function stands(decision: Decision | null, terms: Terms, now: number): decision is Decision {
  return (
    !!decision &&
    // A clock may be off by a time zone; more than a day ahead, nothing that it wrote can be counted from.
    decision.lastActive <= now + dayMs &&
    now < decision.lastActive + terms.inactivityDays * dayMs &&
    now < decision.decidedAt + terms.maxAgeDays * dayMs &&
    terms.accepts.includes(decision.version) &&
    // Choices are complete or they are none: a category that was never offered was never decided.
    terms.categories.every((name) => name in decision.choices)
  )
}

/**
 * The categories whose gates are open. `signal`: the browser says "Global Privacy Control", which suspends what was granted
 * without it; a grant made in its presence is the person's own word (11 CCR 7025(c)).
 */
export function grants(decision: Decision | null, terms: Terms, now: number, signal: boolean): string[] {
  return stands(decision, terms, now) && (!signal || decision.gpc)
    ? terms.categories.filter((name) => decision.choices[name] === true)
    : []
}

/** Whether the visitor is asked without asking for it. The signal has answered already, unless the site asks all the same. */
export function mustAsk(decision: Decision | null, terms: Terms, now: number, signal: boolean): boolean {
  return !stands(decision, terms, now) && (!signal || !!terms.gpc)
}

/** Whether a sign of life is the first on its UTC day, so that the server is told. */
export const isNewDay = (lastActive: number, now: number): boolean => now - (now % dayMs) > lastActive

/** The page's language, then the browser's, then the policy's default, which is the first. */
export function pickLanguage(wanted: readonly string[], languages: readonly string[]): string {
  return wanted.flatMap((tag) => [tag, tag.split('-')[0]!]).find((tag) => languages.includes(tag)) ?? languages[0]!
}
