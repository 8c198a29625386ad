/**
 * Wires the loader to the page: gates, tabs, activity, the site's own buttons; and fetches the other files only when
 * there is something to decide, to send or to clean.
 */
import type { Choices, Notice, SiteConfig } from '../wire.js'
import { watchActivity } from './activity.js'
import { attempt } from './attempt.js'
import { type Consent, createConsent } from './consent.js'
import type { Decision } from './cookie.js'
import { createGate, type Start } from './gate.js'
import { createJar } from './jar.js'
import { pickLanguage } from './rules.js'
import { watchTabs } from './tabs.js'

/** What the other files get from the loader. */
export interface Page {
  readonly base: string
  readonly consent: Consent
  /** As JSON, a withdrawal taken before the UI file was there; also in storage, as `avow:<site>:draft`. */
  draft?: string
  /** The words, fetched once. */
  notice(): Promise<Notice>
  ask(method: keyof Asked, event?: unknown): void
}

/** A withdrawal as the loader keeps it. */
export interface Draft {
  readonly decision: Decision
  /** Ten random bytes for the id, so that whichever tab makes a submission of it makes the same one. */
  readonly bytes: Record<number, number>
}

/** What a page may ask for. Refusing needs no click; granting does. */
export interface Asked {
  /** Shows the preferences. */
  open(): void
  /** Refuses what is granted or not yet decided; in one call, and without a network too. */
  withdraw(): void
  /** The same, by the name that fits before anything is granted. */
  rejectAll(): void
  acceptAll(event: unknown): void
}

/** What the UI file gives back. */
export interface Ui extends Asked {
  /** Sends what is pending and deletes what has no grant; fulfils when the sending has been tried. */
  settle(): Promise<void>
}

/** Fetches one of the other files. */
export interface Files {
  (file: 'ui'): Promise<{ createUi(page: Page): Ui }>
  (file: 'settings'): Promise<{ defineSettings(page: Page): void }>
}

/** What the loader itself can answer. */
export interface Avow {
  whenGranted(category: string, start: Start): void
  /** Calls back with what `state` says, at each change. */
  on(name: 'change', listener: (state: Choices | undefined) => void): void
  /** Undefined while undecided. */
  state(): Choices | undefined
  ask(method: keyof Asked, event?: unknown): void
}

/** Long enough for the file that sends and cleans, short enough that a withdrawal ends tracking at once. */
const reloadWaitMs = 1000
/** A tab that stays open must notice that the choice has lapsed. A 30-day timer would overflow and fire at once. */
const checkMs = 3_600_000

/** The world may be down: the choice is undecided or kept, and the next page tries again. */
const quiet = (promise: Promise<unknown>) => void promise.catch(() => {})

export function start(site: SiteConfig, base: string, nonce: string, files: Files): Avow {
  const prefix = `avow:${site.site}:`
  const consent = createConsent(site, createJar(location.protocol === 'https:'), Date.now)
  const { granted, decision } = consent

  let words: Promise<Notice> | undefined
  const notice = () => {
    const language = pickLanguage([document.documentElement.lang, ...navigator.languages], site.languages)
    words ??= fetch(`${base}/v1/sites/${site.site}/notice?lang=${language}`).then((answer) => answer.json())
    return words
  }

  let loaded: Promise<Ui> | undefined
  const load = () => {
    loaded ??= files('ui').then((file) => file.createUi(page))
    // The words travel beside the file, not after it.
    if (!decision()) quiet(notice())
    return loaded
  }

  const ask: Avow['ask'] = (method, event) => {
    if (!granted()[0] || !'withdraw rejectAll'.includes(method)) quiet(load().then((ui) => ui[method](event)))
    else {
      consent.decide(
        () => false,
        '',
        (made) => {
          const bytes = crypto.getRandomValues(new Uint8Array(10))
          page.draft = JSON.stringify({ decision: made, bytes } satisfies Draft)
          // Where it can't be kept, this page still sends; only the retry on the next page is lost.
          attempt(() => localStorage.setItem(`${prefix}draft`, page.draft!), true)
        },
      )
    }
  }
  const page: Page = { base, consent, notice, ask }

  /** Has the UI file ask, send and clean, where there is anything to ask, to send or to clean. */
  const settle = async (own?: boolean) => {
    const keys = attempt(() => [localStorage, sessionStorage].flatMap((store) => Object.keys(store)), true) ?? []
    const there = ['', document.cookie, ...keys].join('; ')
    const has = (name: string) => there.includes(`; ${name}`)
    const isLeft = site.cookies.some(({ name, category }) => !granted().includes(category) && has(name.split('*')[0]!))
    if (own || !decision() || isLeft || has(prefix)) await (await load()).settle()
  }
  quiet(settle())

  const gate = createGate(document, nonce, (category) => granted().includes(category))
  watchTabs(window, consent.refresh)

  /** Something ran that can't be stopped. A hidden tab waits until it is shown, so that it never acts by itself. */
  const reload = () => {
    if (document.hidden) addEventListener('visibilitychange', reload)
    else location.reload()
  }

  consent.subscribe((own) => {
    const mustReload = gate.update()
    quiet(settle(own).then(() => mustReload && reload()))
    if (mustReload) setTimeout(reload, reloadWaitMs)
  })

  const look = () => {
    gate.scan()
    if (document.querySelector('avow-settings:not(:defined)')) {
      quiet(files('settings').then((file) => file.defineSettings(page)))
    }
  }
  new MutationObserver(look).observe(document, { childList: true, subtree: true })
  addEventListener('DOMContentLoaded', look)
  look()

  watchActivity(window, consent.slide)
  setInterval(consent.refresh, checkMs)

  addEventListener('click', (event) => {
    for (const method of ['open', 'withdraw'] as const) {
      if ((event.target as Element).closest(`[data-avow-${method}]`)) ask(method)
    }
  })

  const state = () => decision()?.choices
  return {
    whenGranted: gate.whenGranted,
    on: (_name, listener) => consent.subscribe(() => attempt(() => listener(state()))),
    state,
    ask,
  }
}
