/** The fault table: whatever breaks, nothing is granted that was not, nothing is lost, and the page goes on unharmed. */
import type { Page } from '@playwright/test'
import { buttons, held, hostApp, loader, mark, ordinary, startAndStop, stub, tracker } from './pages/parts.js'
import type { Fault } from './support/faults.js'
import { freezeAfterClick, killFrozen } from './support/killing.js'
import { allBlocked, openOwnBrowser } from './support/own-browser.js'
import type { Host, World } from './support/world.js'
import {
  acceptAll,
  avow,
  decisionCookie,
  expect,
  expectUnharmed,
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

/** Nothing optional runs or is kept, and the host's own page works. */
async function expectNothingGranted(page: Page): Promise<void> {
  await expectUnharmed(page)
  expect(await marks(page)).toEqual([])
  expect(Object.values((await state(page)) ?? {})).not.toContain(true)
  expect(await traces(page)).toEqual([])
}

/** The server has just these, and nothing waits to be sent. */
async function expectRecorded(page: Page, host: Host, actions: readonly string[]): Promise<void> {
  await expect.poll(() => pendingKeys(page)).toEqual([])
  expect((await host.records()).map(({ action }) => action)).toEqual(actions)
}

async function visit(page: Page, host: Host, path = '/'): Promise<void> {
  await page.goto(host.page(path, ordinary))
}

async function accept(page: Page, host: Host): Promise<void> {
  await visit(page, host)
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['tracker'])
}

test.describe('script 404', () => {
  test('for a first visit: nothing is granted, and the next page asks', async ({ page, world }) => {
    const shop = await world.host()
    world.faults.set('loader', { status: 404 })
    await page.goto(shop.page('/', [stub("avow('whenGranted', 'analytics', () => ran.push('started'))"), ...ordinary]))
    await page.waitForLoadState('networkidle')
    await expectNothingGranted(page)
    await expect(acceptAll(page)).toHaveCount(0)

    world.faults.clear()
    await page.reload()
    await acceptAll(page).click()
    await expect.poll(() => marks(page)).toEqual(['started', 'tracker'])
  })

  test('for a returning visitor: nothing runs, and the choice is there when the script is', async ({ page, world }) => {
    const shop = await world.host()
    await accept(page, shop)
    await expectRecorded(page, shop, ['accept-all'])
    world.faults.set('loader', { status: 404 })
    await page.context().clearCookies({ name: /^(fr_|_ga)/ })
    // Another address than the one in the browser's cache.
    await page.goto(shop.page('/', [loader({ src: `${shop.loader}?2` }), tracker(), hostApp]))
    await page.waitForLoadState('networkidle')
    await expectUnharmed(page)
    expect(await marks(page)).toEqual([])

    world.faults.clear()
    await page.reload()
    await expect.poll(() => marks(page)).toEqual(['tracker'])
    await expectRecorded(page, shop, ['accept-all'])
  })
})

test.describe('UI file 404', () => {
  test('nobody is asked and nothing is granted; a withdrawal still is one, and arrives later', async ({
    page,
    world,
  }) => {
    const shop = await world.host()
    await accept(page, shop)
    await expectRecorded(page, shop, ['accept-all'])
    world.faults.set('ui', { status: 404 })
    // Out of the browser's cache, where the file was kept for good.
    const other = await page
      .context()
      .browser()!
      .newContext({ storageState: await page.context().storageState() })
    const later = await other.newPage()
    await visit(later, shop)
    await expect.poll(() => marks(later)).toEqual(['tracker'])
    await Promise.all([later.waitForEvent('load'), later.getByRole('button', { name: 'Withdraw' }).click()])
    expect(await marks(later)).toEqual([])
    expect(await state(later)).toEqual(none)
    await expectUnharmed(later)

    world.faults.clear()
    await later.reload()
    await expectRecorded(later, shop, ['accept-all', 'withdraw'])
    await expect.poll(() => traces(later)).toEqual([])
    await other.close()
  })
})

