/** For a host's own tests: a choice that is already made, in a browser; and the submission of one, to a server. */
import { cite, createId, encodeBytes } from './decide/decide.js'
import { encodeDecision } from './loader/cookie.js'
import type { Choices, Notice, Submission } from './wire.js'

/**
 * The cookie of a visitor who chose `choices` under policy `version`, in the shape that browser drivers take:
 * `context.addCookies([{ ...avowCookie({ analytics: true }, { version: '2026-04' }), url }])`.
 */
export function avowCookie(
  choices: Choices,
  { version, https = false, now = Date.now() }: { version: string; https?: boolean; now?: number },
): { name: string; value: string; sameSite: 'Lax'; secure: boolean } {
  const decision = { n: 1, version, choices, decidedAt: now, lastActive: now, secret: '', gpc: false }
  return {
    name: https ? '__Host-avow' : 'avow',
    value: encodeURIComponent(encodeDecision(decision)),
    sameSite: 'Lax',
    secure: https,
  }
}

const random = (size: number) => crypto.getRandomValues(new Uint8Array(size))

/**
 * What a browser posts to `/v1/consents` after *Accept all* in the banner, each time another visitor's; `more` makes it
 * otherwise. `notice` as `/v1/sites/SITE/notice` answers it.
 */
export function avowSubmission(
  site: string,
  notice: Pick<Notice, 'policy' | 'hash' | 'language'>,
  more: Partial<Submission> = {},
  now = Date.now(),
): Submission {
  return {
    id: createId(now, random(10)),
    site,
    secret: encodeBytes(random(16)),
    action: 'accept-all',
    choices: { analytics: true },
    policy: notice.policy,
    notice: cite(notice),
    ui: 'abc123',
    layer: 'banner',
    offered: ['reject-all', 'accept-all'],
    decidedAt: new Date(now).toISOString(),
    ageMs: 0,
    gpc: null,
    previous: null,
    sdk: '0.1.0',
    ...more,
  }
}
