/** The demo's gallery: all that Avow shows, and nothing of it recorded. */
import type { Page } from '@playwright/test'
import { logSize } from './support/audit.js'
import { violations } from './support/axe.js'
import { expect, test } from './support/stories.js'
import { acceptAll } from './support/visitor.js'

const settings = (page: Page) => page.locator('avow-settings section')

const states: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  banner: (page) => expect(page.getByRole('region', { name: 'Your privacy', exact: true })).toBeVisible(),
  preferences: (page) => expect(page.getByRole('dialog')).toBeVisible(),
  settings: (page) => expect(settings(page)).toContainText('You have not chosen yet'),
  granted: (page) => expect(settings(page).getByRole('switch', { checked: true })).toHaveCount(2),
  refused: (page) => expect(settings(page)).toContainText('Chosen on'),
  gpc: (page) => expect(settings(page)).toContainText('opt-out signal is honoured'),
  suspended: (page) => expect(settings(page).getByRole('switch', { checked: true })).toHaveCount(0),
}

test('the settings take the width they need where their place in the page is as wide as what is in it', async ({
  page,
}) => {
  await page.setViewportSize({ width: 1280, height: 800 })
  await page.goto('/gallery/view?state=granted')
  await expect(settings(page)).toBeVisible()
  const widthOf = () => settings(page).evaluate((panel) => panel.clientWidth)
  for (const display of ['flex', 'inline-block', 'grid']) {
    await page.locator('avow-settings').evaluate((host, display) => {
      const place = host.parentElement as HTMLElement
      place.style.display = display
      place.style.justifyItems = 'start'
    }, display)
    expect.soft(await widthOf(), display).toBeGreaterThan(400)
  }
})

test('the gallery opens each state in each theme, and what is chosen there is recorded nowhere', async ({
  page,
  demo,
}) => {
  const before = await logSize(demo)
  await page.goto('/gallery')
  for (const theme of ['light', 'dark', 'custom']) {
    for (const [state, isShown] of Object.entries(states)) {
      await page
        .getByRole('region')
        .or(page.locator('section'))
        .filter({ has: page.getByRole('heading', { name: theme }) })
        .getByRole('link', { name: state, exact: true })
        .click()
      await isShown(page)
      await page.goto('/gallery')
    }
  }
  await page.goto('/gallery/view?state=banner')
  await acceptAll(page).click()
  await expect(acceptAll(page)).toHaveCount(0)
  expect(await page.context().cookies()).toEqual([])
  expect(await logSize(demo)).toBe(before)
})

/** How the gallery is set, and the browser. */
const modes: Readonly<
  Record<string, { view: Record<string, string>; media?: Parameters<Page['emulateMedia']>[0]; width?: number }>
> = {
  light: { view: { theme: 'light' } },
  dark: { view: { theme: 'dark' }, media: { colorScheme: 'dark' } },
  'colours of its own': { view: { theme: 'custom' } },
  'forced colours': { view: { theme: 'dark' }, media: { forcedColors: 'active', colorScheme: 'dark' } },
  RTL: { view: { theme: 'light', lang: 'ar' } },
  '320 px': { view: { theme: 'light', lang: 'de' }, width: 320 },
}

test.describe('axe-core', () => {
  // Its own tools are scripts that the gallery's policy knows nothing of.
  test.use({ bypassCSP: true })

  for (const [mode, { view, media = {}, width = 1280 }] of Object.entries(modes)) {
    test(`0 violations over the gallery, every state and layout: ${mode}`, async ({ page }) => {
      await page.emulateMedia(media)
      await page.setViewportSize({ width, height: 800 })
      const layouts = ['box', 'box-center', 'box-end', 'bar', 'bar-top'].map((layout) => ({ state: 'banner', layout }))
      for (const shown of [...layouts, ...Object.keys(states).map((state) => ({ state, layout: 'box' }))]) {
        await page.goto(`/gallery/view?${new URLSearchParams({ ...view, ...shown })}`)
        const layer = { banner: 'avow-notice section', preferences: 'avow-notice dialog' }[shown.state]
        await expect(page.locator(layer ?? 'avow-settings section')).toBeVisible()
        expect.soft(await violations(page), JSON.stringify(shown)).toEqual([])
      }
    })
  }
})
