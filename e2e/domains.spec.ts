/** One choice for all hosts under a domain, found out by asking the browser and not by cutting labels. */
import { isTracking } from './pages/assets.js'
import { buttons, html, loader, ordinary, script } from './pages/parts.js'
import type { Arrival } from './support/faults.js'
import { isNotice, isUi } from './support/visitor.js'
import {
  acceptAll,
  decisionCookie,
  expect,
  marks,
  pendingKeys,
  rejectAll,
  state,
  test,
  traces,
} from './support/world-test.js'

const all = { analytics: true, maps: true }
const none = { analytics: false, maps: false }
const hourMs = 3_600_000
/** Trackers of elsewhere, each with its own idea of where cookies belong. */
const scattered = script(`
  {
    const secure = location.protocol === 'https:' ? ';secure' : '';
    for (const domain of ['a.b.example.co.uk', 'b.example.co.uk', 'example.co.uk', 'co.uk', 'uk'])
      for (const [index, path] of ['/', '/account', '/account/', '/account/orders'].entries())
        document.cookie = '_ga_' + domain.replaceAll('.', '_') + index + '=1;max-age=3600;domain=' + domain + ';path=' + path + secure;
    document.cookie = 'fr_visit=1;max-age=3600;path=/account/orders' + secure;
  }
`)
const carried = ({ headers }: Arrival) => headers.cookie ?? ''

test('`example.co.uk` and deep subdomains: cookies with `domain` are set and deleted correctly', async ({
  page,
  context,
  world,
  witness,
}) => {
  const shop = await world.host({ site: 'shared', apart: true })
  await page.goto(shop.page('/account/orders', ordinary))
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  await expect.poll(() => traces(page)).toHaveLength(5)
  expect((await context.cookies()).map(({ name, domain }) => [name, domain])).toEqual(
    expect.arrayContaining([
      ['__Secure-avow', '.example.co.uk'],
      ['_ga_X1', '.example.co.uk'],
      ['fr_visit', 'a.b.example.co.uk'],
    ]),
  )

  const reloaded = page.waitForEvent('load')
  await page.locator('[data-avow-withdraw]').click()
  await reloaded
  await expect.poll(() => traces(page)).toEqual([])
  const left = await context.cookies()
  expect(left.map(({ name, domain }) => [name, domain])).toEqual([['__Secure-avow', '.example.co.uk']])
  expect(await state(page)).toEqual(none)

  // Nothing above what anybody may own was ever tried for ours: what the browser refuses isn't set.
  expect([...witness.written].some((one) => one.startsWith('cookie __Secure-avow'))).toBe(true)
  expect(left.filter(({ domain }) => /^\.?(co\.)?uk$/.test(domain))).toEqual([])
})

test('tracker cookies on parent domains and paths are deleted, and `co.uk` is never set', async ({
  page,
  context,
  world,
}) => {
  const shop = await world.host({ site: 'shared', apart: true })
  shop.page('/account/orders', [scattered, ...ordinary])
  await page.goto(shop.page('/account/orders', [scattered, html('<p>Without Avow</p>')]))
  const set = await context.cookies()
  // Four paths on each of three domains, and one without a domain; the browser refused those of two public suffixes.
  expect(set).toHaveLength(13)
  expect(set.filter(({ domain }) => /^\.?(co\.)?uk$/.test(domain))).toEqual([])

  await page.goto(shop.page('/account/orders', ordinary))
  await rejectAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  await expect.poll(() => traces(page)).toEqual([])
  expect((await context.cookies()).map(({ name }) => name)).toEqual(['__Secure-avow'])
})

test('partitioned cookies are deleted too, and a refuser fetches nothing because of them', async ({
  page,
  context,
  world,
  witness,
}) => {
  const shop = await world.host({ site: 'shared', apart: true })
  const chips = script(`
    for (const where of ['', ';domain=example.co.uk', ';path=/account'])
      document.cookie = 'fr_visit=1;max-age=3600;secure;samesite=none;partitioned;path=/' + where;
  `)
  await page.goto(shop.page('/account/orders', [chips, html('<p>Without Avow</p>')]))
  const set = await context.cookies()
  expect(set).toHaveLength(3)
  expect(set.every(({ partitionKey }) => partitionKey !== undefined)).toBe(true)

  await page.goto(shop.page('/account/orders', ordinary))
  await rejectAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  await expect.poll(() => pendingKeys(page)).toEqual([])
  await expect.poll(() => traces(page)).toEqual([])
  expect((await context.cookies()).map(({ name }) => name)).toEqual(['__Secure-avow'])

  const before = witness.requests.length
  await page.reload()
  await expect.poll(() => state(page)).toEqual(none)
  expect(witness.requests.slice(before).filter((url) => isUi(url) || isNotice(url))).toEqual([])
})

