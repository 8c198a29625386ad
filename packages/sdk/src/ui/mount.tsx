/** The UI file's entry: puts the banner and the preferences into the page, and owns sending and cleaning. */
import { render } from 'preact'
import { cleanup } from '../decide/cleanup.js'
import { adopt, type Desk, decide } from '../decide/decide.js'
import { createOutbox } from '../decide/outbox.js'
import { createPending } from '../decide/pending.js'
import { attempt } from '../loader/attempt.js'
import type { Page, Ui } from '../loader/start.js'
import type { Action, Choices, Layer, Notice } from '../wire.js'
import { App } from './App.js'
import { noticeStyles } from './styles.js'

/** Long enough to be read aloud and seen. */
const statusMs = 5000
/** A live region must be in the page before its text changes, or nobody hears it. */
const announceMs = 200

/** A tracker may write once more after it was told to stop. */
const cleanAgainMs = 1000

/** No words, nothing to show: nothing is granted, and the next page tries again. */
const quiet = (promise: Promise<unknown>) => void promise.catch(() => {})

export function createUi(page: Page): Ui {
  const { base, consent } = page
  const local = attempt(() => localStorage, true)
  const session = attempt(() => sessionStorage, true)
  const prefix = `avow:${consent.site.site}:`
  const draftKey = `${prefix}draft`
  const pending = createPending(local, `${prefix}0`)
  const desk: Desk = {
    consent,
    pending,
    random: (size) => crypto.getRandomValues(new Uint8Array(size)),
    gpc: (navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl ?? null,
  }
  let notice: Notice | null = null
  let preferences = false
  let status = ''
  let asking = false
  let root: ShadowRoot | null = null
  /** Where the focus was before it came to us. */
  let focusBack: unknown

  function draw(): void {
    if (!notice) return
    if (!root) {
      const made = document.createElement('avow-notice')
      root = made.attachShadow({ mode: 'open' })
      root.adoptedStyleSheets = [noticeStyles()]
      made.addEventListener('focusin', ({ relatedTarget }) => {
        focusBack = relatedTarget ?? focusBack
      })
    }
    const { host } = root
    ;(host as HTMLElement).lang = notice.language
    // Before the body: first in tab order, and still there when a router swaps the body.
    if (!host.isConnected) document.documentElement.insertBefore(host, document.body)
    const view = { notice, asking, preferences, granted: consent.granted(), status, onDecide, onPreferences }
    const focused = document.activeElement === host
    render(<App {...view} />, root)
    // What had the focus is gone: it goes back to where it came from.
    if (focused && document.activeElement !== host && focusBack instanceof HTMLElement) focusBack.focus()
  }

  function say(text: string): void {
    setTimeout(() => {
      status = text
      draw()
      if (text) setTimeout(say, statusMs, '')
    }, announceMs)
  }

  async function read(): Promise<Notice> {
    const words = await page.notice()
    if (!words.words) throw new Error('no such notice')
    notice = words
    return words
  }

  function onPreferences(open: boolean): void {
    // Closed by itself, a dialog gives the focus back; taken out of the page it would not.
    if (!open) root?.querySelector('dialog')?.close()
    preferences = open
    draw()
  }

  function onDecide(layer: Layer, action: Action, event: unknown, switches: Choices = {}): void {
    const all: Action[] = ['reject-all', 'accept-all']
    const offered: Action[] = layer === 'preferences' ? ['save', ...all] : all
    const cited = layer === 'settings' ? null : notice
    if (!decide(desk, { action, switches, layer, offered, notice: cited }, event)) return
    onPreferences(false)
    if (notice) say(notice.words.saved)
  }

  const outbox = createOutbox({
    pending,
    now: () => Date.now(),
    send: (body) =>
      fetch(`${base}/v1/consents`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        // The click may also have been on a link: the request outlives the page.
        keepalive: true,
        credentials: 'same-origin',
      }),
    notice: read,
    later(delayMs, retry) {
      const { locks } = navigator as { locks?: LockManager }
      // One tab retries for all; where there are no locks the ids alone prevent doubles.
      setTimeout(() => void (locks ? locks.request('avow', retry) : retry()), delayMs)
    },
    onRecorded(answer, last) {
      document.dispatchEvent(new CustomEvent('avow:recorded', { detail: answer }))
      // The newest answer says what the server holds; a grant that does not stand there does not stand here.
      if (last && answer.state !== 'granted' && consent.granted()[0]) consent.forget()
    },
    onRefused({ choices }) {
      // A grant that nobody can prove is none. A later decision has its own submission.
      if (Object.values(choices).includes(true) && !pending.list()[0] && consent.granted()[0]) consent.forget()
    },
  })
  addEventListener('online', () => void outbox.flush())

  const clean = () => cleanup({ document, local, session }, location, consent.site.cookies, consent.granted())

  /** Shows or closes the banner, as the choice now demands. */
  function update(): void {
    const before = asking
    asking = !consent.decision()
    if (asking && !before) {
      // No words, no question: the next page asks.
      quiet(
        read().then(({ words }) => {
          draw()
          if (asking) say(words.title)
        }),
      )
    } else draw()
  }
  consent.subscribe(update)
  update()

  const refuse = () => {
    if (!consent.decision()) onDecide('settings', 'reject-all', null)
  }

  return {
    open() {
      quiet(read().then(() => onPreferences(true)))
    },
    withdraw: refuse,
    rejectAll: refuse,
    acceptAll: (event) => onDecide('settings', 'accept-all', event),
    async settle() {
      const draft = page.draft ?? attempt(() => local!.getItem(draftKey), true)
      if (draft) {
        attempt(() => adopt(desk, draft))
        delete page.draft
        attempt(() => local!.removeItem(draftKey), true)
      }
      clean()
      setTimeout(clean, cleanAgainMs)
      await outbox.flush()
    },
  }
}
