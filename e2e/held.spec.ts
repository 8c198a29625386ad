/** Held markup and code: what waits for its category, in which order it runs, and how it is put back on withdrawal. */
import type { Page } from '@playwright/test'
import {
  buttons,
  frame,
  held,
  heldFile,
  html,
  image,
  listening,
  loader,
  mark,
  ordinary,
  script,
  startAndStop,
  stub,
  template,
  tracker,
} from './pages/parts.js'
import { router } from './pages/router.js'
import { acceptAll, avow, expect, heard, marks, rejectAll, state, test, traces } from './support/world-test.js'

const dayMs = 86_400_000

const withdraw = (page: Page) => page.getByRole('button', { name: 'Withdraw' }).click()
const swap = (page: Page, path: string) =>
  page.evaluate((path) => (window as unknown as { swap(path: string): Promise<void> }).swap(path), path)
const source = (page: Page, selector = '[data-avow-src]') => page.locator(selector).getAttribute('src')
const loaded = (page: Page, path: string) => page.frames().some((one) => new URL(one.url()).pathname === path)

test('a held script runs once, after the grant', async ({ page, world }) => {
  const shop = await world.host()
  await page.goto(shop.page('/', ordinary))
  await expect(acceptAll(page)).toBeVisible()
  expect(await marks(page)).toEqual([])
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }])
})

test('after a refusal nothing that was held has run', async ({ page, world }) => {
  const shop = await world.host({ apart: true })
  await page.goto(shop.page('/', ordinary))
  await rejectAll(page).click()
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'reject-all' }])
  expect(await marks(page)).toEqual([])
  expect(await traces(page)).toEqual([])
})

test('held scripts run in the order of the page, inline ones after the files before them; only async ones don’t wait', async ({
  page,
  world,
}) => {
  const shop = await world.host()
  let release = () => {}
  const slow = new Promise<void>((resolve) => {
    release = resolve
  })
  await page.route('**/mark.js?slow', async (route) => {
    await slow
    await route.continue()
  })
  const parts = [
    loader(),
    held('analytics', mark('first')),
    heldFile('analytics', 'slow'),
    heldFile('analytics', 'quick'),
    held('analytics', mark('inline')),
    heldFile('analytics', 'free', { async: true }),
    held('analytics', mark('last')),
  ]
  await page.goto(shop.page('/', parts))
  const asked = page.waitForRequest('**/mark.js?quick')
  await acceptAll(page).click()
  await asked
  release()
  await expect.poll(async () => (await marks(page)).includes('last')).toBe(true)
  expect((await marks(page)).filter((name) => name !== 'free')).toEqual(['first', 'slow', 'quick', 'inline', 'last'])
  await expect.poll(() => marks(page)).toContain('free')
})

test('a held file that fails to load holds up nothing behind it', async ({ page, world, witness }) => {
  const shop = await world.host()
  const parts = [loader(), held('analytics', '', { src: '/no-such.js' }), held('analytics', mark('behind'))]
  await page.goto(shop.page('/', parts))
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['behind'])
  await witness.expect(/404/)
})

test('a held module runs as a module', async ({ page, world }) => {
  const shop = await world.host()
  const text = `ran.push(document.currentScript === null ? 'module' : 'classic')`
  await page.goto(shop.page('/', [loader(), held('analytics', text, { 'data-avow-type': 'module' })]))
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['module'])
})

test('each category lets go its own, and one that the policy doesn’t know nothing', async ({ page, world }) => {
  const shop = await world.host()
  const parts = ['analytics', 'maps', 'analtyics', 'constructor'].map((name) => held(name, mark(name)))
  await page.goto(shop.page('/', [loader(), ...parts, buttons]))
  await page.locator('[data-avow-open]').click()
  await page.getByRole('dialog').getByRole('switch', { name: 'Maps' }).or(page.getByLabel('Maps')).first().click()
  await page.getByRole('button', { name: 'Save choices' }).click()
  await expect.poll(() => marks(page)).toEqual(['maps'])
  expect(await state(page)).toEqual({ analytics: false, maps: true })
  await page.locator('[data-avow-open]').click()
  await page.getByRole('dialog').getByRole('button', { name: 'Accept all' }).click()
  await expect.poll(() => marks(page)).toEqual(['maps', 'analytics'])
})

