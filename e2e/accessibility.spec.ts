/** Everybody can choose: with a keyboard, with a screen reader, with large text, on a small screen, in colours of their own. */

import type { BrowserContext, Locator, Page } from '@playwright/test'
import { body, type Part } from './pages/page.js'
import { buttons, html, loader } from './pages/parts.js'
import { violations } from './support/axe.js'
import { galleryPolicy, noticeOf } from './support/gallery-policy.js'
import { openOwnBrowser } from './support/own-browser.js'
import { acceptAll, expect, rejectAll, state, test } from './support/world-test.js'

test.skip(({ hostile }) => hostile, 'a library of the host’s changes nothing of how it looks and is used')

const policy = galleryPolicy
const layouts = ['box', 'box-end', 'box-center', 'bar', 'bar-top'] as const

const button = (place: Page | Locator, name: string) => place.getByRole('button', { name, exact: true })
const banner = (page: Page) => page.locator('avow-notice section')
const dialog = (page: Page) => page.getByRole('dialog')
const settings = (page: Page) => page.locator('avow-settings section')

/** A page that has nothing against it by itself. */
const article = (...inner: readonly Part[]): Part[] => [
  html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
  html('<meta name="color-scheme" content="light dark">'),
  loader(),
  body,
  html('<header><a href="/privacy">Privacy</a></header><main><h1>Account</h1>'),
  ...inner,
  html('</main>'),
]
const panel = html('<avow-settings></avow-settings>')

/** As at 200 % of text: what is sized in `rem` or by the font follows. */
const enlarge = (page: Page) =>
  page.evaluate(() => {
    document.documentElement.style.fontSize = '200%'
  })

const modes: Readonly<
  Record<string, { lang?: string; media?: Parameters<Page['emulateMedia']>[0]; width?: number; isLarge?: boolean }>
> = {
  light: {},
  dark: { media: { colorScheme: 'dark' } },
  'forced-colors': { media: { forcedColors: 'active' } },
  RTL: { lang: 'ar' },
  '320 px wide': { width: 320 },
  '200 % text': { isLarge: true },
  '320 px wide in the dark, in Greek and 200 % text': {
    ...{ lang: 'el', media: { colorScheme: 'dark' }, width: 320, isLarge: true },
  },
}

for (const [name, { lang = 'en', media = {}, width = 1280, isLarge = false }] of Object.entries(modes)) {
  test(`axe-core: 0 violations on banner, dialog, settings, in ${name}`, async ({ browser, world, witness }) => {
    const shop = await world.host({ policy })
    const { words } = await noticeOf(shop, lang)
    const context = await browser.newContext({ bypassCSP: true, locale: 'en-GB', viewport: { width, height: 800 } })
    await witness.join(context)
    const page = await context.newPage()
    await page.emulateMedia(media)
    await page.goto(shop.page('/', article(panel, buttons), { lang }))
    await expect(banner(page)).toBeVisible()
    await expect(settings(page)).toBeVisible()
    // It takes a page without colours for white, in the dark, too.
    await page.addStyleTag({ content: 'html { background: Canvas; color: CanvasText }' })
    if (isLarge) await enlarge(page)
    expect(await violations(page), 'banner, settings undecided').toEqual([])

    await button(banner(page), words.manage).click()
    for (const summary of await dialog(page).locator('summary').all()) await summary.click()
    expect(await violations(page), 'dialog').toEqual([])

    await button(dialog(page), words.acceptAll).click()
    await expect(page.locator('avow-notice [role=status]')).toHaveText(words.saved)
    await expect.poll(() => shop.records()).toHaveLength(1)
    await settings(page).getByText(words.history, { exact: true }).click()
    await settings(page).getByText(words.shownText).click()
    for (const summary of await settings(page).locator('.choices summary').all()) await summary.click()
    expect(await violations(page), 'settings with a choice').toEqual([])
    await context.close()
  })
}

/** What has the focus, also inside shadow roots: its text, or what else names it. */
const focused = (page: Page) =>
  page.evaluate(() => {
    let element = document.activeElement
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
    if (element === document.body) return 'body'
    return (
      element?.getAttribute('name') ||
      element?.textContent?.trim() ||
      element?.id ||
      element?.tagName.toLowerCase() ||
      ''
    )
  })

