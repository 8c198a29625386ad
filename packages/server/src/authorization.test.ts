/**
 * Who is let in where: every route of the application against every kind of key. Routes are taken from the description and
 * from the application itself, so that one that is added and not listed here fails.
 */
import { describe, expect, test } from 'vitest'
import { accessLogOf } from './access/access-log.js'
import { createApiKey, createRotation } from './access/api-key.js'
import { SCOPES, type Scope } from './access/caller.js'
import { readDescription } from './routes/test-description.js'
import { PAGE_ORIGIN, SITE, testPolicy, testWorld } from './testing.js'

const OTHER = 'other'

interface Need {
  readonly scope: Scope
  /** What a key of another site is told. */
  readonly elsewhere: readonly [status: number, code: string | null]
  /** What the right key is told. */
  readonly right: number
}

const WRONG_SITE = [403, 'wrong-site'] as const
const needs = (scope: Scope, elsewhere: Need['elsewhere'] = WRONG_SITE, right = 200): Need => ({
  scope,
  elsewhere,
  right,
})

const ROUTES: Readonly<Record<string, Need | 'anybody'>> = {
  'GET /v1/sites/{site}/avow.js': 'anybody',
  'GET /v1/sites/{site}/config': 'anybody',
  'GET /v1/sites/{site}/policy': 'anybody',
  'GET /v1/sites/{site}/notice': 'anybody',
  'GET /avow-ui.abc123.js': 'anybody',
  'GET /avow-settings.def456.js': 'anybody',
  'GET /avow-account.789abc.js': 'anybody',
  'GET /avow.0.1.0.js': 'anybody',
  'GET /.well-known/gpc.json': 'anybody',
  'POST /v1/consents': 'anybody',
  'POST /v1/activity': 'anybody',
  'GET /v1/state': 'anybody',
  'GET /v1/receipts/{id}': 'anybody',
  'GET /healthz': 'anybody',
  'GET /readyz': 'anybody',
  'GET /openapi.json': 'anybody',
  'GET /docs': 'anybody',
  'GET /docs/scalar.js': 'anybody',
  'GET /v1/audit/records': needs('audit:read'),
  'GET /v1/audit/records/{id}': needs('audit:read'),
  'GET /v1/audit/subjects': needs('audit:read'),
  'GET /v1/audit/subjects/{subject}': needs('audit:read'),
  'GET /v1/audit/subjects/{subject}/evidence': needs('audit:export'),
  'GET /v1/audit/stats': needs('stats:read'),
  'GET /v1/audit/policies': needs('audit:read'),
  'GET /v1/audit/log': needs('audit:read'),
  'GET /v1/audit/export': needs('audit:export'),
  'GET /v1/audit/export/manifest': needs('audit:export'),
  'GET /v1/audit/access-log': needs('access:read'),
  'GET /v1/audit/access-log/overdue': needs('access:read'),
  'POST /v1/admin/keys': needs('admin', WRONG_SITE, 201),
  // Keys of another site are not there.
  'GET /v1/admin/keys': needs('admin', [200, null]),
  'POST /v1/admin/keys/{id}/rotate': needs('admin', [404, 'not-found']),
  'DELETE /v1/admin/keys/{id}': needs('admin', [404, 'not-found']),
  // Logs here are not public.
  'GET /log/{site}/checkpoint': needs('audit:read'),
  'GET /log/{site}/tile/{path}': needs('audit:read'),
}

const guarded = Object.entries(ROUTES).filter((entry): entry is [string, Need] => entry[1] !== 'anybody')

