/** All the ways a page may have the tag in it. */
import { readFileSync } from 'node:fs'
import type { Page } from '@playwright/test'
import { body, type Part } from './pages/page.js'
import { buttons, held, html, loader, mark, ordinary, script, stub, tracker } from './pages/parts.js'
import { router } from './pages/router.js'
import type { Host } from './support/world.js'
import { acceptAll, decisionCookie, expect, marks, rejectAll, state, test } from './support/world-test.js'

const all = { analytics: true, maps: true }
const none = { analytics: false, maps: false }
const { pinned, integrity } = JSON.parse(
  readFileSync(new URL('../packages/sdk/dist/manifest.json', import.meta.url), 'utf8'),
) as { pinned: string; integrity: string }

const tags: Readonly<Record<string, readonly Part[]>> = {
  'in the head, in the parser’s way': [loader({ async: undefined }), body, tracker(), buttons],
  'in the head, async': [loader(), body, tracker(), buttons],
  'in the head, deferred': [loader({ async: undefined, defer: true }), body, tracker(), buttons],
  'in the body, in the parser’s way': [tracker(), loader({ async: undefined }), buttons],
  'in the body, async': [tracker(), loader(), buttons],
  'in the body, deferred': [tracker(), loader({ async: undefined, defer: true }), buttons],
}

async function expectWorks(page: Page, host: Host): Promise<void> {
  await expect(acceptAll(page)).toBeVisible()
  expect(await marks(page)).toEqual([])
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  await expect.poll(() => host.records()).toMatchObject([{ action: 'accept-all' }])
  await page.reload()
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  const reloaded = page.waitForEvent('load')
  await page.locator('[data-avow-withdraw]').click()
  await reloaded
  await expect.poll(() => state(page)).toEqual(none)
  expect(await marks(page)).toEqual([])
  await expect.poll(() => host.records()).toMatchObject([{ action: 'accept-all' }, { action: 'withdraw' }])
}

for (const plain of [false, true]) {
  for (const [where, parts] of Object.entries(tags)) {
    test(`the tag works ${where} (${plain ? 'http' : 'https'})`, async ({ page, world }) => {
      const shop = await world.host({ plain, apart: true })
      await page.goto(shop.page('/', parts))
      await expectWorks(page, shop)
    })
  }
}

test('the tag works put there by another script, as tag managers do', async ({ page, world }) => {
  const shop = await world.host()
  const put = ({ loader }: { loader: string }) => `
    const tag = document.createElement('script');
    tag.src = '${loader}';
    tag.nonce = document.currentScript.nonce;
    document.head.append(tag);`
  // A policy with Trusted Types lets nobody set an address of a script, so that is the host's to allow.
  await page.goto(shop.page('/', [(at) => script(put(at))(at), tracker(), buttons], { lax: true }))
  await expectWorks(page, shop)
})

for (const where of [{}, { apart: true }] as const) {
  test(`the tag works as a module, ${JSON.stringify(where)}`, async ({ page, world }) => {
    const shop = await world.host(where)
    await page.goto(shop.page('/', [loader({ async: undefined, type: 'module' }), ...ordinary.slice(1)]))
    await expectWorks(page, shop)
  })
}

test('twice the tag: asked once, run once, recorded once', async ({ page, world }) => {
  const shop = await world.host()
  await page.goto(shop.page('/', [loader(), loader(), ...ordinary.slice(1), loader({ src: `${shop.loader}?again` })]))
  await expect(acceptAll(page)).toHaveCount(1)
  await page.waitForLoadState('networkidle')
  await expect(page.locator('avow-notice')).toHaveCount(1)
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  await expect.poll(() => shop.records()).toHaveLength(1)
  expect(world.faults.at('consents')).toHaveLength(1)
})

const swap = (page: Page, path: string) =>
  page.evaluate((path) => (globalThis as unknown as { swap(path: string): Promise<void> }).swap(path), path)

test('a router that swaps the body leaves the banner, and what ran does not run twice', async ({ page, world }) => {
  const shop = await world.host()
  const inline = held('analytics', mark('inline'))
  const parts = [loader(), router, body, tracker(), inline, buttons]
  // The nonces of another page are not this one's; how a router carries them over is its business.
  shop.page('/second', [loader(), router, body, html('<h1>Second</h1>'), ...parts.slice(3)], { lax: true })
  await page.goto(shop.page('/', [...parts], { lax: true }))
  await expect(acceptAll(page)).toBeVisible()
  await swap(page, '/second')
  await expect(page.getByRole('heading', { name: 'Second' })).toBeVisible()
  await expect(acceptAll(page)).toBeVisible()
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['tracker', 'inline'])
  await swap(page, '/second')
  await swap(page, '/second')
  await expect.poll(() => page.locator('script[data-avow]').count()).toBe(0)
  expect(await marks(page)).toEqual(['tracker', 'inline'])
  await expect.poll(() => shop.records()).toHaveLength(1)

  const reloaded = page.waitForEvent('load')
  await page.locator('[data-avow-withdraw]').click()
  await reloaded
  await expect.poll(() => state(page)).toEqual(none)
  expect(await marks(page)).toEqual([])
})