test('a choice on one host counts on all under the domain, and so does its withdrawal', async ({
  page,
  context,
  world,
  witness,
}) => {
  const deep = await world.host({ site: 'shared', apart: true })
  const top = await world.host({ site: 'shared', apart: true, name: 'example.co.uk' })
  await page.goto(deep.page('/', ordinary))
  await acceptAll(page).click()
  await expect.poll(() => deep.records()).toHaveLength(1)

  await page.goto(top.page('/', ordinary))
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  expect(await state(page)).toEqual(all)
  await expect(acceptAll(page)).toHaveCount(0)
  const reloaded = page.waitForEvent('load')
  await page.locator('[data-avow-withdraw]').click()
  await reloaded
  await expect.poll(() => state(page)).toEqual(none)

  const since = witness.requests.length
  await page.goto(deep.page('/second', ordinary))
  await expect.poll(() => state(page)).toEqual(none)
  expect(witness.requests.slice(since).filter(isTracking)).toEqual([])
  await expect.poll(() => traces(page, context)).toEqual([])
})

test('what one host kept of an old withdrawal takes back no newer grant that was made on another, once the cookies have ended', async ({
  page,
  context,
  world,
}) => {
  const deep = await world.host({ site: 'shared', apart: true })
  const top = await world.host({ site: 'shared', apart: true, name: 'example.co.uk' })
  await page.goto(deep.page('/', [loader(), buttons]))
  await acceptAll(page).click()
  await expect.poll(() => deep.records()).toHaveLength(1)
  await page.locator('[data-avow-withdraw]').click()
  await expect.poll(() => deep.records()).toHaveLength(2)
  await expect.poll(() => pendingKeys(page)).toEqual([])

  // Two months later no cookie of ours is left. (The browser's own clock can't be moved.)
  await page.goto(top.page('/bare', []))
  await context.clearCookies()
  world.clock.aheadMs = 1440 * hourMs
  await page.clock.setSystemTime(Date.now() + 1440 * hourMs)
  await page.goto(top.page('/', ordinary))
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  await expect.poll(() => pendingKeys(page)).toEqual([])

  await page.goto(deep.page('/second', ordinary))
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  expect(await state(page)).toEqual(all)
  await page.goto(top.url())
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  expect(await state(page)).toEqual(all)
})

test('a choice elsewhere is nobody’s choice here', async ({ page, world }) => {
  const shared = await world.host({ site: 'shared', apart: true })
  const shop = await world.host({ apart: true })
  await page.goto(shared.page('/', ordinary))
  await acceptAll(page).click()
  await expect.poll(() => shared.records()).toHaveLength(1)
  await page.goto(shop.page('/', ordinary))
  await expect(acceptAll(page)).toBeVisible()
  expect(await state(page)).toBeUndefined()
})

for (const apart of [false, true]) {
  test(`the server sets again the cookie that a submission and an activity carried (${apart ? 'another host of the domain' : 'the same origin'})`, async ({
    page,
    context,
    world,
  }) => {
    const shop = await world.host({ site: 'shared', apart })
    await page.clock.install()
    await page.goto(shop.page('/', [loader(), ordinary[2]!]))
    await acceptAll(page).click()
    await expect.poll(() => shop.records()).toHaveLength(1)
    const [sent] = world.faults.at('consents')
    const first = (await decisionCookie(context))!
    expect(carried(sent!)).toContain(`__Secure-avow=${first.value}`)
    await expect
      .poll(async () => (await decisionCookie(context))?.expires)
      .toBeCloseTo(Date.now() / 1000 + 2_592_000, -1)

    // On the day after, something is done again.
    await page.clock.fastForward(25 * hourMs)
    world.clock.aheadMs = 25 * hourMs
    await page.keyboard.press('Shift')
    await expect.poll(() => world.faults.at('activity').map(({ status }) => status)).toEqual([200])
    const second = (await decisionCookie(context))!
    expect(second.value).not.toBe(first.value)
    expect(carried(world.faults.at('activity')[0]!)).toContain(`__Secure-avow=${second.value}`)
    expect(second).toMatchObject({ domain: '.example.co.uk', path: '/', secure: true, sameSite: 'Lax' })
    expect((await context.cookies()).filter(({ name }) => /avow/.test(name))).toHaveLength(1)
  })
}
