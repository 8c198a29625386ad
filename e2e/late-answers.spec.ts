/** Answers that come late, and bring with them the cookie that their request carried: none revives what was withdrawn. */
import type { BrowserContext, Page } from '@playwright/test'
import { buttons, loader, ordinary, startAndStop } from './pages/parts.js'
import type { Host, World } from './support/world.js'
import {
  acceptAll,
  decisionCookie,
  expect,
  marks,
  pendingKeys,
  rejectAll,
  state,
  test,
  traces,
} from './support/world-test.js'

const all = { analytics: true, maps: true }
const none = { analytics: false, maps: false }
const dayMs = 86_400_000

const withdraw = (page: Page) => page.getByRole('button', { name: 'Withdraw' })

/** The choices that the jar holds. */
async function inJar(context: BrowserContext): Promise<string | undefined> {
  return decodeURIComponent((await decisionCookie(context))?.value ?? '').split('.')[3]
}

/** In the jar, in these tabs, and after a reload of each. */
async function expectWithdrawn(host: Host, ...tabs: readonly Page[]): Promise<void> {
  const [first] = tabs
  const check = async () => {
    for (const tab of tabs) await expect.poll(() => state(tab).catch(() => null)).toEqual(none)
    await expect.poll(() => inJar(first!.context())).toBe('analytics0~maps0')
  }
  await check()
  for (const tab of tabs) {
    await tab.reload()
    await expect.poll(() => state(tab)).toEqual(none)
    expect(await marks(tab)).toEqual([])
  }
  await check()
  await expect.poll(() => traces(first!)).toEqual([])
  await expect.poll(() => pendingKeys(first!)).toEqual([])
  expect((await host.records()).map(({ action }) => action)).toEqual(['accept-all', 'withdraw'])
}

/** Grants in a page whose answer is held back: done by the server, and not yet heard of. */
async function grantOnItsWay(page: Page, host: Host, world: World) {
  await page.goto(host.page('/', ordinary))
  const answer = world.faults.hold('consents', 'answer')
  await acceptAll(page).click()
  await answer.arrived
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  return answer
}

