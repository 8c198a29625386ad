/** What travels between the page and the server. Types only, so that both sides may import them. */

/** One switch of the banner: the purposes that are granted or denied together. `necessary` is never among them. */
export type Choices = Readonly<Record<string, boolean>>

/**
 * How a choice was made, as far as a browser may say so. `link`: made before, on another device of the account or on this
 * one signed out, and taken over.
 */
export type Action = 'accept-all' | 'reject-all' | 'save' | 'withdraw' | 'link'

/**
 * Where a choice was made; `placeholder`: in the place of something held; `api`: by the page's own code, with a UI of its
 * own or none.
 */
export type Layer = 'banner' | 'preferences' | 'settings' | 'placeholder' | 'api'

/** A published policy, by label and by the base64url SHA-256 of its JCS. */
export interface PolicyRef {
  readonly version: string
  readonly hash: string
}

/** The words one language of a policy shows, by the base64url SHA-256 of their JCS. */
export interface NoticeRef {
  readonly hash: string
  readonly language: string
}

/** A cookie or storage key that a category declares: `name` is exact, but for `*`, which stands for any characters. */
export interface DeclaredCookie {
  readonly kind: 'cookie' | 'local' | 'session'
  readonly name: string
  readonly category: string
}

/**
 * A consent type of Google's Consent Mode v2 that a category may switch. None that begins with `ad_`: they are always
 * denied, and can't be written here.
 */
export type ConsentType = 'analytics_storage' | 'functionality_storage' | 'personalization_storage' | 'security_storage'

/** A box in the corner where lines begin, in the one where they end, or centred at the bottom; a bar at the bottom or the top. */
export type Layout = 'box' | 'box-end' | 'box-center' | 'bar' | 'bar-top'

/** What the server hands to the loader: all that a page must know before anybody decides. */
export interface SiteConfig {
  readonly site: string
  readonly policy: PolicyRef
  /** The labels under which a choice still stands: the newest material version and the editorial ones since. */
  readonly accepts: readonly string[]
  /** The categories that need consent, in the order they are offered. */
  readonly categories: readonly string[]
  /** Declared cookies and storage keys of those categories, for the cleanup. */
  readonly cookies: readonly DeclaredCookie[]
  /** Languages a notice exists in; the first is the policy's default. */
  readonly languages: readonly string[]
  readonly inactivityDays: number
  readonly maxAgeDays: number
  /** File names, relative to the base of the script's own address. Absent where there is no server. */
  readonly ui?: string
  readonly settings?: string
  readonly account?: string
  /** What the choice is shared under, `example.co.uk`: then the cookie is `__Secure-avow`. Else it is the host's own. */
  readonly domain?: string
  /** `ask`: the banner comes in spite of Global Privacy Control. */
  readonly gpc?: 'ask'
  /** `never`: where something ran that only a reload takes back, the page is told and not reloaded. */
  readonly reload?: 'never'
  /** A refusal is filed under a secret that the browser keeps, so that it can be shown, and its visitor be recognised. */
  readonly refusalId?: true
  /** A choice made on one device of an account counts on its others. */
  readonly crossDevice?: true
  /** Whether the address of the page, without its query, is told with each submission. */
  readonly page?: true
  /** Google's consent types, by the category that switches them. */
  readonly consentMode?: Readonly<Record<string, readonly ConsentType[]>>
  /** Where the banner stands; absent: `box`. */
  readonly layout?: Layout
  /** A small button in the corner opens the preferences, once there is a choice. Every page then loads the UI file. */
  readonly button?: true
  /** All the words, where there is no server to ask for them; the first is the default. */
  readonly notices?: readonly Notice[]
}

