/** @jsxImportSource hono/jsx */
/**
 * Everything Avow shows, in every layout, theme, language and state. Each view is a page of its own with the real script in
 * it, and a jar of its own, that ends with the page: what is clicked here is no choice of the visitor's.
 */
import { avowCookie } from '@avow/sdk/testing'
import type { Notice } from '@avow/sdk/wire'
import { raw } from 'hono/html'
import type { Gallery } from '../gallery.js'

export const views = {
  layout: ['box', 'box-end', 'box-center', 'bar', 'bar-top'],
  theme: ['light', 'dark', 'custom'],
  state: ['banner', 'preferences', 'settings', 'granted', 'refused', 'gpc', 'suspended'],
} as const

export interface View {
  readonly layout: (typeof views.layout)[number]
  readonly theme: (typeof views.theme)[number]
  readonly state: (typeof views.state)[number]
  readonly lang: string
}

/** What an address asks for; what it doesn't say, or says wrongly, is the first of its kind. */
export function parseView(query: Readonly<Record<string, string | undefined>>, languages: readonly string[]): View {
  const pick = <One extends string>(of: readonly One[], wanted: string | undefined): One =>
    of.find((one) => one === wanted) ?? of[0]!
  return {
    layout: pick(views.layout, query.layout),
    theme: pick(views.theme, query.theme),
    state: pick(views.state, query.state),
    lang: pick(languages, query.lang),
  }
}

/** For a script's text: JSON that can't end it. */
const inline = (value: unknown) => raw(JSON.stringify(value).replace(/</g, '\\u003c'))

/** How the browser is when the view opens: what its jar holds, and whether it sends the opt-out signal. */
function setting({ state }: View, { site }: Gallery, secure: boolean): string {
  const isGranted = state === 'granted' || state === 'suspended'
  const choices = Object.fromEntries(site.categories.map((category) => [category, isGranted]))
  const { name, value } = avowCookie(choices, { version: site.policy.version, https: secure })
  // A grant has a secret, by which its record is found; here there is none to be found.
  const secret = isGranted ? `.${'A'.repeat(22)}` : ''
  const cookie = isGranted || state === 'refused' ? `${name}=${value}${secret}` : ''
  const isSignalled = state === 'gpc' || state === 'suspended'
  return `{
    let jar = ${JSON.stringify(cookie)};
    const set = (text) => { jar = /max-age=0|expires=Thu, 01 Jan 1970/i.test(text) ? '' : text.split(';')[0] };
    Object.defineProperty(document, 'cookie', { get: () => jar, set });
    Object.defineProperty(navigator, 'globalPrivacyControl', { value: ${isSignalled} });
    ${state === 'preferences' ? `window.avow = Object.assign(() => {}, { q: [['open']] });` : ''}
  }`
}

export function GalleryView({
  view,
  gallery,
  nonce,
  secure,
}: {
  view: View
  gallery: Gallery
  nonce: string
  secure: boolean
}) {
  const notice = gallery.notices.get(view.lang) as Notice
  const site = { ...gallery.site, layout: view.layout, languages: [view.lang], notices: [notice] }
  const hasSettings = view.state !== 'banner' && view.state !== 'preferences'
  return (
    <html lang={view.lang} dir={notice.dir} class={`gallery ${view.theme}`}>
      <head>
        <meta charset="utf-8" />
        <title>{`${view.state}, ${view.layout}, ${view.theme}, ${view.lang} · Gallery`}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/dashboard.css" />
        <link rel="stylesheet" href="/assets/gallery.css" />
        <script id="site" type="application/json" nonce={nonce}>
          {inline(site)}
        </script>
        <script nonce={nonce}>{raw(setting(view, gallery, secure))}</script>
        <script async nonce={nonce} data-config="#site" src={gallery.script} />
      </head>
      <body>
        <main>
          <h1>FR-APIaaS</h1>
          {hasSettings ? <avow-settings /> : <p>{notice.text}</p>}
          <p>
            <button type="button" data-avow-open="">
              {notice.words.preferencesTitle}
            </button>{' '}
            <a href="/gallery" lang="en">
              Gallery
            </a>
          </p>
        </main>
      </body>
    </html>
  )
}

/** Every view that differs from the first in one thing, and each state in each theme. */
export function GalleryIndex({ languages }: { languages: readonly string[] }) {
  const link = (query: Partial<View>, text: string) => (
    <li>
      <a href={`/gallery/view?${new URLSearchParams(query as Record<string, string>)}`}>{text}</a>
    </li>
  )
  const nameOf = (lang: string) => `${new Intl.DisplayNames([lang], { type: 'language' }).of(lang)} (${lang})`
  return (
    <html lang="en" class="gallery light dark">
      <head>
        <meta charset="utf-8" />
        <title>Gallery · FR-APIaaS</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/dashboard.css" />
        <link rel="stylesheet" href="/assets/gallery.css" />
      </head>
      <body>
        <main>
          <h1>Gallery</h1>
          <p class="lead">What Avow shows. What you choose here stays in the page and is recorded nowhere.</p>
          {views.theme.map((theme) => (
            <section>
              <h2>{theme}</h2>
              <ul>{views.layout.map((layout) => link({ theme, layout }, layout))}</ul>
              <ul>{views.state.map((state) => link({ theme, state }, state))}</ul>
            </section>
          ))}
          <section>
            <h2>Languages</h2>
            <ul>{languages.map((lang) => link({ lang }, nameOf(lang)))}</ul>
          </section>
        </main>
      </body>
    </html>
  )
}
