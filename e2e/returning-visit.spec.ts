/** Coming back: who has decided is left in peace, and downloads the loader alone. */
import { logSize, recordsSince } from './support/audit.js'
import { expect, test } from './support/stories.js'
import { acceptAll, decisionCookie, isAnalytics, isNotice, isUi, optionalTraces, rejectAll } from './support/visitor.js'

test('after a grant a reload shows no banner, runs analytics and fetches no UI', async ({ page, demo, witness }) => {
  const before = await logSize(demo)
  await page.goto('/')
  await acceptAll(page).click()
  await expect.poll(() => recordsSince(demo, before)).toHaveLength(1)

  witness.requests.length = 0
  await page.reload()
  await expect.poll(() => witness.requests.filter(isAnalytics).length).toBeGreaterThan(1)
  await page.waitForLoadState('networkidle')

  await expect(acceptAll(page)).toHaveCount(0)
  expect(witness.requests.filter((url) => isUi(url) || isNotice(url))).toEqual([])
})

test('after a refusal twenty reloads show no banner and nothing of analytics', async ({ page, demo, witness }) => {
  const before = await logSize(demo)
  await page.goto('/')
  await rejectAll(page).click()
  await expect(rejectAll(page)).toBeHidden()
  await expect.poll(() => recordsSince(demo, before)).toHaveLength(1)

  witness.requests.length = 0
  for (let visit = 0; visit < 20; visit++) {
    await page.reload()
    await expect(acceptAll(page)).toHaveCount(0)
  }
  await page.goto('/privacy')
  await page.waitForLoadState('networkidle')

  await expect(acceptAll(page)).toHaveCount(0)
  expect(witness.requests.filter((url) => isUi(url) || isNotice(url) || isAnalytics(url))).toEqual([])
  expect(await optionalTraces(demo, page)).toEqual([])
  expect(await recordsSince(demo, before)).toMatchObject([{ action: 'reject-all', choices: { analytics: false } }])
})

test('the cookie of a decision ends thirty days later, and that of a refusal names nobody', async ({ page, demo }) => {
  const before = await logSize(demo)
  await page.goto('/')
  await rejectAll(page).click()
  await expect.poll(() => decisionCookie(page.context())).toBeDefined()
  const cookie = await decisionCookie(page.context())
  const now = await page.evaluate(() => Date.now() / 1000)

  expect(Math.abs((cookie?.expires ?? 0) - now - 2_592_000)).toBeLessThanOrEqual(5)
  expect(cookie).toMatchObject({ path: '/', sameSite: 'Lax' })
  // The seventh part would be the secret, which exists only where there is a record to refer to.
  expect(cookie?.value.split('.')).toHaveLength(6)
  await expect.poll(() => recordsSince(demo, before)).toHaveLength(1)
})

test('the dashboard says at its own root that Global Privacy Control is obeyed', async ({ request }) => {
  const answer = await request.get('/.well-known/gpc.json')
  expect(answer.status()).toBe(200)
  expect(await answer.json()).toMatchObject({ gpc: true })
})
