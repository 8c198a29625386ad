/** The dashboard as a browser meets it: a jar of cookies, a clock that can be moved, and the app in between. */
import { getEventListeners } from 'node:events'
import { readFileSync } from 'node:fs'
import { Hono } from 'hono'
import { afterEach, expect, test } from 'vitest'
import { createDashboard, DEMO_ACCOUNT } from './app.js'
import { readGallery } from './gallery.js'
import type { PolicyDocument } from './policy-document.js'
import { openSessions } from './sessions.js'
import { createTraffic } from './traffic.js'

const policy = JSON.parse(readFileSync(new URL('../policy.json', import.meta.url), 'utf8')) as PolicyDocument
const galleryPolicy: unknown = JSON.parse(readFileSync(new URL('../gallery/policy.json', import.meta.url), 'utf8'))
const gallery = await readGallery(galleryPolicy, '/_avow')
const DAY_MS = 24 * 60 * 60 * 1000
const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

function testDashboard({ secure = false, file = ':memory:', startAt = Date.UTC(2026, 10, 1) } = {}) {
  let now = startAt
  const sessions = openSessions(file, () => now)
  open.push(sessions)
  const traffic = createTraffic()
  const stopping = new AbortController()
  const app = createDashboard({
    sessions,
    traffic,
    policy,
    gallery,
    site: 'fr-apiaas',
    avowPath: '/_avow',
    vkey: 'log+00000000+AAAA',
    assets: new Map([['dashboard.css', { body: 'body{}', type: 'text/css' }]]),
    secure,
    now: () => now,
    stopping: stopping.signal,
  })
  const wait = (ms: number) => {
    now += ms
  }
  return { app, wait, stopping }
}

/** A browser that keeps cookies but not their lifetimes: what ends, the server has to end. */
function testBrowser({ app }: Pick<ReturnType<typeof testDashboard>, 'app'>) {
  const jar = new Map<string, string>()
  let csrf = ''
  const request = async (path: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers)
    headers.set('Cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '))
    const answer = await app.request(path, { ...init, headers })
    for (const set of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = set.split(';')[0]?.split('=') ?? []
      jar.set(name, value)
    }
    const text = answer.headers.get('Content-Type')?.includes('event-stream') ? '' : await answer.clone().text()
    csrf = text.match(/name="csrf-token" content="([^"]+)"/)?.[1] ?? csrf
    return { status: answer.status, text, headers: answer.headers, answer }
  }
  const post = (path: string, fields: Record<string, string> = {}) =>
    request(path, { method: 'POST', body: new URLSearchParams({ csrf, ...fields }) })
  const signIn = async (password = DEMO_ACCOUNT.password) => {
    await request('/')
    return post('/sign-in', { email: DEMO_ACCOUNT.email, password })
  }
  return { jar, request, post, signIn, csrf: () => csrf }
}

test('the demo account signs in, sees the overview and its account, and signs out', async () => {
  const ada = testBrowser(testDashboard())
  expect((await ada.request('/dashboard')).status).toBe(303)
  const before = ada.jar.get('fr_session')
  expect((await ada.signIn()).status).toBe(303)
  expect(ada.jar.get('fr_session')).not.toBe(before)
  expect((await ada.request('/dashboard')).text).toContain('Faces compared')
  expect((await ada.request('/account')).text).toContain('<avow-settings')
  expect((await ada.request('/')).headers.get('Location')).toBe('/dashboard')
  const stolen = new Map(ada.jar)
  expect((await ada.post('/sign-out')).status).toBe(303)
  for (const [name, value] of stolen) ada.jar.set(name, value)
  expect((await ada.request('/dashboard')).status).toBe(303)
})

test('a wrong password is refused and signs nobody in', async () => {
  const ada = testBrowser(testDashboard())
  expect((await ada.signIn('guess')).status).toBe(401)
  expect((await ada.request('/dashboard')).status).toBe(303)
})

