/** A choice on its way to the server: kept before it travels, sent one at a time, and there once, whatever dies meanwhile. */
import type { Page } from '@playwright/test'
import { buttons, loader, ordinary } from './pages/parts.js'
import { freezeAfterClick, killFrozen } from './support/killing.js'
import type { Host } from './support/world.js'
import { acceptAll, expect, expectUnharmed, marks, pendingKeys, rejectAll, state, test } from './support/world-test.js'

const all = { analytics: true, maps: true }
const none = { analytics: false, maps: false }
const dayMs = 86_400_000

const ids = (bodies: readonly { body: string }[]) => bodies.map(({ body }) => JSON.parse(body).id as string)

/** Chooses in the settings, whatever was chosen before. */
async function choose(page: Page, button: typeof acceptAll): Promise<void> {
  await page.locator('[data-avow-open]').click()
  await button(page.getByRole('dialog')).click()
  await expect(page.getByRole('dialog')).toHaveCount(0)
}

test.describe('The submission is in localStorage before the first request. Kill the renderer at any moment after the click handler: it arrives exactly once.', () => {
  test('it is in localStorage before the first request', async ({ page, world }) => {
    const shop = await world.host()
    await page.addInitScript(() => {
      const page = window as unknown as { keysAtFetch: string[][] }
      page.keysAtFetch = []
      const { fetch } = window
      window.fetch = (input, init) => {
        if (String(input).endsWith('/v1/consents')) page.keysAtFetch.push(Object.keys(localStorage))
        return fetch(input, init)
      }
    })
    await page.goto(shop.page('/', ordinary))
    await acceptAll(page).click()
    await expect.poll(() => world.faults.at('consents').length).toBe(1)
    const [id] = ids(world.faults.at('consents'))
    const keys = await page.evaluate(() => (window as unknown as { keysAtFetch: string[][] }).keysAtFetch)
    expect(keys).toEqual([expect.arrayContaining([expect.stringContaining(id!)])])
  })

  for (const where of [{}, { plain: true }, { apart: true }]) {
    for (const afterMs of [0, 5, 50]) {
      const place = Object.keys(where)[0] ?? 'https'
      const made = [
        ['grant', acceptAll, all],
        ['refusal', rejectAll, none],
      ] as const
      // What is kept is kept in the same way on every origin; the grant stands for all there.
      for (const [what, button, choices] of place === 'https' ? made : made.slice(0, 1)) {
        test(`a ${what} whose renderer is killed after ${afterMs} ms, ${place}`, async ({ page, world }) => {
          const shop = await world.host(where)
          await page.goto(shop.page('/', ordinary))
          await freezeAfterClick(page, afterMs)
          button(page)
            .click()
            // Never done: the page stands still.
            .catch(() => {})
          await killFrozen(page, world)
          const next = await page.context().newPage()
          await next.goto(shop.page('/', ordinary))
          await expect.poll(() => state(next)).toEqual(choices)
          await expect.poll(() => shop.records()).toMatchObject([{ choices }])
          await expect.poll(() => pendingKeys(next)).toEqual([])
          expect(new Set(ids(world.faults.at('consents'))).size).toBe(1)
          expect(await shop.records()).toHaveLength(1)
          await expectUnharmed(next)
        })
      }

      if (place !== 'https') continue
      test(`a withdrawal whose renderer is killed after ${afterMs} ms, ${place}`, async ({ page, world }) => {
        const shop = await world.host(where)
        await page.goto(shop.page('/', ordinary))
        await acceptAll(page).click()
        await expect.poll(() => shop.records()).toHaveLength(1)
        // A returning visitor's page: the file that sends isn't there yet.
        await page.reload()
        await expect.poll(() => marks(page)).toEqual(['tracker'])
        // Answered within 50 ms the page would be reloaded, and another one killed.
        const request = world.faults.hold('consents')
        await freezeAfterClick(page, afterMs)
        page
          .getByRole('button', { name: 'Withdraw' })
          .click()
          // Never done: the page stands still.
          .catch(() => {})
        await killFrozen(page, world)
        request.release()
        const next = await page.context().newPage()
        await next.goto(shop.page('/', ordinary))
        await expect.poll(() => state(next)).toEqual(none)
        await expect
          .poll(async () => (await shop.records()).map(({ action }) => action))
          .toEqual(['accept-all', 'withdraw'])
        await expect.poll(() => pendingKeys(next)).toEqual([])
        expect(await shop.records()).toHaveLength(2)
        expect(await marks(next)).toEqual([])
      })
    }
  }
})

