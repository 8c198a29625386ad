/** All the ways a page may have the tag in it. */
import { readFileSync } from 'node:fs'
import type { Page } from '@playwright/test'
import { body, type Part } from './pages/page.js'
import { buttons, held, heldFile, html, loader, mark, ordinary, script, stub, tracker } from './pages/parts.js'
import { router } from './pages/router.js'
import { bundle } from './support/bundle.js'
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
  const parts = [loader({ async: undefined, type: 'module' }), ...ordinary.slice(1)]

  test(`the tag works as a module, ${JSON.stringify(where)}`, async ({ page, world }) => {
    const shop = await world.host(where)
    await page.goto(shop.page('/', parts, { lax: true }))
    await expectWorks(page, shop)
  })

  test(`as a module it can't know the page's nonce, so it lets no held script go, ${JSON.stringify(where)}`, async ({
    page,
    world,
    witness,
  }) => {
    const shop = await world.host(where)
    await page.goto(shop.page('/', parts))
    await acceptAll(page).click()
    await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }])
    await witness.expect(/avow: no nonce/)
    expect(await marks(page)).toEqual([])
  })
}

/** Stands where our own files are looked for, as far as a page's visitor may put markup into it. */
const stranger = 'https://stranger.example'
const posing = (how: string) => html(`<img ${how} src="${stranger}/v1/sites/shop/picture" alt="">`)

for (const [what, before] of [
  ['an image named like the current script', posing('name="currentScript"')],
  ['an image with an address like the tag’s', posing('')],
] as const) {
  for (const how of [{}, { async: undefined, type: 'module' }] as const) {
    test(`${what} before the tag lends it no address: nothing is fetched from there, ${'type' in how ? 'by a module' : 'by a script'}`, async ({
      page,
      world,
      witness,
    }) => {
      const shop = await world.host()
      await page.route(`${stranger}/**`, (route) => route.fulfill({ contentType: 'image/svg+xml', body: '<svg/>' }))
      const look = { csp: { 'img-src': "'self' https:" } }
      await page.goto(shop.page('/', [before, loader(how), ...ordinary.slice(1)], look))
      await expect(acceptAll(page)).toBeVisible()
      await page.locator('[data-avow-open]').click()
      await expect(page.getByRole('dialog')).toBeVisible()
      const asked = witness.requests.filter((url) => url.startsWith(stranger))
      expect(asked).toEqual([`${stranger}/v1/sites/shop/picture`])
    })
  }
}

test('a form that is called like the page’s function doesn’t keep the tag from working', async ({ page, world }) => {
  const shop = await world.host()
  const form = html('<form id="avow"><input name="on"><input name="q"></form>')
  await page.goto(shop.page('/', [form, ...ordinary]))
  await expectWorks(page, shop)
})

