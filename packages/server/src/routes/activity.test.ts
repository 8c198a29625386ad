import { expect, test } from 'vitest'
import { PAGE_ORIGIN, SITE, testPolicy, testWorld } from '../testing.js'

const stateIn = async (response: Response) => {
  expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
  return response.json()
}

test('a browser hears of its own secret what its choice has come to', async () => {
  const { clock, submission, post, activity } = await testWorld()
  const grant = submission()
  await post(grant)
  expect(await stateIn(await activity(grant.secret))).toEqual({ state: 'granted' })
  clock.now += 60_000
  const denied = { choices: { analytics: false }, secret: grant.secret, previous: grant.id }
  await post(submission({ action: 'withdraw', ...denied }))
  expect(await stateIn(await activity(grant.secret))).toEqual({ state: 'withdrawn' })
})

test('a choice that is too old, or under words that were replaced, is told as such', async () => {
  const { clock, storage, submission, post, activity } = await testWorld()
  const { secret } = submission()
  await post(submission({ secret }))
  const later = await testWorld({ storage, policy: testPolicy({ version: '2026-06' }) })
  expect(await stateIn(await later.activity(secret))).toEqual({ state: 'superseded' })
  clock.now += 180 * 86_400_000
  expect(await stateIn(await activity(secret))).toEqual({ state: 'lapsed' })
})

test('without a secret, and under one that nothing is recorded of, it is undecided', async () => {
  const { submission, activity, consent } = await testWorld()
  await consent()
  expect(await stateIn(await activity(null))).toEqual({ state: 'undecided' })
  expect(await stateIn(await activity(submission().secret))).toEqual({ state: 'undecided' })
})

test('what is no secret is refused, and not repeated', async () => {
  const { activity } = await testWorld()
  for (const header of ['Avow', 'Avow short', `Avow ${'A'.repeat(21)}B`, `avow ${'A'.repeat(22)}`, 'Bearer x', '']) {
    const response = await activity(null, { authorization: header })
    expect([response.status, response.headers.get('www-authenticate')], header).toEqual([401, 'Avow'])
    expect(await response.json()).toMatchObject({ code: 'unauthorized' })
  }
})

test('a body, an unknown site and a page that isn’t listed are refused', async () => {
  const { avow, activity } = await testWorld()
  const send = (body: string, headers: Record<string, string> = {}) =>
    avow.app.request(`/v1/activity?site=${SITE}`, {
      method: 'POST',
      body,
      headers: { origin: PAGE_ORIGIN, ...headers },
    })
  expect(await (await send('{}')).json()).toMatchObject({ status: 422, code: 'invalid-input', field: 'body' })
  expect(await (await send('{}', { 'content-length': '2' })).json()).toMatchObject({ status: 422, field: 'body' })
  expect((await send('x'.repeat(17_000))).status).toBe(413)
  expect((await send('x'.repeat(17_000), { 'content-length': '17000' })).status).toBe(413)
  expect((await send('', { 'content-length': '0' })).status).toBe(200)
  expect(await (await activity(null, {}, 'nobody')).json()).toMatchObject({ status: 404, field: 'site' })
  expect(await (await activity(null, { origin: 'https://evil.example' })).json()).toMatchObject({
    status: 403,
    code: 'origin-refused',
  })
})

test('the ping counts towards the rate limit', async () => {
  const { activity } = await testWorld({ rateLimit: 2 })
  // One request was the world's own, for the notice.
  expect((await activity(null)).status).toBe(200)
  expect((await activity(null)).status).toBe(429)
})