test.describe('once per page load', () => {
  const parts = [loader(), router, held('analytics', mark('inline')), tracker()]

  test('a script that a body swap brings again does not run again, and one that it brings anew does', async ({
    page,
    world,
  }) => {
    const shop = await world.host()
    await page.goto(shop.page('/', parts))
    await acceptAll(page).click()
    await expect.poll(() => marks(page)).toEqual(['inline', 'tracker'])
    shop.page('/next', [...parts, held('analytics', mark('new'))])
    await swap(page, '/next')
    await expect.poll(() => marks(page)).toEqual(['inline', 'tracker', 'new'])
    await swap(page, '/')
    await swap(page, '/next')
    expect(await marks(page)).toEqual(['inline', 'tracker', 'new'])
    await page.reload()
    await expect.poll(async () => [...(await marks(page))].sort()).toEqual(['inline', 'new', 'tracker'])
  })

  test('a grant, a withdrawal and a grant again run it once where the page is never reloaded', async ({
    page,
    world,
  }) => {
    const shop = await world.host({ site: 'never' })
    await page.goto(shop.page('/', [...parts, buttons]))
    await acceptAll(page).click()
    await expect.poll(() => marks(page)).toEqual(['inline', 'tracker'])
    await withdraw(page)
    await expect.poll(() => state(page)).toEqual({ analytics: false, maps: false })
    await page.locator('[data-avow-open]').click()
    await page.getByRole('dialog').getByRole('button', { name: 'Accept all' }).click()
    await expect.poll(() => shop.records()).toHaveLength(3)
    expect(await marks(page)).toEqual(['inline', 'tracker'])
  })

  test('the loader’s tag twice serves once', async ({ page, world }) => {
    const shop = await world.host()
    await page.goto(shop.page('/', [loader(), loader({ async: undefined }), ...parts]))
    await expect(acceptAll(page)).toHaveCount(1)
    await acceptAll(page).click()
    await expect.poll(() => marks(page)).toEqual(['inline', 'tracker'])
    await expect.poll(() => shop.records()).toHaveLength(1)
  })
})

test('Under a nonce policy a held script without the page’s nonce does not run; `data-avow-src="javascript:…"` and `data:` are refused with one console line.', async ({
  page,
  world,
  witness,
}) => {
  const shop = await world.host()
  const parts = [
    loader(),
    held('analytics', mark('none'), { nonce: undefined }),
    held('analytics', mark('wrong'), { nonce: 'wrong' }),
    held('analytics', '', { nonce: undefined, src: '/mark.js?file' }),
    template('analytics', held('analytics', mark('inside'), { type: undefined, nonce: undefined })),
    frame('analytics', { 'data-avow-src': "javascript:parent.ran.push('frame')" }),
    frame('analytics', { 'data-avow-src': 'data:text/html,<script>parent.ran.push(1)</script>' }),
    image('analytics', { 'data-avow-src': 'data:image/svg+xml,<svg/>' }),
    held('analytics', mark('good')),
  ]
  await page.goto(shop.page('/', parts))
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['good'])
  await witness.expect(/avow: no nonce/, 4)
  await witness.expect(/avow: only http\(s\)/, 3)
  for (const element of await page.locator('iframe, img').all()) expect(await element.getAttribute('src')).toBeNull()
  // Said once, not with each look at the page.
  await page.evaluate(() => document.body.append('more'))
  await withdraw(await reloaded(page, shop.page('/', [...parts, buttons])))
  await witness.expect(/avow: no nonce/, 4)
  await witness.expect(/avow: only http\(s\)/, 3)
})