test('29 d 23:59:59 after the last activity the account is still signed in', async () => {
  const dashboard = testDashboard()
  const ada = testBrowser(dashboard)
  await ada.signIn()
  dashboard.wait(30 * DAY_MS - 1000)
  expect((await ada.request('/dashboard')).status).toBe(200)
})

test('30 d after the last activity the account is signed out, whatever cookie the browser still sends', async () => {
  const dashboard = testDashboard()
  const ada = testBrowser(dashboard)
  await ada.signIn()
  dashboard.wait(30 * DAY_MS)
  expect((await ada.request('/dashboard')).status).toBe(303)
  expect((await ada.request('/')).text).toContain('Demo account')
})

test('each page view gives 30 more days', async () => {
  const dashboard = testDashboard()
  const ada = testBrowser(dashboard)
  await ada.signIn()
  for (let month = 0; month < 6; month++) {
    dashboard.wait(29 * DAY_MS)
    expect((await ada.request('/dashboard')).status).toBe(200)
  }
})

test('watching the traffic and sending analytics is not activity', async () => {
  const dashboard = testDashboard()
  const ada = testBrowser(dashboard)
  await ada.signIn()
  await ada.request('/dashboard')
  dashboard.wait(29 * DAY_MS)
  const stream = await ada.request('/traffic')
  await stream.answer.body?.cancel()
  await ada.request('/analytics/events', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': ada.csrf() },
    body: JSON.stringify({ events: [{ type: 'page-view', path: '/', detail: null }] }),
  })
  dashboard.wait(DAY_MS)
  expect((await ada.request('/dashboard')).status).toBe(303)
})

test.each([
  ['/sign-in', { email: DEMO_ACCOUNT.email, password: DEMO_ACCOUNT.password }],
  ['/sign-out', {}],
  ['/account/keys', { name: 'production' }],
  ['/analytics/events', {}],
])('a POST to %s without the session’s CSRF token is refused with 403', async (path, fields) => {
  const dashboard = testDashboard()
  const ada = testBrowser(dashboard)
  const ben = testBrowser(dashboard)
  await ada.signIn()
  await ada.request('/account')
  await ben.request('/')
  const post = (csrf: string | null) =>
    ada.request(path, { method: 'POST', body: new URLSearchParams({ ...(csrf === null ? {} : { csrf }), ...fields }) })
  for (const csrf of [null, '', 'wrong', ben.csrf()]) expect((await post(csrf)).status, String(csrf)).toBe(403)
  expect((await ada.request('/account')).text).not.toContain('data-testid="api-keys"')
})

test('a token that another session was given is refused even with its cookie', async () => {
  const dashboard = testDashboard()
  const ada = testBrowser(dashboard)
  const eve = testBrowser(dashboard)
  await ada.signIn()
  await eve.request('/')
  ada.jar.set('fr_csrf', eve.csrf())
  expect((await ada.post('/sign-out', { csrf: eve.csrf() })).status).toBe(403)
})

test('a POST without a session is refused with 403', async () => {
  const { app } = testDashboard()
  expect((await app.request('/sign-in', { method: 'POST', body: new URLSearchParams({ csrf: 'x' }) })).status).toBe(403)
})

test('session and CSRF cookies last 30 days, are out of reach of scripts and are host-bound on https', async () => {
  const plain = await testBrowser(testDashboard()).request('/')
  expect(plain.headers.getSetCookie().map((cookie) => cookie.replace(/=[\w-]+/, ''))).toEqual([
    'fr_session; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax',
    'fr_csrf; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax',
  ])
  const secure = await testBrowser(testDashboard({ secure: true })).request('/')
  expect(secure.headers.getSetCookie().map((cookie) => cookie.replace(/=[\w-]+/, ''))).toEqual([
    '__Host-fr_session; Max-Age=2592000; Path=/; HttpOnly; Secure; SameSite=Lax',
    '__Host-fr_csrf; Max-Age=2592000; Path=/; HttpOnly; Secure; SameSite=Lax',
  ])
})

