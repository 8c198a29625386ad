/** @jsxImportSource hono/jsx */
/** The frame of every page: head, navigation, footer, the Avow tag and the analytics script that waits for consent. */
import type { Child } from 'hono/jsx'
import { Dock } from './Dock.js'

/** What a page knows of its request. */
export interface PageContext {
  readonly nonce: string
  readonly csrf: string
  readonly account: string | null
  /** Address of the Avow tag, such as `/_avow/v1/sites/fr-apiaas/avow.js`. */
  readonly tag: string
}

interface LayoutProps {
  readonly page: PageContext
  readonly title: string
  readonly current: '/' | '/dashboard' | '/account' | '/privacy' | '/privacy-team'
  readonly language?: 'en' | 'de'
  /** The panels that show what goes on; the privacy team has its own page. */
  readonly dock?: boolean
  /** A module of this page's own, beside the one of every page. */
  readonly module?: string
  readonly children?: Child
}

const words = {
  en: {
    skip: 'Skip to content',
    overview: 'Overview',
    account: 'Account',
    privacy: 'Privacy',
    signIn: 'Sign in',
    signOut: 'Sign out',
    policy: 'Privacy policy',
    cookies: 'Cookie settings',
    team: 'Privacy team',
    note: 'FR-APIaaS is an invented company. Its consent is real.',
  },
  de: {
    skip: 'Zum Inhalt springen',
    overview: 'Übersicht',
    account: 'Konto',
    privacy: 'Datenschutz',
    signIn: 'Anmelden',
    signOut: 'Abmelden',
    policy: 'Datenschutzerklärung',
    cookies: 'Cookie-Einstellungen',
    team: 'Datenschutzteam',
    note: 'FR-APIaaS ist eine erfundene Firma. Ihre Einwilligungen sind echt.',
  },
}

export function Layout({ page, title, current, language = 'en', dock = true, module, children }: LayoutProps) {
  const text = words[language]
  const here = (path: string) => (path === current ? 'page' : undefined)
  return (
    <html lang={language}>
      <head>
        <meta charset="utf-8" />
        <title>{`${title} · FR-APIaaS`}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="csrf-token" content={page.csrf} />
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/dashboard.css" />
        <script async nonce={page.nonce} src={page.tag} />
        <script type="module" nonce={page.nonce} src="/assets/dashboard.js" />
        {module && <script type="module" nonce={page.nonce} src={module} />}
        {/* Held: no browser runs text/plain. Avow lets it go once analytics is granted, and only with this nonce. */}
        <script type="text/plain" data-avow="analytics" nonce={page.nonce} src="/assets/analytics.js" />
      </head>
      <body>
        <a class="skip" href="#content">
          {text.skip}
        </a>
        <header class="top">
          <a class="brand" href={page.account ? '/dashboard' : '/'}>
            <Glyph />
            <span>FR-APIaaS</span>
          </a>
          <nav aria-label={language === 'de' ? 'Hauptnavigation' : 'Main'}>
            {page.account ? (
              <>
                <a href="/dashboard" aria-current={here('/dashboard')} data-feature="nav-overview">
                  {text.overview}
                </a>
                <a href="/account" aria-current={here('/account')} data-feature="nav-account">
                  {text.account}
                </a>
              </>
            ) : (
              <a href="/" aria-current={here('/')}>
                {text.signIn}
              </a>
            )}
            <a href="/privacy" aria-current={here('/privacy')}>
              {text.privacy}
            </a>
          </nav>
          {page.account && (
            <form method="post" action="/sign-out" class="who">
              <span class="email">{page.account}</span>
              <input type="hidden" name="csrf" value={page.csrf} />
              <button type="submit" class="quiet" data-testid="sign-out">
                {text.signOut}
              </button>
            </form>
          )}
        </header>
        <div class={dock ? 'frame docked' : 'frame'}>
          <main id="content" tabindex={-1}>
            {children}
          </main>
          {dock && <Dock />}
        </div>
        <footer class="bottom">
          <p>{text.note}</p>
          <ul>
            <li>
              <a href="/privacy">{text.policy}</a>
            </li>
            <li>
              <button type="button" class="link" data-avow-open data-testid="cookie-settings">
                {text.cookies}
              </button>
            </li>
            <li>
              <a href="/privacy-team">{text.team}</a>
            </li>
          </ul>
        </footer>
      </body>
    </html>
  )
}

function Glyph() {
  return (
    <svg
      width="28"
      height="28"
      viewBox="0 0 32 32"
      fill="none"
      stroke="currentColor"
      stroke-width="2.5"
      aria-hidden="true"
    >
      <path
        d="M3 10V6a3 3 0 0 1 3-3h4M22 3h4a3 3 0 0 1 3 3v4M29 22v4a3 3 0 0 1-3 3h-4M10 29H6a3 3 0 0 1-3-3v-4"
        stroke-linecap="round"
      />
      <path d="M11 12v2M21 12v2M11 20.500a7 7 0 0 0 10 0" stroke-linecap="round" />
    </svg>
  )
}