test.describe('notice 500', () => {
  test('nobody is asked, nothing is granted, and the next page asks', async ({ page, world }) => {
    const shop = await world.host()
    world.faults.set('notice', { status: 500 })
    await visit(page, shop)
    await expect.poll(() => world.faults.at('notice').length).toBeGreaterThan(0)
    await page.waitForLoadState('networkidle')
    await expectNothingGranted(page)
    await expect(acceptAll(page)).toHaveCount(0)

    world.faults.clear()
    await page.reload()
    await expect(acceptAll(page)).toBeVisible()
  })

  test('a refusal by the page’s own code is kept, and arrives once there are words to cite', async ({
    page,
    world,
  }) => {
    const shop = await world.host()
    world.faults.set('notice', { status: 500 })
    await visit(page, shop)
    await avow(page, 'rejectAll')
    await expect.poll(() => state(page)).toEqual(none)
    await expect.poll(() => pendingKeys(page)).toHaveLength(1)
    await expectNothingGranted(page)

    world.faults.clear()
    await page.reload()
    await expect.poll(() => shop.records()).toHaveLength(1)
    await expectRecorded(page, shop, ['reject-all'])
    await expectNothingGranted(page)
  })
})

test.describe('a file that was out of reach is fetched again in the same page', () => {
  const wait = 5000
  const dialog = (page: Page) => page.getByRole('dialog')
  const online = (page: Page) => page.evaluate(() => dispatchEvent(new Event('online')))

  /** A page where the route fails, however often it is asked for; fulfils when that is known there. */
  async function without(page: Page, world: World, route: 'ui' | 'notice', fault: Fault): Promise<Host> {
    const shop = await world.host()
    await page.clock.install()
    world.faults.set(route, fault)
    await visit(page, shop)
    await expect.poll(() => world.faults.at(route).length).toBeGreaterThan(0)
    await page.waitForLoadState('networkidle')
    return shop
  }

  /** The route works, and some seconds have passed. */
  async function mend(page: Page, world: World): Promise<void> {
    world.faults.clear()
    await page.clock.runFor(wait)
  }

  for (const route of ['ui', 'notice'] as const) {
    for (const [name, fault] of [
      ['reset', 'reset'],
      ['503', { status: 503 }],
    ] as const) {
      test(`${route} ${name}: by whoever asks for the preferences`, async ({ page, world }) => {
        await without(page, world, route, fault)
        await mend(page, world)
        await page.locator('[data-avow-open]').click()
        await expect(dialog(page)).toBeVisible()
        expect(await marks(page)).toEqual([])
      })

      test(`${route} ${name}: when the browser is online again; then the visitor is asked`, async ({ page, world }) => {
        const shop = await without(page, world, route, fault)
        await mend(page, world)
        await online(page)
        await expect(acceptAll(page)).toBeVisible()
        await acceptAll(page).click()
        await expect.poll(() => marks(page)).toEqual(['tracker'])
        await expectRecorded(page, shop, ['accept-all'])
      })
    }
  }

  test('notice: a refusal by the page’s own code made meanwhile counts, and arrives', async ({ page, world }) => {
    const shop = await without(page, world, 'notice', 'reset')
    await avow(page, 'rejectAll')
    await mend(page, world)
    await online(page)
    await expect.poll(() => state(page)).toEqual(none)
    await expect.poll(() => shop.records()).toHaveLength(1)
    await expectRecorded(page, shop, ['reject-all'])
    await expect(acceptAll(page)).toHaveCount(0)
    await expectNothingGranted(page)
  })

  test('a withdrawal made meanwhile arrives, and what the grant left goes', async ({ page, world }) => {
    const shop = await world.host()
    const parts = [loader(), startAndStop('analytics'), buttons, hostApp]
    await page.goto(shop.page('/', parts))
    await acceptAll(page).click()
    await expectRecorded(page, shop, ['accept-all'])
    await page.evaluate(() => localStorage.setItem('fr_queue', '1'))
    // What the browser has in its cache would be there without a network, too.
    await (await page.context().newCDPSession(page)).send('Network.clearBrowserCache')
    await page.clock.install()
    world.faults.set('ui', 'reset')
    await page.reload()
    await expect.poll(() => marks(page)).toEqual(['start'])
    await page.getByRole('button', { name: 'Withdraw' }).click()
    await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
    await expect.poll(() => world.faults.at('ui').length).toBeGreaterThan(1)
    await page.waitForLoadState('networkidle')
    await mend(page, world)
    await online(page)
    await expect.poll(() => shop.records()).toHaveLength(2)
    await expectRecorded(page, shop, ['accept-all', 'withdraw'])
    await expect.poll(() => traces(page)).toEqual([])
    await expectUnharmed(page)
  })
})