test('Only frames and images follow `data-avow-src`: a script that was put into the page under a nonce policy without Trusted Types is given no address', async ({
  page,
  world,
  witness,
}) => {
  const shop = await world.host()
  const parts = [
    loader(),
    html('<script data-avow="analytics" data-avow-src="/mark.js?put"></script>'),
    html('<script type="text/plain" data-avow="analytics" data-avow-src="/mark.js?held"></script>'),
    heldFile('analytics', 'good'),
    held('analytics', mark('last')),
  ]
  await page.goto(shop.page('/', parts, { csp: { 'require-trusted-types-for': null } }))
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['good', 'last'])
  expect(witness.requests.filter((url) => /mark\.js\?(put|held)/.test(url))).toEqual([])
  // Of the one that is held like any other it is said why it doesn't run.
  await witness.expect(/avow: no nonce/)
})

test('an element of the host’s own that gives itself an address is left alone, and the page goes on', async ({
  page,
  world,
}) => {
  const shop = await world.host()
  const player = `customElements.define('my-player', class extends HTMLElement {
    get src() { return this.getAttribute('src') ?? '/default.mp4' }
  })`
  const parts = [
    script(player),
    html('<my-player data-avow="maps" data-avow-src="/frame"></my-player>'),
    loader(),
    held('maps', mark('behind')),
  ]
  await page.goto(shop.page('/', parts), { timeout: 10_000 })
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['behind'])
  expect(await source(page, 'my-player')).toBeNull()
})

test('handlers of a held script’s own are called when it has loaded, and when it can’t be', async ({
  page,
  world,
  witness,
}) => {
  const shop = await world.host()
  const parts = [
    loader(),
    heldFile('analytics', 'file', { id: 'good' }),
    held('analytics', '', { id: 'bad', src: '/no-such.js' }),
    script(`
      document.getElementById('good').onload = () => ran.push('loaded');
      document.getElementById('bad').onerror = () => ran.push('failed');`),
    held('analytics', mark('behind')),
  ]
  await page.goto(shop.page('/', parts))
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toContain('behind')
  await expect.poll(async () => [...(await marks(page))].sort()).toEqual(['behind', 'failed', 'file', 'loaded'])
  await witness.expect(/404/)
})

test.describe('what this browser never runs holds up nothing behind it', () => {
  for (const [what, how] of [
    ['`nomodule`', { nomodule: true }],
    ['a type that is no script’s', { 'data-avow-type': 'text/x-template' }],
    ['a script’s type that no browser knows', { 'data-avow-type': 'text/typescript' }],
  ] as const) {
    test(what, async ({ page, world }) => {
      const shop = await world.host()
      const parts = [loader(), heldFile('analytics', 'never', how), held('analytics', mark('behind'))]
      await page.goto(shop.page('/', parts))
      await acceptAll(page).click()
      await expect.poll(() => marks(page)).toEqual(['behind'])
    })
  }
})

/** The page, loaded anew with what is granted let go. */
async function reloaded(page: Page, url: string): Promise<Page> {
  await page.goto(url)
  await expect.poll(() => marks(page)).toEqual(['good'])
  return page
}

test.describe('templates', () => {
  const parts = [
    loader(),
    template('maps', html('<p id="inside">A map</p>'), script(mark('in template')), html('<b>and more</b>')),
    template('analytics', html('<p id="other">Counted</p>')),
    buttons,
    html('<p id="after">After</p>'),
  ]

  test('their markup comes into the page where they stand, scripts in them run, and no other category’s', async ({
    page,
    world,
  }) => {
    const shop = await world.host()
    await page.goto(shop.page('/', parts))
    await expect(page.locator('#inside')).toHaveCount(0)
    await page.locator('[data-avow-open]').click()
    await page.getByLabel('Maps').first().click()
    await page.getByRole('button', { name: 'Save choices' }).click()
    await expect(page.locator('template + #inside')).toBeVisible()
    await expect.poll(() => marks(page)).toEqual(['in template'])
    await expect(page.locator('#other')).toHaveCount(0)
  })

  test('on withdrawal it is put back, and comes again with the next grant', async ({ page, world }) => {
    const shop = await world.host()
    const quiet = parts.map((part, index) => (index === 1 ? template('maps', html('<p id="inside">A map</p>')) : part))
    await page.goto(shop.page('/', quiet))
    for (let round = 0; round < 2; round++) {
      if (round) await page.locator('[data-avow-open]').click()
      await (round ? page.getByRole('dialog') : page).getByRole('button', { name: 'Accept all', exact: true }).click()
      await expect(page.locator('#inside')).toHaveCount(1)
      await expect(page.locator('#other')).toHaveCount(1)
      await withdraw(page)
      await expect(page.locator('#inside')).toHaveCount(0)
      await expect(page.locator('#other')).toHaveCount(0)
    }
    expect(
      await page
        .locator('template')
        .evaluateAll((all) => all.map((one) => (one as HTMLTemplateElement).content.childElementCount)),
    ).toEqual([1, 1])
  })
})

