/**
 * Wires the loader to the page: gates, tabs, activity, signals, the site's own buttons; and fetches the other files only when
 * there is something to decide, to send or to clean.
 */
import type { Action, ActivityAnswer, Choices, Layer, Notice, SiteConfig } from '../wire.js'
import { watchActivity } from './activity.js'
import { attempt } from './attempt.js'
import { type Consent, createConsent, deny } from './consent.js'
import { countGrants, type Decision, decodeDecision } from './cookie.js'
import { createGate, heldFrames, type Start } from './gate.js'
import { createJar } from './jar.js'
import { listen } from './listen.js'
import { watchTabs } from './tabs.js'

/** What the other files get from the loader. */
export interface Page {
  /** Address of the public surface; empty where there is no server. */
  readonly base: string
  /** What every storage key of ours begins with; with a `0`, of what waits to be sent. */
  readonly prefix: string
  readonly consent: Consent
  /** A withdrawal taken before the UI file was there, as JSON; also in storage, under the prefix and `0draft`. */
  draft?: string | undefined
  /** The account's token, only ever in memory. */
  token?: string | undefined
  /** Ends what is under way: telling of activity, sending a submission. */
  telling?: AbortController
  sending?: AbortController
  /** The words, fetched once. */
  notice(): Promise<Notice>
  /** Unix milliseconds. */
  now(): number
  ui(): Promise<Ui>
  ask: Ask
}

/** A withdrawal as the loader keeps it. */
export interface Draft {
  /** As the cookie has it, by which the next page knows of it; null where it was an account's that has signed out since. */
  readonly decision: string | null
  readonly made: Decision
  /** Ten random bytes for the id, so that whichever tab makes a submission of it makes the same one. */
  readonly bytes: Record<number, number>
}

/** What a page may ask of the UI. Refusing needs no click; granting does. */
export interface Asked {
  /** Shows the preferences. */
  open(): void
  /** Refuses what is granted or not yet decided; in one call, and without a network too. */
  withdraw(): void
  /** The same, by the name that fits before anything is granted. */
  rejectAll(): void
  acceptAll(event: unknown): void
  /** Takes these choices; what is not among them is denied. */
  save(choices: Choices, event: unknown): void
  /** Shows the small button that opens the preferences. */
  button(): void
}

/** What a page may say of who is signed in. */
export interface Account {
  /** `token`: a JWT of the host's own, fresh. */
  identify(token: string): Promise<void>
  /** At sign-out. */
  forget(): void
}

type Ask = (method: keyof Asked | keyof Account, ...args: unknown[]) => void

/** What the UI file gives back. */
export interface Ui {
  /** All that a page may call by name, and nothing that takes a choice without a click. */
  readonly asked: Asked
  /** Sends what is pending and deletes what has no grant; fulfils when the sending has been tried. */
  settle(): Promise<void>
  /** Offers the choice in the place of what is held. */
  place(): void
  /** Takes a choice that was made in another place of ours. `cited`: the notice that was on screen. */
  onDecide(layer: Layer, action: Action, event: unknown, switches?: Choices, cited?: Notice | null): void
  /** Takes over what was decided before, on another device of the account or on this one signed out. `isNews`: here. */
  link(choices: Choices, more: Partial<Decision>, isNews: boolean): void
}

/** What each of the other files gives. */
export interface Parts {
  ui: Ui
  settings: undefined
  account: Account
}

/** Fetches one of the other files, each of which makes its part of the page. */
export interface Files {
  <File extends keyof Parts>(file: File): Promise<{ create(page: Page): Parts[File] }>
  /** The words, where the page has them itself; in this language, or the best there is. */
  words?(language: string): Promise<Notice>
}

/** What a listener hears. */
export interface Heard {
  /** Undefined while undecided. */
  readonly choices: Choices | undefined
  /** Told at once to who subscribes late: this is how it stands. */
  readonly initial: boolean
  /** Something ran that only a reload takes back, and the site is never reloaded. */
  readonly reloadNeeded: boolean
}