test.describe('POST refused', () => {
  test('a refused grant closes the gate and asks again', async ({ page, world }) => {
    const shop = await world.host()
    await visit(page, shop)
    world.faults.set('consents', { status: 403, body: '{"code":"origin-refused"}' })
    await acceptAll(page).click()
    await expect.poll(() => world.faults.at('consents').length).toBe(1)
    // What ran can't be stopped, so the page is reloaded; then the visitor is asked.
    await expect.poll(async () => (await state(page).catch(() => null)) ?? 'undecided').toBe('undecided')
    await expect.poll(() => marks(page).catch(() => null)).toEqual([])
    await expect(acceptAll(page)).toBeVisible()
    await expect.poll(() => traces(page)).toEqual([])
    await expectNothingGranted(page)
    expect(await shop.records()).toEqual([])
  })

  test('a refused denial stays denied', async ({ page, world }) => {
    const shop = await world.host()
    await visit(page, shop)
    world.faults.set('consents', { status: 403, body: '{"code":"origin-refused"}' })
    await rejectAll(page).click()
    await expect.poll(() => world.faults.at('consents').length).toBe(1)
    await expect.poll(() => pendingKeys(page)).toEqual([])
    await page.reload()
    await expect.poll(() => state(page)).toEqual(none)
    await expect(acceptAll(page)).toHaveCount(0)
    await expectNothingGranted(page)
  })
})

test('429: the submission is kept, waits as long as it is told to, and arrives once', async ({ page, world }) => {
  const shop = await world.host()
  await visit(page, shop)
  world.faults.set('consents', { status: 429, headers: { 'retry-after': '4' } }, 1)
  await acceptAll(page).click()
  await expect.poll(() => world.faults.at('consents').length).toBe(2)
  const [first, second] = world.faults.at('consents')
  expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(4000)
  await expectRecorded(page, shop, ['accept-all'])
  expect(await state(page)).toEqual(all)
  await expectUnharmed(page)
})

for (const [name, fault] of Object.entries({
  '500': { status: 500 },
  '503': { status: 503, headers: { 'retry-after': '1' } },
  'connection reset': 'reset',
  'answer lost': 'lost',
} as const)) {
  test(`POST ${name}: the choice counts at once, and arrives once, by itself`, async ({ page, world }) => {
    const shop = await world.host()
    await visit(page, shop)
    world.faults.set('consents', fault)
    await acceptAll(page).click()
    await expect.poll(() => marks(page)).toEqual(['tracker'])
    // Chromium itself asks again where a connection broke that it had used before.
    await expect.poll(() => world.faults.at('consents').length).toBeGreaterThan(1)
    expect(await pendingKeys(page)).toHaveLength(1)
    await expectUnharmed(page)
    world.faults.clear()
    await expectRecorded(page, shop, ['accept-all'])
    expect(new Set(world.faults.at('consents').map(({ body }) => JSON.parse(body).id)).size).toBe(1)
  })
}

test('timeout: a request that nobody answers is given up, and the submission arrives once', async ({ page, world }) => {
  const shop = await world.host()
  await page.clock.install()
  await visit(page, shop)
  world.faults.set('consents', 'hang', 1)
  await rejectAll(page).click()
  await expect.poll(() => world.faults.at('consents').length).toBe(1)
  await expect.poll(() => pendingKeys(page)).toHaveLength(1)
  // Each time that it is let run, what has become due is done: the request is given up, then there is another.
  await expect
    .poll(async () => {
      await page.clock.runFor(10_000)
      return world.faults.at('consents').length
    })
    .toBe(2)
  await expectRecorded(page, shop, ['reject-all'])
  await expectNothingGranted(page)
})