/** Whether any part of what has the focus is seen: in the window, in what it is scrolled in, and under nothing else. */
const isFocusSeen = (page: Page) =>
  page.evaluate(() => {
    const roots: (Document | ShadowRoot)[] = [document]
    let element = document.activeElement!
    while (element.shadowRoot?.activeElement) {
      roots.push(element.shadowRoot)
      element = element.shadowRoot.activeElement
    }
    const root = roots.at(-1)!
    const { left, top, width, height } = element.getBoundingClientRect()
    const steps = [0.02, 0.25, 0.5, 0.75, 0.98]
    return steps.some((x) =>
      steps.some((y) => {
        const hit = root.elementFromPoint(left + width * x, top + height * y)
        return (
          !!hit &&
          (element.contains(hit) ||
            (hit.contains(element) === false && hit.closest('label')?.contains(element) === true))
        )
      }),
    )
  })

test('Keyboard alone: reach the banner first, choose, open the dialog (focus moves in, stays in, returns to the opener), save. No trap in the banner', async ({
  page,
  world,
}) => {
  const shop = await world.host({ policy })
  await page.goto(shop.page('/', article(buttons)))
  await expect(banner(page)).toBeVisible()
  const order: string[] = []
  const tab = async (key = 'Tab') => {
    await page.keyboard.press(key)
    return focused(page)
  }
  for (let stop = 0; stop < 7; stop++) order.push(await tab())
  // The banner's, and out of it into the page; the way back leads through it, too.
  expect(order).toEqual(['Privacy policy', 'Manage', 'Reject all', 'Accept all', 'Privacy', 'Privacy', 'Withdraw'])
  for (let stop = 0; stop < 5; stop++) await tab('Shift+Tab')
  expect(await focused(page)).toBe('Manage')

  await page.keyboard.press('Enter')
  await expect(dialog(page)).toBeVisible()
  expect(await focused(page)).toBe('Close')
  const inside = new Set<string>()
  for (let stop = 0; stop < 30; stop++) inside.add(await tab())
  // Between two rounds a browser may offer its own controls; the page's it does not.
  inside.delete('body')
  // What scrolls may have the focus itself, for the arrow keys.
  inside.delete((await dialog(page).textContent()) ?? '')
  expect([...inside].sort()).toEqual(
    [
      ...['Close', 'Privacy policy', 'analytics', 'maps', 'Save choices', 'Reject all', 'Accept all'],
      ...['Cookies and storage (2)', 'Cookies and storage (1)'],
    ].sort(),
  )
  await page.keyboard.press('Escape')
  await expect(dialog(page)).toHaveCount(0)
  expect(await focused(page)).toBe('Manage')

  await page.keyboard.press('Enter')
  while ((await focused(page)) !== 'maps') await tab()
  await page.keyboard.press('Space')
  while ((await focused(page)) !== 'Save choices') await tab()
  await page.keyboard.press('Space')
  await expect.poll(() => state(page)).toEqual({ analytics: false, maps: true })

  // From a button of the host's and back to it.
  await page.locator('[data-avow-open]').focus()
  await page.keyboard.press('Enter')
  await expect(dialog(page)).toBeVisible()
  await button(dialog(page), 'Close').press('Enter')
  await expect(page.locator('[data-avow-open]')).toBeFocused()
})

test('the dialog stays open for whoever opens it again in the moment in which it closes', async ({ page, world }) => {
  const shop = await world.host({ policy })
  await page.goto(shop.page('/', article()))
  await button(banner(page), 'Manage').focus()
  // That it closed is told a moment later, which is seldom late enough.
  for (let round = 0; round < 20; round++) {
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    await expect(dialog(page)).toBeVisible()
    await page.keyboard.press('Escape')
    await expect(dialog(page)).toHaveCount(0)
  }
})

for (const layout of layouts) {
  test(`With the banner open, tab through a long page at 320, 768 and 1280 px: every focused element is visible in part (${layout})`, async ({
    page,
    world,
  }) => {
    const shop = await world.host({ policy, options: { layout } })
    const links = Array.from({ length: 60 }, (_, at) => `<p><a href="#${at}">Line ${at}</a> of the page</p>`).join('')
    await page.goto(shop.page('/', article(html(links), buttons)))
    for (const [width, height] of [
      [320, 568],
      [768, 600],
      [1280, 720],
    ] as const) {
      await page.setViewportSize({ width, height })
      await page.goto(shop.url('/'))
      await expect(banner(page)).toBeVisible()
      for (const key of ['Tab', 'Shift+Tab']) {
        for (let stop = 0; stop < 66; stop++) {
          await page.keyboard.press(key)
          await expect.poll(() => isFocusSeen(page), `${await focused(page)} at ${width} px, by ${key}`).toBe(true)
        }
      }
    }
  })
}