/** `ask`: the visitor is asked from here on. `lapse`: there was a choice, and it counts no more. */
export type EventName = 'change' | 'ask' | 'lapse'

/** What the loader itself can answer. */
export interface Avow {
  whenGranted(category: string, start: Start): void
  /** Calls back each time; and once at once, where what it is about is so already. */
  on(name: EventName, listener: (heard: Heard) => void): void
  /** Undefined while undecided. */
  state(): Choices | undefined
  ask: Ask
}

/** After so long what could not be fetched is worth another try. */
const againMs = 3000
/** Long enough for the file that sends and cleans, short enough that a withdrawal ends tracking at once. */
const reloadWaitMs = 1000
/**
 * A tab that stays open must notice that the choice has lapsed (a 30-day timer would overflow and fire at once), and, in
 * browsers that don't tell of it, that a late answer has set an older cookie.
 */
const checkMs = 60_000

/** The world may be down: the choice is undecided or kept, and the next page tries again. */
const quiet = (promise: Promise<unknown>) => void promise.catch(() => {})

/** What posts and reads carry: the jar, where another host shares it. */
export const credentialsFor = ({ domain }: SiteConfig): RequestCredentials => (domain ? 'include' : 'same-origin')

/** Tells other scripts of the page; see `signals.ts`, which most sites don't need. */
export type Signals = (page: Window, site: SiteConfig, consent: Consent) => void

