/** What Google's tag and the host's tag manager are told: Consent Mode v2, in the order that they need. */
import type { Page } from '@playwright/test'
import { body } from './pages/page.js'
import { held, loader, mark, ordinary, script } from './pages/parts.js'
import { acceptAll, expect, marks, rejectAll, state, test } from './support/world-test.js'

/** What Google's snippet does, held as the documents say. */
const google = held('analytics', `${mark('google')} dataLayer.push('google was here');`)

/** The layer, with commands told apart from arrays, which Google passes over. */
const layer = (page: Page) =>
  page.evaluate(() =>
    (globalThis as unknown as { dataLayer?: unknown[] }).dataLayer?.map((one) =>
      Object.prototype.toString.call(one) === '[object Arguments]'
        ? ['arguments', ...Array.from(one as ArrayLike<unknown>)]
        : one,
    ),
  )

const types = (analytics: string, maps: string) => ({
  ad_storage: 'denied',
  ad_user_data: 'denied',
  ad_personalization: 'denied',
  analytics_storage: analytics,
  functionality_storage: maps,
})
const denied = types('denied', 'denied')
const granted = types('granted', 'granted')
const all = { analytics: true, maps: true }
const none = { analytics: false, maps: false }

test('`default` comes before Google’s held tag, and the grant before it runs', async ({ page, world }) => {
  const shop = await world.host({ site: 'google' })
  await page.goto(shop.page('/', [...ordinary, google]))
  await expect(acceptAll(page)).toBeVisible()
  expect(await layer(page)).toEqual([['arguments', 'consent', 'default', denied], { event: 'avow' }])
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['tracker', 'google'])
  // Google's tag reads the layer from its beginning, so it is told of the grant however it comes in between.
  const told = (await layer(page))!
  expect(told).toHaveLength(5)
  expect(told).toContainEqual('google was here')
  expect(told.filter((one) => one !== 'google was here')).toEqual([
    ['arguments', 'consent', 'default', denied],
    { event: 'avow' },
    ['arguments', 'consent', 'update', granted],
    { event: 'avow', avow: all },
  ])
})

test('whoever comes back is told of at once, before Google’s tag', async ({ page, world }) => {
  const shop = await world.host({ site: 'google', apart: true })
  await page.goto(shop.page('/', [...ordinary, google]))
  await acceptAll(page).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  await page.reload()
  await expect.poll(() => marks(page)).toEqual(['tracker', 'google'])
  expect(await layer(page)).toEqual([
    ['arguments', 'consent', 'default', granted],
    { event: 'avow', avow: all },
    'google was here',
  ])
})

test('a refusal, and a withdrawal, are told', async ({ page, world }) => {
  const shop = await world.host({ site: 'google' })
  await page.goto(shop.page('/', [loader(), ordinary[2]!]))
  await rejectAll(page).click()
  await expect.poll(() => state(page)).toEqual(none)
  expect((await layer(page))!.slice(2)).toEqual([
    ['arguments', 'consent', 'update', denied],
    { event: 'avow', avow: none },
  ])

  await page.locator('[data-avow-open]').click()
  await page.getByRole('switch', { name: 'Maps' }).check()
  await page.getByRole('button', { name: 'Save choices' }).click()
  await expect.poll(() => state(page)).toEqual({ analytics: false, maps: true })
  await page.locator('[data-avow-withdraw]').click()
  await expect.poll(() => state(page)).toEqual(none)
  expect((await layer(page))!.slice(4)).toEqual([
    ['arguments', 'consent', 'update', types('denied', 'granted')],
    { event: 'avow', avow: { analytics: false, maps: true } },
    ['arguments', 'consent', 'update', denied],
    { event: 'avow', avow: none },
  ])
  await expect.poll(() => shop.records()).toHaveLength(3)
})

test('in advanced mode, with our tag first and not `async`, the default is there before Google’s', async ({
  page,
  world,
}) => {
  const shop = await world.host({ site: 'google' })
  const gtag = script(
    "window.dataLayer = window.dataLayer || []; function gtag() { dataLayer.push(arguments) } gtag('js', new Date(0)); gtag('config', 'G-1');",
  )
  await page.goto(shop.page('/', [loader({ async: undefined }), gtag, body, ...ordinary.slice(1)]))
  await expect(acceptAll(page)).toBeVisible()
  expect((await layer(page))!.map((one) => (Array.isArray(one) ? one.slice(1, 3) : one))).toEqual([
    ['consent', 'default'],
    { event: 'avow' },
    ['js', expect.anything()],
    ['config', 'G-1'],
  ])
})

for (const first of ["'js', new Date(0)", "'config', 'G-1'"]) {
  test(`where the layer already has ${first}, one error on the console names the cure`, async ({
    page,
    world,
    witness,
  }) => {
    const shop = await world.host({ site: 'google' })
    const gtag = script(`window.dataLayer = []; function gtag() { dataLayer.push(arguments) } gtag(${first});`)
    await page.goto(shop.page('/', [gtag, ...ordinary]))
    await expect(acceptAll(page)).toBeVisible()
    await witness.expect(/put the tag of Avow first, without async/)
    expect((await layer(page))!.slice(1)).toEqual([['arguments', 'consent', 'default', denied], { event: 'avow' }])
  })
}

test('a site without it gets no layer', async ({ page, world }) => {
  const shop = await world.host()
  await page.goto(shop.page('/', ordinary))
  await acceptAll(page).click()
  await expect.poll(() => marks(page)).toEqual(['tracker'])
  expect(await layer(page)).toBeUndefined()
})
