/** Global Privacy Control: a browser that says it has refused for its person, until the person says otherwise. */
import type { BrowserContext, Page } from '@playwright/test'
import { isTracking } from './pages/assets.js'
import { html, listening, loader, ordinary } from './pages/parts.js'
import type { AuditRecord } from './support/audit.js'
import { isNotice, isUi } from './support/visitor.js'
import { acceptAll, decisionCookie, expect, heard, marks, state, test, traces } from './support/world-test.js'

const all = { analytics: true, maps: true }
const none = { analytics: false, maps: false }
const settings = html('<avow-settings></avow-settings>')
const parts = [loader(), listening, ...ordinary.slice(1), settings]

/** What a browser does that has it switched on: it says so to scripts, and to servers. */
async function switchOn(context: BrowserContext): Promise<void> {
  await context.setExtraHTTPHeaders({ 'Sec-GPC': '1' })
  await context.addInitScript(() => {
    Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })
  })
}

const honoured = (page: Page) => page.getByText('Your browser’s opt-out signal is honoured')
const gpcs = async (records: Promise<readonly AuditRecord[]>) =>
  (await records).map((one) => [one.action, (one as unknown as { gpc: boolean | null }).gpc])

for (const plain of [false, true]) {
  test(`With GPC on: analytics off, no banner by itself, no refusal recorded for the visitor, "opt-out signal honoured" shown in the settings (${plain ? 'http' : 'https'})`, async ({
    page,
    context,
    world,
    witness,
  }) => {
    const shop = await world.host({ plain })
    await switchOn(context)
    await page.goto(shop.page('/', ordinary))
    await page.reload()
    await page.waitForLoadState('networkidle')
    expect(await page.evaluate(() => typeof (globalThis as { avow?: unknown }).avow)).toBe('function')
    // Nothing is asked, so nothing is fetched to ask with.
    expect(witness.requests.filter((url) => isUi(url) || isNotice(url) || isTracking(url))).toEqual([])
    expect(await state(page)).toBeUndefined()

    await page.goto(shop.page('/account', parts))
    await expect(honoured(page)).toBeVisible()
    await expect(acceptAll(page)).toHaveCount(0)
    expect((await heard(page)).map(({ name }) => name)).toEqual(['change'])
    expect(await marks(page)).toEqual([])
    expect(await traces(page)).toEqual([])
    expect(await decisionCookie(context)).toBeUndefined()
    expect(world.faults.at('consents')).toEqual([])
    expect(await shop.records()).toEqual([])
  })
}

test('an older grant is suspended, and its record untouched', async ({ page, context, world, witness }) => {
  const shop = await world.host()
  await page.goto(shop.page('/', parts))
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  const [before] = await shop.records()
  await expect.poll(() => traces(page)).toHaveLength(5)
  const cookie = await decisionCookie(context)

  await switchOn(context)
  const since = witness.requests.length
  await page.reload()
  await expect(honoured(page)).toBeVisible()
  await expect.poll(() => traces(page)).toEqual([])
  await expect(acceptAll(page)).toHaveCount(0)
  expect(await marks(page)).toEqual([])
  expect(witness.requests.slice(since).filter(isTracking)).toEqual([])
  // Whoever asks the page is told what holds here.
  expect(await state(page)).toEqual(none)
  expect(await heard(page)).toMatchObject([{ name: 'change', choices: none }])
  expect(await shop.records()).toEqual([before])
  expect((await decisionCookie(context))?.value).toBe(cookie?.value)
  expect(world.faults.at('consents')).toHaveLength(1)
})

test('a grant made there stands, and is recorded with the signal', async ({ page, context, world }) => {
  const shop = await world.host({ apart: true })
  await switchOn(context)
  await page.goto(shop.page('/', parts))
  await expect(honoured(page)).toBeVisible()
  const panel = page.locator('avow-settings')
  await panel.getByRole('switch', { name: 'Analytics' }).check()
  await panel.getByRole('button', { name: 'Save choices' }).click()
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  await expect(honoured(page)).toHaveCount(0)
  await expect.poll(() => gpcs(shop.records())).toEqual([['save', true]])

  await page.reload()
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  expect(await state(page)).toEqual({ analytics: true, maps: false })
  await expect(honoured(page)).toHaveCount(0)
})

test('a grant that is suspended can be withdrawn, and then stays withdrawn without the signal', async ({
  page,
  context,
  browser,
  world,
  witness,
}) => {
  const shop = await world.host()
  await page.goto(shop.page('/', ordinary))
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  await switchOn(context)
  await page.reload()
  await page.locator('[data-avow-withdraw]').click()
  await expect
    .poll(() => gpcs(shop.records()))
    .toEqual([
      ['accept-all', null],
      ['withdraw', true],
    ])

  const kept = await context.storageState()
  const without = await browser.newContext({ storageState: kept })
  await witness.join(without)
  const second = await without.newPage()
  await second.goto(shop.page('/', ordinary))
  await expect.poll(() => state(second)).toEqual(none)
  expect(await marks(second)).toEqual([])
  await without.close()
})

test('property or header suffices', async ({ page, context, world }) => {
  const shop = await world.host()
  // A network's own filter adds the header alone.
  await context.setExtraHTTPHeaders({ 'Sec-GPC': '1' })
  await page.goto(shop.page('/', parts))
  await acceptAll(page).click()
  await expect.poll(() => gpcs(shop.records())).toEqual([['accept-all', true]])
})

test('`Sec-GPC` counts only when exactly `1`', async ({ page, world }) => {
  const shop = await world.host()
  await page.goto(shop.page('/', parts))
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  // Chromium sends no other value, so another program does.
  const sent = JSON.parse(world.faults.at('consents')[0]!.body)
  for (const [times, value] of ['0', 'true', '1, 1', '1'].entries()) {
    const id = sent.id.slice(0, -1) + ((Number.parseInt(sent.id.at(-1), 16) + 1 + times) % 16).toString(16)
    const answer = await shop.request('/v1/consents', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'sec-gpc': value },
      body: JSON.stringify({ ...sent, id }),
    })
    expect(answer.status, await answer.text()).toBe(201)
  }
  expect((await gpcs(shop.records())).map(([, gpc]) => gpc)).toEqual([null, null, null, null, true])
})

test('a site that asks in spite of the signal asks, and a grant given then is recorded with it', async ({
  page,
  context,
  world,
}) => {
  const shop = await world.host({ site: 'ask' })
  await switchOn(context)
  await page.goto(shop.page('/', parts))
  await expect(acceptAll(page)).toBeVisible()
  expect((await heard(page)).map(({ name }) => name).sort()).toEqual(['ask', 'change'])
  expect(await marks(page)).toEqual([])
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  await expect.poll(() => gpcs(shop.records())).toEqual([['accept-all', true]])
  await page.reload()
  await expect.poll(() => state(page)).toEqual(all)
})
