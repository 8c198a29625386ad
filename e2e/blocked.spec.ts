/** Browsers that keep nothing: storage blocked, cookies disabled, frames without an origin. */
import type { Frame, Page } from '@playwright/test'
import { hostApp, html, listening, loader, ordinary, startAndStop, tracker } from './pages/parts.js'
import type { Host } from './support/world.js'
import {
  acceptAll,
  decisionCookie,
  expect,
  expectUnharmed,
  heard,
  marks,
  rejectAll,
  state,
  test,
} from './support/world-test.js'

const all = { analytics: true, maps: true }
const none = { analytics: false, maps: false }
/** No tracker, which would throw by itself where storage does. */
const parts = [
  loader(),
  startAndStop('analytics'),
  listening,
  ordinary[2]!,
  hostApp,
  html('<avow-settings></avow-settings>'),
]

const blocks: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  'storage throws on access': (page) =>
    page.addInitScript(() => {
      for (const name of ['localStorage', 'sessionStorage', 'indexedDB']) {
        Object.defineProperty(window, name, {
          get() {
            throw new DOMException('Access is denied for this document.', 'SecurityError')
          },
        })
      }
    }),
  'storage throws on each call': (page) =>
    page.addInitScript(() => {
      const deny = () => {
        throw new DOMException('The quota has been exceeded.', 'QuotaExceededError')
      }
      Object.assign(Storage.prototype, { getItem: deny, setItem: deny, removeItem: deny, key: deny })
    }),
  'cookies are disabled by the browser': async (page) => {
    const session = await page.context().newCDPSession(page)
    await session.send('Emulation.setDocumentCookieDisabled', { disabled: true })
  },
  'cookies are swallowed': (page) =>
    page.addInitScript(() => {
      Object.defineProperty(Document.prototype, 'cookie', { get: () => '', set: () => {} })
    }),
  'cookies and storage throw': (page) =>
    page.addInitScript(() => {
      const thrower = (name: string) => ({
        get() {
          throw new DOMException(`${name} is denied`, 'SecurityError')
        },
        set() {
          throw new DOMException(`${name} is denied`, 'SecurityError')
        },
      })
      Object.defineProperty(Document.prototype, 'cookie', thrower('cookie'))
      for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, thrower(name))
    }),
}

async function expectChoosingWorks(page: Page, host: Host): Promise<void> {
  await acceptAll(page).click()
  await expect.poll(() => state(page)).toEqual(all)
  await expect.poll(() => marks(page)).toEqual(['start'])
  await expect(acceptAll(page)).toHaveCount(0)
  await expect.poll(() => host.records()).toMatchObject([{ action: 'accept-all' }])
  await expect(page.locator('avow-settings').getByRole('switch', { checked: true })).toHaveCount(2)
  // An answer, and a tab that comes back to the front, lead to the jar being read again: an empty one says nothing here.
  await page.evaluate(() => dispatchEvent(new Event('visibilitychange')))
  expect(await state(page)).toEqual(all)

  await page.locator('[data-avow-withdraw]').click()
  await expect.poll(() => state(page)).toEqual(none)
  await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
  await expect.poll(async () => (await host.records()).map(({ action }) => action)).toEqual(['accept-all', 'withdraw'])
  await page.locator('[data-avow-open]').click()
  await page.getByRole('dialog').getByRole('switch', { name: 'Maps' }).check()
  await page.getByRole('dialog').getByRole('button', { name: 'Save choices' }).click()
  await expect.poll(() => state(page)).toEqual({ analytics: false, maps: true })
  await expect.poll(() => host.records()).toHaveLength(3)
  await expectUnharmed(page)
}

for (const [what, block] of Object.entries(blocks)) {
  for (const plain of [false, true]) {
    test(`Storage blocked (throws on access), cookies disabled: the UI works, the choice holds for the page, nothing throws: ${what} (${plain ? 'http' : 'https'})`, async ({
      page,
      world,
    }) => {
      const shop = await world.host({ plain, apart: true })
      await block(page)
      await page.goto(shop.page('/', parts))
      await expect(acceptAll(page)).toBeVisible()
      await expectChoosingWorks(page, shop)
      expect((await heard(page)).at(-1)).toMatchObject({ name: 'change', choices: { analytics: false, maps: true } })
    })
  }
}

test('where nothing is kept, the next page asks, and grants nothing meanwhile', async ({ page, world }) => {
  const shop = await world.host()
  await blocks['cookies and storage throw']!(page)
  await page.goto(shop.page('/', [...parts, tracker()]))
  await rejectAll(page).click()
  await expect.poll(() => state(page)).toEqual(none)
  await expect.poll(() => shop.records()).toHaveLength(1)
  await page.goto(shop.page('/second', [...parts, tracker()]))
  await expect(acceptAll(page)).toBeVisible()
  expect(await state(page)).toBeUndefined()
  expect(await marks(page)).toEqual([])
})

