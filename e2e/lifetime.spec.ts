/** How long a choice lasts: a month without a sign of its person, half a year in all. */
import type { BrowserContext, Page } from '@playwright/test'
import { buttons, listening, loader, ordinary, script, startAndStop } from './pages/parts.js'
import type { Host, World } from './support/world.js'
import {
  acceptAll,
  decisionCookie,
  expect,
  heard,
  marks,
  rejectAll,
  state,
  test,
  traces,
} from './support/world-test.js'

const all = { analytics: true, maps: true }
const none = { analytics: false, maps: false }
const secondMs = 1000
const hourMs = 3_600_000
const dayMs = 24 * hourMs
const monthSeconds = 2_592_000
/** A UTC noon, so that hours here are not days on the wire. */
const noon = new Date('2026-11-26T12:00:00Z')

const lastActive = async (context: BrowserContext) =>
  Number.parseInt((await decisionCookie(context))!.value.split('.')[5]!, 36) * 1000

const keptFor = async (context: BrowserContext) => (await decisionCookie(context))!.expires - Date.now() / 1000

/** The page's clock and the server's. */
async function wait(page: Page, world: World, ms: number): Promise<void> {
  world.clock.aheadMs += ms
  await page.clock.fastForward(ms)
}

async function start(page: Page, world: World): Promise<void> {
  await page.clock.install({ time: noon })
  world.clock.aheadMs = noon.getTime() - Date.now()
}

const active = (page: Page) => page.keyboard.press('Shift')
const told = (world: World) => world.faults.at('activity').length

async function accept(page: Page, host: Host): Promise<void> {
  await acceptAll(page).click()
  await expect.poll(() => host.records()).toHaveLength(1)
}

for (const plain of [false, true]) {
  test(`the attribute: \`expires - now = 2,592,000 ± 5 s\`, set by script and by the server (${plain ? 'http' : 'https'})`, async ({
    page,
    context,
    world,
  }) => {
    const shop = await world.host({ plain })
    world.faults.set('consents', { status: 503 }, 1)
    await page.goto(shop.page('/', ordinary))
    await acceptAll(page).click()
    await expect.poll(() => world.faults.at('consents').map(({ status }) => status)).toContain(503)
    // Nothing but the script has set it yet.
    expect(Math.abs((await keptFor(context)) - monthSeconds)).toBeLessThan(5)

    const answered = page.waitForResponse((one) => one.url().endsWith('/v1/consents') && one.ok())
    await page.reload()
    const header = await (await answered).headerValue('set-cookie')
    expect(header).toMatch(/^(__Host-)?avow=.*; Max-Age=2592000; Path=\/; SameSite=Lax(; Secure)?$/)
    expect(Math.abs((await keptFor(context)) - monthSeconds)).toBeLessThan(5)
    await expect.poll(() => shop.records()).toHaveLength(1)
  })
}

for (const plain of [false, true]) {
  test(`Counted from the last written activity: 29 d 23:59:59 still granted, 30 d lapsed, analytics cookies gone, asked again (${plain ? 'http' : 'https'})`, async ({
    page,
    world,
  }) => {
    const shop = await world.host({ plain })
    await start(page, world)
    await page.goto(shop.page('/', [loader(), listening, ...ordinary.slice(1)]))
    await accept(page, shop)
    await expect.poll(() => traces(page)).toHaveLength(5)
    await wait(page, world, 10 * dayMs)
    await active(page)
    await expect.poll(() => told(world)).toBe(1)
    const from = await lastActive(page.context())

    const now = () => page.evaluate(() => Date.now())
    await wait(page, world, from + 30 * dayMs - (await now()) - 2 * secondMs)
    expect(await state(page)).toEqual(all)
    expect(await traces(page)).toHaveLength(5)
    await wait(page, world, 2 * secondMs)
    expect(await state(page)).toBeUndefined()
    const reloaded = page.waitForEvent('load')
    await wait(page, world, hourMs)
    await reloaded
    await expect(acceptAll(page)).toBeVisible()
    await expect.poll(() => traces(page)).toEqual([])
    expect(await marks(page)).toEqual([])
    expect(await shop.records()).toHaveLength(1)
  })
}