test.describe('a template inside another category’s', () => {
  const choose = async (page: Page, name: string, on: boolean) => {
    await page.locator('[data-avow-open]').click()
    await page.getByRole('dialog').getByRole('switch', { name }).setChecked(on)
    await page.getByRole('button', { name: 'Save choices' }).click()
    await expect(page.getByRole('dialog')).toHaveCount(0)
  }

  test('what it showed goes with the outer one’s withdrawal, and comes again with both', async ({ page, world }) => {
    const shop = await world.host()
    const inner = template('maps', html('<p id="inner">A map</p>'))
    const parts = [template('analytics', html('<p id="outer">Counted</p>'), inner, html('<i id="end">End</i>'))]
    await page.goto(shop.page('/', [loader(), ...parts, buttons, html('<p id="after">After</p>')]))
    const shown = () => page.locator('#outer, #inner, #end').evaluateAll((all) => all.map(({ id }) => id))
    await acceptAll(page).click()
    for (let round = 0; round < 2; round++) {
      await expect.poll(shown).toEqual(['outer', 'inner', 'end'])
      await choose(page, 'Analytics', false)
      await expect.poll(shown).toEqual([])
      await choose(page, 'Analytics', true)
    }
    await expect.poll(shown).toEqual(['outer', 'inner', 'end'])
    await choose(page, 'Maps', false)
    await expect.poll(shown).toEqual(['outer', 'end'])
    await choose(page, 'Analytics', false)
    await expect.poll(shown).toEqual([])
    await expect(page.locator('#after')).toHaveCount(1)
  })

  test('a script in it that is held for another category waits for that one, and holds up nothing', async ({
    page,
    world,
  }) => {
    const shop = await world.host()
    const inside = [held('maps', mark('inner')), heldFile('maps', 'file'), held('analytics', mark('own'))]
    const parts = [loader(), template('analytics', ...inside), held('analytics', mark('behind')), buttons]
    await page.goto(shop.page('/', parts))
    await choose(page, 'Analytics', true)
    await expect.poll(() => marks(page)).toEqual(['own', 'behind'])
    await choose(page, 'Maps', true)
    await expect.poll(() => marks(page)).toEqual(['own', 'behind', 'inner', 'file'])
  })
})

