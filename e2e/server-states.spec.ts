/** What the server holds closes a page's gates, and opens none. */
import { createHash, randomUUID } from 'node:crypto'
import type { Page } from '@playwright/test'
import { loader, ordinary, startAndStop } from './pages/parts.js'
import type { Host, World } from './support/world.js'
import { acceptAll, decisionCookie, expect, marks, rejectAll, state, test } from './support/world-test.js'

const all = { analytics: true, maps: true }
const none = { analytics: false, maps: false }
const dayMs = 86_400_000
const parts = [loader(), startAndStop('analytics'), ordinary[2]!]

async function accept(page: Page, host: Host, world: World): Promise<void> {
  await page.clock.install()
  await page.goto(host.page('/', parts))
  await acceptAll(page).click()
  await expect.poll(() => host.records()).toHaveLength(1)
  await expect.poll(() => marks(page)).toEqual(['start'])
  expect(world.faults.at('activity')).toEqual([])
}

const sent = (world: World) => world.faults.at('consents').map(({ body }) => JSON.parse(body))

/** A sign of life on the next day, which the server is told of; answers what it said. */
async function beActive(page: Page, world: World): Promise<string> {
  const answered = page.waitForResponse((one) => /\/v1\/activity\?/.test(one.url()))
  world.clock.aheadMs += dayMs
  await page.clock.fastForward(dayMs)
  await page.keyboard.press('Shift')
  return (await (await answered).json()).state
}

/** UUIDv7 with the version's digit in its place, and now as its time. */
const createId = () => {
  const time = Date.now().toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`
}

/** Another browser that has the same secret, as a copied profile has. */
async function chooseElsewhere(host: Host, world: World, choices: Record<string, boolean>): Promise<void> {
  const { page: _, previous: __, ...before } = sent(world)[0]
  const answer = await host.request('/v1/consents', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...before,
      id: createId(),
      action: Object.values(choices).includes(true) ? 'save' : 'withdraw',
      choices,
      layer: 'settings',
      offered: ['withdraw'],
      decidedAt: new Date(Date.now() + world.clock.aheadMs).toISOString(),
      ageMs: 0,
      previous: before.id,
    }),
  })
  expect(answer.status, await answer.clone().text()).toBe(201)
}

for (const plain of [false, true]) {
  const scheme = plain ? 'http' : 'https'

  test(`Erased on the server: the next activity answer closes the page's gates (${scheme})`, async ({
    page,
    context,
    world,
  }) => {
    const shop = await world.host({ plain, apart: true })
    await accept(page, shop, world)
    const [record] = await shop.records()
    const secret = (await decisionCookie(context))!.value.split('.')[6]!
    await shop.erase(record!.subject)
    expect(await beActive(page, world)).toMatch(/erased|undecided/)
    await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
    await expect(acceptAll(page)).toBeVisible()
    expect(await state(page)).toBeUndefined()
    // Nobody is known by it any more, so the browser drops it.
    expect((await decisionCookie(context))?.value ?? '').not.toContain(secret)

    await acceptAll(page).click()
    await expect.poll(async () => (await shop.records()).at(-1)?.action).toBe('accept-all')
    expect((await shop.records()).at(-1)?.subject).not.toBe(record!.subject)
  })

  test(`Withdrawn on the server by another browser: the next activity answer closes the page's gates (${scheme})`, async ({
    page,
    world,
  }) => {
    const shop = await world.host({ plain, apart: true })
    await accept(page, shop, world)
    await chooseElsewhere(shop, world, none)
    expect(await beActive(page, world)).toBe('withdrawn')
    await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
    expect(await state(page)).toEqual(none)
    // A withdrawal is an answer; nobody is asked again.
    await expect(acceptAll(page)).toHaveCount(0)
    await page.reload()
    await expect.poll(() => state(page)).toEqual(none)
    expect(await marks(page)).toEqual([])
    expect(await shop.records()).toHaveLength(2)
  })
}

test("Restricted on the server: the next activity answer closes the page's gates, and nobody is asked", async ({
  page,
  world,
}) => {
  const shop = await world.host()
  await accept(page, shop, world)
  // No route restricts yet; what the page does with the answer is decided all the same.
  world.faults.set('activity', {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: '{"state":"restricted"}',
  })
  expect(await beActive(page, world)).toBe('restricted')
  await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
  expect(await state(page)).toEqual(none)
  await expect(acceptAll(page)).toHaveCount(0)
  await page.reload()
  await expect.poll(() => state(page)).toEqual(none)
})

