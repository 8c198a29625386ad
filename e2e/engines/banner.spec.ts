/** The banner in every engine: nothing before the choice, each choice as it was meant, and everybody can make it. */
import { isTracking } from '../pages/assets.js'
import type { Part } from '../pages/page.js'
import { frame, html, image, loader, ordinary, script, startAndStop } from '../pages/parts.js'
import { galleryPolicy, noticeOf } from '../support/gallery-policy.js'
import type { Host, World } from '../support/world.js'
import { expect, here, hereSecurely, marks, state, takeComplaints, test, traces, watched } from './engine-test.js'
import type { Place, Tab } from './tab.js'

const banner: Place = { layer: 'banner' }
const acceptAll: Place = { layer: 'banner', role: 'button', name: 'Accept all' }
const rejectAll: Place = { layer: 'banner', role: 'button', name: 'Reject all' }
const withdraw: Place = { layer: 'page', role: 'button', name: 'Withdraw' }

const all = { analytics: true, maps: true }
const none = { analytics: false, maps: false }

/** What only a granted category would have asked the server for. */
const tracking = ({ faults }: World) => faults.arrivals.filter(({ path }) => isTracking(`http://localhost${path}`))

const decisionCookie = async (tab: Tab) => (await tab.cookies()).find(({ name }) => /^(__Host-)?avow$/.test(name))

async function expectUndecided(tab: Tab, shop: Host, world: World): Promise<void> {
  await expect.poll(() => tab.sees(acceptAll)).toBe(true)
  expect(await state(tab)).toBeNull()
  expect(await marks(tab)).toEqual([])
  expect(await tab.cookies()).toEqual([])
  expect(await tab.evaluate(() => [...Object.keys(localStorage), ...Object.keys(sessionStorage)])).toEqual([])
  expect(tracking(world)).toEqual([])
  expect(world.faults.at('consents')).toEqual([])
  expect(await shop.records()).toEqual([])
}

test('before a choice the banner is there with its three buttons, and nothing is requested, kept or recorded; Escape, scrolling and navigation are none', async ({
  world,
  open,
}) => {
  const shop = await world.host(here)
  const long = html(`<pre>${'A line of the page.\n'.repeat(200)}</pre>`)
  const parts = watched(...ordinary, long)
  shop.page('/second', parts)
  const tab = await open(shop.page('/', parts))
  await expectUndecided(tab, shop, world)
  for (const name of ['Manage', 'Reject all', 'Accept all'])
    expect(await tab.sees({ layer: 'banner', role: 'button', name })).toBe(true)

  await tab.press('Escape')
  await tab.press('PageDown')
  await expect.poll(() => tab.evaluate(() => scrollY)).toBeGreaterThan(100)
  await expectUndecided(tab, shop, world)
  await tab.goto(shop.url('/second'))
  await expectUndecided(tab, shop, world)
  await tab.back()
  await expectUndecided(tab, shop, world)
})

test('"Accept all" closes the banner, starts what waited and leaves one record; the next pages ask no more', async ({
  world,
  open,
}) => {
  const shop = await world.host(here)
  const tab = await open(shop.page('/', watched(...ordinary)))
  await tab.click(acceptAll)
  await expect.poll(() => marks(tab)).toEqual(['tracker'])
  expect(await tab.sees(banner)).toBe(false)
  await expect.poll(() => traces(tab)).not.toEqual([])
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all', choices: all, layer: 'banner' }])

  for (let reload = 0; reload < 3; reload++) {
    await tab.reload()
    await expect.poll(() => marks(tab)).toEqual(['tracker'])
    expect(await tab.sees(banner)).toBe(false)
  }
  expect(await shop.records()).toHaveLength(1)
})

test('"Reject all" closes the banner, and nothing runs or is kept, here and on the next pages, which ask no more', async ({
  world,
  open,
}) => {
  const shop = await world.host(here)
  const tab = await open(shop.page('/', watched(...ordinary)))
  await tab.click(rejectAll)
  await expect.poll(() => tab.sees(banner)).toBe(false)
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'reject-all', choices: none, layer: 'banner' }])
  // Until the answer is here, the next page has something to send.
  await expect.poll(() => tab.evaluate(() => Object.keys(localStorage))).not.toContain('avow:shop:0')

  for (let reload = 0; reload < 3; reload++) {
    await tab.reload()
    await expect.poll(() => state(tab)).toEqual(none)
    expect(await tab.sees(banner)).toBe(false)
  }
  expect(await marks(tab)).toEqual([])
  expect(await traces(tab)).toEqual([])
  expect(tracking(world)).toEqual([])
  expect(await shop.records()).toHaveLength(1)
})