test.describe('frames and images', () => {
  const parts = [loader(), frame('maps'), image('analytics'), buttons, html('<p id="after">After</p>')]

  test('ask for nothing before the grant, and are put back on withdrawal', async ({ page, world, witness }) => {
    const shop = await world.host()
    await page.goto(shop.page('/', parts))
    await expect(acceptAll(page)).toBeVisible()
    await expect(page.locator('avow-held')).toHaveCount(2)
    expect(witness.requests.filter((url) => /\/frame$/.test(url))).toEqual([])
    await acceptAll(page).click()
    await expect.poll(() => loaded(page, '/frame')).toBe(true)
    await expect.poll(() => source(page, 'img')).toBe('/pixel.svg')
    await expect(page.locator('avow-held')).toHaveCount(0)
    await expect(page.locator('iframe')).toBeVisible()

    await withdraw(page)
    await expect.poll(() => loaded(page, '/frame')).toBe(false)
    for (const selector of ['iframe', 'img']) expect(await source(page, selector)).toBeNull()
    await expect(page.locator('avow-held')).toHaveCount(2)
  })

  test('a placeholder keeps the size, offers the choice for this category alone, and says where it was made', async ({
    page,
    world,
  }) => {
    const shop = await world.host()
    await page.goto(shop.page('/plain', parts.slice(1)))
    const place = (selector: string) => page.locator(selector).boundingBox()
    const before = { frame: await place('iframe'), after: await place('#after') }
    await page.goto(shop.page('/', [loader(), frame('maps'), frame('analytics', { id: 'counted' }), buttons]))
    await expect(page.locator('avow-held')).toHaveCount(2)
    const cover = page.locator('avow-held').first()
    const covered = await cover.boundingBox()
    expect({ width: covered?.width, height: covered?.height }).toEqual({
      width: before.frame?.width,
      height: before.frame?.height,
    })
    await expect(cover).toContainText('Maps')
    await cover.getByRole('button').click()
    await expect.poll(() => source(page, 'iframe:not(#counted)')).toBe('/frame')
    await expect(page.locator('iframe:not(#counted)')).toBeVisible()
    expect(await source(page, '#counted')).toBeNull()
    await expect(page.locator('avow-held')).toHaveCount(1)
    expect(await state(page)).toEqual({ analytics: false, maps: true })
    await expect
      .poll(() => shop.records())
      .toMatchObject([{ action: 'save', layer: 'placeholder', choices: { analytics: false, maps: true } }])

    // The other one adds to what is granted.
    await page.locator('avow-held').getByRole('button').click()
    await expect.poll(() => state(page)).toEqual({ analytics: true, maps: true })
  })

  test('an image with a placeholder of the host’s own keeps it until the grant, and then has its own source', async ({
    page,
    world,
    witness,
  }) => {
    const shop = await world.host()
    const own = image('maps', { src: '/pixel.svg?placeholder', 'data-avow-src': '/pixel.svg?real' })
    await page.goto(shop.page('/', [loader(), own, buttons]))
    await expect(acceptAll(page)).toBeVisible()
    expect(await source(page, 'img')).toBe('/pixel.svg?placeholder')
    expect(witness.requests.filter((url) => url.includes('?real'))).toEqual([])
    await acceptAll(page).click()
    await expect.poll(() => source(page, 'img')).toBe('/pixel.svg?real')
    await page.reload()
    await expect.poll(() => source(page, 'img')).toBe('/pixel.svg?real')
    await withdraw(page)
    await expect.poll(() => state(page)).toEqual({ analytics: false, maps: false })
    expect(await source(page, 'img')).not.toBe('/pixel.svg?real')
  })

  test('nothing moves when what was held is shown', async ({ page, world }) => {
    const shop = await world.host()
    await page.goto(shop.page('/', [loader(), frame('maps'), html('<p id="after">After</p>')]))
    await expect(page.locator('avow-held')).toHaveCount(1)
    const before = await page.locator('#after').boundingBox()
    await page.locator('avow-held').getByRole('button').click()
    await expect(page.locator('avow-held')).toHaveCount(0)
    expect((await page.locator('#after').boundingBox())?.y).toBe(before?.y)
  })

  test('a click on a placeholder that a script made grants nothing', async ({ page, world, witness }) => {
    const shop = await world.host()
    await page.goto(shop.page('/', parts))
    await page
      .locator('avow-held')
      .first()
      .getByRole('button')
      .evaluate((button: HTMLButtonElement) => button.click())
    await witness.expect(/a grant needs the event of a click/)
    expect(await state(page)).toBeUndefined()
    expect(await source(page, 'iframe')).toBeNull()
  })
})