test.describe('A withdrawal made while the grant’s answer is still on its way stays a withdrawal: in the jar, in every tab, after reload.', () => {
  for (const where of [
    {},
    { plain: true },
    { apart: true },
    { site: 'shared' },
    { site: 'shared', apart: true },
  ] as const) {
    const place = JSON.stringify(where)

    test(`in the page that granted, ${place}`, async ({ page, world }) => {
      const shop = await world.host(where)
      const answer = await grantOnItsWay(page, shop, world)
      await Promise.all([page.waitForEvent('load'), withdraw(page).click()])
      answer.release()
      await expect.poll(() => shop.records()).toHaveLength(2)
      if (!('apart' in where) || 'site' in where) {
        const [late] = world.faults.at('consents')
        expect(late!.setCookie.join(), 'the late answer brings the grant back into the jar').toContain(
          '.analytics1~maps1.',
        )
      }
      await expectWithdrawn(shop, page)
    })

    test(`in another tab, ${place}`, async ({ page, context, world }) => {
      const shop = await world.host(where)
      const answer = await grantOnItsWay(page, shop, world)
      const other = await context.newPage()
      await other.goto(shop.url())
      await expect.poll(() => marks(other)).toEqual(['tracker'])
      await Promise.all([other.waitForEvent('load'), withdraw(other).click()])
      answer.release()
      await expect.poll(() => shop.records()).toHaveLength(2)
      await page.bringToFront()
      await expect.poll(() => marks(page).catch(() => null)).toEqual([])
      await expectWithdrawn(shop, page, other)
    })

    test(`after the page that granted has gone, ${place}`, async ({ page, context, world }) => {
      const shop = await world.host(where)
      const answer = await grantOnItsWay(page, shop, world)
      await page.goto(shop.page('/next', ordinary))
      await Promise.all([page.waitForEvent('load'), withdraw(page).click()])
      const other = await context.newPage()
      await other.goto(shop.page('/bare', []))
      await page.close()
      // No page of ours is there to see what the answer does to the jar.
      answer.release()
      await expect.poll(() => world.faults.at('consents').some(({ status }) => status === 201)).toBe(true)
      await other.goto(shop.url())
      await expect.poll(() => shop.records()).toHaveLength(2)
      await expectWithdrawn(shop, other)
    })
  }

  test('where the browser does not tell of cookies, within a minute', async ({ page, world }) => {
    const shop = await world.host({ plain: true })
    await page.clock.install()
    const answer = await grantOnItsWay(page, shop, world)
    await Promise.all([page.waitForEvent('load'), withdraw(page).click()])
    expect(await page.evaluate(() => 'cookieStore' in globalThis)).toBe(false)
    const granted = world.faults.at('consents')[0]!.headers.cookie ?? ''
    answer.release()
    await expect.poll(() => shop.records()).toHaveLength(2)
    await page.clock.runFor(1000)
    await expect.poll(() => inJar(page.context())).toBe('analytics0~maps0')
    const value = granted.split('avow=')[1]!.split(';')[0]!
    await page.context().addCookies([{ name: 'avow', value, url: shop.url(), sameSite: 'Lax' }])
    await page.clock.runFor(60_000)
    await expectWithdrawn(shop, page)
  })

  test('told of activity while the withdrawal is made', async ({ page, world }) => {
    const shop = await world.host()
    await page.goto(shop.page('/', ordinary))
    await acceptAll(page).click()
    await expect.poll(() => shop.records()).toHaveLength(1)
    world.clock.aheadMs = dayMs
    await page.clock.setSystemTime(Date.now() + dayMs)
    const answer = world.faults.hold('activity', 'answer')
    await page.reload()
    await answer.arrived
    await Promise.all([page.waitForEvent('load'), withdraw(page).click()])
    answer.release()
    await expect.poll(() => shop.records()).toHaveLength(2)
    await expectWithdrawn(shop, page)
  })

  test('a grant’s answer that comes after a page without scripts has shown the jar’s older cookie', async ({
    page,
    world,
  }) => {
    const shop = await world.host()
    const answer = await grantOnItsWay(page, shop, world)
    await Promise.all([page.waitForEvent('load'), withdraw(page).click()])
    const granted = world.faults.at('consents')[0]!.headers.cookie ?? ''
    answer.release()
    await expect.poll(() => shop.records()).toHaveLength(2)
    // As an answer does that nobody of ours sees: the very cookie that the grant's request carried is in the jar again.
    const [name, value] = granted
      .split('; ')
      .find((pair) => pair.includes('avow='))!
      .split('=') as [string, string]
    await page.goto(shop.page('/bare', []))
    await page.context().addCookies([{ name, value, url: shop.url(), secure: true, sameSite: 'Lax' }])
    await page.goto(shop.url())
    await expectWithdrawn(shop, page)
  })
})

test.describe('A late answer revives nothing after the person has emptied the jar, and what is chosen anew in another tab stands in all.', () => {
  for (const [what, button, choices] of [
    ['a refusal', rejectAll, none],
    ['a grant', acceptAll, all],
  ] as const) {
    test(what, async ({ page, context, world }) => {
      const shop = await world.host()
      const parts = [loader(), startAndStop('analytics'), buttons]
      await page.goto(shop.page('/', parts))
      const answer = world.faults.hold('consents', 'answer')
      await acceptAll(page).click()
      await answer.arrived
      await expect.poll(() => marks(page)).toEqual(['start'])
      await page.evaluate(() => localStorage.clear())
      await context.clearCookies()
      await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
      await expect(acceptAll(page)).toBeVisible()
      answer.release()
      await expect.poll(() => world.faults.at('consents').map(({ status }) => status)).toEqual([201])
      // It brings a cookie with it, which the page finds to be older than the emptied jar.
      await expect.poll(() => decisionCookie(context)).toBeUndefined()
      expect(await state(page)).toBeUndefined()
      expect(await marks(page)).toEqual(['start', 'stop'])

      const other = await context.newPage()
      await other.clock.setSystemTime(Date.now() + 60_000)
      await other.goto(shop.url())
      await button(other).click()
      const expectChosen = async () => {
        for (const tab of [page, other]) await expect.poll(() => state(tab)).toEqual(choices)
      }
      await expectChosen()
      await expect.poll(() => shop.records()).toHaveLength(2)
      await expect(acceptAll(page)).toHaveCount(0)
      await page.reload()
      await other.reload()
      await expectChosen()
    })
  }
})
