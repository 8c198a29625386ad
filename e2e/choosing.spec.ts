/** How somebody is asked, and what counts as an answer. */
import type { Browser, Page } from '@playwright/test'
import { isTracking } from './pages/assets.js'
import { body } from './pages/page.js'
import { frame, held, html, listening, loader, mark, ordinary, script } from './pages/parts.js'
import { sitePolicy } from './support/site-policy.js'
import { isNotice, isUi } from './support/visitor.js'
import type { Witness } from './support/witness.js'
import type { Host, World } from './support/world.js'
import {
  acceptAll,
  avow,
  decisionCookie,
  expect,
  heard,
  marks,
  pendingKeys,
  rejectAll,
  state,
  test,
  traces,
} from './support/world-test.js'

const none = { analytics: false, maps: false }
const all = { analytics: true, maps: true }
/** Long enough to be scrolled; a style policy would forbid a height. */
const long = html(`<pre>${'A line of the page.\n'.repeat(200)}</pre>`)

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })

/** Nobody has chosen, and nobody is said to have. */
async function expectUndecided(page: Page, host: Host): Promise<void> {
  await expect(acceptAll(page)).toBeVisible()
  expect(await state(page)).toBeUndefined()
  expect(await decisionCookie(page.context())).toBeUndefined()
  expect(await pendingKeys(page)).toEqual([])
  expect(await marks(page)).toEqual([])
  expect(await host.records()).toEqual([])
}

for (const plain of [false, true]) {
  test(`Escape, backdrop, scroll, close, time and navigation are never consent; the state stays undecided and is not recorded as a refusal (${plain ? 'http' : 'https'})`, async ({
    page,
    world,
  }) => {
    const shop = await world.host({ plain, apart: true })
    await page.clock.install()
    await page.goto(shop.page('/', [...ordinary, long]))
    await expect(acceptAll(page)).toBeVisible()

    await page.keyboard.press('Escape')
    await page.mouse.wheel(0, 2000)
    await expect.poll(() => page.evaluate(() => scrollY)).toBeGreaterThan(500)
    await expectUndecided(page, shop)

    await button(page, 'Manage').click()
    await expect(page.getByRole('dialog')).toBeVisible()
    await button(page, 'Close').click()
    await expect(page.getByRole('dialog')).toHaveCount(0)
    await expectUndecided(page, shop)

    // What was ticked and not saved counts for nothing.
    await button(page, 'Manage').click()
    await page.getByRole('switch', { name: 'Analytics' }).check()
    await page.keyboard.press('Escape')
    await expect(page.getByRole('dialog')).toHaveCount(0)
    await expectUndecided(page, shop)

    await button(page, 'Manage').click()
    await expect(page.getByRole('dialog')).toBeVisible()
    await page.mouse.click(3, 3)
    if (await page.getByRole('dialog').isVisible()) await button(page, 'Close').click()
    await expectUndecided(page, shop)

    await page.clock.fastForward(300 * 3_600_000)
    await expectUndecided(page, shop)

    await page.goto(shop.page('/second', [...ordinary, long]))
    await expectUndecided(page, shop)
    await page.goBack()
    await expectUndecided(page, shop)
    expect(world.faults.at('consents')).toEqual([])
    expect(world.faults.at('activity')).toEqual([])
  })
}

for (const plain of [false, true]) {
  test(`After a refusal: 20 reloads, 0 banners (${plain ? 'http' : 'https'})`, async ({ page, world, witness }) => {
    const shop = await world.host({ plain })
    await page.goto(shop.page('/', [loader(), listening, ...ordinary.slice(1)]))
    await rejectAll(page).click()
    await expect.poll(() => shop.records()).toHaveLength(1)
    // Until the answer is here, the next page has something to send, and fetches what sends it.
    await expect.poll(() => pendingKeys(page)).toEqual([])
    const before = witness.requests.length
    for (let reload = 0; reload < 20; reload++) {
      await page.reload()
      await expect.poll(() => state(page)).toEqual(none)
      expect((await heard(page)).map(({ name }) => name)).toEqual(['change'])
      await expect(page.locator('avow-notice')).toHaveCount(0)
    }
    // Not even the file that would ask is fetched, nor its words.
    expect(witness.requests.slice(before).filter((url) => isUi(url) || isNotice(url) || isTracking(url))).toEqual([])
    expect(await shop.records()).toHaveLength(1)
  })
}