test.describe('what is inserted later', () => {
  test('is held before the grant, and let go by it', async ({ page, world }) => {
    const shop = await world.host()
    await page.goto(shop.page('/', [loader(), router]))
    await expect(acceptAll(page)).toBeVisible()
    shop.page('/next', [loader(), router, tracker(), frame('maps'), template('maps', html('<p id="inside">A map</p>'))])
    await swap(page, '/next')
    await expect(page.locator('avow-held')).toHaveCount(1)
    expect(await marks(page)).toEqual([])
    await acceptAll(page).click()
    await expect.poll(() => marks(page)).toEqual(['tracker'])
    await expect.poll(() => source(page, 'iframe')).toBe('/frame')
    await expect(page.locator('#inside')).toHaveCount(1)
  })

  test('runs at once where it is granted already', async ({ page, world }) => {
    const shop = await world.host()
    await page.goto(shop.page('/', [loader(), router]))
    await acceptAll(page).click()
    await expect.poll(() => state(page)).toBeTruthy()
    shop.page('/next', [loader(), router, tracker(), template('maps', html('<p id="inside">A map</p>'))])
    await swap(page, '/next')
    await expect.poll(() => marks(page)).toEqual(['tracker'])
    await expect(page.locator('#inside')).toHaveCount(1)
    await page.evaluate(() => {
      const frame = document.createElement('iframe')
      frame.dataset.avow = 'maps'
      frame.dataset.avowSrc = '/frame'
      document.body.append(frame)
    })
    await expect.poll(() => source(page, 'iframe')).toBe('/frame')
    await expect(page.locator('avow-held')).toHaveCount(0)
  })

  test('runs too where a page without a policy makes it by script', async ({ page, world }) => {
    const shop = await world.host()
    await page.goto(shop.page('/', [loader(), buttons], { lax: true }))
    const insert = () =>
      page.evaluate(() => {
        const made = document.createElement('script')
        made.type = 'text/plain'
        made.dataset.avow = 'analytics'
        made.src = '/tracker.js'
        document.head.append(made)
      })
    await insert()
    await expect(acceptAll(page)).toBeVisible()
    expect(await marks(page)).toEqual([])
    await acceptAll(page).click()
    await expect.poll(() => marks(page)).toEqual(['tracker'])
  })
})

test.describe('`whenGranted(category, start)`: the stop it returned runs', () => {
  const parts = [startAndStop('analytics'), loader(), buttons]

  async function started(page: Page, url: string): Promise<void> {
    await page.goto(url)
    expect(await marks(page)).toEqual([])
    await acceptAll(page).click()
    await expect.poll(() => marks(page)).toEqual(['start'])
  }

  test('on withdrawal, without a reload; and the next grant and the next page start it again', async ({
    page,
    world,
  }) => {
    const shop = await world.host()
    await started(page, shop.page('/', parts))
    await withdraw(page)
    await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
    await page.locator('[data-avow-open]').click()
    await page.getByRole('dialog').getByRole('button', { name: 'Accept all' }).click()
    await expect.poll(() => marks(page)).toEqual(['start', 'stop', 'start'])
    await expect.poll(() => shop.records()).toHaveLength(3)
    await page.reload()
    await expect.poll(() => marks(page)).toEqual(['start'])
  })

  test('on lapse, in a tab that stays open', async ({ page, world }) => {
    const shop = await world.host()
    await page.clock.install()
    await started(page, shop.page('/', [listening, ...parts]))
    await expect.poll(() => shop.records()).toHaveLength(1)
    await page.clock.fastForward(29 * dayMs)
    expect(await marks(page)).toEqual(['start'])
    await page.clock.fastForward(dayMs + 3_600_000)
    await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
    await expect.poll(async () => (await heard(page)).map(({ name }) => name)).toContain('lapse')
    await expect(acceptAll(page)).toBeVisible()
  })

  test('on withdrawal in another tab, within a second', async ({ page, context, world }) => {
    const shop = await world.host()
    await started(page, shop.page('/', parts))
    const other = await context.newPage()
    await other.goto(shop.url())
    await expect.poll(() => marks(other)).toEqual(['start'])
    await withdraw(other)
    await expect.poll(() => marks(page), { timeout: 1000 }).toEqual(['start', 'stop'])
  })

  test('on a withdrawal that is made while it starts', async ({ page, world }) => {
    const shop = await world.host()
    const early = stub(`avow('whenGranted', 'analytics', () => {
      ${mark('start')} avow('withdraw'); return () => { ${mark('stop')} }
    });`)
    await page.goto(shop.page('/', [early, loader(), buttons]))
    await acceptAll(page).click()
    await expect.poll(() => state(page)).toEqual({ analytics: false, maps: false })
    await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
  })

  test('where it threw, the rest goes on', async ({ page, world, witness }) => {
    const shop = await world.host()
    await page.goto(shop.page('/', [...parts, tracker()]))
    await avow(page, 'state')
    await page.evaluate(() => {
      const { avow } = window as unknown as { avow(...args: unknown[]): void }
      avow('whenGranted', 'maps', () => {
        throw new Error('the host’s own mistake')
      })
    })
    await acceptAll(page).click()
    await expect.poll(() => marks(page)).toEqual(['start', 'tracker'])
    await witness.expect(/the host’s own mistake/)
  })
})