test('In the dialog, too, every focused element is visible in part, at 320 px and 400 % zoom', async ({
  page,
  world,
}) => {
  const shop = await world.host({ policy })
  for (const [width, height] of [
    [320, 568],
    [320, 256],
  ] as const) {
    await page.setViewportSize({ width, height })
    await page.goto(shop.page('/', article(buttons), { lang: 'de' }))
    const { words } = await noticeOf(shop, 'de')
    await button(banner(page), words.manage).click()
    await expect(dialog(page)).toBeVisible()
    for (const key of ['Tab', 'Shift+Tab']) {
      for (let stop = 0; stop < 12; stop++) {
        await page.keyboard.press(key)
        // Between two rounds the browser's own controls have it.
        if ((await focused(page)) === 'body') continue
        expect(await isFocusSeen(page), `${await focused(page)} at ${width}×${height}, by ${key}`).toBe(true)
      }
    }
  }
})

/** What can be clicked and is smaller than 24 × 24 CSS px; links inside a sentence may be (2.5.8). */
const smallTargets = (layer: Locator) =>
  layer.evaluate((element) =>
    Array.from(element.querySelectorAll('button, summary, input'))
      .filter((one) => one.checkVisibility())
      .map((one) => ({ name: one.textContent || one.getAttribute('name'), ...one.getBoundingClientRect().toJSON() }))
      .filter(({ width, height }) => width < 24 || height < 24)
      .map(({ name, width, height }) => `${name}: ${width}×${height}`),
  )

test('Targets at least 24×24 CSS px', async ({ page, world }) => {
  const shop = await world.host({ policy })
  await page.setViewportSize({ width: 320, height: 568 })
  await page.goto(shop.page('/', article(panel, buttons)))
  expect(await smallTargets(banner(page))).toEqual([])
  await button(banner(page), 'Manage').click()
  expect(await smallTargets(dialog(page))).toEqual([])
  await acceptAll(dialog(page)).click()
  await expect(settings(page).getByText('History', { exact: true })).toBeVisible()
  await settings(page).getByText('History', { exact: true }).click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  expect(await smallTargets(settings(page))).toEqual([])
})

test('No motion under prefers-reduced-motion', async ({ page, world }) => {
  const shop = await world.host({ policy })
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await page.goto(shop.page('/', article(panel, buttons)))
  await button(banner(page), 'Manage').click()
  await page.getByRole('dialog').getByRole('switch', { name: 'Maps' }).check()
  const moving = () =>
    page.evaluate(() =>
      ['avow-notice', 'avow-settings'].flatMap((name) =>
        Array.from(document.querySelector(name)!.shadowRoot!.querySelectorAll('*'))
          .filter((one) => {
            const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(one)
            return transitionDuration !== '0s' || animationName !== 'none' || scrollBehavior !== 'auto'
          })
          .map(({ outerHTML }) => outerHTML),
      ),
    )
  expect(await moving()).toEqual([])
  expect(await page.evaluate(() => document.getAnimations().length)).toBe(0)
})

/** Each text that a live region of ours has had, in order. */
const announced = (page: Page) => page.evaluate(() => (globalThis as unknown as { announced: string[] }).announced)

/** Remembers them, from before anything of ours is there. */
async function listen(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const all: string[] = []
    Object.assign(globalThis, { announced: all })
    const attach = Element.prototype.attachShadow
    Element.prototype.attachShadow = function (init) {
      const root = attach.call(this, init)
      new MutationObserver((changes) => {
        for (const { target } of changes) {
          const region = (target instanceof Element ? target : target.parentElement)?.closest(
            '[role=status], [aria-live]',
          )
          if (region?.textContent && all.at(-1) !== region.textContent) all.push(region.textContent)
        }
      }).observe(root, { childList: true, characterData: true, subtree: true })
      return root
    }
  })
}

test('"Choice saved" is announced by role="status" without moving focus', async ({ page, world }) => {
  await listen(page.context())
  const shop = await world.host({ policy })
  await page.goto(shop.page('/', article(panel, html('<input id="field">'), buttons)))
  await expect(banner(page)).toBeVisible()
  await page.locator('#field').focus()
  // An agent acting for the person takes no focus either.
  await page.evaluate(() => (globalThis as unknown as { avow: (method: string) => void }).avow('rejectAll'))
  await expect.poll(() => announced(page)).toContain('Your choice is saved.')
  await expect(page.locator('#field')).toBeFocused()
  await expect(page.locator('avow-notice').getByRole('status')).toHaveText('Your choice is saved.')
})

