/** For the host's own server: the decision that a request carries, by the same rules as in the page. Pure. */
import { type Decision, decodeDecision } from './loader/cookie.js'
import { cookieName } from './loader/jar.js'
import { grants, stands } from './loader/rules.js'
import type { Choices } from './wire.js'

/** What a choice is measured against; as the site's policy has it. */
export interface ReadOptions {
  /** Whether the pages are on https. Default true; false reads a cookie that any host beside this one can set. */
  readonly https?: boolean
  /** The site's `domain`, where its choice is shared. Default: none, the cookie is the host's own. */
  readonly domain?: string | undefined
  /** Default 30. */
  readonly inactivityDays?: number
  /** Default 180. */
  readonly maxAgeDays?: number
  /** The labels under which a choice still stands, as `/v1/sites/SITE/config` lists them. Default: any. */
  readonly accepts?: readonly string[]
  /** The request's `Sec-GPC` header: exactly `1` suspends a grant that was made without the signal. */
  readonly secGpc?: string | null
}

/** A decision that counts. */
export interface ReadDecision {
  readonly choices: Choices
  /** Label of the policy that it was made under. */
  readonly version: string
  /** Unix milliseconds. */
  readonly decidedAt: number
}

/**
 * The decision in a `Cookie` header, or null where none counts: none, one that is damaged, lapsed, or there twice.
 * Choices that are suspended are denied. Only the name that the page's own script writes is read: a sibling of the host can
 * plant the others. `now`: Unix milliseconds.
 */
export function readDecision(
  cookieHeader: string | null | undefined,
  now: number,
  { https = true, domain, inactivityDays = 30, maxAgeDays = 180, accepts, secGpc }: ReadOptions = {},
): ReadDecision | null {
  const name = cookieName(https, domain)
  const values = (cookieHeader ?? '')
    .split(';')
    .map((pair) => pair.trim().split(/=(.*)/s) as [string, string?])
    .filter(([one]) => one === name)
  if (values.length !== 1) return null
  let decision: Decision | null
  try {
    decision = decodeDecision(decodeURIComponent(values[0]![1] ?? ''))
  } catch {
    // Not even percent-encoded: nothing of ours.
    return null
  }
  if (!decision) return null
  const { choices, version, decidedAt } = decision
  const categories = Object.keys(choices)
  const terms = { inactivityDays, maxAgeDays, accepts: accepts ?? [version], categories }
  if (!stands(decision, terms, now)) return null
  const granted = grants(decision, terms, now, secGpc === '1')
  return { choices: Object.fromEntries(categories.map((one) => [one, granted.includes(one)])), version, decidedAt }
}
