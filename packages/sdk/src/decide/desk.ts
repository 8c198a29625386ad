/**
 * All that a decision needs and that isn't on screen: it is taken, kept, sent, and what it doesn't grant is cleaned away. The
 * UI file has it behind its buttons, a page without our UI behind its own.
 */
import { attempt } from '../loader/attempt.js'
import { countGrants, type Decision } from '../loader/cookie.js'
import { credentialsFor, type Page } from '../loader/start.js'
import type { Choices, Notice } from '../wire.js'
import { cleanup } from './cleanup.js'
import { adopt, type Choosing, type Desk, decide, take } from './decide.js'
import { createOutbox } from './outbox.js'
import { openPending } from './pending.js'

/** A tracker may write once more after it was told to stop; an answer may bring an older cookie once more. */
const againMs = 1000
/** A request that nobody answers must not keep those behind it for ever; a slow network gets this long. */
const answerWithinMs = 30_000

export interface OpenDesk {
  /** Decides; see `decide`. */
  decide(choosing: Choosing, event: unknown): boolean
  /** Takes over what was decided before, on another device of the account or on this one signed out. */
  link(choices: Choices, more: Partial<Decision>): void
  /** The words; rejects where they can't be had. */
  read(): Promise<Notice>
  /** Sends what is pending and deletes what has no grant; fulfils when the sending has been tried. */
  settle(): Promise<void>
}

export function openDesk(page: Page): OpenDesk {
  const { base, consent, prefix } = page
  const { site } = consent
  const local = attempt(() => localStorage, true)
  const session = attempt(() => sessionStorage, true)
  const draftKey = `${prefix}0draft`
  const pending = openPending(page)
  const desk: Desk = {
    consent,
    pending: base ? pending : null,
    random: (size) => crypto.getRandomValues(new Uint8Array(size)),
    gpc: (navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl ?? null,
    page: location.origin + location.pathname,
  }

  async function read(): Promise<Notice> {
    const words = await page.notice()
    if (!words.words) throw new Error('no such notice')
    return words
  }

  async function send(body: string): Promise<Response> {
    const { token } = page
    const sending = new AbortController()
    page.sending = sending
    const timer = setTimeout(() => sending.abort(), answerWithinMs)
    try {
      const answer = await fetch(`${base}/v1/consents`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(token && { 'avow-account': token }) },
        body,
        // The click may also have been on a link: the request outlives the page.
        keepalive: true,
        credentials: credentialsFor(site),
        signal: sending.signal,
      })
      if (answer.status !== 401 || !token) return answer
    } finally {
      clearTimeout(timer)
    }
    // The account's token is over by now; the choice goes without it.
    if (page.token === token) page.token = undefined
    return send(body)
  }

  const outbox = createOutbox({
    pending,
    now: page.now,
    send,
    notice: read,
    later(delayMs, retry) {
      // One tab retries for all; where there are no locks, or none for this page, the ids alone prevent doubles.
      setTimeout(() => {
        void ((navigator.locks as LockManager | undefined)?.request('avow', retry).catch(retry) ?? retry())
      }, delayMs)
    },
    onRecorded({ secret }, answer, last) {
      document.dispatchEvent(new CustomEvent('avow:recorded', { detail: answer }))
      // The newest answer says what the server holds of this subject.
      if (last && secret === consent.known()?.secret) consent.obey(answer.state)
    },
    onRefused({ choices, secret }) {
      // A grant that nobody can prove is none. A later decision has its own submission.
      if (countGrants({ choices }) && !pending.list()[0] && secret === consent.known()?.secret) consent.drop()
    },
  })
  // A sandboxed frame may not look at cookies; then none of them is this page's, and sending goes on.
  const clean = () =>
    attempt(() => cleanup({ document, local, session }, location, site.cookies, consent.granted()), true)

  return {
    decide: (choosing, event) => decide(desk, choosing, event),
    link(choices, more) {
      take(desk, { action: 'link', switches: {}, layer: 'api', offered: [], notice: null }, choices, more)
    },
    read,
    async settle() {
      const draft = page.draft ?? attempt(() => local!.getItem(draftKey), true)
      if (draft) {
        attempt(() => adopt(desk, draft))
        page.draft = undefined
        attempt(() => local!.removeItem(draftKey), true)
      }
      clean()
      setTimeout(() => {
        clean()
        consent.refresh()
      }, againMs)
      await outbox.flush()
    },
  }
}