test('in a tab that stays open the gates close at the lapse, and the page is told', async ({ page, world }) => {
  const shop = await world.host({ apart: true })
  await start(page, world)
  await page.goto(shop.page('/', [loader(), listening, startAndStop('analytics'), buttons]))
  await accept(page, shop)
  await expect.poll(() => marks(page)).toEqual(['start'])
  await page.evaluate(() => {
    // biome-ignore lint/suspicious/noDocumentCookie: as a tracker does.
    document.cookie = 'fr_visit=1;path=/;max-age=9999999;secure'
    localStorage.setItem('fr_queue', '1')
  })
  await wait(page, world, 30 * dayMs + hourMs)
  await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
  await expect(acceptAll(page)).toBeVisible()
  expect((await heard(page)).map(({ name }) => name)).toEqual(expect.arrayContaining(['lapse', 'ask']))
  expect((await heard(page)).filter(({ name }) => name === 'lapse')).toMatchObject([{ initial: false }])
  await expect.poll(() => traces(page)).toEqual([])
  expect(await state(page)).toBeUndefined()
  // A sign of life after the lapse brings nothing back.
  await active(page)
  expect(await state(page)).toBeUndefined()
  expect(told(world)).toBe(0)
})

test('Same with a skewed client clock: a month by the visitor’s clock, whatever ours says', async ({ page, world }) => {
  const shop = await world.host()
  // Twenty hours ahead of the server.
  await page.clock.install({ time: new Date(Date.now() + 20 * hourMs) })
  await page.goto(shop.page('/', [loader(), startAndStop('analytics')]))
  await accept(page, shop)
  await wait(page, world, 30 * dayMs - hourMs)
  expect(await state(page)).toEqual(all)
  await wait(page, world, hourMs + secondMs)
  expect(await state(page)).toBeUndefined()
  await wait(page, world, hourMs)
  await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
})

test('The cookie slides on activity, at most hourly in the jar and daily on the wire', async ({
  page,
  context,
  world,
}) => {
  const shop = await world.host()
  await start(page, world)
  await page.goto(shop.page('/', ordinary))
  await accept(page, shop)
  const first = await lastActive(context)
  await wait(page, world, hourMs / 2)
  await active(page)
  expect(await lastActive(context)).toBe(first)
  await wait(page, world, hourMs / 2 + secondMs)
  await active(page)
  await expect.poll(() => lastActive(context)).toBeGreaterThanOrEqual(first + hourMs)
  const second = await lastActive(context)
  await wait(page, world, hourMs / 2)
  for (let times = 0; times < 10; times++) await active(page)
  expect(await lastActive(context)).toBe(second)
  // Every hour until it is nearly midnight: in the jar only.
  for (let hour = 0; hour < 8; hour++) {
    await wait(page, world, hourMs + secondMs)
    await active(page)
  }
  await expect.poll(() => lastActive(context)).toBeGreaterThan(second + 7 * hourMs)
  expect(told(world)).toBe(0)
  // On the new day once, however often.
  for (let hour = 0; hour < 8; hour++) {
    await wait(page, world, hourMs + secondMs)
    await active(page)
  }
  await expect.poll(() => told(world)).toBe(1)
  await wait(page, world, dayMs)
  await active(page)
  await expect.poll(() => told(world)).toBe(2)
  expect(world.faults.at('activity').map(({ body }) => body)).toEqual(['', ''])
  // A page that is opened before a person's eyes is a sign of one, too.
  await wait(page, world, dayMs)
  await page.reload()
  await expect.poll(() => told(world)).toBe(3)
  expect((await shop.records()).map(({ action }) => action)).toEqual(['accept-all'])
})