test('The banner is role="region" with a name, not modal, its arrival announced once, politely', async ({
  page,
  world,
}) => {
  await listen(page.context())
  const shop = await world.host({ policy })
  await page.goto(shop.page('/', article(html('<input id="field">'))))
  await expect(page.getByRole('region', { name: 'Your privacy', exact: true })).toBeVisible()
  expect(await banner(page).getAttribute('aria-modal')).toBeNull()
  await expect.poll(() => announced(page)).toEqual(['Your privacy'])
  expect(await focused(page)).toBe('body')
  // Redrawn, it says nothing new.
  await button(banner(page), 'Manage').click()
  await button(dialog(page), 'Close').click()
  await rejectAll(page).click()
  await expect.poll(() => announced(page)).toEqual(['Your privacy', 'Your choice is saved.'])
})

test('After a decision focus returns to what had it before', async ({ page, world }) => {
  const shop = await world.host({ policy })
  await page.goto(shop.page('/', article(html('<input id="field">'), buttons)))
  await expect(banner(page)).toBeVisible()
  await page.locator('#field').focus()
  await rejectAll(page).press('Enter')
  await expect(page.locator('#field')).toBeFocused()

  await page.locator('[data-avow-open]').press('Enter')
  await rejectAll(dialog(page)).press('Enter')
  await expect(page.locator('[data-avow-open]')).toBeFocused()
})

test('to where somebody has scrolled away from, the focus returns without the page', async ({ page, world }) => {
  const shop = await world.host({ policy })
  await page.goto(shop.page('/', article(html(`<input id="field">${'<p>A line of the page</p>'.repeat(100)}`))))
  await expect(banner(page)).toBeVisible()
  await page.locator('#field').focus()
  await page.mouse.wheel(0, 1500)
  await expect.poll(() => page.evaluate(() => scrollY)).toBe(1500)
  await rejectAll(page).click()
  await expect(page.locator('#field')).toBeFocused()
  expect(await page.evaluate(() => scrollY)).toBe(1500)
})

test('the small button keeps the focus that returned to it, beside what is announced', async ({ page, world }) => {
  const shop = await world.host({ policy, options: { button: true } })
  await page.goto(shop.page('/', article()))
  await rejectAll(page).click()
  const small = button(page.locator('avow-notice'), 'Privacy choices')
  const status = page.locator('avow-notice').getByRole('status')
  await small.press('Enter')
  await rejectAll(dialog(page)).press('Enter')
  await expect(status).toHaveText('Your choice is saved.')
  expect(await focused(page)).toBe('Privacy choices')
  const [above, below] = [(await status.boundingBox())!, (await small.boundingBox())!]
  expect(above.y + above.height).toBeLessThanOrEqual(below.y)
})

test('"Choice saved" stays long enough to be read, however soon after the banner the choice was made', async ({
  page,
  world,
}) => {
  const shop = await world.host({ policy })
  await page.clock.install()
  await page.goto(shop.page('/', article()))
  await expect(banner(page)).toBeVisible()
  const status = page.locator('avow-notice [role=status]')
  await page.clock.runFor(4000)
  await expect(status).toHaveText('Your privacy')
  await rejectAll(page).click()
  await page.clock.runFor(4900)
  await expect(status).toHaveText('Your choice is saved.')
  await page.clock.runFor(500)
  await expect(status).toHaveText('')
})

test('The dialog is a native modal <dialog> with a name; switches are native or role="switch" with name and state', async ({
  page,
  world,
}) => {
  const shop = await world.host({ policy })
  await page.goto(shop.page('/', article(panel, buttons)))
  await button(banner(page), 'Manage').click()
  const modal = page.getByRole('dialog', { name: 'Privacy choices', exact: true })
  expect(await modal.evaluate((element) => [element.tagName, element.matches(':modal')])).toEqual(['DIALOG', true])
  for (const name of ['Analytics', 'Maps']) {
    const one = modal.getByRole('switch', { name, exact: true })
    await expect(one).not.toBeChecked()
    await one.press('Space')
    await expect(one).toBeChecked()
  }
})

/** WCAG 2.2, 1.4.12. */
const spacing =
  '* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-bottom: 2em !important }'

