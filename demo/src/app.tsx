/** @jsxImportSource hono/jsx */
/** The dashboard's routes. What they need is handed in; consent itself is Avow's, mounted beside this app by `main.ts`. */
import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { getCookie, setCookie } from 'hono/cookie'
import { etag } from 'hono/etag'
import { html } from 'hono/html'
import type { JSX } from 'hono/jsx/jsx-runtime'
import { streamSSE } from 'hono/streaming'
import type { Asset } from './assets.js'
import type { Gallery } from './gallery.js'
import { Account } from './pages/Account.js'
import { GalleryIndex, GalleryView, parseView } from './pages/Gallery.js'
import { Landing } from './pages/Landing.js'
import type { PageContext } from './pages/Layout.js'
import { Overview, PERIODS } from './pages/Overview.js'
import { Privacy } from './pages/Privacy.js'
import { PrivacyTeam } from './pages/PrivacyTeam.js'
import { Refused } from './pages/Refused.js'
import type { PolicyDocument } from './policy-document.js'
import { API_KEY_LIMIT, INACTIVITY_MS, isCsrfToken, type Session, type Sessions } from './sessions.js'
import { EventError, parseEvents, type Traffic } from './traffic.js'

/** The one account. Its password is written on the sign-in page, so this is no secret. */
export const DEMO_ACCOUNT = { email: 'ada@example.com', password: 'analytical-engine-1843' }

/** Pages watching their traffic at once; each holds a connection open. */
const WATCHERS_LIMIT = 200
const BODY_LIMIT_BYTES = 16 * 1024

export interface DashboardOptions {
  readonly sessions: Sessions
  readonly traffic: Traffic
  readonly policy: PolicyDocument
  readonly gallery: Gallery
  readonly site: string
  /** Path that Avow is mounted under, such as `/_avow`. */
  readonly avowPath: string
  readonly vkey: string
  readonly assets: ReadonlyMap<string, Asset>
  /** True when browsers reach the demo over https. */
  readonly secure: boolean
  readonly now: () => number
  /** Ends what is held open, so that the server can stop. */
  readonly stopping: AbortSignal
}

interface Env {
  Variables: { nonce: string; session: Session; sandboxed?: true }
}