for (const secure of [false, true]) {
  test(`the cookie is the one that was designed, for 30 days also where a script's would last less; a refuser's says nothing of who it is (${secure ? 'https' : 'http'})`, async ({
    world,
    open,
  }) => {
    const shop = await world.host(secure ? hereSecurely : here)
    const tab = await open(shop.page('/account/orders', watched(...ordinary)))
    for (const [choice, written] of [
      [rejectAll, /^1\.1\.2026-04\.analytics0~maps0\.[0-9a-z]+\.[0-9a-z]+$/],
      [acceptAll, /^1\.2\.2026-04\.analytics1~maps1\.[0-9a-z]+\.[0-9a-z]+\.[\w-]{22}$/],
    ] as const) {
      if (choice === acceptAll) await tab.click({ layer: 'page', role: 'button', name: 'Privacy' })
      await tab.click(choice === acceptAll ? { ...acceptAll, layer: 'dialog' } : choice)
      // After the answer, which sets it again.
      await expect.poll(() => world.faults.at('consents').at(-1)?.status).toBe(201)
      await expect.poll(async () => (await decisionCookie(tab))?.value).toMatch(written)
      const cookie = (await decisionCookie(tab))!
      expect(cookie).toMatchObject({
        name: secure ? '__Host-avow' : 'avow',
        path: '/',
        secure,
        httpOnly: false,
        sameSite: 'Lax',
      })
      // Requirement 12; the jar counts in whole seconds from when it was written.
      expect(Math.abs(cookie.expires - Date.now() / 1000 - 30 * 86_400)).toBeLessThan(30)
      expect(`${cookie.name}=${cookie.value}`.length).toBeLessThan(1024)
    }
  })
}

test('a click made by a script grants nothing; a refusal by a script is obeyed', async ({ world, open }) => {
  const shop = await world.host(here)
  const tab = await open(shop.page('/', watched(...ordinary)))
  await expect.poll(() => tab.sees(acceptAll)).toBe(true)
  await tab.in(acceptAll, (button) => {
    button.click()
    button.dispatchEvent(new MouseEvent('click', { bubbles: true, composed: true }))
  })
  await expect.poll(() => world.faults.arrivals.filter(({ path }) => path === '/complaint').length).toBe(2)
  for (const said of takeComplaints(world)) expect(said).toContain('a grant needs the event of a click')
  await expectUndecided(tab, shop, world)

  await tab.in(rejectAll, (button) => button.click())
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'reject-all' }])
  expect(await tab.sees(banner)).toBe(false)
  expect(await state(tab)).toEqual(none)
})

test('the banner is first by Tab and no trap; by Enter it is answered, and the focus returns to what had it', async ({
  world,
  open,
}) => {
  const shop = await world.host(here)
  const field = html('<input id="field">')
  const tab = await open(shop.page('/', watched(loader(), html('<a href="/account">Account</a>'), field)))
  await expect.poll(() => tab.sees(banner)).toBe(true)
  const order: string[] = []
  for (let stop = 0; stop < 6; stop++) {
    await tab.press('Tab')
    order.push(await tab.focused())
  }
  expect(order).toEqual(['Privacy policy', 'Manage', 'Reject all', 'Accept all', 'Account', 'field'])
  await tab.press('Shift+Tab')
  await tab.press('Shift+Tab')
  expect(await tab.focused()).toBe('Accept all')
  await tab.press('Shift+Tab')
  expect(await tab.focused()).toBe('Reject all')
  await tab.press('Enter')
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'reject-all' }])
  // It came from the link, the last of the page that had it.
  expect(await tab.focused()).toBe('Account')
})

test('Space on "Accept all" is a click of a person, too', async ({ world, open }) => {
  const shop = await world.host(here)
  const tab = await open(shop.page('/', watched(...ordinary)))
  await expect.poll(() => tab.sees(banner)).toBe(true)
  while ((await tab.focused()) !== 'Accept all') await tab.press('Tab')
  await tab.press('Space')
  await expect.poll(() => marks(tab)).toEqual(['tracker'])
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }])
})