/** Every word of the SDK's own that a notice needs, in one language. */
export interface Labels {
  readonly title: string
  readonly acceptAll: string
  readonly rejectAll: string
  readonly manage: string
  readonly save: string
  readonly close: string
  readonly preferencesTitle: string
  readonly alwaysOn: string
  readonly saved: string
  readonly policyLink: string
  readonly settingsTitle: string
  readonly granted: string
  readonly denied: string
  readonly undecided: string
  readonly decidedAt: string
  readonly consentId: string
  readonly withdraw: string
  readonly noRecord: string
  /** Of what is held: allow it and see. */
  readonly heldText: string
  readonly heldAllow: string
  /** Global Privacy Control was seen and is obeyed. */
  readonly gpcHonoured: string
  /** A choice made elsewhere under this account counts here too. */
  readonly adopted: string
  /** On the first layer, where what is chosen counts on the account's other devices. */
  readonly crossDevice: string
  /** Opens the table of what a category keeps in the browser; then the heads of its columns. */
  readonly cookies: string
  readonly cookieName: string
  readonly cookieProvider: string
  readonly cookiePurpose: string
  readonly cookieLifetime: string
  /** Before the reason why a cookie can't be switched off. */
  readonly cookieReason: string
  /** Before a date: when the choice counts no more and is asked for again. */
  readonly validUntil: string
  readonly copy: string
  readonly copied: string
  /** Opens the words of the notice that the choice was made under. */
  readonly shownText: string
  readonly history: string
  readonly historyFailed: string
  /** What was done, in the history, after its date. */
  readonly didAcceptAll: string
  readonly didRejectAll: string
  readonly didSave: string
  readonly didWithdraw: string
  readonly didLink: string
  readonly receipt: string
  /** A choice that counts here already and has not reached the server yet. */
  readonly waiting: string
}

export interface NoticeCategory {
  readonly id: string
  readonly title: string
  readonly description: string
  /** True for `necessary`: shown, explained, never switched. */
  readonly required: boolean
}

export interface NoticeCookie {
  readonly name: string
  readonly category: string
  readonly provider: string
  readonly purpose: string
  readonly lifetime: string
  /** Why nothing works without it; absent where it can be switched off. */
  readonly necessaryBecause?: string
}

/** Everything one language of a policy shows, as one hashed document. `hash` covers all but itself. */
export interface Notice {
  readonly format: 'avow-notice@v1'
  readonly policy: PolicyRef
  readonly hash: string
  readonly language: string
  /** The direction of its script. */
  readonly dir: 'ltr' | 'rtl'
  /** The banner's own sentence, from the policy. */
  readonly text: string
  readonly policyUrl: string
  readonly categories: readonly NoticeCategory[]
  readonly cookies: readonly NoticeCookie[]
  readonly words: Labels
}

/** `POST /v1/consents`: a decision on its way. Its id makes resending harmless. */
export interface Submission {
  /** UUIDv7. */
  readonly id: string
  readonly site: string
  /** 16 random bytes, base64url. */
  readonly secret: string
  readonly action: Action
  readonly choices: Choices
  readonly policy: PolicyRef
  readonly notice: NoticeRef
  /** Hash in the name of the UI file. */
  readonly ui: string
  readonly layer: Layer
  /** The choices shown, in order. */
  readonly offered: readonly Action[]
  /** The browser's claim, ISO 8601 UTC. */
  readonly decidedAt: string
  /** Milliseconds between the decision and this sending. */
  readonly ageMs: number
  readonly gpc: boolean | null
  readonly previous: string | null
  readonly sdk: string
  /** Origin and path; absent unless the site asks for it. */
  readonly page?: string
}

/** What the server knows a subject to have chosen. */
export type State =
  | 'granted'
  | 'refused'
  | 'withdrawn'
  | 'lapsed'
  | 'superseded'
  | 'restricted'
  | 'erased'
  | 'undecided'

/** The answer to a submission, once it is durable. */
export interface SubmissionAnswer {
  readonly id: string
  readonly index: number
  readonly recordedAt: string
  readonly subject: string
  readonly state: State
  /** A c2sp.org/tlog-proof file. */
  readonly receipt: string
}

/** A decision as the server holds it. */
export interface RecordedDecision {
  readonly id: string
  readonly action: Action
  readonly choices: Choices
  readonly layer: Layer
  readonly policy: PolicyRef
  readonly notice: NoticeRef
  readonly gpc: boolean | null
  readonly decidedAt: string
  readonly recordedAt: string
  /** When it has to be asked again, however active the visitor was. */
  readonly validUntil: string
}

/** `GET /v1/state`: only what the secret, or the account's token, owns. */
export interface StateAnswer {
  /** Of the secret that was shown; null where none was. */
  readonly subject: string | null
  /** A pseudonym of the account, the same on each of its devices; null without a token. */
  readonly account: string | null
  /** Of the account where a token was shown, else of the subject. */
  readonly state: State
  /** What counts of `history`; null while undecided. */
  readonly decision: RecordedDecision | null
  /** Oldest first. */
  readonly history: readonly RecordedDecision[]
}

/** `POST /v1/activity`. `undecided`: the server knows no record under this secret. */
export interface ActivityAnswer {
  readonly state: State
}