test('every page holds the analytics script back, carries the Avow tag and lets only its own nonce run', async () => {
  const ada = testBrowser(testDashboard())
  const check = async (path: string) => {
    const { text, headers } = await ada.request(path)
    const policy = headers.get('Content-Security-Policy') ?? ''
    const nonce = policy.match(/script-src 'nonce-([^']+)' 'strict-dynamic'/)?.[1]
    expect(policy).toContain(`default-src 'none'`)
    expect(policy).toContain(`require-trusted-types-for 'script'; trusted-types 'none'`)
    expect(text).toContain(`src="/_avow/v1/sites/fr-apiaas/avow.js"`)
    expect(text).toMatch(/<script type="text\/plain" data-avow="analytics" nonce="[^"]+" src="\/assets\/analytics.js">/)
    expect(text.match(/data-avow-open/g)?.length).toBeGreaterThan(0)
    for (const tag of text.match(/<script[^>]*>/g) ?? []) expect(tag).toContain(`nonce="${nonce}"`)
    expect(text).not.toMatch(/ style="| on[a-z]+="|<style/)
    return nonce
  }
  const publicNonces = [
    await check('/'),
    await check('/privacy'),
    await check('/privacy?lang=de'),
    await check('/privacy-team'),
  ]
  await ada.signIn()
  const nonces = [...publicNonces, await check('/dashboard'), await check('/account')]
  expect(new Set(nonces).size).toBe(nonces.length)
})

test('the privacy policy lists every declared cookie, in English and in German', async () => {
  const ada = testBrowser(testDashboard())
  const english = (await ada.request('/privacy')).text
  const german = (await ada.request('/privacy?lang=de')).text
  expect(english).toContain('<html lang="en">')
  expect(german).toContain('<html lang="de">')
  for (const { name, purpose } of policy.cookies) {
    for (const [page, language] of [
      [english, 'en'],
      [german, 'de'],
    ] as const) {
      expect(page).toContain(`<code>${name}</code>`)
      expect(page).toContain(purpose[language])
    }
  }
})

test('every cookie the dashboard sets is declared as strictly necessary', async () => {
  const ada = testBrowser(testDashboard())
  await ada.signIn()
  const declared = policy.cookies.filter(({ category }) => category === 'necessary').map(({ name }) => name)
  expect(declared).toEqual(expect.arrayContaining([...ada.jar.keys()]))
})

test('an API key is shown once and kept as a hash', async () => {
  const ada = testBrowser(testDashboard())
  await ada.signIn()
  await ada.request('/account')
  const created = (await ada.post('/account/keys', { name: 'production' })).text
  const key = created.match(/fr_live_[\w-]{43}/)?.[0] ?? ''
  expect(key).not.toBe('')
  const later = (await ada.request('/account')).text
  expect(later).toContain(`${key.slice(0, 12)}…`)
  expect(later).not.toContain(key)
})

test('analytics events reach the panel of the browser that sent them, and no other', async () => {
  const dashboard = testDashboard()
  const ada = testBrowser(dashboard)
  const ben = testBrowser(dashboard)
  await ada.request('/')
  await ben.request('/')
  const send = (events: unknown) =>
    ada.request('/analytics/events', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': ada.csrf() },
      body: JSON.stringify({ events }),
    })
  expect((await send([{ type: 'page-view', path: '/', detail: null }])).status).toBe(204)
  const refused = await send([{ type: 'page-view', path: 7 }])
  expect(refused.status).toBe(422)
  expect(refused.headers.get('Content-Type')).toContain('application/problem+json')
  expect(JSON.parse(refused.text)).toMatchObject({ code: 'invalid-input', field: 'events.0.path' })
  const first = async (browser: typeof ada) => {
    const reader = (await browser.request('/traffic')).answer.body?.getReader()
    const chunk = await reader?.read()
    await reader?.cancel()
    return new TextDecoder().decode(chunk?.value)
  }
  expect(await first(ada)).toContain('"type":"page-view"')
  expect(await first(ben)).toContain('data: []')
})