/** A frame of the host's own page that has no origin: no cookies, no storage, and servers are told "null". */
const sandboxed = html('<iframe sandbox="allow-scripts" src="/inner" width="800" height="500"></iframe>')
const look = { csp: { 'script-src': "'unsafe-inline' https:", 'connect-src': 'https:' } }

const stateIn = (frame: Frame) =>
  frame.evaluate(() => (globalThis as unknown as { avow(method: string): unknown }).avow('state'))
const marksIn = (frame: Frame) => frame.evaluate(() => (globalThis as unknown as { ran: string[] }).ran)

test('in a sandboxed frame the UI works, the choice holds for the page, and nothing throws', async ({
  page,
  context,
  world,
  witness,
}) => {
  const shop = await world.host({ apart: true })
  // No origin is on nobody's list, so the browser is refused before it has told anything.
  world.faults.excuse('consents')
  shop.page('/inner', parts, look)
  await page.goto(shop.page('/', [sandboxed]))
  const inner = page.frame({ url: /inner/ })!
  const button = (name: string) => inner.locator('avow-notice').getByRole('button', { name, exact: true })
  await expect(button('Accept all')).toBeVisible()
  expect(
    await inner.evaluate(() => {
      try {
        return [origin, document.cookie]
      } catch (problem) {
        return [origin, (problem as Error).name]
      }
    }),
  ).toEqual(['null', 'SecurityError'])

  const tries = () => witness.requests.filter((url) => url.endsWith('/v1/consents')).length
  await button('Accept all').click()
  await expect.poll(() => stateIn(inner)).toEqual(all)
  await expect.poll(() => marksIn(inner)).toEqual(['start'])
  await expect(button('Accept all')).toHaveCount(0)
  // It is tried again, without the locks that such a frame may not have either.
  await expect.poll(tries).toBeGreaterThan(1)
  await inner.locator('[data-avow-withdraw]').click()
  await expect.poll(() => stateIn(inner)).toEqual(none)
  await expect.poll(() => marksIn(inner)).toEqual(['start', 'stop'])
  expect(await shop.records()).toEqual([])
  expect(await decisionCookie(context)).toBeUndefined()
})

test('a page that lets no element of ours in: a withdrawal closes the gates all the same, is sent, and nothing throws', async ({
  page,
  world,
  witness,
}) => {
  const shop = await world.host()
  await page.goto(shop.page('/', parts))
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  await page.addInitScript(() => {
    for (const name of ['insertBefore', 'appendChild', 'replaceChild'] as const) {
      const own = Node.prototype[name] as (...all: Node[]) => Node
      Object.assign(Node.prototype, {
        [name](this: Node, made: Node, ...more: Node[]) {
          if (made.nodeName === 'AVOW-NOTICE') throw new DOMException('not in this page', 'HierarchyRequestError')
          return own.call(this, made, ...more)
        },
      })
    }
    for (const name of ['append', 'prepend', 'before', 'after'] as const) {
      const own = Element.prototype[name]
      Element.prototype[name] = function (...made) {
        if (made.some((one) => (one as Node).nodeName === 'AVOW-NOTICE'))
          throw new DOMException('not in this page', 'HierarchyRequestError')
        return own.apply(this, made)
      }
    }
  })
  await page.reload()
  await expect.poll(() => marks(page)).toEqual(['start'])
  // So that it is there, and can't be drawn, by the time of the withdrawal.
  await page.locator('[data-avow-open]').click()
  await page.waitForLoadState('networkidle')
  await expect(page.getByRole('dialog')).toHaveCount(0)

  await page.locator('[data-avow-withdraw]').click()
  await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
  expect(await state(page)).toEqual(none)
  expect((await heard(page)).at(-1)).toMatchObject({ name: 'change', choices: none })
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }, { action: 'withdraw' }])
  await expectUnharmed(page)
  // It may be named on the console.
  expect(witness.complaints.filter((one) => !/^console: avow: /.test(one))).toEqual([])
  witness.complaints.length = 0
})

test('a browser that is driven by a program is asked like any other', async ({ page, world }) => {
  const shop = await world.host()
  await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'webdriver', { get: () => true }))
  await page.goto(shop.page('/', parts))
  expect(await page.evaluate(() => navigator.webdriver)).toBe(true)
  await expect(acceptAll(page)).toBeVisible()
})