test.describe('a refuser’s page fetches what deletes only where there is something to delete', () => {
  const patterns = ['*_session', 'fr_*_id', 'fr_visit']

  async function refuse(page: Page, world: World): Promise<Host> {
    const analytics = sitePolicy().cookies.find(({ name }) => name === 'fr_visit')!
    const cookies = patterns.map((name) => ({ ...analytics, name }))
    const shop = await world.host({ policy: { cookies: [...sitePolicy().cookies.slice(0, 4), ...cookies] } })
    await page.goto(shop.page('/', ordinary))
    await rejectAll(page).click()
    await expect.poll(() => shop.records()).toHaveLength(1)
    await expect.poll(() => pendingKeys(page)).toEqual([])
    return shop
  }

  const plant = (page: Page, host: Host, ...names: string[]) =>
    page.context().addCookies(names.map((name) => ({ name, value: '1', url: host.url(), secure: true })))

  test('a cookie whose name only begins like a declared one, or has the end of one, is none', async ({
    page,
    world,
    witness,
  }) => {
    const shop = await refuse(page, world)
    await plant(page, shop, 'fr_visitor', 'my_sessions', 'fr_own', 'a_fr_visit')
    await page.evaluate(() => Object.assign(localStorage, { fr_visit_own: '1', own: '_session' }))
    const since = witness.requests.length
    await page.goto(shop.page('/second', ordinary))
    await expect.poll(() => state(page)).toEqual(none)
    await page.waitForLoadState('networkidle')
    expect(witness.requests.slice(since).filter((url) => isUi(url) || isNotice(url))).toEqual([])
    expect(await page.context().cookies()).toHaveLength(5)
  })

  for (const name of ['my_session', 'fr_7_id', 'fr_visit']) {
    test(`\`${name}\` is deleted`, async ({ page, world, witness }) => {
      const shop = await refuse(page, world)
      await plant(page, shop, name)
      await page.goto(shop.page('/second', ordinary))
      await expect.poll(async () => (await page.context().cookies()).map(({ name }) => name)).toEqual(['__Host-avow'])
      // Deleting is a write, of a name that only the policy of this story declares.
      witness.written.delete(`cookie ${name}`)
    })
  }
})

test('Never re-prompt for an editorial version bump; a material one asks again', async ({ page, world, witness }) => {
  const shop = await world.host()
  // The loader stays in the browser's cache for minutes; under another address it is read anew.
  const deployed = (version: string) => [loader({ src: `${shop.loader}?${version}` }), listening, ...ordinary.slice(1)]
  await page.goto(shop.page('/', deployed('2026-04')))
  await rejectAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)

  await shop.restart({ policy: { version: '2026-05', material: false } })
  const before = witness.requests.length
  await page.goto(shop.page('/', deployed('2026-05')))
  await expect.poll(() => state(page)).toEqual(none)
  expect(
    await page.evaluate(() =>
      fetch(document.querySelector('script[src]')!.getAttribute('src')!).then((it) => it.text()),
    ),
  ).toContain('2026-05')
  expect((await heard(page)).map(({ name }) => name)).toEqual(['change'])
  expect(witness.requests.slice(before).filter((url) => isUi(url) || isNotice(url))).toEqual([])

  await shop.restart({ policy: { version: '2026-06', material: true } })
  // Days later: the words of the old policy are in no cache any more.
  await (await page.context().newCDPSession(page)).send('Network.clearBrowserCache')
  await page.goto(shop.page('/', deployed('2026-06')))
  await expect(acceptAll(page)).toBeVisible()
  expect(await state(page)).toBeUndefined()
  expect((await heard(page)).map(({ name }) => name).sort()).toEqual(['ask', 'change', 'lapse'])
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'reject-all' }, { action: 'accept-all' }])
})

test('a choice made minutes after a deployment is recorded, whatever the browser still has in its cache', async ({
  page,
  world,
}) => {
  const shop = await world.host()
  await page.goto(shop.page('/', [loader({ src: `${shop.loader}?old` }), ...ordinary.slice(1)]))
  await expect(acceptAll(page)).toBeVisible()
  await shop.restart({ policy: { version: '2026-05' } })
  await page.goto(shop.page('/', [loader({ src: `${shop.loader}?new` }), ...ordinary.slice(1)]))
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }])
})

/** What a held script of the category would leave besides what the tracker does. */
const database = held('analytics', "indexedDB.open('fr_store');")

