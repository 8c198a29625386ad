/** Pages that come back as they were left: the back/forward cache. */
import type { BrowserContext, Page, TestInfo } from '@playwright/test'
import { buttons, html, loader, ordinary, script, startAndStop } from './pages/parts.js'
import { openOwnBrowser } from './support/own-browser.js'
import type { World } from './support/world.js'
import { acceptAll, expect, marks, rejectAll, state, test } from './support/world-test.js'

const none = { analytics: false, maps: false }
const all = { analytics: true, maps: true }

/**
 * What a page says of itself when it is shown, and on until it says something else. Playwright loses sight of what a page
 * does that comes back from the cache, so the page tells the server.
 */
const reporting = script(`
  addEventListener('pageshow', ({ persisted }) => {
    let said;
    setInterval(() => {
      const state = window.avow && avow('state');
      const saying = JSON.stringify({ persisted, ran: ran.join(), state, asks: !!document.querySelector('avow-notice')?.shadowRoot.querySelector('section') });
      if (saying !== said) fetch('/pixel.svg?' + encodeURIComponent(said = saying), { keepalive: true });
    }, 50);
    fetch('/pixel.svg?' + encodeURIComponent(JSON.stringify({ persisted })), { keepalive: true });
  });
`)

interface Report {
  readonly persisted: boolean
  /** Marks, joined: an array is not safe with libraries that have ideas of their own of its JSON. */
  readonly ran?: string
  readonly state?: Readonly<Record<string, boolean>>
  readonly asks?: boolean
}

const reports = (world: World): Report[] =>
  world.faults.arrivals.flatMap(({ path }) =>
    path.startsWith('/pixel.svg?') ? [JSON.parse(decodeURIComponent(path.split('?')[1]!))] : [],
  )

/** A page of the same site where Avow is not, so that nothing of it acts. */
const elsewhere = [html('<p>Elsewhere</p>')]

/** Playwright switches the cache off. */
const openCaching = (testInfo: TestInfo) => openOwnBrowser(testInfo, { without: ['--disable-back-forward-cache'] })

/** Back, and told for sure that it is the page that was left. */
async function goBack(page: Page, world: World): Promise<void> {
  const before = reports(world).length
  // The page that is left can't answer any more.
  await page.evaluate(() => void setTimeout(() => history.back()))
  await expect.poll(() => reports(world)[before]).toEqual({ persisted: true })
}

async function withdrawElsewhere(context: BrowserContext, url: string): Promise<void> {
  const other = await context.newPage()
  await other.goto(url)
  await expect.poll(() => state(other)).toEqual(all)
  const reloaded = other.waitForEvent('load')
  await other.locator('[data-avow-withdraw]').click()
  await reloaded
  await expect.poll(() => state(other)).toEqual(none)
  await other.close()
}

for (const plain of [false, true]) {
  const scheme = plain ? 'http' : 'https'

  test(`\`pageshow\` with \`persisted\` re-reads the cookie: a page restored after a withdrawal elsewhere does not track (${scheme})`, async ({
    world,
    witness,
  }, testInfo) => {
    await using own = await openCaching(testInfo)
    const { context } = own
    await witness.join(context)
    const shop = await world.host({ plain })
    const page = await context.newPage()
    await page.goto(shop.page('/first', [reporting, loader(), startAndStop('analytics'), buttons]))
    await acceptAll(page).click()
    await expect.poll(() => shop.records()).toHaveLength(1)
    await expect.poll(() => marks(page)).toEqual(['start'])
    await page.goto(shop.page('/elsewhere', elsewhere))
    await withdrawElsewhere(context, shop.page('/other', ordinary))

    await goBack(page, world)
    await expect
      .poll(() => reports(world).at(-1))
      .toEqual({ persisted: true, ran: 'start,stop', state: none, asks: false })
  })

  test(`a page restored after a withdrawal elsewhere, where a script ran, is loaded anew without it (${scheme})`, async ({
    world,
    witness,
  }, testInfo) => {
    await using own = await openCaching(testInfo)
    const { context } = own
    await witness.join(context)
    const shop = await world.host({ plain })
    const page = await context.newPage()
    await page.goto(shop.page('/first', [reporting, ...ordinary]))
    await acceptAll(page).click()
    await expect.poll(() => shop.records()).toHaveLength(1)
    await expect.poll(() => marks(page)).toEqual(['tracker'])
    await page.goto(shop.page('/elsewhere', elsewhere))
    await withdrawElsewhere(context, shop.page('/other', ordinary))

    const tracked = () => world.faults.arrivals.filter(({ path }) => /^\/track/.test(path)).length
    const before = tracked()
    await goBack(page, world)
    await expect.poll(() => reports(world).at(-1)).toEqual({ persisted: false, ran: '', state: none, asks: false })
    expect(tracked()).toBe(before)
  })
}

test('a page restored after a decision elsewhere asks no more, and starts what was granted', async ({
  world,
  witness,
}, testInfo) => {
  await using own = await openCaching(testInfo)
  const { context } = own
  await witness.join(context)
  const shop = await world.host()
  const page = await context.newPage()
  await page.goto(shop.page('/first', [reporting, loader(), startAndStop('analytics')]))
  await expect(acceptAll(page)).toBeVisible()
  await page.goto(shop.page('/second', ordinary))
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  await goBack(page, world)
  await expect.poll(() => reports(world).at(-1)).toEqual({ persisted: true, ran: 'start', state: all, asks: false })
})

test('No `unload` or `beforeunload` listener anywhere', async ({ page, world }) => {
  await page.addInitScript(() => {
    const kept: string[] = []
    Object.assign(globalThis, { listened: kept })
    const { addEventListener } = EventTarget.prototype
    EventTarget.prototype.addEventListener = function (type: string, ...rest: [never, never]) {
      kept.push(type)
      addEventListener.call(this, type, ...rest)
    }
  })
  const shop = await world.host()
  await page.goto(shop.page('/', [...ordinary, html('<avow-settings></avow-settings>')]))
  await rejectAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  await page.locator('[data-avow-open]').click()
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(2)
  const listened = await page.evaluate(() => (globalThis as unknown as { listened: string[] }).listened)
  expect(listened).toContain('pageshow')
  expect(listened.filter((type) => /unload$/.test(type))).toEqual([])
  expect(await page.evaluate(() => [window.onunload, window.onbeforeunload])).toEqual([null, null])
})