/** How two buttons of one layer look, and where. */
const looks = (button: HTMLElement) => {
  const { left, width, height } = button.getBoundingClientRect()
  const { font, color, backgroundColor, borderRadius, minHeight } = getComputedStyle(button)
  return { left, width, height, font, color, backgroundColor, borderRadius, minHeight }
}

test('under a policy that allows no style, the banner looks as it was designed, and the two answers look alike', async ({
  world,
  open,
}) => {
  const shop = await world.host(here)
  const tab = await open(shop.page('/', watched(...ordinary)))
  await expect.poll(() => tab.sees(banner)).toBe(true)
  const placed = await tab.in(banner, (section) => {
    const { position, maxWidth, zIndex, display } = getComputedStyle(section)
    const { bottom, height } = section.getBoundingClientRect()
    return {
      position,
      maxWidth,
      zIndex,
      display,
      gap: Math.round(innerHeight - bottom),
      isTooHigh: height > innerHeight * 0.8,
    }
  })
  const designed = {
    position: 'fixed',
    maxWidth: '576px',
    zIndex: '2147483647',
    display: 'grid',
    gap: 12,
    isTooHigh: false,
  }
  expect(placed).toEqual(designed)
  const [reject, accept] = [await tab.in(rejectAll, looks), await tab.in(acceptAll, looks)]
  expect(reject).toMatchObject({ borderRadius: '10px', minHeight: '44px' })
  expect({ ...reject, left: 0, width: 0 }).toEqual({ ...accept, left: 0, width: 0 })
  expect(Math.abs(reject!.width - accept!.width)).toBeLessThanOrEqual(1)
  // No other than ours: the page itself has no say in it, and none in the page.
  expect(await tab.evaluate(() => document.adoptedStyleSheets.length)).toBe(0)
})

test('in Arabic everything is mirrored: the host is right-to-left, and so are buttons and switches', async ({
  world,
  open,
}) => {
  const shop = await world.host({ ...here, policy: galleryPolicy })
  const { words, categories } = await noticeOf(shop, 'ar')
  const tab = await open(shop.page('/', watched(...ordinary), { lang: 'ar' }))
  const [reject, accept, manage] = [words.rejectAll, words.acceptAll, words.manage].map(
    (name): Place => ({ layer: 'banner', role: 'button', name }),
  )
  await expect.poll(() => tab.sees(accept!)).toBe(true)
  expect(await tab.in(banner, (section) => getComputedStyle(section).direction)).toBe('rtl')
  const [left, right] = [(await tab.in(accept!, looks))!.left, (await tab.in(reject!, looks))!.left]
  expect(left).toBeLessThan(right)

  await tab.click(manage!)
  const analytics = categories.find(({ id }) => id === 'analytics')!
  const row = await tab.in({ layer: 'dialog', role: 'switch', name: analytics.title }, (input) => {
    const title = input.closest('label')!.querySelector('h3')!.getBoundingClientRect()
    const own = input.getBoundingClientRect()
    return { isLeftOfTitle: own.right <= title.left, width: own.width, height: own.height }
  })
  expect(row).toEqual({ isLeftOfTitle: true, width: 48, height: 28 })
})

for (const percent of [100, 200]) {
  test(`at 320 px and ${percent} % of text nothing scrolls sideways, and each button can be reached whole`, async ({
    world,
    open,
  }) => {
    const shop = await world.host({ ...here, policy: galleryPolicy })
    const panel = html('<avow-settings></avow-settings>')
    const enlarge = script(`document.documentElement.style.fontSize = '${percent}%'`)
    // In a frame, since not every engine has windows as small as that.
    const framed: Part = html('<iframe src="/" width="320" height="568"></iframe>')
    for (const lang of ['de', 'fi', 'el', 'ar']) {
      const { words } = await noticeOf(shop, lang)
      shop.page('/', watched(enlarge, ...ordinary, panel), { lang })
      const tab = await open(shop.page('/around', [framed], { lax: true }))
      const measure = ([manage]: readonly string[]) => {
        const inner = document.querySelector('iframe')!.contentDocument!
        const notice = inner.querySelector('avow-notice')?.shadowRoot
        const section = notice?.querySelector('section')
        if (!section || !inner.querySelector('avow-settings')?.shadowRoot?.querySelector('.choices')) return null
        const opener = Array.from(section.querySelectorAll('button')).find((one) => one.textContent === manage)!
        opener.click()
        const layers = [
          inner.documentElement,
          section,
          notice!.querySelector('dialog'),
          inner.querySelector('avow-settings')!.shadowRoot!.querySelector('section'),
        ]
        const buttons = layers.slice(1).flatMap((layer) => Array.from(layer?.querySelectorAll('button') ?? []))
        return {
          wide: layers.map((layer) => (layer ? Math.max(0, layer.scrollWidth - layer.clientWidth) : 'absent')),
          cut: buttons.filter((one) => one.scrollWidth > one.clientWidth).map(({ textContent }) => textContent),
          outside: buttons
            .filter((one) => {
              one.scrollIntoView({ block: 'nearest' })
              const { left, right, top, bottom } = one.getBoundingClientRect()
              return left < 0 || right > 320 || top < -1 || bottom > 569
            })
            .map(({ textContent }) => textContent),
        }
      }
      await expect
        .poll(() => tab.evaluate(measure, [words.manage]), lang)
        .toEqual({ wide: [0, 0, 0, 0], cut: [], outside: [] })
    }
  })
}