test('400 % zoom and text spacing (1.4.12) keep both buttons reachable', async ({ page, world }) => {
  for (const layout of ['box', 'bar-top'] as const) {
    const shop = await world.host({ policy, apart: layout !== 'box', options: { layout } })
    for (const lang of ['de', 'fi', 'el', 'ar']) {
      const { words } = await noticeOf(shop, lang)
      // 1280×1024 at 400 %.
      await page.setViewportSize({ width: 320, height: 256 })
      await page.goto(shop.page('/', article(buttons), { lang }))
      await expect(banner(page)).toBeVisible()
      await page.evaluate((css) => {
        const sheet = new CSSStyleSheet()
        sheet.replaceSync(css)
        document.adoptedStyleSheets.push(sheet)
        // A person's own style sheet is in shadow trees, too.
        document.querySelector('avow-notice')!.shadowRoot!.adoptedStyleSheets.push(sheet)
      }, spacing)
      for (const name of [words.rejectAll, words.acceptAll]) {
        await button(banner(page), name).scrollIntoViewIfNeeded()
        await expect(button(banner(page), name)).toBeInViewport({ ratio: 0.9 })
        // Nothing of its text is cut off, and nobody has to scroll in two directions.
        expect(
          await button(banner(page), name).evaluate((one) => one.scrollWidth - one.clientWidth),
        ).toBeLessThanOrEqual(0)
      }
      expect(await banner(page).evaluate((one) => one.scrollWidth - one.clientWidth)).toBeLessThanOrEqual(0)
      await button(banner(page), words.manage).click()
      for (const name of [words.rejectAll, words.acceptAll]) {
        await button(dialog(page), name).scrollIntoViewIfNeeded()
        await expect(button(dialog(page), name)).toBeInViewport({ ratio: 0.9 })
      }
      expect(await dialog(page).evaluate((one) => one.scrollWidth - one.clientWidth)).toBeLessThanOrEqual(0)
    }
  }
})

/** Words that begin on one line and end on the next. */
const brokenWords = (layer: Locator) =>
  layer.evaluate((element) => {
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT)
    const broken: string[] = []
    while (texts.nextNode()) {
      const text = texts.currentNode
      // A hyphen is a place to break at.
      for (const { index, 0: word } of (text.textContent ?? '').matchAll(/[\p{L}\p{M}]+/gu)) {
        const range = new Range()
        range.setStart(text, index)
        range.setEnd(text, index + word.length)
        if (new Set(Array.from(range.getClientRects(), ({ top }) => Math.round(top))).size > 1) broken.push(word)
      }
    }
    return broken
  })

test('no word is broken in two at 320 px, in the languages with the longest ones', async ({ page, world }) => {
  const shop = await world.host({ policy })
  await page.setViewportSize({ width: 320, height: 568 })
  for (const lang of ['de', 'fi', 'el']) {
    await page.goto(shop.page('/', article(panel, buttons), { lang }))
    const { words } = await noticeOf(shop, lang)
    await expect(settings(page)).toBeVisible()
    for (const summary of await settings(page).locator('summary').all()) await summary.click()
    await button(banner(page), words.manage).click()
    for (const summary of await dialog(page).locator('summary').all()) await summary.click()
    for (const layer of [banner(page), dialog(page), settings(page)]) expect(await brokenWords(layer), lang).toEqual([])
  }
})

test('no word is broken in two at 200 % text on a wide screen either', async ({ page, world }) => {
  const shop = await world.host({ policy })
  for (const lang of ['de', 'fi', 'el']) {
    await page.goto(shop.page('/', article(panel, buttons), { lang }))
    const { words } = await noticeOf(shop, lang)
    await expect(settings(page)).toBeVisible()
    await enlarge(page)
    await button(banner(page), words.manage).click()
    for (const layer of [banner(page), dialog(page), settings(page)]) expect(await brokenWords(layer), lang).toEqual([])
  }
})

test('in forced colours no text of ours has the colour of paper, which browsers paint behind it', async ({
  page,
  world,
}) => {
  const shop = await world.host({ policy })
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ forcedColors: 'active', colorScheme })
    await page.goto(shop.page('/', article(panel, buttons)))
    await expect(settings(page)).toBeVisible()
    await button(banner(page), 'Manage').click()
    const unseen = await page.evaluate(() => {
      const probe = document.body.appendChild(document.createElement('p'))
      probe.style.color = 'Canvas'
      const paper = getComputedStyle(probe).color
      return ['avow-notice', 'avow-settings'].flatMap((name) =>
        Array.from(document.querySelector(name)!.shadowRoot!.querySelectorAll<HTMLElement>('*'))
          .filter((one) => one.checkVisibility() && one.textContent && getComputedStyle(one).color === paper)
          .map((one) => one.textContent),
      )
    })
    expect(unseen, colorScheme).toEqual([])
  }
})