test.describe('on a page with nonces, one that nobody told of them lets no held script run, and says so once each', () => {
  const scripts = [
    heldFile('analytics', 'file'),
    held('analytics', mark('inline')),
    held('analytics', mark('put'), { nonce: undefined }),
    heldFile('analytics', 'putfile', { nonce: undefined }),
  ]
  const more = [...scripts, html('<template data-avow="analytics"><p id="shown">Shown</p></template>'), buttons]
  const look = { csp: { 'require-trusted-types-for': null } }
  const bundled =
    (config: unknown, isTold: boolean): Part =>
    (at) =>
      script('', { src: '/bundle.js' })(at) +
      script(
        `window.consent = createConsent(${JSON.stringify(config)}, '${at.base}'${isTold ? `, '${at.nonce}'` : ''});`,
      )(at)

  async function expectRun(page: Page, names: readonly string[]): Promise<void> {
    await acceptAll(page).click()
    // Let go after all the scripts.
    await expect(page.locator('#shown')).toHaveCount(1)
    await expect.poll(() => marks(page)).toEqual(names)
    // Each look at the page is another chance to say it again.
    await page.evaluate(() => document.body.append('more'))
  }

  test('a tag that a script of the page’s put there without a nonce', async ({ page, world, witness }) => {
    const shop = await world.host()
    const put: Part = (at) =>
      script(`document.head.append(Object.assign(document.createElement('script'), { src: '${at.loader}' }));`)(at)
    await page.goto(shop.page('/', [put, ...more], look))
    await expectRun(page, [])
    await witness.expect(/avow: no nonce/, 4)
  })

  for (const isTold of [false, true]) {
    test(`bundled, and ${isTold ? 'told of the nonce: what has it runs' : 'not told'}`, async ({
      page,
      world,
      witness,
    }) => {
      const shop = await world.host()
      const config = await (await shop.request('/v1/sites/shop/config')).json()
      await page.route('**/bundle.js', async (route) =>
        route.fulfill({ contentType: 'text/javascript', body: await bundle() }),
      )
      await page.goto(shop.page('/', [bundled(config, isTold), ...more]))
      await expectRun(page, isTold ? ['file', 'inline'] : [])
      await witness.expect(/avow: no nonce/, isTold ? 2 : 4)
    })
  }

  test('bundled, where there are none: what is held runs', async ({ page, world }) => {
    const shop = await world.host()
    const config = await (await shop.request('/v1/sites/shop/config')).json()
    await page.route('**/bundle.js', async (route) =>
      route.fulfill({ contentType: 'text/javascript', body: await bundle() }),
    )
    await page.goto(shop.page('/', [bundled(config, false), ...more], { lax: true }))
    await expectRun(page, ['file', 'inline', 'put', 'putfile'])
  })
})

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
  expect(await marks(page)).toEqual(['tracker', 'inline'])
  await expect.poll(() => shop.records()).toHaveLength(1)

  const reloaded = page.waitForEvent('load')
  await page.locator('[data-avow-withdraw]').click()
  await reloaded
  await expect.poll(() => state(page)).toEqual(none)
  expect(await marks(page)).toEqual([])
})

test.describe('Turbo', () => {
  const turbo = readFileSync(
    new URL('../node_modules/@hotwired/turbo/dist/turbo.es2017-umd.js', import.meta.url),
    'utf8',
  )
  /** Each page says when it has been put there, and what was held. */
  const named = (name: string): readonly Part[] => [
    loader(),
    script('', { src: '/turbo.js' }),
    body,
    held('analytics', mark('inline')),
    heldFile('analytics', 'file'),
    buttons,
    html(`<h1>${name}</h1>`),
    script(mark('page')),
  ]
  const ranHeld = async (page: Page) => (await marks(page)).filter((name) => name !== 'page')
  const pagesShown = async (page: Page) => (await marks(page)).filter((name) => name === 'page').length
  const visit = (page: Page, path: string) =>
    page.evaluate((path) => (globalThis as unknown as { Turbo: { visit(path: string): void } }).Turbo.visit(path), path)

  for (const site of ['shop', 'never'] as const) {
    test(`what was held runs once across visits, previews and the way back${site === 'never' ? ', and never after a withdrawal' : ''}`, async ({
      page,
      world,
    }) => {
      const shop = await world.host({ site })
      await page.route('**/turbo.js', (route) => route.fulfill({ contentType: 'text/javascript', body: turbo }))
      shop.page('/next', named('Next'), { lax: true })
      await page.goto(shop.page('/', named('First'), { lax: true }))
      await acceptAll(page).click()
      await expect.poll(() => ranHeld(page)).toEqual(['inline', 'file'])
      await expect.poll(() => shop.records()).toHaveLength(1)

      await visit(page, '/next')
      await expect(page.getByRole('heading', { name: 'Next' })).toBeVisible()
      await expect.poll(() => pagesShown(page)).toBe(2)
      expect(await ranHeld(page)).toEqual(['inline', 'file'])
      if (site === 'never') {
        await page.getByRole('button', { name: 'Withdraw' }).click()
        await expect.poll(() => state(page)).toEqual(none)
      }

      // What is in Turbo's cache is shown while the page itself is fetched.
      let answer = () => {}
      const answered = new Promise<void>((resolve) => {
        answer = resolve
      })
      await page.route(shop.url('/'), async (route) => {
        await answered
        await route.continue()
      })
      await visit(page, '/')
      await expect(page.locator('html[data-turbo-preview]')).toHaveCount(1)
      await expect(page.getByRole('heading', { name: 'First' })).toBeVisible()
      expect(await ranHeld(page)).toEqual(['inline', 'file'])
      answer()
      await expect(page.locator('html[data-turbo-preview]')).toHaveCount(0)
      expect(await ranHeld(page)).toEqual(['inline', 'file'])

      const before = await pagesShown(page)
      await page.evaluate(() => history.back())
      await expect(page.getByRole('heading', { name: 'Next' })).toBeVisible()
      await expect.poll(() => pagesShown(page)).toBeGreaterThan(before)
      expect(await ranHeld(page)).toEqual(['inline', 'file'])
      // A file that was asked for once more would have come by now.
      await visit(page, '/next')
      await expect.poll(() => pagesShown(page)).toBeGreaterThan(before + 1)
      expect(await ranHeld(page)).toEqual(['inline', 'file'])
    })
  }
})