test('a choice in one tab closes the banner and opens the gate in the other; a withdrawal closes the gate there', async ({
  world,
  open,
}) => {
  const shop = await world.host(here)
  const parts = watched(loader(), startAndStop('maps'), ...ordinary.slice(2))
  const other = await open(shop.page('/other', parts))
  await expect.poll(() => other.sees(acceptAll)).toBe(true)
  const tab = await open(shop.page('/', parts))
  await tab.click(acceptAll)
  await expect.poll(() => shop.records()).toHaveLength(1)
  await other.show()
  await expect.poll(() => state(other)).toEqual(all)
  await expect.poll(() => other.sees(banner)).toBe(false)
  await expect.poll(() => marks(other)).toEqual(['start'])

  await tab.click(withdraw)
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }, { action: 'withdraw' }])
  await other.show()
  await expect.poll(() => state(other)).toEqual(none)
  await expect.poll(() => marks(other)).toEqual(['start', 'stop'])
})

test('in the place of a frame and an image that wait stands the choice, and it lets them go', async ({
  world,
  open,
}) => {
  const shop = await world.host(here)
  const tab = await open(shop.page('/', watched(loader(), frame('maps'), image('maps'))))
  await tab.click(rejectAll)
  const sources = () =>
    tab.evaluate(() => Array.from(document.querySelectorAll('[data-avow-src]'), (one) => one.getAttribute('src')))
  await expect.poll(() => tab.sees({ layer: 'held' })).toBe(true)
  expect(await sources()).toEqual([null, null])
  const box = await tab.in({ layer: 'held' }, (section) => [section.offsetWidth, section.offsetHeight])
  // With the frame's own border.
  expect(box).toEqual([324, 204])
  expect(tracking(world)).toEqual([])

  await tab.click({ layer: 'held', role: 'button', name: 'Allow and show' })
  await expect.poll(sources).toEqual(['/frame', '/pixel.svg'])
  await expect.poll(() => tracking(world).map(({ path }) => path)).toEqual(['/frame'])
  await expect.poll(() => tab.evaluate(() => document.querySelectorAll('avow-held').length)).toBe(0)
  expect(await state(tab)).toEqual({ analytics: false, maps: true })
  await expect
    .poll(() => shop.records())
    .toMatchObject([{ action: 'reject-all' }, { action: 'save', layer: 'placeholder' }])
})

test('a page that was left and is put back after a withdrawal elsewhere does not go on tracking', async ({
  world,
  open,
}) => {
  const shop = await world.host(here)
  const parts = watched(loader(), startAndStop('analytics'), ...ordinary.slice(2))
  shop.page('/next', parts)
  const tab = await open(shop.page('/', parts))
  await tab.click(acceptAll)
  await expect.poll(() => marks(tab)).toEqual(['start'])
  await expect.poll(() => shop.records()).toHaveLength(1)
  await tab.goto(shop.url('/next'))
  await expect.poll(() => marks(tab)).toEqual(['start'])
  await tab.click(withdraw)
  await expect.poll(() => shop.records()).toHaveLength(2)
  await tab.back()
  // As it was left, or loaded anew: that is the engine's choice.
  await expect.poll(() => state(tab)).toEqual(none)
  await expect.poll(async () => (await marks(tab)).join()).toMatch(/^(start,stop)?$/)
  expect(await traces(tab)).toEqual([])
})