async function expectNothingTracked(page: Page, witness: Witness, since: number): Promise<void> {
  expect(await marks(page)).toEqual([])
  expect(await traces(page)).toEqual([])
  expect(witness.requests.slice(since).filter(isTracking)).toEqual([])
}

for (const how of ['a refusal', 'a withdrawal, with the reload it may need']) {
  for (const plain of [false, true]) {
    test(`After ${how}, no analytics cookie, storage key or request exists: on the page, after reload, on a second route (${plain ? 'http' : 'https'})`, async ({
      page,
      context,
      world,
      witness,
    }) => {
      const shop = await world.host({ plain, apart: true })
      const isRefusal = how === 'a refusal'
      // Databases can't be declared, so only a refusal promises that there is none.
      const parts = isRefusal ? [...ordinary, database] : ordinary
      // The host's own, which nobody declared, and of another's name: neither is ours to touch.
      const own = { domain: 'dash.example', path: '/' }
      await context.addCookies([
        { name: 'basket', value: '3', ...own },
        { name: 'fr_visitor', value: '3', ...own },
      ])
      await page.goto(shop.page('/', parts))
      await page.evaluate(() => Object.assign(localStorage, { basket: '3', fr_queue_own: '3' }))

      if (isRefusal) await rejectAll(page).click()
      else {
        await acceptAll(page).click()
        await expect.poll(() => traces(page)).toHaveLength(5)
        await expect.poll(() => shop.records()).toHaveLength(1)
        const reloaded = page.waitForEvent('load')
        await page.locator('[data-avow-withdraw]').click()
        await reloaded
      }
      await expect.poll(() => state(page)).toEqual(none)
      const since = witness.requests.length
      await expect.poll(() => traces(page)).toEqual([])
      await expectNothingTracked(page, witness, since)

      await page.reload()
      await expect.poll(() => state(page)).toEqual(none)
      await expectNothingTracked(page, witness, since)

      await page.goto(shop.page('/account/orders/7', parts))
      await expect.poll(() => state(page)).toEqual(none)
      await expectNothingTracked(page, witness, since)

      expect((await context.cookies()).map(({ name }) => name)).toEqual(
        expect.arrayContaining(['basket', 'fr_visitor']),
      )
      expect(await page.evaluate(() => [localStorage.basket, localStorage.fr_queue_own])).toEqual(['3', '3'])
    })
  }
}

test('Before a decision: no request but our own, no storage write but what is strictly needed', async ({
  page,
  world,
  witness,
}) => {
  const shop = await world.host({ apart: true })
  const parts = [...ordinary, database, frame('maps'), held('maps', mark('maps'))]
  const isOwn = (url: string) =>
    [shop.url('/'), shop.url('/pixel.svg'), shop.loader].includes(url) || isUi(url) || isNotice(url)
  for (let visit = 0; visit < 2; visit++) {
    await page.goto(shop.page('/', parts))
    await expect(acceptAll(page)).toBeVisible()
    await expect(button(page, 'Allow and show')).toBeVisible()
    await page.locator('#host').click()
  }
  // The second visit has come as far as the first could have.
  expect(witness.requests.filter((url) => !isOwn(url))).toEqual([])
  expect([...witness.written]).toEqual([])
  expect(await page.context().cookies()).toEqual([])
  expect(
    await page.evaluate(async () => [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length]),
  ).toEqual([0, 0, 0])
})

async function speaking(browser: Browser, witness: Witness, locale: string): Promise<Page> {
  const context = await browser.newContext({ locale })
  await witness.join(context)
  return context.newPage()
}

for (const [lang, locale, spoken] of [
  ['de', 'en-GB', 'de'],
  ['de-AT', 'en-GB', 'de'],
  ['en', 'de-DE', 'en'],
  ['fr', 'de-CH', 'de'],
  ['', 'de-DE', 'de'],
  ['fr', 'fr-FR', 'en'],
] as const) {
  test(`The banner speaks the page's language, then the browser's, then the policy's default: "${lang}" and ${locale} make ${spoken}`, async ({
    browser,
    world,
    witness,
  }) => {
    const shop = await world.host()
    const page = await speaking(browser, witness, locale)
    await page.goto(shop.page('/', [...ordinary, html('<avow-settings></avow-settings>')], { lang }))
    const words = spoken === 'de' ? 'Wir zählen Besuche, wenn Sie es erlauben.' : 'We count visits if you let us.'
    await expect(page.getByText(words)).toBeVisible()
    await expect(page.locator('avow-notice')).toHaveAttribute('lang', spoken)
    await expect(page.locator('avow-settings')).toHaveAttribute('lang', spoken)
    await page.context().close()
  })
}

