/** The one cookie of ours, as real browsers keep it; and what is none. */
import type { BrowserContext } from '@playwright/test'
import { isTracking } from './pages/assets.js'
import { ordinary } from './pages/parts.js'
import { acceptAll, decisionCookie, expect, marks, rejectAll, state, test, traces } from './support/world-test.js'

const all = { analytics: true, maps: true }
const none = { analytics: false, maps: false }
const secret = 'AAAAAAAAAAAAAAAAAAAAAA'
const seconds = (aheadMs = 0) => Math.floor((Date.now() + aheadMs) / 1000).toString(36)
const hourMs = 3_600_000

interface Written {
  n?: string
  version?: string
  choices?: string
  decidedAt?: string
  lastActive?: string
  secret?: string
}

/** A cookie's value as the loader writes it; a story makes one part otherwise. */
const cookieValue = (otherwise: Written = {}) => {
  const {
    n,
    version,
    choices,
    decidedAt,
    lastActive,
    secret: kept,
  } = {
    n: '1',
    version: '2026-04',
    choices: 'analytics1~maps1',
    decidedAt: seconds(-hourMs / 2),
    lastActive: seconds(-hourMs / 2),
    secret,
    ...otherwise,
  }
  return `1.${n}.${version}.${choices}.${decidedAt}.${lastActive}.${kept}`
}

/** Puts it there as another program would; a `__Host-` cookie has no domain, so it is set by address. */
const plant = (context: BrowserContext, url: string, name: string, value: string, path = '/') =>
  context.addCookies([
    path === '/' && name.startsWith('__Host-')
      ? { name, value, url: new URL(url).origin, secure: true, sameSite: 'Lax' }
      : { name, value, domain: new URL(url).hostname, path, secure: url.startsWith('https'), sameSite: 'Lax' },
  ])

test('SameSite=Lax; Path=/; Secure on https; `__Host-`; under 1 KiB', async ({ page, context, world }) => {
  const shop = await world.host()
  await page.goto(shop.page('/account/orders', ordinary))
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  const cookie = await decisionCookie(context)
  expect(cookie).toMatchObject({
    name: '__Host-avow',
    domain: 'dash.example',
    path: '/',
    secure: true,
    sameSite: 'Lax',
    httpOnly: false,
  })
  expect(`${cookie?.name}=${cookie?.value}`.length).toBeLessThan(1024)
})

test('on http the cookie has no prefix, `SameSite=Lax; Path=/`', async ({ page, context, world }) => {
  const shop = await world.host({ plain: true, apart: true })
  await page.goto(shop.page('/account/orders', ordinary))
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  const cookie = await decisionCookie(context)
  expect(cookie).toMatchObject({ name: 'avow', domain: 'dash.example', path: '/', secure: false, sameSite: 'Lax' })
  expect(`${cookie?.name}=${cookie?.value}`.length).toBeLessThan(1024)
})

test('with a domain configured it is `__Secure-`, for that domain', async ({ page, context, world }) => {
  const shop = await world.host({ site: 'shared', apart: true })
  await page.goto(shop.page('/account/orders', ordinary))
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  expect(await decisionCookie(context)).toMatchObject({
    name: '__Secure-avow',
    domain: '.example.co.uk',
    path: '/',
    secure: true,
    sameSite: 'Lax',
  })
})

test('a refusal is a cookie that says nothing of who refused', async ({ page, context, world }) => {
  const shop = await world.host()
  await page.goto(shop.page('/', ordinary))
  await rejectAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  expect((await decisionCookie(context))?.value).toMatch(/^1\.1\.2026-04\.analytics0~maps0\.[0-9a-z]+\.[0-9a-z]+$/)
})

test('what these stories plant counts as it would have been written', async ({ page, context, world }) => {
  const shop = await world.host()
  await plant(context, shop.url(), '__Host-avow', cookieValue())
  await page.goto(shop.page('/', ordinary))
  await expect.poll(() => state(page)).toEqual(all)
  await expect.poll(() => marks(page)).toEqual(['tracker'])
})