test('watching leaves nothing behind on the signal that outlives it, however many watch and leave', async () => {
  const dashboard = testDashboard()
  const ada = testBrowser(dashboard)
  await ada.request('/')
  const listeners = () => getEventListeners(dashboard.stopping.signal, 'abort').length
  const before = listeners()
  for (let view = 0; view < 12; view++) {
    const stream = await ada.request('/traffic')
    expect(stream.status).toBe(200)
    expect(listeners()).toBe(before)
    await stream.answer.body?.cancel()
  }
  expect(listeners()).toBe(before)
})

test('whoever watched and left makes room, and stopping ends who still watches', async () => {
  const dashboard = testDashboard()
  const ada = testBrowser(dashboard)
  await ada.request('/')
  const watch = async () => (await ada.request('/traffic')).answer
  const streams = [await watch()]
  while (streams.at(-1)?.status === 200 && streams.length < 1000) streams.push(await watch())
  expect(streams.at(-1)?.status).toBe(503)
  await streams[0]?.body?.cancel()
  await expect.poll(async () => (await watch()).status).toBe(200)
  dashboard.stopping.abort()
  const reader = streams[1]?.body?.getReader()
  let end = await reader?.read()
  while (end && !end.done) end = await reader?.read()
  expect(end?.done).toBe(true)
})

test('an address without a page says so on a page, also where the dashboard is mounted in another app', async () => {
  const { app } = testDashboard()
  const whole = new Hono()
  whole.route('/', app)
  for (const each of [app, whole]) {
    const answer = await testBrowser({ app: each as typeof app }).request('/no-such-page')
    expect(answer.status).toBe(404)
    expect(answer.text).toContain('<h1>Page not found</h1>')
    expect(answer.headers.get('Content-Security-Policy')).toContain(`default-src 'none'`)
  }
})

test('an event sent with a session that a sign-in has just ended is dropped without an error', async () => {
  const ada = testBrowser(testDashboard())
  await ada.request('/')
  const [csrf, before] = [ada.csrf(), new Map(ada.jar)]
  await ada.signIn()
  for (const [name, value] of before) ada.jar.set(name, value)
  const late = await ada.request('/analytics/events', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': csrf },
    body: JSON.stringify({ events: [{ type: 'page-view', path: '/', detail: null }] }),
  })
  expect(late.status).toBe(204)
})

test('the privacy policy says what this demo does not do', async () => {
  const ada = testBrowser(testDashboard())
  expect((await ada.request('/privacy')).text).toContain('keeps no access log and does not encrypt its disk')
  expect((await ada.request('/privacy?lang=de')).text).toContain('kein Zugriffsprotokoll')
  expect((await ada.request('/privacy-team')).text).not.toContain('access log')
})

test('a body over 16 KiB is refused with 413', async () => {
  const ada = testBrowser(testDashboard())
  await ada.request('/')
  expect((await ada.post('/sign-in', { email: 'x'.repeat(17_000) })).status).toBe(413)
})

test('the gallery shows every language, and a view of it is sandboxed, has its words and starts no session', async () => {
  const { app } = testDashboard()
  const index = await (await app.request('/gallery')).text()
  expect(gallery.notices.size).toBe(34)
  for (const [language, { words, dir }] of gallery.notices) {
    expect(index).toContain(`lang=${language}`)
    const view = await app.request(`/gallery/view?lang=${language}&layout=bar&theme=dark&state=granted`)
    expect(view.headers.get('Content-Security-Policy')).toContain('sandbox allow-scripts')
    expect(view.headers.getSetCookie()).toEqual([])
    const text = await view.text()
    expect(text).toContain(`<html lang="${language}" dir="${dir}" class="gallery dark">`)
    expect(text).toContain(JSON.stringify(words.acceptAll).slice(1, -1))
  }
})

test('a view of the gallery that is asked for by no known name is the first of its kind', async () => {
  const { app } = testDashboard()
  const odd = await app.request('/gallery/view?lang=%3Cb%3E&layout=none&theme=__proto__&state=')
  expect(await odd.text()).toContain('<title>banner, box, light, en · Gallery</title>')
})