export function createDashboard(options: DashboardOptions): Hono<Env> {
  const { sessions, traffic, secure } = options
  // The prefix makes browsers refuse the cookie from any other host or over plain http (RFC 6265bis §4.1.3).
  const prefix = secure ? '__Host-' : ''
  const sessionCookie = `${prefix}fr_session`
  const csrfCookie = `${prefix}fr_csrf`
  const passwordSalt = randomBytes(16)
  const passwordHash = scryptSync(DEMO_ACCOUNT.password, passwordSalt, 32)
  /** How to end each watching. One listener for all: a signal that outlives them must not gather one for each. */
  const watchers = new Set<() => void>()
  options.stopping.addEventListener('abort', () => {
    for (const end of watchers) end()
  })

  const app = new Hono<Env>()

  app.use(async (c, next) => {
    const nonce = randomBytes(18).toString('base64')
    c.set('nonce', nonce)
    await next()
    c.header(
      'Content-Security-Policy',
      `default-src 'none'; script-src 'nonce-${nonce}' 'strict-dynamic'; style-src 'self'; connect-src 'self'; ` +
        `img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; ` +
        `require-trusted-types-for 'script'; trusted-types 'none'${c.get('sandboxed') ? '; sandbox allow-scripts' : ''}`,
    )
    c.header('X-Content-Type-Options', 'nosniff')
    c.header('Referrer-Policy', 'same-origin')
    c.header('Cross-Origin-Opener-Policy', 'same-origin')
    if (secure) c.header('Strict-Transport-Security', 'max-age=31536000')
  })

  app.use(bodyLimit({ maxSize: BODY_LIMIT_BYTES, onError: (c) => c.text('the body is larger than 16 KiB', 413) }))

  /** Every POST shows the token that its own session was given, in the form or in a header, or is not carried out. */
  app.on('POST', '*', async (c, next) => {
    const session = sessions.find(getCookie(c, sessionCookie))
    // Sent by a page that its sign-in is replacing, with the session that just ended: nobody's events, so they are
    // dropped. An error would only stand on the console of a page that did nothing wrong.
    if (!session && c.req.path === '/analytics/events') return c.body(null, 204)
    const sent = c.req.header('X-CSRF-Token') ?? (await field(c, 'csrf'))
    if (!session || sent !== getCookie(c, csrfCookie) || !isCsrfToken(session, sent)) {
      const title = 'This page is too old'
      const text = 'Nothing was changed. Your session may have ended after 30 days of inactivity; please try again.'
      return render(c, 403, <Refused page={open(c).page} title={title} text={text} />)
    }
    c.set('session', session)
    return next()
  })

  const write = (c: Context<Env>, session: Session, csrf: string) => {
    const attributes = { path: '/', httpOnly: true, secure, sameSite: 'Lax', maxAge: INACTIVITY_MS / 1000 } as const
    setCookie(c, sessionCookie, session.token, attributes)
    setCookie(c, csrfCookie, csrf, attributes)
  }

  /** The session of a page view, which counts as activity; a fresh one where there is none. */
  const open = (
    c: Context<Env>,
    known?: { session: Session; csrf: string },
  ): { session: Session; page: PageContext } => {
    const found = known?.session ?? sessions.find(getCookie(c, sessionCookie))
    let { session, csrf } = known ?? { session: found, csrf: getCookie(c, csrfCookie) }
    if (!session) {
      ;({ session, csrf } = sessions.start(null))
    } else {
      sessions.touch(session)
      if (csrf === undefined || !isCsrfToken(session, csrf)) csrf = sessions.renewCsrf(session)
    }
    write(c, session, csrf as string)
    const tag = `${options.avowPath}/v1/sites/${options.site}/avow.js`
    return { session, page: { nonce: c.get('nonce'), csrf: csrf as string, account: session.account, tag } }
  }

  const render = (c: Context<Env>, status: 200 | 401 | 403 | 404 | 422, page: JSX.Element) => {
    // Pages hold a CSRF token and, signed in, an account: no cache keeps them.
    c.header('Cache-Control', 'no-store')
    return c.html(html`<!doctype html>${page}`, status)
  }

  app.get('/', (c) => {
    const { page } = open(c)
    if (page.account) return c.redirect('/dashboard', 303)
    return render(c, 200, <Landing page={page} {...DEMO_ACCOUNT} refused={false} />)
  })

  app.post('/sign-in', async (c) => {
    const session = c.get('session')
    const password = scryptSync((await field(c, 'password')) ?? '', passwordSalt, 32)
    const isRight = timingSafeEqual(password, passwordHash)
    if (!isRight || (await field(c, 'email'))?.trim().toLowerCase() !== DEMO_ACCOUNT.email) {
      return render(c, 401, <Landing page={open(c).page} {...DEMO_ACCOUNT} refused />)
    }
    // A token from before the sign-in may be known to somebody else: it ends here.
    sessions.end(session)
    open(c, sessions.start(DEMO_ACCOUNT.email, session.traffic))
    return c.redirect('/dashboard', 303)
  })

  app.post('/sign-out', (c) => {
    const session = c.get('session')
    sessions.end(session)
    open(c, sessions.start(null, session.traffic))
    return c.redirect('/', 303)
  })

  app.get('/dashboard', (c) => {
    const { page } = open(c)
    if (!page.account) return c.redirect('/', 303)
    const days = PERIODS.find((period) => String(period) === c.req.query('days')) ?? 30
    return render(c, 200, <Overview page={page} days={days} />)
  })

  app.get('/account', (c) => {
    const { page } = open(c)
    if (!page.account) return c.redirect('/', 303)
    return render(c, 200, <Account page={page} keys={sessions.apiKeys(page.account)} created={null} refused={null} />)
  })

  app.post('/account/keys', async (c) => {
    const { page } = open(c)
    if (!page.account) return c.redirect('/', 303)
    const name = ((await field(c, 'name')) ?? '').trim()
    const isFull = sessions.apiKeys(page.account).length >= API_KEY_LIMIT
    const refused = isFull
      ? `${API_KEY_LIMIT} keys are the most this demo keeps.`
      : name.length < 1 || name.length > 40
        ? 'A name has 1 to 40 letters.'
        : null
    const created = refused ? null : sessions.createApiKey(page.account, name)
    const keys = sessions.apiKeys(page.account)
    return render(c, refused ? 422 : 200, <Account page={page} keys={keys} created={created} refused={refused} />)
  })

  app.get('/privacy', (c) => {
    const language = c.req.query('lang') === 'de' ? 'de' : 'en'
    return render(c, 200, <Privacy page={open(c).page} policy={options.policy} language={language} />)
  })

  app.get('/privacy-team', (c) =>
    render(c, 200, <PrivacyTeam page={open(c).page} api={options.avowPath} vkey={options.vkey} />),
  )

  const { gallery } = options
  const languages = [...gallery.notices.keys()]
  app.get('/gallery', (c) => c.html(html`<!doctype html>${<GalleryIndex languages={languages} />}`))
  app.get('/gallery/view', (c) => {
    // An origin of its own: what is chosen in a view can touch neither the visitor's cookie nor their storage.
    c.set('sandboxed', true)
    const view = parseView(c.req.query(), languages)
    const page = <GalleryView view={view} gallery={gallery} nonce={c.get('nonce')} secure={secure} />
    return c.html(html`<!doctype html>${page}`)
  })

  app.post('/analytics/events', async (c) => {
    let body: unknown
    try {
      body = await c.req.json()
    } catch {
      // Not JSON: parseEvents refuses it by name.
      body = null
    }
    try {
      traffic.add(c.get('session').traffic, parseEvents(body, new Date(options.now()).toISOString()))
    } catch (error) {
      if (!(error instanceof EventError)) throw error
      const problem = {
        type: 'about:blank',
        title: 'Not analytics events',
        status: 422,
        code: 'invalid-input',
        detail: error.message,
        field: error.field,
      }
      return c.body(JSON.stringify(problem), 422, { 'Content-Type': 'application/problem+json' })
    }
    return c.body(null, 204)
  })

  // Not under /analytics: this is how the page watches, and it must not look like analytics itself.
  app.get('/traffic', (c) => {
    const session = sessions.find(getCookie(c, sessionCookie))
    if (!session) return c.text('no session', 403)
    if (watchers.size >= WATCHERS_LIMIT || options.stopping.aborted) return c.text('too many watchers', 503)
    let end = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    watchers.add(end)
    return streamSSE(c, async (stream) => {
      stream.onAbort(end)
      const leave = traffic.watch(session.traffic, (event) => void stream.writeSSE({ data: JSON.stringify(event) }))
      try {
        void stream.writeSSE({ event: 'recent', data: JSON.stringify(traffic.recent(session.traffic)) })
        await ended
      } finally {
        leave()
        watchers.delete(end)
      }
    })
  })

  app.use('/assets/*', etag())
  app.get('/assets/:name', (c) => {
    const asset = options.assets.get(c.req.param('name'))
    if (!asset) return c.text('not found', 404)
    // Names without a hash: kept, but asked about each time.
    return c.body(asset.body, 200, { 'Content-Type': asset.type, 'Cache-Control': 'no-cache' })
  })

  // A route, not `notFound`: an app that this one is mounted in has a `notFound` of its own, and only that is asked.
  app.all('*', (c) => {
    const text = 'There is no page at this address. It may have been mistyped, or the page has moved.'
    return render(c, 404, <Refused page={open(c).page} title="Page not found" text={text} />)
  })
  return app
}

/** A text field of a form; undefined where the body is something else. */
async function field(c: Context<Env>, name: string): Promise<string | undefined> {
  if (!/^(application\/x-www-form-urlencoded|multipart\/form-data)/.test(c.req.header('Content-Type') ?? ''))
    return undefined
  try {
    const value = (await c.req.parseBody())[name]
    return typeof value === 'string' ? value : undefined
  } catch {
    // A body that is no form holds no field, and no CSRF token either: it is refused.
    return undefined
  }
}
