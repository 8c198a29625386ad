/**
 * Who is signed in. An account has a secret of its own on each device, so nothing that was chosen signed out is linked to
 * it, and nothing of it stays when it signs out. Loaded only where a page speaks of accounts.
 */
import { attempt } from '../loader/attempt.js'
import { countGrants, type Decision, decodeDecision, encodeDecision } from '../loader/cookie.js'
import { type Account, credentialsFor, type Page } from '../loader/start.js'
import type { Choices, RecordedDecision, StateAnswer } from '../wire.js'
import { encodeBytes } from './decide.js'
import { openPending } from './pending.js'

/** What the device keeps while somebody is signed in. */
interface Held {
  /** The account's pseudonym. */
  readonly account: string
  /** The choice that was made signed out, as the cookie had it; empty where there was none. */
  readonly out: string
}

/** The cookie and the server's `Date` know whole seconds. */
const roundingMs = 2000

/** When a decision counts: a grant by the earlier clock, a denial by the server's, so that a clock ahead grants nothing. */
const countsAt = ({ choices, decidedAt, recordedAt }: RecordedDecision): number => {
  const recorded = Date.parse(recordedAt)
  return countGrants({ choices }) ? Math.min(Date.parse(decidedAt), recorded) : recorded
}

/**
 * Whether what the account chose elsewhere beats what this device has; a denial wins a tie. Where choices aren't shared
 * across devices a denial is, all the same: whoever refused signed in isn't asked again. `decidedAt`: of the device's own,
 * null where it has none.
 */
export function beats(theirs: RecordedDecision, decidedAt: number | null, crossDevice: boolean): boolean {
  const isDenial = !countGrants(theirs)
  if (!isDenial && !crossDevice) return false
  return decidedAt === null || countsAt(theirs) > decidedAt || (isDenial && countsAt(theirs) === decidedAt)
}

export function create(page: Page): Account {
  const { base, consent, prefix } = page
  const { site } = consent
  const key = `${prefix}account`
  const freshSecret = () => encodeBytes(crypto.getRandomValues(new Uint8Array(16)))
  const pending = openPending(page)
  /** Where storage is forbidden, the page's own memory. */
  let memory: Held | null = null
  const held = (): Held | null => attempt(() => JSON.parse(localStorage.getItem(key)!) as Held | null, true) ?? memory
  const hold = (now: Held | null) => {
    memory = now
    attempt(() => (now ? localStorage.setItem(key, JSON.stringify(now)) : localStorage.removeItem(key)), true)
  }

  function forget(): void {
    page.token = undefined
    // An answer would set the account's cookie once more.
    page.telling?.abort()
    page.sending?.abort()
    const before = held()
    if (!before) return
    hold(null)
    for (const kept of pending.list()) {
      // It is sent all the same, and nobody can tell whose it was.
      pending.add({ ...kept, secret: freshSecret(), previous: null, decision: null })
    }
    const out = decodeDecision(before.out)
    if (out) consent.amend(out)
    else consent.drop()
  }

  return {
    forget,
    async identify(token) {
      const answer = await fetch(`${base}/v1/state?site=${site.site}`, {
        headers: { 'avow-account': token },
        credentials: credentialsFor(site),
      })
      if (!answer.ok) {
        // The site's mistake; what is down is tried again by the next page.
        if (answer.status < 500) console.error(`avow: the account's token was refused with ${answer.status}`)
        return
      }
      const { account, decision: theirs }: StateAnswer = await answer.json()
      if (!account) return
      const before = held()
      // Somebody else's: what they left goes first.
      if (before && before.account !== account) forget()
      page.token = token
      const isKnown = before?.account === account
      const mine = consent.decision()
      if (!isKnown) hold({ account, out: mine ? encodeDecision(mine) : '' })
      // What waits to be sent is newer than what the server knows.
      if (isKnown && pending.list()[0]) return

      const now = page.now()
      // Where this clock runs ahead, what it stamped is not as late as it says.
      const aheadMs = Math.max(0, now - (Date.parse(answer.headers.get('date') ?? '') || now))
      const decidedAt = mine && mine.decidedAt - aheadMs
      const counts = theirs && site.accepts.includes(theirs.policy.version) && now < Date.parse(theirs.validUntil)
      const isSame = counts && mine && site.categories.every((name) => mine.choices[name] === theirs.choices[name])
      // Once linked, what was chosen here is among what the server decided by, in its own order.
      // A denial that came within the rounding of either clock came last.
      const against = mine && !isKnown ? decidedAt! + (countGrants(mine) ? 0 : roundingMs) : null
      const isBeaten = counts && beats(theirs, against, !!site.crossDevice)
      if (isKnown && (isSame || !isBeaten)) return
      const link = (choices: Choices, more: Partial<Decision>) =>
        page
          .ui()
          .then((ui) => ui.link(choices, { secret: countGrants({ choices }) ? freshSecret() : '', ...more }, !isSame))
      if (isBeaten) await link(theirs.choices, { decidedAt: Math.min(Date.parse(theirs.decidedAt), now), gpc: false })
      else if (mine) await link(mine.choices, { decidedAt: decidedAt!, gpc: mine.gpc })
    },
  }
}
