/** What the fields of a page's request say, beside its body; and what its answers do to the browser. */
import { expect, test } from 'vitest'
import { PAGE_ORIGIN, SITE, testWorld, uuidv7 } from '../testing.js'

type World = Awaited<ReturnType<typeof testWorld>>
const newest = async ({ audit }: World) => (await (await audit('/records?limit=1')).json()).records[0]

test.each([
  ['1', null, true],
  ['1', false, true],
  ['0', null, null],
  ['true', false, false],
  [undefined, true, true],
  [undefined, null, null],
] as const)('Sec-GPC %s and a browser that says %s are recorded as %s', async (header, said, recorded) => {
  const world = await testWorld()
  await world.post(world.submission({ gpc: said }), header === undefined ? {} : { 'sec-gpc': header })
  expect((await newest(world)).gpc).toBe(recorded)
})

test('sent again with another signal it is the same submission', async () => {
  const world = await testWorld()
  const submission = world.submission()
  await world.post(submission)
  expect((await world.post(submission, { 'sec-gpc': '1' })).status).toBe(200)
})

test('that the opt-out signal is obeyed stands where others look for it', async () => {
  const { avow } = await testWorld()
  const answer = await avow.publicApp.request('/.well-known/gpc.json')
  expect(await answer.json()).toEqual({ gpc: true, lastUpdate: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) })
})

test('answers set again the cookie that the request carried, and refusals do not', async () => {
  const { post, submission, activity } = await testWorld()
  // The page of this world stands on the public address's own host.
  const headers = { cookie: '__Host-avow=1.1.2026-04.analytics1.tcsg00.tcsg00', origin: 'https://shop.example' }
  const expected = '__Host-avow=1.1.2026-04.analytics1.tcsg00.tcsg00; Max-Age=2592000; Path=/; SameSite=Lax; Secure'
  expect((await post(submission(), headers)).headers.get('set-cookie')).toBe(expected)
  expect((await activity(null, headers)).headers.get('set-cookie')).toBe(expected)
  expect((await post({}, headers)).headers.get('set-cookie')).toBeNull()
  expect((await post(submission())).headers.get('set-cookie')).toBeNull()
})

const preflight = (world: World, path: string) =>
  world.avow.app.request(path, {
    method: 'OPTIONS',
    headers: { origin: PAGE_ORIGIN, 'access-control-request-method': 'POST' },
  })

test.each([
  ['/v1/consents', 'POST'],
  [`/v1/activity?site=${SITE}`, 'POST'],
  [`/v1/state?site=${SITE}`, 'GET'],
  [`/v1/receipts/${uuidv7(0, 0)}?site=${SITE}`, 'GET'],
])(
  'a listed page on another origin may ask %s with its secret and its account, without cookies',
  async (path, method) => {
    const answer = await preflight(await testWorld(), path)
    expect(answer.headers.get('access-control-allow-origin')).toBe(PAGE_ORIGIN)
    expect(answer.headers.get('access-control-allow-methods')).toBe(method)
    expect(answer.headers.get('access-control-allow-headers')).toBe('content-type, authorization, avow-account')
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
  },
)

test('the privacy team’s surface answers no page’s preflight', async () => {
  const { avow } = await testWorld()
  const answer = await avow.privateApp.request('/v1/consents', { method: 'OPTIONS', headers: { origin: PAGE_ORIGIN } })
  expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([404, null])
})

test('with a domain the cookie travels too, for listed origins alone', async () => {
  const world = await testWorld({ page: { domain: 'shop.example' } })
  const answer = await preflight(world, '/v1/consents')
  expect(answer.headers.get('access-control-allow-credentials')).toBe('true')
  const stranger = await world.avow.app.request('/v1/consents', {
    method: 'OPTIONS',
    headers: { origin: 'https://elsewhere.example' },
  })
  expect(stranger.headers.get('access-control-allow-credentials')).toBeNull()
  expect(stranger.headers.get('access-control-allow-origin')).toBeNull()
})

test('the address of the page is kept without query and fragment, and only where the site asks for it', async () => {
  const page = 'https://dash.example/people/ann?token=1#top'
  for (const [options, kept] of [
    [{ page: true }, 'https://dash.example/people/ann'],
    [{}, null],
  ] as const) {
    const world = await testWorld({ page: options })
    const { index } = await world.consent({ page })
    const { evidence } = {
      evidence: await (await world.audit(`/subjects/${(await newest(world)).subject}/evidence`)).json(),
    }
    const record = evidence.records.find((one: { index: number }) => one.index === index)
    expect(record.identity.page).toBe(kept)
  }
})

test.each([
  ['/v1/consents', 'POST'],
  [`/v1/activity?site=${SITE}`, 'POST'],
  [`/v1/state?site=${SITE}`, 'GET'],
  [`/v1/receipts/${uuidv7(0, 0)}?site=${SITE}`, 'GET'],
  [`/v1/sites/${SITE}/config`, 'GET'],
  [`/v1/sites/${SITE}/notice`, 'GET'],
])('asking %s too often is told when to come back', async (path, method) => {
  // One request was the world's own, for the notice.
  const { avow } = await testWorld({ rateLimit: 1 })
  const answer = await avow.app.request(path, { method, headers: { origin: PAGE_ORIGIN } })
  expect(answer.status).toBe(429)
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
})

test.each([
  ['/v1/consents', 'POST'],
  [`/v1/activity?site=${SITE}`, 'POST'],
  [`/v1/state?site=${SITE}`, 'GET'],
  [`/v1/receipts/${uuidv7(0, 0)}?site=${SITE}`, 'GET'],
])('a page on another origin can read that it asked %s too often, and when to come back', async (path, method) => {
  const world = await testWorld({ rateLimit: 1 })
  // Else the browser would report a network that is down, and the page would ask on.
  expect((await preflight(world, path)).status).toBe(204)
  const answer = await world.avow.app.request(path, { method, headers: { origin: PAGE_ORIGIN } })
  expect(answer.status).toBe(429)
  expect(answer.headers.get('access-control-allow-origin')).toBe(PAGE_ORIGIN)
  expect(answer.headers.get('access-control-expose-headers')).toContain('retry-after')
  expect(answer.headers.get('vary')).toBe('Origin')
})