export function start(site: SiteConfig, base: string, nonce: string, files: Files, signals?: Signals): Avow {
  const prefix = `avow:${site.site}:`
  /** Decisions that wait to be sent, and one that undid a grant. */
  let kept: (Decision | null)[]
  /** Names of all that is in the jar and in storage, each after a `; `. */
  const look = () => {
    let there = '; '
    kept = []
    // A sandboxed frame forbids both, a browser's setting the storage alone: what can't be read holds nothing of ours.
    attempt(() => {
      there += document.cookie
      for (const store of [localStorage, sessionStorage]) {
        for (const key of Object.keys(store)) {
          there += `; ${key}=`
          if (key.startsWith(prefix)) attempt(() => kept.push(decodeDecision(JSON.parse(store[key]).decision)), true)
        }
      }
    }, true)
    return there
  }
  const signal = (navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl === true
  const consent = createConsent(site, createJar(location.protocol === 'https:', site), Date.now, signal, () => {
    look()
    return kept
  })
  const { granted, decision } = consent

  const once: Record<string, Promise<unknown> | undefined> = {}
  /** Gets it once, and again only where that failed. */
  const get = <Thing>(name: string, fetching: () => Promise<Thing>): Promise<Thing> => {
    once[name] ??= fetching().catch((problem) => {
      // Not at once: a page that changes all the time would ask all the time.
      setTimeout(() => delete once[name], againMs)
      throw problem
    })
    return once[name] as Promise<Thing>
  }
  const notice = () =>
    get('notice', async () => {
      const { lang } = document.documentElement
      if (files.words) return files.words(lang)
      // What else the visitor reads is in the request's own `Accept-Language`.
      const answer = await fetch(`${base}/v1/sites/${site.site}/notice?lang=${lang}`)
      if (!answer.ok) throw answer
      return answer.json() as Promise<Notice>
    })
  const load = <File extends keyof Parts>(file: File) => get(file, async () => (await files(file)).create(page))
  const ui = () => {
    const part = load('ui')
    // The words travel beside the file, not after it.
    if (consent.asks()) quiet(notice())
    return part
  }

  const ask: Ask = (method, ...args) => {
    const call = (on: Promise<Asked | Account>) =>
      quiet(on.then((it) => (it as unknown as Record<string, (...args: unknown[]) => unknown>)[method]!(...args)))
    const now = decision()
    // By their first letters: identify, forget.
    if (/^[if]/.test(method)) call(load('account'))
    // A grant that the opt-out signal suspends can be withdrawn, too.
    else if (!now || !countGrants(now) || !/^(withdraw|rejectAll)$/.test(method)) call(ui().then((it) => it.asked))
    else {
      consent.decide(deny(site), '', (made, decision) => {
        const bytes = crypto.getRandomValues(new Uint8Array(10))
        page.draft = JSON.stringify({ decision, made, bytes } satisfies Draft)
        // Where it can't be kept, this page still sends; only the retry on the next page is lost.
        attempt(() => localStorage.setItem(`${prefix}0draft`, page.draft!), true)
      })
    }
  }
  const page: Page = { base, prefix, consent, notice, now: Date.now, ui, ask }

  /** Has the UI file ask, send and clean, where there is anything to ask, to send or to clean. */
  const settle = async (own?: boolean) => {
    const there = look()
    const isLeft = ({ name, category }: SiteConfig['cookies'][number]) =>
      !granted().includes(category) && `; ${name}=`.split('*').every((piece) => there.includes(piece))
    if (own || consent.asks() || there.includes(`; ${prefix}0`) || site.cookies.some(isLeft))
      await (await ui()).settle()
  }
  quiet(settle())
  listen(['online'], () => quiet(settle()))

  const gate = createGate(document, nonce, (category) => granted().includes(category))
  attempt(() => signals?.(window, site, consent))
  watchTabs(consent.refresh)

  /** Something ran that can't be stopped. A hidden tab waits until it is shown, so that it never acts by itself. */
  const reload = () => {
    if (document.hidden) listen(['visibilitychange'], reload)
    // Not one more time what a form had sent. To an address with a hash that would only be a jump.
    else if (location.hash) location.reload()
    else location.replace(location.href)
  }
  const never = !!site.reload

  consent.subscribe((own) => {
    // Its answer would set the cookie that it was sent with.
    if (own) page.telling?.abort()
    gate.update()
    const mustReload = !never && gate.mustReload()
    quiet(settle(own).then(() => mustReload && reload()))
    if (mustReload) setTimeout(reload, reloadWaitMs)
  })

  const scan = () => {
    gate.scan()
    if (document.querySelector('avow-settings')) quiet(load('settings'))
    if (document.querySelector(`${heldFrames}:not([src])`)) quiet(ui().then((it) => it.place()))
  }
  new MutationObserver(scan).observe(document, { childList: true, subtree: true })
  listen(['DOMContentLoaded'], scan)
  scan()

  watchActivity(() => {
    if (!consent.slide() || !base) return
    const { secret } = consent.known()!
    page.telling = new AbortController()
    quiet(
      fetch(`${base}/v1/activity?site=${site.site}`, {
        method: 'POST',
        // The person may be on the way to the next page.
        keepalive: true,
        credentials: credentialsFor(site),
        signal: page.telling.signal,
        headers: secret ? { authorization: `Avow ${secret}` } : {},
      })
        .then((answer) => answer.json())
        // What waits to be sent is newer than what the server knows.
        .then(({ state }: ActivityAnswer) => look().includes(`; ${prefix}0`) || consent.obey(state)),
    )
  })
  setInterval(consent.refresh, checkMs)

  // Before anybody stops it, and in shadow roots, too.
  listen(['click'], (event) => {
    for (const method of ['open', 'withdraw'] as const) {
      // The document and the window are on every path, and match nothing.
      if (event.composedPath().some((one) => (one as Partial<Element>).matches?.(`[data-avow-${method}]`))) ask(method)
    }
  })

  // What the opt-out signal suspends is denied.
  const state = () => (decision() ? deny(site, granted()) : undefined)
  return {
    whenGranted: gate.whenGranted,
    on(name, listener) {
      const isSo = () => (name === 'ask' ? consent.asks() : name === 'change' || (consent.known() && !decision()))
      let was: unknown
      const tell = (initial: boolean) => {
        const is = isSo()
        // `change` is so each time, the others once until they are so again.
        if (is && (!was || name === 'change'))
          attempt(() => listener({ choices: state(), initial, reloadNeeded: never && gate.mustReload() }))
        was = is
      }
      tell(true)
      consent.subscribe(() => tell(false))
    },
    state,
    ask,
  }
}