for (const plain of [false, true]) {
  const scheme = plain ? 'http' : 'https'

  test(`A browser clock 20 h ahead can't make a grant beat a later withdrawal. (${scheme})`, async ({
    page,
    context,
    world,
  }) => {
    const shop = await world.host({ plain, apart: true })
    await page.clock.install({ time: Date.now() + 20 * 3_600_000 })
    await page.goto(shop.page('/', parts))
    await acceptAll(page).click()
    await expect.poll(() => shop.records()).toHaveLength(1)
    // The clock is set right.
    await page.clock.setSystemTime(Date.now())
    await page.reload()
    await expect.poll(() => marks(page)).toEqual(['start'])
    await page.locator('[data-avow-withdraw]').click()
    await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }, { action: 'withdraw' }])
    await page.reload()
    await expect.poll(() => state(page)).toEqual(none)
    expect(await marks(page)).toEqual([])
    const secret = decodeURIComponent((await decisionCookie(context))!.value).split('.')[6]!
    const answer = await shop.request(`/v1/state?site=${shop.site}`, { headers: { authorization: `Avow ${secret}` } })
    expect(await answer.json()).toMatchObject({ state: 'withdrawn', decision: { action: 'withdraw' } })
  })
}

test("Superseded on the server: the next activity answer closes the page's gates, and the visitor is asked", async ({
  page,
  world,
}) => {
  const shop = await world.host()
  await accept(page, shop, world)
  await shop.restart({ policy: { version: '2026-05' } })
  expect(await beActive(page, world)).toBe('superseded')
  await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
  await expect(acceptAll(page)).toBeVisible()
  expect(await state(page)).toBeUndefined()
})

test("Lapsed on the server: the next activity answer closes the page's gates, and the visitor is asked", async ({
  page,
  world,
}) => {
  const shop = await world.host()
  await accept(page, shop, world)
  // The visitor's clock stands where the server's has gone on.
  world.clock.aheadMs = 181 * dayMs
  expect(await beActive(page, world)).toBe('lapsed')
  await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
  await expect(acceptAll(page)).toBeVisible()
})

test("Withdrawn on the server: the next consent answer closes the page's gates", async ({ page, world }) => {
  const shop = await world.host()
  await accept(page, shop, world)
  // The answer to an older grant comes after a withdrawal elsewhere.
  world.faults.set('consents', { status: 503 }, 1)
  await page.locator('[data-avow-open]').click()
  await page.getByRole('switch', { name: 'Maps' }).uncheck()
  await page.getByRole('button', { name: 'Save choices' }).click()
  await expect.poll(() => world.faults.at('consents').at(-1)?.status).toBe(503)
  await chooseElsewhere(shop, world, none)
  await page.clock.fastForward(60_000)
  await expect.poll(() => shop.records()).toHaveLength(3)
  await expect.poll(() => state(page)).toEqual(none)
  expect(await marks(page)).toEqual(['start', 'stop'])
})

test('what the server holds opens no gate: a grant elsewhere, under the same secret, starts nothing here', async ({
  page,
  world,
}) => {
  const shop = await world.host()
  await accept(page, shop, world)
  await page.locator('[data-avow-withdraw]').click()
  await expect.poll(() => shop.records()).toHaveLength(2)
  await chooseElsewhere(shop, world, all)
  expect(await beActive(page, world)).toBe('granted')
  expect(await state(page)).toEqual(none)
  expect(await marks(page)).toEqual(['start', 'stop'])
})

test('A submission repeated after erasure answers 410 and re-creates nobody', async ({ page, context, world }) => {
  const shop = await world.host()
  // Recorded, and the answer lost: the browser will send it once more.
  world.faults.set('consents', 'lost')
  await page.clock.install()
  await page.goto(shop.page('/', parts))
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  await expect.poll(() => marks(page)).toEqual(['start'])
  const [record] = await shop.records()
  await shop.erase(record!.subject)
  expect(await shop.records()).toEqual([])

  world.faults.clear()
  const again = page.waitForResponse((one) => one.url().endsWith('/v1/consents'))
  await page.clock.fastForward(10_000)
  expect((await again).status()).toBe(410)
  await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
  await expect(acceptAll(page)).toBeVisible()
  expect(await shop.records()).toEqual([])
  expect(await decisionCookie(context)).toBeUndefined()
  expect(await page.evaluate(() => Object.keys(localStorage))).toEqual([])
  const subject = await shop.audit(`subjects/${record!.subject}/evidence`)
  expect(subject.status).toBe(404)
  // It was the same submission, to the byte but for its age.
  const [first, second] = [sent(world)[0], sent(world).at(-1)]
  const fixed = ({ ageMs: _, ...rest }: Record<string, unknown>) =>
    createHash('sha256').update(JSON.stringify(rest)).digest('hex')
  expect(fixed(second)).toBe(fixed(first))
})

test('a refusal keeps no secret, so nothing on the server can be about it', async ({ page, world }) => {
  const shop = await world.host()
  await page.clock.install()
  await page.goto(shop.page('/', parts))
  await rejectAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  const [record] = await shop.records()
  await shop.erase(record!.subject)
  await beActive(page, world)
  expect(world.faults.at('activity')[0]?.headers.authorization).toBeUndefined()
  expect(await state(page)).toEqual(none)
  await expect(acceptAll(page)).toHaveCount(0)
})
