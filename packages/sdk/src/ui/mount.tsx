/** The UI file's entry: puts the banner and the preferences into the page, and offers the choice where something is held. */
import { render } from 'preact'
import { openDesk } from '../decide/desk.js'
import type { Page, Ui } from '../loader/start.js'
import type { Action, Choices, Layer, Notice } from '../wire.js'
import { App } from './App.js'
import { createPlaces } from './places.js'
import { dress, noticeStyles } from './styles.js'

/** Long enough to be read aloud and seen. */
const statusMs = 5000
/** A live region must be in the page before its text changes, or nobody hears it. */
const announceMs = 200

/** No words, nothing to show: nothing is granted, and the next page tries again. */
export const quiet = (promise: Promise<unknown>) => void promise.catch(() => {})

export function create(page: Page): Ui {
  const { consent } = page
  const { site } = consent
  const desk = openDesk(page)
  let notice: Notice | null = null
  let preferences = false
  let button = false
  let status = ''
  let saying: ReturnType<typeof setTimeout>
  let asking = false
  let host: HTMLElement | null = null
  let root: ShadowRoot
  /** Where the focus was before it came to us. */
  let focusBack: unknown

  /**
   * The banner covers nothing that has the focus (WCAG 2.4.11): the page scrolls it clear, and where it can't be scrolled so
   * far, the banner goes to the other edge. Of a banner at the bottom the page's end can be scrolled clear, too.
   */
  function makeWay(focused?: unknown): void {
    const page = document.documentElement
    const { clientWidth, style } = page
    const banner = root.querySelector('section')
    style.scrollPaddingTop = style.scrollPaddingBottom = ''
    if (!banner) {
      style.marginBottom = ''
      return
    }
    let there = banner.getBoundingClientRect()
    const { top, bottom, left, right } = focused instanceof Element ? focused.getBoundingClientRect() : there
    const covers =
      focused &&
      focused !== host &&
      top >= there.top &&
      bottom <= there.bottom &&
      left < there.right &&
      right > there.left
    if (covers) {
      banner.classList.toggle('top')
      there = banner.getBoundingClientRect()
    }
    const below = innerHeight - there.top
    if (there.bottom < below) style.scrollPaddingTop = `${there.bottom}px`
    else {
      style.scrollPaddingBottom = style.marginBottom = `${below}px`
      // A scroll bar that comes with it would shift all there is.
      if (page.clientWidth < clientWidth) style.marginBottom = ''
    }
    if (covers) (focused as Element).scrollIntoView({ block: 'nearest' })
  }

  /** Tells once it is laid out, so that measuring it costs nothing; and when it is gone. */
  const sizes = new ResizeObserver(() => makeWay())

  function draw(): void {
    if (!notice) return
    if (!host) {
      host = document.createElement('avow-notice')
      root = dress(host, noticeStyles)
      host.addEventListener('focusin', ({ relatedTarget }) => {
        focusBack = relatedTarget ?? focusBack
      })
      // After the browser has scrolled to what has the focus now.
      addEventListener('focusin', ({ target }) => asking && requestAnimationFrame(() => makeWay(target)))
    }
    host.lang = notice.language
    host.dir = notice.dir
    // Before the body: first in tab order, and still there when a router swaps the body.
    if (!host.isConnected) document.documentElement.insertBefore(host, document.body)
    const view = {
      notice,
      site,
      asking,
      preferences,
      button,
      granted: consent.granted(),
      status,
      onDecide,
      onPreferences,
    }
    const focused = document.activeElement === host
    render(App(view), root)
    const banner = root.querySelector('section')
    if (banner) sizes.observe(banner)
    // What had the focus is gone: it goes back to where it came from, which may have been scrolled away since.
    if (focused && document.activeElement !== host && focusBack instanceof HTMLElement)
      focusBack.focus({ preventScroll: true })
  }

  /** What was about to end what was said before must not end this. */
  function say(text: string, afterMs = announceMs): void {
    clearTimeout(saying)
    saying = setTimeout(() => {
      status = text
      draw()
      if (text) say('', statusMs)
    }, afterMs)
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

  function onDecide(
    layer: Layer,
    action: Action,
    event: unknown,
    switches: Choices = {},
    cited: Notice | null = notice,
  ) {
    const all: Action[] = ['reject-all', 'accept-all']
    const offered: Action[] =
      layer === 'banner' || layer === 'api' ? all : layer === 'placeholder' ? ['save'] : ['save', ...all]
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
    const before = asking && notice
    asking = consent.asks()
    if (asking && !before) {
      // No words, no question: it is asked when they can be had, or on the next page.
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
    if (!consent.decision()) onDecide('settings', 'reject-all', null, {}, null)
  }

  return {
    asked: {
      open() {
        quiet(read().then(() => onPreferences(true)))
      },
      button() {
        button = true
        quiet(read().then(draw))
      },
      withdraw: refuse,
      rejectAll: refuse,
      acceptAll: (event) => onDecide('api', 'accept-all', event, {}, null),
      save: (choices, event) => onDecide('api', 'save', event, choices, null),
    },
    onDecide,
    place: () => quiet(read().then((words) => places.place(words, consent.granted()))),
    link(choices, more, isNews) {
      desk.link(choices, more)
      if (isNews) quiet(read().then(({ words }) => say(words.adopted)))
    },
    settle() {
      if (asking && !notice) update()
      return desk.settle()
    },
  }
}