test.describe('view transitions', () => {
  const style = html('<style>@view-transition { navigation: auto }</style>')
  const told = script("addEventListener('pagereveal', (event) => { window.moved = !!event.viewTransition })")
  const parts = (name: string) => [style, told, loader(), router, body, html(`<h1>${name}</h1>`), tracker(), buttons]

  test('that swap the body keep the banner, and run what was held once', async ({ page, world }) => {
    const shop = await world.host()
    shop.page('/next', [...parts('Next'), html('<a href="/">Back</a>')], { lax: true })
    await page.goto(shop.page('/', parts('First'), { lax: true }))
    await expect(acceptAll(page)).toBeVisible()
    const move = (path: string) =>
      page.evaluate(async (path) => {
        const { swap } = globalThis as unknown as { swap(path: string): Promise<void> }
        await document.startViewTransition(() => swap(path)).finished
      }, path)
    await move('/next')
    await expect(acceptAll(page)).toBeVisible()
    await acceptAll(page).click()
    await expect.poll(() => marks(page)).toEqual(['tracker'])
    await move('/')
    await move('/next')
    await expect(page.getByRole('heading', { name: 'Next' })).toBeVisible()
    expect(await marks(page)).toEqual(['tracker'])
    await expect.poll(() => shop.records()).toHaveLength(1)
  })

  test('to another page start it as any page does', async ({ page, world }) => {
    const shop = await world.host()
    shop.page('/next', parts('Next'), { lax: true })
    await page.goto(shop.page('/', [...parts('First'), html('<a href="/next">On</a>')], { lax: true }))
    await acceptAll(page).click()
    await expect.poll(() => marks(page)).toEqual(['tracker'])
    await expect.poll(() => shop.records()).toHaveLength(1)
    await page.getByRole('link', { name: 'On' }).click()
    await expect(page.getByRole('heading', { name: 'Next' })).toBeVisible()
    expect(await page.evaluate(() => (globalThis as unknown as { moved: boolean }).moved)).toBe(true)
    await expect.poll(() => marks(page)).toEqual(['tracker'])
    await page.locator('[data-avow-withdraw]').click()
    await expect.poll(() => marks(page).catch(() => null)).toEqual([])
    expect(await state(page)).toEqual(none)
  })
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
    await expect(page.locator('avow-settings').getByRole('switch', { checked: false })).toHaveCount(2)
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
    await expect(page.locator('avow-settings').getByRole('switch', { checked: true })).toHaveCount(2)
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

test('an early call that is none drops none of those after it', async ({ page, world, witness }) => {
  const shop = await world.host()
  const early = stub(`
    avow.q = [null, undefined, 7, [], [null], { length: 1 }, ['no such thing']];
    avow('whenGranted', 'analytics', () => { ${mark('first')} });
    avow('whenGranted');
    avow('whenGranted', 'analytics', () => { ${mark('second')} });
  `)
  await page.goto(shop.page('/', [early, ...ordinary]))
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['first', 'second', 'tracker'])
  // Each may be named, and nothing more.
  expect(witness.complaints.filter((one) => !/^console: avow: /.test(one))).toEqual([])
  witness.complaints.length = 0
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
