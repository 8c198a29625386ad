/** Held markup: what waits for its category, and what happens to it when that is granted, and when it is withdrawn. */
import { ordinary } from './pages/parts.js'
import { acceptAll, expect, marks, rejectAll, test, traces } from './support/world-test.js'

test('a held script runs once, after the grant', async ({ page, world }) => {
  const shop = await world.host()
  await page.goto(shop.page('/', ordinary))
  await expect(acceptAll(page)).toBeVisible()
  expect(await marks(page)).toEqual([])
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }])
})

test('after a refusal nothing that was held has run', async ({ page, world }) => {
  const shop = await world.host({ apart: true })
  await page.goto(shop.page('/', ordinary))
  await rejectAll(page).click()
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'reject-all' }])
  expect(await marks(page)).toEqual([])
  expect(await traces(page)).toEqual([])
})
