import { expect, test } from 'vitest'
import { SCOPES, type Scope } from '../access/caller.js'
import { SITE, testPolicy, testWorld } from '../testing.js'

const DAY_MS = 86_400_000

async function world() {
  const sites = [SITE, 'other'].map((site) => ({
    site,
    policy: testPolicy(),
    origins: [`https://${site}.example`],
    publicLog: true,
  }))
  const made = await testWorld({ sites })
  const { avow } = made
  const admin = await avow.keys.create({ name: 'operator', sites: null, scopes: ['admin'] })
  const call = async (method: string, path: string, body?: unknown, key = admin) => {
    const response = await avow.app.request(`/v1/admin/keys${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: response.status, ...(await response.json()) }
  }
  const wanted = (more: Record<string, unknown> = {}) => ({
    name: 'team',
    sites: [SITE],
    scopes: ['audit:read'],
    ...more,
  })
  /** A key of the shop that administers, and may do what `scopes` say. */
  const shopAdmin = (...scopes: Scope[]) => avow.keys.create({ name: 'shop', site: SITE, scopes: ['admin', ...scopes] })
  return { ...made, admin, call, wanted, shopAdmin }
}

test('a key is made, works, gets a new secret, and is revoked; no list has a secret, and neither has a log', async () => {
  const { call, wanted, audit, clock, logged, storage } = await world()
  const expiresAt = new Date(clock.now + 90 * DAY_MS).toISOString()
  const made = await call('POST', '', wanted({ expiresAt, reason: 'audit 2026', env: 'test' }))
  expect(made).toMatchObject({ status: 201, name: 'team', sites: [SITE], expiresAt, lastUsed: null, revokedAt: null })
  expect(made.key).toMatch(/^avow_test_/)
  expect((await audit('/records', made.key)).status).toBe(200)
  const rotated = await call('POST', `/${made.id}/rotate`, { overlapHours: 1 })
  expect(rotated).toMatchObject({ status: 200, id: made.id, expiresAt, lastUsed: '2026-11-23' })
  expect(rotated.oldSecretUntil).toBe(new Date(clock.now + 3_600_000).toISOString())
  for (const key of [made.key, rotated.key]) expect((await audit('/records', key)).status).toBe(200)
  clock.now += 3_600_000
  expect((await audit('/records', made.key)).status).toBe(401)
  expect((await audit('/records', rotated.key)).status).toBe(200)
  const revoked = await call('DELETE', `/${made.id}`)
  expect(revoked).toMatchObject({ status: 200, revokedAt: new Date(clock.now).toISOString() })
  clock.now += 1000
  expect(await call('DELETE', `/${made.id}`)).toEqual(revoked)
  expect(await (await audit('/records', rotated.key)).json()).toMatchObject({ code: 'key-revoked' })
  expect(await call('POST', `/${made.id}/rotate`, {})).toMatchObject({ status: 404 })
  const everything = JSON.stringify([await call('GET', ''), revoked, logged, await storage.keys.list()])
  for (const secret of [made.key, rotated.key]) expect(everything).not.toContain(secret)
})

test('who administers one site sees, makes, rotates and revokes what is of that site alone', async () => {
  const { call, wanted, shopAdmin, avow, storage } = await world()
  const admin = await shopAdmin('audit:read')
  await avow.keys.create({ name: 'both', sites: [SITE, 'other'], scopes: ['audit:read'] })
  const seen = async () => (await call('GET', '', undefined, admin)).keys.map(({ name }: { name: string }) => name)
  expect(await seen()).toEqual(['privacy team', 'shop'])
  expect(await call('POST', '', wanted(), admin)).toMatchObject({ status: 201 })
  for (const sites of [null, ['other'], [SITE, 'other'], ['nobody']])
    expect(await call('POST', '', wanted({ sites }), admin)).toMatchObject({ status: 403, code: 'wrong-site' })
  for (const { id, name } of await storage.keys.list()) {
    if (!['both', 'operator'].includes(name)) continue
    expect(await call('POST', `/${id}/rotate`, {}, admin)).toMatchObject({ status: 404 })
    expect(await call('DELETE', `/${id}`, undefined, admin)).toMatchObject({ status: 404 })
  }
  expect(await seen()).toEqual(['privacy team', 'shop', 'team'])
})

test('nobody gets further by making or rotating a key; revoking one that reaches further is allowed', async () => {
  const { call, wanted, shopAdmin, storage } = await world()
  const admin = await shopAdmin('audit:read')
  const wider = wanted({ scopes: ['audit:read', 'audit:export'] })
  expect(await call('POST', '', wider, admin)).toMatchObject({ status: 403, code: 'forbidden' })
  // The operator, who reaches all sites, makes it; the shop's administrator has no use of its new secret.
  const { id } = await call('POST', '', wider)
  expect(await call('POST', `/${id}/rotate`, {}, admin)).toMatchObject({ status: 403, code: 'forbidden' })
  expect((await storage.keys.get(id))?.oldHash).toBeNull()
  expect(await call('DELETE', `/${id}`, undefined, admin)).toMatchObject({ status: 200 })
  expect(await call('POST', '', wanted({ scopes: SCOPES }))).toMatchObject({ status: 201 })
})

test('what is wrong with a key that is asked for is named, and none is made', async () => {
  const { call, wanted, clock, storage } = await world()
  const before = (await storage.keys.list()).length
  const wrong: [more: Record<string, unknown>, field: string][] = [
    [{ name: ' ' }, 'name'],
    [{ name: 'x'.repeat(101) }, 'name'],
    [{ name: 'two\tcolumns' }, 'name'],
    [{ sites: [] }, 'sites'],
    [{ sites: ['*'] }, 'sites.0'],
    [{ sites: ['nobody'] }, 'sites'],
    [{ scopes: [] }, 'scopes'],
    [{ scopes: ['audit:write'] }, 'scopes.0'],
    [{ expiresAt: 'soon' }, 'expiresAt'],
    [{ expiresAt: new Date(clock.now).toISOString() }, 'expiresAt'],
    [{ reason: 'two\nlines' }, 'reason'],
    [{ env: 'Live' }, 'env'],
    [{ secret: 'x' }, 'secret'],
  ]
  for (const [more, field] of wrong) expect(await call('POST', '', wanted(more))).toMatchObject({ status: 422, field })
  expect(await storage.keys.list()).toHaveLength(before)
  const [{ id }] = (await call('GET', '')).keys
  for (const [body, field] of [
    [{ overlapHours: 721 }, 'overlapHours'],
    [{ overlapHours: -1 }, 'overlapHours'],
    [{ expiresAt: 'x' }, 'expiresAt'],
    [{ x: 1 }, 'x'],
  ] as const)
    expect(await call('POST', `/${id}/rotate`, body)).toMatchObject({ status: 422, field })
  expect((await storage.keys.get(id))?.oldHash).toBeNull()
})