test('hangs: the page is used on, and what nobody answered arrives from the next one', async ({ page, world }) => {
  const shop = await world.host()
  await visit(page, shop)
  world.faults.set('consents', 'hang', 1)
  await rejectAll(page).click()
  await expect.poll(() => world.faults.at('consents').length).toBe(1)
  await expectNothingGranted(page)
  await visit(page, shop, '/next')
  await expect.poll(() => shop.records()).toHaveLength(1)
  await expectRecorded(page, shop, ['reject-all'])
  await expectNothingGranted(page)
})

test('withdrawal while the grant’s answer is on its way: it stays a withdrawal, and both arrive', async ({
  page,
  world,
}) => {
  const shop = await world.host()
  await visit(page, shop)
  const answer = world.faults.hold('consents', 'answer')
  await acceptAll(page).click()
  await answer.arrived
  await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: 'Withdraw' }).click()])
  answer.release()
  await expect.poll(() => shop.records()).toHaveLength(2)
  await expectRecorded(page, shop, ['accept-all', 'withdraw'])
  expect(await state(page)).toEqual(none)
  await page.reload()
  await expect.poll(() => state(page)).toEqual(none)
  await expect.poll(() => traces(page)).toEqual([])
  await expectNothingGranted(page)
})

test('storage throws and cookies are off: the choice holds for the page, is sent, and nothing throws', async ({
  world,
  witness,
}, testInfo) => {
  const shop = await world.host()
  const own = await openOwnBrowser(testInfo, { preferences: allBlocked })
  await witness.join(own.context)
  const page = await own.context.newPage()
  await visit(page, shop)
  await expect(acceptAll(page)).toBeVisible()
  expect(
    await page.evaluate(() => {
      // biome-ignore lint/suspicious/noDocumentCookie: whether the browser drops it is what is asked.
      document.cookie = 'avow=1'
      try {
        return `${document.cookie} ${localStorage.length}`
      } catch (error) {
        return `${document.cookie} ${(error as DOMException).name}`
      }
    }),
    'this browser keeps nothing',
  ).toBe(' SecurityError')
  expect(await marks(page)).toEqual([])

  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }])
  expect(await state(page)).toEqual(all)
  await expectUnharmed(page)
  // The tracker of the stories touches the storage without a thought, as they do.
  await witness.expect(/exception: .*localStorage/)

  await page.getByRole('button', { name: 'Withdraw' }).click()
  await expect.poll(() => state(page).catch(() => all)).not.toEqual(all)
  await expect.poll(async () => (await shop.records()).map(({ action }) => action)).toEqual(['accept-all', 'withdraw'])
  await visit(page, shop, '/next')
  await expect(acceptAll(page)).toBeVisible()
  expect(await marks(page)).toEqual([])
  await own.close()
})

test('cookies off, storage on: nothing is granted on the next page, and what was chosen arrives once', async ({
  page,
  world,
}) => {
  const shop = await world.host()
  await page.addInitScript(() => {
    Object.defineProperty(Document.prototype, 'cookie', { get: () => '', set: () => {} })
  })
  await visit(page, shop)
  await acceptAll(page).click()
  await expect.poll(() => state(page)).toEqual(all)
  await expectRecorded(page, shop, ['accept-all'])
  await expectUnharmed(page)
  await visit(page, shop, '/next')
  await expect(acceptAll(page)).toBeVisible()
  expect(await state(page)).toBeUndefined()
  await expect.poll(() => traces(page)).toEqual([])
  await expectNothingGranted(page)
})

test('storage throws, cookies on: the choice holds, and is sent from this page', async ({ page, world, witness }) => {
  const shop = await world.host()
  await page.addInitScript(() => {
    for (const name of ['localStorage', 'sessionStorage']) {
      Object.defineProperty(window, name, {
        get() {
          throw new DOMException('denied', 'SecurityError')
        },
      })
    }
  })
  await visit(page, shop)
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }])
  await witness.expect(/exception: denied/)
  await page.reload()
  await expect.poll(() => state(page)).toEqual(all)
  await witness.expect(/exception: denied/)
  await expectUnharmed(page)
  await expect(acceptAll(page)).toHaveCount(0)
})

