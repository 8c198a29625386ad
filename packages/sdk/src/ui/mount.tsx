/** The UI file's entry: puts the banner and the preferences into the page, and offers the choice where something is held. */
import { render } from 'preact'
import { openDesk } from '../decide/desk.js'
import type { Page, Ui } from '../loader/start.js'
import type { Action, Choices, Layer, Notice } from '../wire.js'
import { App } from './App.js'
import { createPlaces } from './places.js'
import { noticeStyles } from './styles.js'

/** Long enough to be read aloud and seen. */
const statusMs = 5000
/** A live region must be in the page before its text changes, or nobody hears it. */
const announceMs = 200

/** No words, nothing to show: nothing is granted, and the next page tries again. */
const quiet = (promise: Promise<unknown>) => void promise.catch(() => {})

export function create(page: Page): Ui {
  const { consent } = page
  const desk = openDesk(page)
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

  const read = async () => {
    notice = await desk.read()
    return notice
  }

  function onPreferences(open: boolean): void {
    // Closed by itself, a dialog gives the focus back; taken out of the page it would not.
    if (!open) root?.querySelector('dialog')?.close()
    preferences = open
    draw()
  }

  function onDecide(layer: Layer, action: Action, event: unknown, switches: Choices = {}): void {
    const all: Action[] = ['reject-all', 'accept-all']
    const offered: Action[] = layer === 'preferences' ? ['save', ...all] : layer === 'placeholder' ? ['save'] : all
    const cited = layer === 'settings' || layer === 'api' ? null : notice
    if (!desk.decide({ action, switches, layer, offered, notice: cited }, event)) return
    onPreferences(false)
    if (notice) say(notice.words.saved)
  }

  const places = createPlaces((category, event) =>
    onDecide('placeholder', 'save', event, {
      ...Object.fromEntries(consent.granted().map((name) => [name, true])),
      [category]: true,
    }),
  )

  /** Shows or closes the banner, as the choice now demands. */
  function update(): void {
    const before = asking
    asking = consent.asks()
    if (asking && !before) {
      // No words, no question: the next page asks.
      quiet(
        read().then(({ words }) => {
          draw()
          if (asking) say(words.title)
        }),
      )
    } else draw()
    places.update(consent.granted())
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
    button() {},
    withdraw: refuse,
    rejectAll: refuse,
    acceptAll: (event) => onDecide('api', 'accept-all', event),
    save: (choices, event) => onDecide('api', 'save', event, choices),
    place: () => quiet(read().then((words) => places.place(words, consent.granted()))),
    link(choices, more, isNews) {
      desk.link(choices, more)
      if (isNews) quiet(read().then(({ words }) => say(words.adopted)))
    },
    settle: desk.settle,
  }
}
