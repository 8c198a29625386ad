/**
 * Who is signed in. An account has a secret of its own on each device, so nothing that was chosen signed out is linked to
 * it, and nothing of it stays when it signs out. Loaded only where a page speaks of accounts.
 */
import { attempt } from '../loader/attempt.js'
import { countGrants, decodeDecision, encodeDecision } from '../loader/cookie.js'
import { type Account, credentialsFor, type Draft, type Page, type Ui } from '../loader/start.js'
import type { RecordedDecision, StateAnswer } from '../wire.js'
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
  const draftKey = `${prefix}0draft`
  const draft = () => page.draft ?? attempt(() => localStorage.getItem(draftKey), true)
  /** Where storage is forbidden, the page's own memory. */
  let memory: Held | null = null
  const held = (): Held | null => attempt(() => JSON.parse(localStorage.getItem(key)!) as Held | null, true) ?? memory
  const hold = (now: Held | null) => {
    memory = now
    attempt(() => (now ? localStorage.setItem(key, JSON.stringify(now)) : localStorage.removeItem(key)), true)
  }

  /** The newest word on who is signed in. */
  let turn: AbortController | undefined
  /** What an earlier word still waits for counts no more. */
  function begin(): AbortSignal {
    turn?.abort()
    turn = new AbortController()
    return turn.signal
  }

  function leave(): void {
    page.token = undefined
    // An answer would set the account's cookie once more.
    page.telling?.abort()
    page.sending?.abort()
    const before = held()
    if (!before) return
    hold(null)
    // What waits is sent all the same, and nobody can tell whose it was; the next page takes no decision of it.
    for (const kept of pending.list()) {
      pending.add({ ...kept, secret: freshSecret(), previous: null, decision: null })
    }
    const waiting = draft()
    if (waiting) {
      attempt(() => {
        const { made, bytes } = JSON.parse(waiting) as Draft
        page.draft = JSON.stringify({ decision: null, made: { ...made, secret: freshSecret() }, bytes })
        localStorage.setItem(draftKey, page.draft)
      }, true)
    }
    const out = decodeDecision(before.out)
    if (out) consent.amend(out)
    else consent.drop()
  }

  return {
    forget() {
      begin()
      leave()
    },
    async identify(token) {
      const signal = begin()
      let count = consent.known()?.n
      const answer = await fetch(`${base}/v1/state?site=${site.site}`, {
        headers: { 'avow-account': token },
        credentials: credentialsFor(site),
        signal,
      })
      if (!answer.ok) {
        // The site's mistake; what is down is tried again by the next page.
        if (answer.status < 500) console.error(`avow: the account's token was refused with ${answer.status}`)
        return
      }
      // Where this clock runs ahead, what it stamped is not as late as it says.
      const here = page.now()
      const aheadMs = Math.max(0, here - (Date.parse(answer.headers.get('date') ?? '') || here))
      const { account, decision: theirs }: StateAnswer = await answer.json()
      if (signal.aborted || !account) return
      const before = held()
      const isKnown = before?.account === account
      if (isKnown) page.token = token
      else if (before) {
        // Somebody else's: what they left goes first.
        leave()
        count = consent.known()?.n
      }

      /** What is to be taken over, as things stand now. */
      const judge = (): Parameters<Ui['link']> | null | undefined => {
        const now = page.now()
        const mine = consent.decision()
        // Chosen since the server was asked: nothing that it knows is later.
        const isNewer = consent.known()?.n !== count
        const decidedAt = mine ? mine.decidedAt - aheadMs : 0
        const counts = theirs && site.accepts.includes(theirs.policy.version) && now < Date.parse(theirs.validUntil)
        const isSame = counts && mine && site.categories.every((name) => mine.choices[name] === theirs.choices[name])
        // Once linked, what was chosen here is among what the server decided by, in its own order.
        // A denial that came within the rounding of either clock came last; of a grant whose clock was set back since,
        // nobody knows when it came.
        const since = mine && countGrants(mine) ? (decidedAt > now ? 0 : decidedAt) : decidedAt + roundingMs
        const isBeaten = counts && !isNewer && beats(theirs, mine && !isKnown ? since : null, !!site.crossDevice)
        // What waits to be sent is newer than what the server knows, and told to be the account's when it is sent.
        if (isKnown && !isNewer && (isSame || !isBeaten || draft() || pending.list()[0])) return
        const taken = isBeaten ? theirs : mine
        return (
          taken && [
            taken.choices,
            {
              secret: countGrants(taken) ? freshSecret() : '',
              // Later than now it would be no decision at all.
              decidedAt: Math.min(isBeaten ? Date.parse(theirs.decidedAt) : decidedAt, now),
              gpc: !isBeaten && mine!.gpc,
            },
            !isSame,
          ]
        )
      }

      const ui = judge() && (await page.ui())
      if (signal.aborted) return
      // While the UI was on its way the person may have decided, and nothing may be taken over that they undid.
      const linking = judge()
      // From here on what is chosen is the account's; until here it was nobody's, and is linked under another secret.
      page.token = token
      const mine = consent.decision()
      if (!isKnown) hold({ account, out: mine ? encodeDecision(mine) : '' })
      if (linking) ui!.link(...linking)
    },
  }
}