test('A synthetic click grants nothing', async ({ page, world, witness }) => {
  const shop = await world.host()
  await page.goto(shop.page('/', [...ordinary, frame('maps')]))
  await expect(button(page, 'Allow and show')).toBeVisible()
  await expect(acceptAll(page)).toBeVisible()
  const click = (host: string, name: string) =>
    page.evaluate(
      ([host, name]) => {
        const all = document.querySelector(host!)!.shadowRoot!.querySelectorAll('button')
        const found = Array.from(all).filter(({ textContent }) => textContent === name)
        // The preferences stand after the banner.
        found.at(-1)!.click()
      },
      [host, name],
    )

  await click('avow-notice', 'Accept all')
  await witness.expect(/a grant needs the event of a click by a person/)
  await click('avow-held', 'Allow and show')
  await witness.expect(/a grant needs/)
  await click('avow-notice', 'Manage')
  await expect(page.getByRole('dialog')).toBeVisible()
  await page.evaluate(() => document.querySelector('avow-notice')!.shadowRoot!.querySelector('input')!.click())
  await click('avow-notice', 'Save choices')
  await witness.expect(/a grant needs/)
  await click('avow-notice', 'Accept all')
  await witness.expect(/a grant needs/)
  await click('avow-notice', 'Close')

  await avow(page, 'acceptAll')
  await witness.expect(/a grant needs/)
  await avow(page, 'acceptAll', { isTrusted: true })
  await witness.expect(/a grant needs/)
  await page.evaluate(() => {
    const call = (globalThis as unknown as { avow: (...args: unknown[]) => void }).avow
    call('acceptAll', new PointerEvent('click'))
    call('save', { analytics: true }, new KeyboardEvent('keydown', { key: 'Enter' }))
  })
  await witness.expect(/a grant needs/, 2)
  await expectUndecided(page, shop)
})

test('what the browser trusts and nobody clicked grants nothing; a key on a button is a click', async ({
  page,
  world,
  witness,
}) => {
  const shop = await world.host()
  const own = html('<button type="button" id="own">Agree</button><input type="checkbox" id="box">')
  await page.goto(shop.page('/', [...ordinary, own]))
  await expect(acceptAll(page)).toBeVisible()

  // Both are the browser's own, at a time of the script's choosing.
  const trusted = await page.evaluate(async () => {
    const call = (globalThis as unknown as { avow: (...args: unknown[]) => void }).avow
    const box = document.querySelector<HTMLInputElement>('#box')!
    const image = new Image()
    const events: Event[] = []
    const loaded = new Promise<void>((resolve) => {
      image.onload = (event) => {
        events.push(event)
        call('acceptAll', event)
        resolve()
      }
    })
    box.onchange = (event) => {
      events.push(event)
      call('save', { analytics: true }, event)
    }
    box.click()
    image.src = '/pixel.svg'
    await loaded
    return events.map(({ type, isTrusted }) => [type, isTrusted])
  })
  expect(trusted).toEqual([
    ['change', true],
    ['load', true],
  ])
  await witness.expect(/a grant needs the event of a click by a person/, 2)
  await expectUndecided(page, shop)

  // A person's own, and still none: a key that goes down in a field is no button pressed.
  await page.evaluate(() => {
    const call = (globalThis as unknown as { avow: (...args: unknown[]) => void }).avow
    document.querySelector<HTMLElement>('#box')!.onkeydown = (event) => call('acceptAll', event)
    document.querySelector<HTMLElement>('#own')!.onclick = (event) => call('acceptAll', event)
  })
  await page.locator('#box').press('a')
  await witness.expect(/a grant needs/)
  await expectUndecided(page, shop)

  await page.locator('#own').press('Enter')
  await expect.poll(() => state(page)).toEqual(all)
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all', layer: 'api' }])
})