for (const layout of ['box', 'bar'] as const) {
  test(`while the banner is there, the last link of a page can be scrolled clear of it and clicked (${layout})`, async ({
    page,
    world,
  }) => {
    const shop = await world.host({ policy, options: { layout } })
    const footer = html('<footer><p><a href="#imprint">Imprint</a></p></footer>')
    for (const lines of [3, 60]) {
      const text = html('<p>A line of the page</p>'.repeat(lines))
      for (const [width, height] of [
        [320, 568],
        [1280, 720],
      ] as const) {
        await page.setViewportSize({ width, height })
        await page.goto(shop.page('/', article(text, footer)))
        await expect(banner(page)).toBeVisible()
        await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight))
        const link = await page.getByRole('link', { name: 'Imprint' }).boundingBox()
        await page.mouse.click(link!.x + 5, link!.y + 5)
        await expect(page, `${lines} lines at ${width} px`).toHaveURL(/#imprint$/)
        // What was lent goes back.
        await rejectAll(page).click()
        await expect(banner(page)).toHaveCount(0)
        await expect.poll(() => page.evaluate(() => document.documentElement.style.marginBottom)).toBe('')
        await page.context().clearCookies()
      }
    }
  })
}

test('where scroll bars take room, a page that has none gets none from the banner', async ({
  world,
  witness,
}, info) => {
  await using own = await openOwnBrowser(info, { without: ['--hide-scrollbars'] })
  await witness.join(own.context)
  const page = await own.context.newPage()
  const shop = await world.host({ policy, options: { layout: 'bar' } })
  const widths = () => page.evaluate(() => [innerWidth, document.documentElement.clientWidth] as const)
  // Else nothing would be told of the other.
  await page.goto(shop.page('/long', article(html('<p>A line of the page</p>'.repeat(60)))))
  await expect(banner(page)).toBeVisible()
  const [outer, inner] = await widths()
  expect(outer).toBeGreaterThan(inner)

  await page.goto(shop.page('/short', article(html('<p>A line of the page</p>'))))
  await expect(banner(page)).toBeVisible()
  const [whole, shown] = await widths()
  expect(shown).toBe(whole)
})

/** Enough in it to count as one: a browser leaves out images with next to no bytes for their size. */
const picture = `data:image/svg+xml,${encodeURIComponent(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 400">${Array.from({ length: 300 }, (_, at) => `<circle cx="${(at * 37) % 640}" cy="${(at * 53) % 400}" r="9" fill="hsl(${at} 60% 50%)"/>`).join('')}</svg>`,
)}`
const paragraph = `<p>${'The report of this month shows what was asked of the service, by whom, and how long each answer took. '.repeat(6)}</p>`

for (const [width, height] of [
  [360, 640],
  [1350, 940],
] as const) {
  for (const [kind, content] of [
    ['text', paragraph.repeat(6)],
    ['image', `<img src="${picture}" alt="Circles" width="${width - 20}" height="${height / 2}">${paragraph}`],
  ] as const) {
    for (const layout of ['box', 'bar', 'bar-top'] as const) {
      test(`CLS 0.000 from the banner; not the LCP element on a page of ${kind} at ${width}×${height} (${layout})`, async ({
        page,
        world,
      }) => {
        const shop = await world.host({ policy, options: { layout } })
        await page.setViewportSize({ width, height })
        const look = { csp: { 'img-src': "'self' data:" } }
        await page.goto(shop.page('/', article(html(content)), look))
        await expect(banner(page)).toBeVisible()
        const seen = await page.evaluate(async () => {
          // What is on screen by now has been painted two frames later.
          await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
          const entries = <Entry>(type: string) =>
            new Promise<Entry[]>((resolve) => {
              new PerformanceObserver((list, observer) => {
                observer.disconnect()
                resolve(list.getEntries() as Entry[])
              }).observe({ type, buffered: true })
              // None are none: nothing is told of them.
              setTimeout(resolve, 300, [])
            })
          const shifts = await entries<{ value: number }>('layout-shift')
          const paints = await entries<{ element: Element | null; size: number }>('largest-contentful-paint')
          return {
            cls: shifts.reduce((sum, { value }) => sum + value, 0),
            largest: paints.at(-1)?.element?.tagName ?? 'ours',
          }
        })
        expect(seen).toEqual({ cls: 0, largest: kind === 'text' ? 'P' : 'IMG' })
      })
    }
  }
}