const bad: Readonly<Record<string, () => string>> = {
  'an empty one': () => '',
  'a corrupt one': () => cookieValue().replace('~', '!'),
  'one of another format': () => cookieValue().replace(/^1/, '2'),
  'one with a broken escape': () => cookieValue({ version: '%E0%A4%A' }),
  'one with a bad percent sign': () => `${cookieValue()}%`,
  'a truncated one': () => cookieValue().slice(0, 40),
  'one cut in its secret': () => cookieValue().slice(0, -3),
  'one without its times': () => cookieValue().split('.').slice(0, 4).join('.'),
  'an oversized one': () => cookieValue({ choices: `analytics1~maps1${'~other1'.repeat(400)}` }),
  'one with more after it': () => `${cookieValue()}.more`,
  JSON: () => encodeURIComponent(JSON.stringify({ analytics: true, maps: true })),
  'a true': () => 'true',
  'one off the schema, with another digit': () => cookieValue({ choices: 'analytics7~maps1' }),
  'one off the schema, with capital letters': () =>
    cookieValue().replace(/\.([0-9a-z]{6})\./, (it) => it.toUpperCase()),
  'one that lacks a category': () => cookieValue({ choices: 'analytics1' }),
  'one that counts nothing': () => cookieValue({ n: '0' }),
  'one with a negative count': () => cookieValue({ n: '-1' }),
  'a future-dated one': () => cookieValue({ decidedAt: seconds(25 * hourMs), lastActive: seconds(25 * hourMs) }),
  'one active before it was decided': () => cookieValue({ lastActive: seconds(-2 * hourMs) }),
  'one of an unknown policy': () => cookieValue({ version: '2031-01' }),
}

for (const plain of [false, true]) {
  for (const [what, value] of Object.entries(bad)) {
    test(`a corrupt, truncated, oversized, off-schema, future-dated or unknown-policy cookie means undecided, never granted, never an exception: ${what} (${plain ? 'http' : 'https'})`, async ({
      page,
      context,
      world,
      witness,
    }) => {
      const shop = await world.host({ plain })
      await plant(context, shop.url(), plain ? 'avow' : '__Host-avow', value())
      await page.goto(shop.page('/', ordinary))
      await expect(acceptAll(page)).toBeVisible()
      expect(await state(page)).toBeUndefined()
      expect(await marks(page)).toEqual([])
      expect(witness.requests.filter(isTracking)).toEqual([])
      // It stands in nobody's way.
      await rejectAll(page).click()
      await expect.poll(() => state(page)).toEqual(none)
      await page.reload()
      await expect.poll(() => state(page)).toEqual(none)
      expect(await traces(page)).toEqual([])
      await expect.poll(() => shop.records()).toMatchObject([{ action: 'reject-all' }])
    })
  }
}

for (const [what, name, plain] of [
  ['no prefix, on https', 'avow', false],
  ['the prefix of a shared one', '__Secure-avow', false],
  ['another case', '__host-avow', false],
  ['a longer name', '__Host-avow2', false],
  ['a name that ends alike', 'x__Host-avow', false],
  ['another case, on http', 'Avow', true],
  ['a name that ends alike, on http', 'my-avow', true],
] as const) {
  test(`a wrongly prefixed cookie means undecided: ${what}`, async ({ page, context, world }) => {
    const shop = await world.host({ plain })
    await plant(context, shop.url(), name, cookieValue())
    // A browser may refuse it by itself.
    await page.goto(shop.page('/', ordinary))
    await expect(acceptAll(page)).toBeVisible()
    expect(await state(page)).toBeUndefined()
    expect(await marks(page)).toEqual([])
  })
}

test('a duplicated cookie means undecided', async ({ page, context, world }) => {
  const shop = await world.host({ plain: true })
  await plant(context, shop.url(), 'avow', cookieValue())
  await plant(context, shop.url(), 'avow', cookieValue({ choices: 'analytics0~maps0', n: '2' }), '/account')
  await page.goto(shop.page('/account', ordinary))
  await expect(acceptAll(page)).toBeVisible()
  expect(await state(page)).toBeUndefined()
  expect(await marks(page)).toEqual([])
})

test('a duplicated cookie grants nothing to a visitor who refused', async ({ page, context, world }) => {
  const shop = await world.host({ plain: true })
  await page.goto(shop.page('/', ordinary))
  await rejectAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  await plant(context, shop.url(), 'avow', cookieValue({ n: '9' }), '/account')
  await page.goto(shop.page('/account', ordinary))
  await expect(acceptAll(page)).toBeVisible()
  expect(await state(page)).toBeUndefined()
  expect(await marks(page)).toEqual([])
})