test('a client router that makes its pages itself has what it adds let go, once', async ({ page, world }) => {
  const shop = await world.host()
  const route = script(`
    window.route = (name) => {
      const main = document.querySelector('main');
      const tag = document.createElement('script');
      tag.type = 'text/plain';
      tag.dataset.avow = 'analytics';
      tag.textContent = "ran.push('route')";
      const back = document.createElement('button');
      back.dataset.avowOpen = '';
      back.textContent = name;
      main.replaceChildren(back, tag);
    };`)
  await page.goto(shop.page('/', [loader(), html('<main></main>'), route], { lax: true }))
  const go = (name: string) =>
    page.evaluate((name) => (globalThis as unknown as { route(name: string): void }).route(name), name)
  await go('First')
  await expect(acceptAll(page)).toBeVisible()
  expect(await marks(page)).toEqual([])
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['route'])
  await go('Second')
  await page.getByRole('button', { name: 'Second' }).click()
  await expect(page.getByRole('dialog')).toBeVisible()
  expect(await marks(page)).toEqual(['route'])
})

const pinnedTag =
  (how: Record<string, string | undefined> = {}): Part =>
  (at) =>
    loader({ src: `${at.base}/${pinned}`, integrity, crossorigin: 'anonymous', 'data-site': at.site, ...how })(at)

for (const plain of [false, true]) {
  test(`the pinned build with its hash and \`data-site\` (${plain ? 'http' : 'https'})`, async ({
    page,
    world,
    witness,
  }) => {
    const shop = await world.host({ plain, apart: true })
    await page.goto(shop.page('/', [pinnedTag(), tracker(), buttons, html('<avow-settings></avow-settings>')]))
    await expectWorks(page, shop)
    await expect(page.locator('avow-settings').getByText('Not allowed')).toHaveCount(2)
    // All of it is inside.
    expect(witness.requests.filter((url) => /avow-(ui|settings|account)/.test(url))).toEqual([])
  })
}

test('a pinned build that is not what was pinned does not run', async ({ page, world, witness }) => {
  const shop = await world.host({ apart: true })
  const other = `sha384-${'A'.repeat(64)}`
  await page.goto(shop.page('/', [pinnedTag({ integrity: other }), tracker()]))
  await witness.expect(/integrity/)
  expect(await state(page)).toBeUndefined()
  expect(await marks(page)).toEqual([])
})

for (const way of ['in the attribute', 'in a script of the page']) {
  test(`the pinned build with \`data-config\` ${way}, and no server at all`, async ({
    page,
    context,
    world,
    witness,
  }) => {
    const shop = await world.host()
    const config = await (await shop.request('/v1/sites/shop/config')).json()
    const notice = await (await shop.request('/v1/sites/shop/notice?lang=en')).json()
    const { ui: _, settings: __, account: ___, ...rest } = config
    const own = JSON.stringify({ ...rest, languages: ['en'], notices: [notice] })
    const parts =
      way === 'in the attribute'
        ? [pinnedTag({ 'data-site': undefined, 'data-config': own })]
        : [
            script(own, { type: 'application/json', id: 'avow-config' }),
            pinnedTag({ 'data-site': undefined, 'data-config': '#avow-config' }),
          ]
    await page.goto(shop.page('/', [...parts, tracker(), buttons, html('<avow-settings></avow-settings>')]))
    await acceptAll(page).click()
    await expect.poll(() => marks(page)).toEqual(['tracker'])
    await expect.poll(() => state(page)).toEqual(all)
    await page.reload()
    await expect.poll(() => marks(page)).toEqual(['tracker'])
    await expect(page.locator('avow-settings').getByText('Allowed', { exact: true })).toHaveCount(2)
    const reloaded = page.waitForEvent('load')
    await page.locator('[data-avow-withdraw]').click()
    await reloaded
    await expect.poll(() => state(page)).toEqual(none)
    // Nothing waits to be sent to nobody, and nobody was asked but for the file.
    expect(await page.evaluate(() => Object.keys(localStorage).filter((key) => /:0/.test(key)))).toEqual([])
    expect(witness.requests.filter((url) => url.includes('/v1/'))).toEqual([])
    expect((await decisionCookie(context))?.value).toContain('analytics0~maps0')
  })
}

test('calls that were made before the tag was there are kept, in order', async ({ page, world }) => {
  const shop = await world.host()
  const early = stub(`
    avow('whenGranted', 'analytics', () => { ${mark('first')} });
    avow('on', 'ask', () => { ${mark('asked')} });
    avow('whenGranted', 'analytics', () => { ${mark('second')} });
  `)
  await page.goto(shop.page('/', [early, body, loader({ async: undefined, defer: true }), buttons]))
  await expect(acceptAll(page)).toBeVisible()
  expect(await marks(page)).toEqual(['asked'])
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['asked', 'first', 'second'])
})

test('an early `open` and an early refusal are obeyed', async ({ page, world }) => {
  const shop = await world.host()
  await page.goto(shop.page('/', [stub("avow('open');"), loader()]))
  await expect(page.getByRole('dialog')).toBeVisible()
  await page.goto(shop.page('/refused', [stub("avow('rejectAll');"), loader()]))
  await expect.poll(() => state(page)).toEqual(none)
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'reject-all' }])
  await expect(rejectAll(page)).toHaveCount(0)
})

for (const [what, tag] of [
  ['the tag', loader()],
  ['the pinned build', pinnedTag()],
] as const) {
  test(`${what} adds \`avow\` to the page's globals, and nothing else`, async ({ page, world }) => {
    const shop = await world.host()
    const names = () => page.evaluate(() => Object.getOwnPropertyNames(globalThis))
    await page.goto(shop.page('/without', [html('<p></p>')]))
    const before = await names()
    await page.goto(shop.page('/', [tag, html('<avow-settings></avow-settings>')]))
    await rejectAll(page).click()
    await expect.poll(() => state(page)).toEqual(none)
    const after = await names()
    expect(after.filter((name) => !before.includes(name))).toEqual(['avow'])
  })
}