test('only what the loader offers can be called: the names of its own parts grant nothing, and record nothing', async ({
  page,
  world,
  witness,
}) => {
  const shop = await world.host()
  await page.goto(shop.page('/', ordinary))
  await expect(acceptAll(page)).toBeVisible()
  const calls = [
    ['link', all, {}, false],
    ['ask', 'link', all, {}, false],
    ['ask', 'acceptAll', { isTrusted: true }],
    ['onDecide', 'banner', 'accept-all', { isTrusted: true }],
    ['settle'],
    ['place'],
    ['constructor', all],
    ['__proto__', all],
  ]
  for (const call of calls) await avow(page, ...call)
  // What is asked is answered in order, so all of that has been by now.
  await avow(page, 'open')
  await expect(page.getByRole('dialog')).toBeVisible()
  await button(page, 'Close').click()
  await expectUndecided(page, shop)
  await page.reload()
  await expectUndecided(page, shop)
  // It may say that there is no such thing.
  expect(witness.complaints.filter((one) => !/^console: avow: /.test(one))).toEqual([])
  witness.complaints.length = 0
})

test('a name that is not there withdraws nothing', async ({ page, world, witness }) => {
  const shop = await world.host()
  await page.goto(shop.page('/', ordinary))
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  for (const name of ['whengranted', 'revoke', 'w', 'rejectall']) await avow(page, name, 'analytics')
  await avow(page, 'open')
  await expect(page.getByRole('dialog')).toBeVisible()
  expect(await state(page)).toEqual(all)
  await page.reload()
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  expect(await shop.records()).toHaveLength(1)
  expect(witness.complaints.filter((one) => !/^console: avow: /.test(one))).toEqual([])
  witness.complaints.length = 0
})

for (const [where, place] of [
  [
    'where the host lets no click through',
    (buttons: string) => `
    const menu = document.createElement('div');
    menu.append(...${buttons});
    for (const name of ['click', 'mousedown', 'pointerdown']) menu.addEventListener(name, (event) => event.stopImmediatePropagation());
    document.body.append(menu);`,
  ],
  [
    'in a shadow root of the host’s',
    (buttons: string) => `
    const menu = document.createElement('div');
    menu.attachShadow({ mode: 'open' }).append(...${buttons});
    document.body.append(menu);`,
  ],
] as const) {
  test(`the host’s own buttons work ${where}`, async ({ page, world }) => {
    const shop = await world.host()
    const made = `['Open', 'Withdraw'].map((name) => {
      const made = document.createElement('button');
      made.dataset['avow' + name] = '';
      // What is clicked is inside it, as an icon is.
      made.append(Object.assign(document.createElement('b'), { textContent: name }));
      return made;
    })`
    await page.goto(shop.page('/', [loader(), script(`{ ${place(made)} }`)]))
    await acceptAll(page).click()
    await expect.poll(() => shop.records()).toHaveLength(1)
    await button(page, 'Open').click()
    await expect(page.getByRole('dialog')).toBeVisible()
    await button(page, 'Close').click()
    await button(page, 'Withdraw').click()
    await expect.poll(() => state(page)).toEqual(none)
    await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }, { action: 'withdraw' }])
  })
}

test('a refusal or withdrawal by script (an agent acting for the person) is obeyed', async ({ page, world }) => {
  const shop = await world.host()
  await page.goto(shop.page('/', ordinary))
  await expect(acceptAll(page)).toBeVisible()
  await page.evaluate(() => {
    const all = document.querySelector('avow-notice')!.shadowRoot!.querySelectorAll('button')
    Array.from(all)
      .find(({ textContent }) => textContent === 'Reject all')!
      .click()
  })
  await expect.poll(() => state(page)).toEqual(none)
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'reject-all', layer: 'banner' }])

  await page.locator('[data-avow-open]').click()
  await acceptAll(page).click()
  await expect.poll(() => state(page)).toEqual(all)
  await expect.poll(() => shop.records()).toHaveLength(2)
  const reloaded = page.waitForEvent('load')
  await page.evaluate(() => document.querySelector<HTMLElement>('[data-avow-withdraw]')!.click())
  await reloaded
  await expect.poll(() => state(page)).toEqual(none)
  await expect.poll(() => shop.records()).toMatchObject([{}, {}, { action: 'withdraw', layer: 'settings' }])
})

test('an undecided visitor refuses by a call', async ({ page, world }) => {
  const shop = await world.host()
  await page.goto(shop.page('/', [loader({ async: undefined }), body, ...ordinary.slice(1)]))
  await expect(acceptAll(page)).toBeVisible()
  await avow(page, 'rejectAll')
  await expect(acceptAll(page)).toHaveCount(0)
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'reject-all' }])
})