test.describe('a cookie that is none', () => {
  const now = Math.floor(Date.now() / 1000).toString(36)
  const bad = {
    corrupt: '1.1.2026-04.analytics1~maps1.zz',
    truncated: `1.1.2026-04.analytics1~maps1.${now}`,
    oversized: `1.1.${'2'.repeat(3000)}.analytics1~maps1.${now}.${now}`,
    'off-schema': `1.1.2026-04.analytics1~maps1.${now}.${now}.AAAA`,
    'of another policy': `1.1.1999.analytics1~maps1.${now}.${now}`,
    'of a category less': `1.1.2026-04.analytics1.${now}.${now}`,
    'not even decodable': '%E0%A4%A',
    empty: '',
  }
  for (const [what, value] of Object.entries(bad)) {
    test(`${what}: undecided, never granted, never an exception; and the choice replaces it`, async ({
      page,
      world,
    }) => {
      const shop = await world.host()
      await page.context().addCookies([{ name: '__Host-avow', value, url: shop.url(), secure: true, sameSite: 'Lax' }])
      await visit(page, shop)
      await expect(acceptAll(page)).toBeVisible()
      await expectNothingGranted(page)
      await rejectAll(page).click()
      await expectRecorded(page, shop, ['reject-all'])
      await page.reload()
      await expect.poll(() => state(page)).toEqual(none)
      await expectNothingGranted(page)
    })
  }

  // `__Host-` allows one host and one path, so on https it takes the name that is shared under a domain.
  for (const [name, where] of [
    ['avow', { plain: true }],
    ['__Secure-avow', { site: 'shared' }],
  ] as const) {
    test(`duplicated: undecided, never granted, never an exception (${name})`, async ({ page, world }) => {
      const shop = await world.host(where)
      const value = `1.1.2026-04.analytics1~maps1.${now}.${now}`
      const { hostname } = new URL(shop.url())
      const secure = name !== 'avow'
      await page
        .context()
        .addCookies(
          ['/', '/deep'].map((path) => ({ name, value, domain: hostname, path, secure, sameSite: 'Lax' as const })),
        )
      await visit(page, shop, '/deep')
      await expect(acceptAll(page)).toBeVisible()
      await expectNothingGranted(page)
      await rejectAll(page).click()
      await expectRecorded(page, shop, ['reject-all'])
      await expectNothingGranted(page)
      expect(await state(page)).toEqual(none)
    })
  }

  test('wrongly prefixed: over https only the name that a browser guards counts', async ({ page, world }) => {
    const shop = await world.host()
    const value = `1.1.2026-04.analytics1~maps1.${now}.${now}`
    await page.context().addCookies(
      ['avow', '__Secure-avow'].map((name) => ({
        name,
        value,
        url: shop.url(),
        secure: true,
        sameSite: 'Lax' as const,
      })),
    )
    await visit(page, shop)
    await expect(acceptAll(page)).toBeVisible()
    await expectNothingGranted(page)
  })
})

test.describe('clock ±1 year', () => {
  for (const [name, aheadMs] of Object.entries({ ahead: 365 * dayMs, behind: -365 * dayMs })) {
    test(`a grant made by a good clock counts no more where it is a year ${name}, and what it left goes`, async ({
      page,
      world,
    }) => {
      const shop = await world.host()
      await accept(page, shop)
      await expectRecorded(page, shop, ['accept-all'])
      await page.clock.setSystemTime(Date.now() + aheadMs)
      await page.reload()
      await expect(acceptAll(page)).toBeVisible()
      await expect.poll(() => traces(page)).toEqual([])
      await expectNothingGranted(page)
    })

    test(`a grant made a year ${name} is recorded, and counts no more by a good clock`, async ({ page, world }) => {
      const shop = await world.host()
      await page.clock.setSystemTime(Date.now() + aheadMs)
      await accept(page, shop)
      await expectRecorded(page, shop, ['accept-all'])
      await page.clock.setSystemTime(Date.now())
      await page.reload()
      await expect(acceptAll(page)).toBeVisible()
      await expect.poll(() => traces(page)).toEqual([])
      await expectNothingGranted(page)
    })

    test(`a refusal made a year ${name} is recorded, and turns into no grant`, async ({ page, world }) => {
      const shop = await world.host()
      await page.clock.setSystemTime(Date.now() + aheadMs)
      await visit(page, shop)
      await rejectAll(page).click()
      await expectRecorded(page, shop, ['reject-all'])
      await page.reload()
      await expect.poll(() => state(page)).toEqual(none)
      await page.clock.setSystemTime(Date.now())
      await page.reload()
      await expectNothingGranted(page)
    })
  }
})