test.describe('what ran and can’t be stopped', () => {
  test('is taken back by a reload on withdrawal', async ({ page, world }) => {
    const shop = await world.host()
    await page.goto(shop.page('/', [listening, ...ordinary]))
    await acceptAll(page).click()
    await expect.poll(() => marks(page)).toEqual(['tracker'])
    await Promise.all([page.waitForEvent('load'), withdraw(page)])
    expect(await marks(page)).toEqual([])
    await expect.poll(() => traces(page)).toEqual([])
    expect((await heard(page)).every(({ reloadNeeded }) => !reloadNeeded)).toBe(true)
  })

  for (const [what, start] of [
    ['a promise', "async () => { ran.push('start'); return () => ran.push('stop') }"],
    ['a number', "() => ran.push('start')"],
    ['false', "() => { ran.push('start'); return false }"],
  ]) {
    const parts = [listening, stub(`avow('whenGranted', 'analytics', ${start});`), loader(), buttons]

    test(`is so where \`whenGranted\` was given what returns ${what}`, async ({ page, world }) => {
      const shop = await world.host()
      await page.goto(shop.page('/', parts))
      await acceptAll(page).click()
      await expect.poll(() => marks(page)).toEqual(['start'])
      await withdraw(page)
      await expect.poll(() => marks(page).catch(() => null)).toEqual([])
      await expect.poll(() => state(page)).toEqual({ analytics: false, maps: false })
    })

    test(`is told where \`whenGranted\` was given what returns ${what}, and the site says never`, async ({
      page,
      world,
    }) => {
      const shop = await world.host({ site: 'never' })
      await page.goto(shop.page('/', parts))
      await acceptAll(page).click()
      await expect.poll(() => marks(page)).toEqual(['start'])
      await withdraw(page)
      await expect.poll(async () => (await heard(page)).at(-1)).toMatchObject({ name: 'change', reloadNeeded: true })
      expect(await marks(page)).toEqual(['start'])
    })
  }

  test('a page that a form’s POST answered is taken back without another POST', async ({ page, world }) => {
    const shop = await world.host()
    shop.page('/ordered', ordinary, { lax: true })
    const form = html(`<form method="post" action="/ordered"><button>Buy</button></form>`)
    await page.goto(shop.page('/', [loader(), form], { lax: true }))
    await acceptAll(page).click()
    await expect.poll(() => shop.records()).toHaveLength(1)
    await page.getByRole('button', { name: 'Buy' }).click()
    await expect.poll(() => marks(page).catch(() => null)).toEqual(['tracker'])
    await withdraw(page)
    await expect.poll(() => marks(page).catch(() => null)).toEqual([])
    await expect.poll(() => state(page)).toEqual({ analytics: false, maps: false })
    expect(page.url()).toBe(shop.url(`/ordered`))
    const methods = world.faults.arrivals.filter(({ path }) => path === '/ordered').map(({ method }) => method)
    expect(methods).toEqual(['POST', 'GET'])
  })

  test('is told, and nothing is reloaded, where the site says never', async ({ page, world }) => {
    const shop = await world.host({ site: 'never' })
    await page.goto(shop.page('/', [listening, ...ordinary]))
    await acceptAll(page).click()
    await expect.poll(() => marks(page)).toEqual(['tracker'])
    await withdraw(page)
    await expect.poll(async () => (await heard(page)).at(-1)).toMatchObject({ name: 'change', reloadNeeded: true })
    await expect.poll(() => shop.records()).toHaveLength(2)
    await expect.poll(() => traces(page)).toEqual([])
    expect(await marks(page)).toEqual(['tracker'])
  })
})