test('not on polling, timers or what a script dispatches', async ({ page, context, world }) => {
  const shop = await world.host()
  await start(page, world)
  const polling = script("setInterval(() => fetch('/pixel.svg?poll'), 60_000);")
  await page.goto(shop.page('/', [polling, ...ordinary]))
  await accept(page, shop)
  const first = await lastActive(context)
  await wait(page, world, 2 * dayMs)
  await expect.poll(() => world.faults.arrivals.some(({ path }) => path.endsWith('?poll'))).toBe(true)
  await page.evaluate(() => {
    for (const name of ['pointerdown', 'keydown', 'visibilitychange', 'scroll']) {
      document.body.dispatchEvent(new Event(name, { bubbles: true }))
    }
    document.querySelector<HTMLElement>('#host')!.click()
  })
  expect(await lastActive(context)).toBe(first)
  expect(told(world)).toBe(0)
  await active(page)
  await expect.poll(() => told(world)).toBe(1)
})

test('not in the background: a page that is opened hidden', async ({ page, context, world }) => {
  const shop = await world.host()
  await start(page, world)
  await page.goto(shop.page('/', ordinary))
  await accept(page, shop)
  const first = await lastActive(context)
  // As a tab is that was opened behind the one that is seen.
  await page.addInitScript(() => {
    let hidden = true
    Object.defineProperty(Document.prototype, 'hidden', { get: () => hidden })
    Object.defineProperty(Document.prototype, 'visibilityState', { get: () => (hidden ? 'hidden' : 'visible') })
    Object.assign(globalThis, {
      show() {
        hidden = false
      },
    })
  })
  await wait(page, world, 2 * dayMs)
  await page.goto(shop.page('/behind', ordinary))
  await expect.poll(() => state(page)).toEqual(all)
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  expect(await lastActive(context)).toBe(first)
  expect(told(world)).toBe(0)
  await page.evaluate(() => (globalThis as unknown as { show(): void }).show())
  await active(page)
  await expect.poll(() => told(world)).toBe(1)
  expect(await lastActive(context)).toBeGreaterThan(first)
})

for (const plain of [false, true]) {
  test(`180 days after the decision the visitor is asked again even if active every day; the limit stands in the record (\`validUntil\`) (${plain ? 'http' : 'https'})`, async ({
    page,
    world,
  }) => {
    const shop = await world.host({ plain })
    await start(page, world)
    await page.goto(shop.page('/', [loader(), listening, startAndStop('analytics'), buttons]))
    await accept(page, shop)
    const [record] = (await shop.records()) as unknown as { decidedAt: string; validUntil: string }[]
    const decidedAt = Date.parse(record!.decidedAt)
    expect(Date.parse(record!.validUntil) - decidedAt).toBe(180 * dayMs)

    const now = () => page.evaluate(() => Date.now())
    // Once in three weeks is enough not to lapse, and the same rule.
    const days = plain ? 20 : 1
    for (let day = days; day < 180; day += days) {
      await wait(page, world, days * dayMs)
      await active(page)
    }
    await expect.poll(() => told(world)).toBeGreaterThan(170 / days - 1)
    expect(await state(page)).toEqual(all)
    await wait(page, world, decidedAt + 180 * dayMs - (await now()) + hourMs)
    await active(page)
    expect(await state(page)).toBeUndefined()
    await expect(acceptAll(page)).toBeVisible()
    await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
    expect((await heard(page)).map(({ name }) => name)).toContain('lapse')
  })
}

test('the limit is configurable, and a refusal has it too', async ({ page, world }) => {
  const shop = await world.host({ policy: { maxAgeDays: 20, inactivityDays: 10 } })
  await start(page, world)
  await page.goto(shop.page('/', [loader(), listening, ...ordinary.slice(1)]))
  await rejectAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  expect(Math.abs((await keptFor(page.context())) - 10 * 86_400)).toBeLessThan(5)
  for (let day = 0; day < 19; day++) {
    await wait(page, world, dayMs)
    await active(page)
  }
  expect(await state(page)).toEqual(none)
  await wait(page, world, dayMs + hourMs)
  expect(await state(page)).toBeUndefined()
  await expect(acceptAll(page)).toBeVisible()
})