test.describe('keepalive bodies share 64 KiB in flight: pending submissions go one at a time. No `sendBeacon` to cross origins with JSON (preflight); no send at unload.', () => {
  /** Five choices that the server had no ears for. */
  async function fivePending(page: Page, shop: Host): Promise<void> {
    await page.goto(shop.page('/', [loader(), buttons]))
    await rejectAll(page).click()
    for (const button of [acceptAll, rejectAll, acceptAll, rejectAll]) await choose(page, button)
    await expect.poll(() => pendingKeys(page)).toHaveLength(5)
  }

  for (const where of [{}, { apart: true }]) {
    test(`pending submissions go one at a time, in order, ${where.apart ? 'across origins' : 'on one origin'}`, async ({
      page,
      world,
    }) => {
      const shop = await world.host(where)
      world.faults.set('consents', { status: 503 })
      await fivePending(page, shop)
      world.faults.clear()
      const before = world.faults.at('consents').length
      await page.goto(shop.page('/', [loader(), buttons]))
      await expect.poll(() => shop.records()).toHaveLength(5)
      await expect.poll(() => pendingKeys(page)).toEqual([])
      const sent = world.faults.at('consents').slice(before)
      expect(ids(sent)).toEqual([...new Set(ids(sent))].sort())
      for (const [index, { atMs }] of sent.entries()) {
        if (index) expect(atMs).toBeGreaterThanOrEqual(sent[index - 1]!.doneMs!)
      }
      expect((await shop.records()).map(({ choices }) => choices)).toEqual([none, all, none, all, none])
    })
  }

  test('of more choices than can be kept the newest are sent, each small enough', async ({ page, world }) => {
    const shop = await world.host()
    world.faults.set('consents', { status: 503 })
    await page.goto(shop.page('/', [loader(), buttons]))
    await rejectAll(page).click()
    for (let count = 0; count < 12; count++) {
      await choose(page, acceptAll)
      await choose(page, rejectAll)
    }
    const bytes = await page.evaluate(() =>
      Object.entries(localStorage)
        .filter(([key]) => /:0/.test(key))
        .map(([, value]) => String(value).length),
    )
    expect(bytes).toHaveLength(20)
    // Each alone, so far below what keepalive takes.
    expect(Math.max(...bytes)).toBeLessThan(2048)
    world.faults.clear()
    await page.reload()
    await expect.poll(() => shop.records()).toHaveLength(20)
    expect((await shop.records()).at(-1)).toMatchObject({ choices: none })
  })

  test('nothing is sent by beacon, nothing at unload, and no page is kept from the back-forward cache', async ({
    page,
    world,
  }) => {
    const shop = await world.host({ apart: true })
    await page.addInitScript(() => {
      const page = window as unknown as { spied: string[] }
      page.spied = []
      navigator.sendBeacon = (url) => {
        page.spied.push(`beacon ${url}`)
        return true
      }
      const { addEventListener } = EventTarget.prototype
      EventTarget.prototype.addEventListener = function (type: string, ...more: never[]) {
        if (/^(unload|beforeunload|pagehide)$/.test(type)) page.spied.push(type)
        return (addEventListener as (...all: unknown[]) => void).call(this, type, ...more)
      }
    })
    world.faults.set('consents', { status: 503 })
    await page.goto(shop.page('/', ordinary))
    await acceptAll(page).click()
    await expect.poll(() => world.faults.at('consents').length).toBe(1)
    await choose(page, acceptAll)
    await expect.poll(() => pendingKeys(page)).toHaveLength(2)
    expect(await page.evaluate(() => (window as unknown as { spied: string[] }).spied)).toEqual([])
    expect(await page.evaluate(() => [window.onunload, window.onbeforeunload, window.onpagehide])).toEqual([
      null,
      null,
      null,
    ])
    const before = world.faults.at('consents').length
    // A page without us: what would arrive now was sent by the page that ended.
    await page.goto(shop.page('/bare', []))
    await page.waitForLoadState('networkidle')
    expect(world.faults.at('consents')).toHaveLength(before)
  })
})

test('Server down for 3 days, then up: everything pending arrives, once, with the browser’s `decidedAt` and the server’s `recordedAt`.', async ({
  page,
  world,
}) => {
  const shop = await world.host()
  const start = Date.now()
  const day = async (count: number) => {
    world.clock.aheadMs = count * dayMs
    await page.clock.setSystemTime(start + count * dayMs)
  }
  world.faults.set('consents', 'reset')
  world.faults.set('activity', 'reset')
  await day(0)
  await page.goto(shop.page('/', [loader(), buttons]))
  await acceptAll(page).click()
  await expect.poll(() => pendingKeys(page)).toHaveLength(1)
  await day(1)
  await page.reload()
  await choose(page, rejectAll)
  await day(2)
  await page.reload()
  await choose(page, acceptAll)
  await expect.poll(() => pendingKeys(page)).toHaveLength(3)

  await day(3)
  world.faults.clear()
  await page.reload()
  await expect.poll(() => shop.records()).toHaveLength(3)
  await expect.poll(() => pendingKeys(page)).toEqual([])
  const records = await shop.records()
  expect(records.map(({ choices }) => choices)).toEqual([all, none, all])
  for (const [count, { decidedAt, recordedAt }] of records.entries()) {
    expect(Math.abs(Date.parse(decidedAt) - (start + count * dayMs))).toBeLessThan(60_000)
    expect(Math.abs(Date.parse(recordedAt) - (start + 3 * dayMs))).toBeLessThan(60_000)
  }
  expect(await state(page)).toEqual(all)
  // Another page finds nothing to send any more.
  const before = world.faults.at('consents').length
  await page.reload()
  await page.waitForLoadState('networkidle')
  expect(world.faults.at('consents')).toHaveLength(before)
  expect(await shop.records()).toHaveLength(3)
})