for (const afterMs of [0, 5, 50]) {
  test(`renderer killed ${afterMs} ms after the click: the choice is there, and arrives once`, async ({
    page,
    world,
  }) => {
    const shop = await world.host()
    await visit(page, shop)
    await freezeAfterClick(page, afterMs)
    // Never done: the page stands still.
    acceptAll(page)
      .click()
      .catch(() => {})
    const context = page.context()
    await killFrozen(page, world)
    const next = await context.newPage()
    await visit(next, shop)
    await expect.poll(() => marks(next)).toEqual(['tracker'])
    await expect.poll(() => shop.records()).toHaveLength(1)
    await expectRecorded(next, shop, ['accept-all'])
    expect(new Set(world.faults.at('consents').map(({ body }) => JSON.parse(body).id)).size).toBe(1)
    await expectUnharmed(next)
  })
}

for (const [what, button, action] of [
  ['a refusal', rejectAll, 'reject-all'],
  ['a grant', acceptAll, 'accept-all'],
] as const) {
  test(`network gone for the click and back on the next page: ${what} counts at once and arrives once`, async ({
    page,
    world,
  }) => {
    const shop = await world.host()
    // The tracker's file would be out of reach, too.
    const parts = [loader(), held('analytics', mark('inline')), buttons, hostApp]
    const granted = action === 'accept-all' ? ['inline'] : []
    await page.goto(shop.page('/', parts))
    await expect(acceptAll(page)).toBeVisible()
    const next = shop.page('/next', parts)
    world.faults.excuse('consents')
    await page.context().setOffline(true)
    await button(page).click()
    await expect.poll(() => pendingKeys(page)).toHaveLength(1)
    await expect.poll(() => marks(page)).toEqual(granted)
    await expectUnharmed(page)
    await page.context().setOffline(false)
    await page.goto(next)
    await expect.poll(() => shop.records()).toHaveLength(1)
    await expectRecorded(page, shop, [action])
    await expect.poll(() => marks(page)).toEqual(granted)
    await expectUnharmed(page)
    expect(new Set(world.faults.at('consents').map(({ body }) => JSON.parse(body).id)).size).toBe(1)
  })
}

test.describe('server erased the subject', () => {
  async function erased(page: Page, shop: Host): Promise<void> {
    await accept(page, shop)
    await expectRecorded(page, shop, ['accept-all'])
    const [record] = await shop.records()
    await shop.erase(record!.subject)
  }

  test('the next activity answer closes the gates, drops the secret and asks again', async ({ page, world }) => {
    const shop = await world.host()
    await erased(page, shop)
    world.clock.aheadMs = dayMs
    await page.clock.setSystemTime(Date.now() + dayMs)
    await page.reload()
    await expect.poll(() => world.faults.at('activity').length).toBe(1)
    await expect(acceptAll(page)).toBeVisible()
    await expect.poll(() => marks(page).catch(() => null)).toEqual([])
    await expect.poll(() => traces(page)).toEqual([])
    await expectNothingGranted(page)
    expect((await decisionCookie(page.context()))?.value ?? '').toBe('')
  })

  test('a withdrawal made meanwhile stays one', async ({ page, world }) => {
    const shop = await world.host()
    await erased(page, shop)
    await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: 'Withdraw' }).click()])
    await expect.poll(() => pendingKeys(page)).toEqual([])
    await expect.poll(() => state(page)).toEqual(none)
    await expect.poll(() => traces(page)).toEqual([])
    await expectNothingGranted(page)
  })
})
