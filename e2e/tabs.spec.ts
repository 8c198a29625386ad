/** One choice, all tabs. */
import { loader, ordinary, startAndStop } from './pages/parts.js'
import { acceptAll, expect, marks, rejectAll, state, test, traces } from './support/world-test.js'

const all = { analytics: true, maps: true }
const none = { analytics: false, maps: false }
/** As the rule says; a poll looks more often than that. */
const within = { timeout: 1000, intervals: [20] }

for (const plain of [false, true]) {
  const scheme = plain ? 'http' : 'https'

  test(`Two tabs: accept in one closes the banner and opens the gate in the other within 1 s (${scheme})`, async ({
    page,
    context,
    world,
  }) => {
    const shop = await world.host({ plain, apart: true })
    const other = await context.newPage()
    await page.goto(shop.page('/', ordinary))
    await other.goto(shop.page('/other', [...ordinary, startAndStop('maps')]))
    await expect(acceptAll(page)).toBeVisible()
    await expect(acceptAll(other)).toBeVisible()

    await acceptAll(page).click()
    await expect.poll(() => state(other), within).toEqual(all)
    await expect(acceptAll(other)).toHaveCount(0, { timeout: 1000 })
    await expect.poll(() => marks(other), within).toEqual(expect.arrayContaining(['tracker', 'start']))
    await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }])
  })

  test(`withdraw likewise: in the other tab what can be stopped has stopped within 1 s, and nothing is left (${scheme})`, async ({
    page,
    context,
    world,
  }) => {
    const shop = await world.host({ plain, apart: true })
    const other = await context.newPage()
    await page.goto(shop.page('/', ordinary))
    await acceptAll(page).click()
    await expect.poll(() => shop.records()).toHaveLength(1)
    // Nothing here but what can be stopped, so that this page stays and tells.
    await other.goto(shop.page('/other', [loader(), startAndStop('analytics')]))
    await expect.poll(() => marks(other)).toEqual(['start'])

    await page.locator('[data-avow-withdraw]').click()
    await expect.poll(() => marks(other), within).toEqual(['start', 'stop'])
    expect(await state(other)).toEqual(none)
    await expect.poll(() => traces(other)).toEqual([])
    await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }, { action: 'withdraw' }])
  })

  test(`a tab where a script ran is reloaded once it is shown, and runs it no more (${scheme})`, async ({
    page,
    context,
    world,
  }) => {
    const shop = await world.host({ plain })
    await page.goto(shop.page('/', ordinary))
    await acceptAll(page).click()
    await expect.poll(() => shop.records()).toHaveLength(1)
    const other = await context.newPage()
    await other.goto(shop.page('/other', ordinary))
    await expect.poll(() => marks(other)).toEqual(['tracker'])

    const reloaded = Promise.all([page.waitForEvent('load'), other.waitForEvent('load')])
    await page.locator('[data-avow-withdraw]').click()
    await reloaded
    for (const one of [page, other]) {
      await expect.poll(() => state(one)).toEqual(none)
      expect(await marks(one)).toEqual([])
      await expect.poll(() => traces(one)).toEqual([])
    }
    await expect.poll(() => shop.records()).toHaveLength(2)
  })

  test(`a refusal in one tab closes the banner in the other (${scheme})`, async ({ page, context, world }) => {
    const shop = await world.host({ plain })
    const other = await context.newPage()
    await page.goto(shop.page('/', ordinary))
    await other.goto(shop.page('/other', ordinary))
    await expect(acceptAll(other)).toBeVisible()
    await rejectAll(page).click()
    await expect.poll(() => state(other), within).toEqual(none)
    await expect(acceptAll(other)).toHaveCount(0)
    expect(await marks(other)).toEqual([])
    await expect.poll(() => shop.records()).toMatchObject([{ action: 'reject-all' }])
  })
}

test('whoever empties the jar is asked again in every tab', async ({ page, context, world }) => {
  const shop = await world.host()
  await page.goto(shop.page('/', [loader(), startAndStop('analytics')]))
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  await expect.poll(() => marks(page)).toEqual(['start'])
  await context.clearCookies()
  await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
  await expect(acceptAll(page)).toBeVisible()
})

test('two tabs that choose at the same moment end with one choice, and keep it', async ({ page, context, world }) => {
  const shop = await world.host()
  const other = await context.newPage()
  const tabs = [page, other]
  const moment = Date.now() + 2500
  for (const tab of tabs) {
    await tab.goto(shop.page('/', ordinary))
    await expect(acceptAll(tab)).toBeVisible()
    // Both clicks wait in their tabs for the same moment: which is a millisecond earlier, nobody says.
    await tab.evaluate((moment) => {
      const wait = () => {
        while (Date.now() < moment);
      }
      addEventListener('click', wait, { capture: true, once: true })
    }, moment)
  }
  await Promise.all([acceptAll(page).click(), rejectAll(other).click()])
  await expect.poll(() => shop.records()).toHaveLength(2)
  const chosen = () => Promise.all(tabs.map((tab) => state(tab).catch(() => null)))
  await expect
    .poll(async () => {
      const [here, there] = await chosen()
      return !!here && here.analytics === there?.analytics && here.maps === there?.maps
    })
    .toBe(true)
  const [last] = await chosen()
  for (const tab of tabs) {
    await tab.reload()
    await expect.poll(() => state(tab)).toEqual(last)
  }
  const isGranted = !!last?.analytics
  await expect.poll(() => marks(other)).toEqual(isGranted ? ['tracker'] : [])
  await expect.poll(async () => (await traces(page)).length > 0).toBe(isGranted)
})
