/** For a host's own browser tests: a choice that is already made. */
import { encodeDecision } from './loader/cookie.js'
import type { Choices } from './wire.js'

/**
 * The cookie of a visitor who chose `choices` under policy `version`, in the shape that browser drivers take:
 * `context.addCookies([{ ...avowCookie({ analytics: true }, { version: '2026-04' }), url }])`.
 */
export function avowCookie(
  choices: Choices,
  { version, https = false, now = Date.now() }: { version: string; https?: boolean; now?: number },
): { name: string; value: string; sameSite: 'Lax'; secure: boolean } {
  const decision = { n: 1, version, choices, decidedAt: now, lastActive: now, secret: '' }
  return { name: https ? '__Host-avow' : 'avow', value: encodeDecision(decision), sameSite: 'Lax', secure: https }
}