/** Two sites whose logs are private, a record, and a key to be administered. */
async function world() {
  const sites = [
    { site: SITE, policy: testPolicy(), origins: [PAGE_ORIGIN], publicLog: false },
    { site: OTHER, policy: testPolicy(), origins: ['https://other.example'], publicLog: false },
  ]
  const made = await testWorld({ sites })
  const { avow, storage, clock, consent } = made
  const { id, subject } = await consent()
  const target = createApiKey({ name: 'target', sites: [SITE], scopes: ['stats:read'] }, clock.now).row
  await storage.keys.add(target)
  const send = (route: string, authorization: string | null, site: string | null = null, more = '') => {
    const [method = '', pattern = ''] = route.split(' ')
    const named = { site: SITE, id: pattern.includes('admin') ? target.id : id, subject, path: 'entries/000.p/1' }
    const path = pattern.replace(/\{(\w+)\}/g, (_, name: keyof typeof named) => named[name])
    const query = pattern === '/v1/audit/subjects' ? `?record=${id}&${more}` : `?${more}`
    const body = route.endsWith('/keys') ? { name: 'new', sites: [SITE], scopes: ['stats:read'] } : {}
    return avow.app.request(path + query, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(authorization === null ? {} : { authorization }),
        ...(site === null ? {} : { 'avow-site': site }),
      },
      ...(method === 'POST' ? { body: JSON.stringify(body) } : {}),
    })
  }
  const create = (scopes: readonly Scope[], site = SITE) => avow.keys.create({ name: 'someone', site, scopes })
  /** How many entries the access log of a site has. */
  const logged = async (site = SITE) => (await (await storage.openLog(accessLogOf(site), null)).log.head()).size
  return { ...made, target, send, create, logged }
}

async function expectRefused(response: Response, [status, code]: readonly [number, string | null]) {
  expect(response.status).toBe(status)
  if (code !== null) expect(await response.json()).toMatchObject({ status, code })
  if (status === 401) expect(response.headers.get('www-authenticate')).toMatch(/^Bearer /)
}

/** Read to its end: of one that is streamed it is known only then how much it was. */
async function expectRight(response: Response, status: number) {
  expect(response.status).toBe(status)
  await response.text()
}

/** How long an answer may be kept. */
const keptFor = (route: string) =>
  // A tile never changes; of a private log it is for who asked alone.
  route === 'GET /log/{site}/tile/{path}' ? 'private, max-age=31536000, immutable' : 'no-store'

test('every route of the description and of the application is in this matrix, and no other', async () => {
  const { avow } = await world()
  const { paths } = (await (await avow.app.request('/openapi.json')).json()) as {
    paths: Record<string, Record<string, { security?: Record<string, unknown>[] }>>
  }
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
  )
  const routed = avow.app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)(\{[^}]*\})?/g, '{$1}')}`)
  expect([...new Set([...described.map(([route]) => route), ...routed])].sort()).toEqual(Object.keys(ROUTES).sort())
  // What is guarded says so: but for the logs, which may be public.
  for (const [route, { security = [] }] of described) {
    const isGuarded = security.some((one) => 'apiKey' in one)
    if (!route.includes('/log/')) expect([route, isGuarded]).toEqual([route, ROUTES[route] !== 'anybody'])
  }
})

test('nothing of the private surface is on the public one', async () => {
  const { avow } = await world()
  for (const [route] of guarded) {
    const [method = '', path = ''] = route.split(' ')
    expect([route, (await avow.publicApp.request(path, { method })).status]).toEqual([route, 404])
  }
})

describe.each(guarded)('%s', (route, { scope, elsewhere, right }) => {
  test('lets nobody in without a whole key that is known and in time', async () => {
    const { storage, clock, send, create, logged } = await world()
    const { key: stranger } = await testWorld()
    const good = await create(SCOPES)
    const made = async (more: { expiresAt?: number }) => {
      const { secret, row } = createApiKey({ name: 'x', sites: [SITE], scopes: SCOPES, ...more }, clock.now)
      await storage.keys.add(row)
      return { secret, row }
    }
    const expired = await made({ expiresAt: clock.now })
    const revoked = await made({})
    await storage.keys.revoke(revoked.row.id, clock.now)
    const rotated = await made({})
    await storage.keys.rotate(rotated.row.id, createRotation(rotated.row, { overlapMs: 0 }, clock.now).rotation)
    const mistyped = good.slice(0, -1) + (good.endsWith('A') ? 'B' : 'A')
    const cases: [authorization: string | null, code: string][] = [
      [null, 'unauthorized'],
      ['', 'unauthorized'],
      ['Bearer', 'unauthorized'],
      ['Bearer hello', 'unauthorized'],
      [good, 'unauthorized'],
      [`Basic ${btoa(`x:${good}`)}`, 'unauthorized'],
      [`Avow ${'A'.repeat(22)}`, 'unauthorized'],
      [`Bearer ${good} ${good}`, 'unauthorized'],
      [`Bearer ${mistyped}`, 'unauthorized'],
      [`Bearer ${stranger}`, 'unauthorized'],
      [`Bearer ${revoked.secret}`, 'key-revoked'],
      [`Bearer ${expired.secret}`, 'key-expired'],
      [`Bearer ${rotated.secret}`, 'key-expired'],
    ]
    for (const [authorization, code] of cases) await expectRefused(await send(route, authorization), [401, code])
    expect(await logged()).toBe(0)
  })

  test(`lets nobody in without ${scope}, whatever else they may`, async () => {
    const { send, create, logged } = await world()
    const others = await create(SCOPES.filter((one) => one !== scope))
    await expectRefused(await send(route, `Bearer ${others}`), [403, 'forbidden'])
    // That they tried is known.
    await expect.poll(logged).toBe(2)
  })

  test('lets nobody of another site in', async () => {
    const { send, create, storage, target, logged } = await world()
    const other = await create(SCOPES, OTHER)
    const isNamed = !/admin|\/log\//.test(route)
    await expectRefused(await send(route, `Bearer ${other}`, isNamed ? SITE : null), elsewhere)
    // That they tried is known where they are known.
    expect(await logged()).toBe(0)
    await expect.poll(() => logged(OTHER)).toBe(2)
    expect(await storage.keys.get(target.id)).toEqual(target)
  })

  test(`answers ${right} to who may, and logs it`, async () => {
    const { send, create, logged } = await world()
    const key = await create(route.includes('admin') ? [scope, 'stats:read'] : [scope])
    await expectRight(await send(route, `Bearer ${key}`), right)
    await expect.poll(logged).toBe(2)
  })

  test('answers what no cache keeps, but for what never changes', async () => {
    const { send, create } = await world()
    const key = await create(SCOPES)
    const kept = async (more = '') => (await send(route, `Bearer ${key}`, null, more)).headers.get('cache-control')
    expect([await kept('nonsense=1'), await kept()]).toEqual(['no-store', keptFor(route)])
  })

  test('answers as it is described', async () => {
    const { avow, send, create } = await world()
    const { expectDescribed } = await readDescription(avow.app)
    const response = await send(route, `Bearer ${await create(SCOPES)}`)
    expect(response.status).toBe(right)
    await expectDescribed(route, response)
  })

  test('refuses a parameter that it does not know by its name, and has done nothing', async () => {
    const { avow, storage, send, create } = await world()
    const { expectDescribed } = await readDescription(avow.app)
    const key = await create(SCOPES)
    // That a key was used is noted.
    const kept = async () => (await storage.keys.list()).map((row) => ({ ...row, usedOn: null }))
    const before = await kept()
    const refused = await send(route, `Bearer ${key}`, null, 'nonsense=1')
    expect(await expectDescribed(route, refused)).toMatchObject({ code: 'invalid-input', field: 'nonsense' })
    expect(await kept()).toEqual(before)
  })

  test('answers to a key of several sites for the one that is named, and to none that is not here', async () => {
    const { avow, send, create, logged } = await world()
    const all = await avow.keys.create({ name: 'all', sites: null, scopes: SCOPES })
    const isNamed = !/admin|\/log\//.test(route)
    await expectRight(await send(route, `Bearer ${all}`, isNamed ? SITE : null), right)
    await expect.poll(logged).toBe(2)
    if (isNamed) {
      await expectRefused(await send(route, `Bearer ${all}`), [422, 'invalid-input'])
      await expectRefused(await send(route, `Bearer ${all}`, 'nobody'), [404, 'not-found'])
      await expectRefused(await send(route, `Bearer ${await create(SCOPES)}`, 'nobody'), [403, 'wrong-site'])
    }
  })
})
