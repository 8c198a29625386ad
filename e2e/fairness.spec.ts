/** Refusing is as easy as accepting, and everything that counts can be seen: in words, in size, and in clicks. */
import { readFile } from 'node:fs/promises'
import type { Notice } from '@avow/sdk/wire'
import type { Locator, Page } from '@playwright/test'
import { frame, hostApp, html, loader, ordinary } from './pages/parts.js'
import { galleryLanguages, galleryPolicy, noticeOf } from './support/gallery-policy.js'
import { acceptAll, expect, expectUnharmed, marks, rejectAll, state, test } from './support/world-test.js'

const none = { analytics: false, maps: false }
const all = { analytics: true, maps: true }
const policy = { ...galleryPolicy, crossDevice: true }
const panel = html('<main><h1>Account</h1><avow-settings></avow-settings></main>')
const layouts = ['box', 'box-end', 'box-center', 'bar', 'bar-top'] as const

const button = (place: Page | Locator, name: string) => place.getByRole('button', { name, exact: true })
const banner = (page: Page) => page.locator('avow-notice section')
const dialog = (page: Page) => page.getByRole('dialog')
const settings = (page: Page) => page.locator('avow-settings section')

/** What a person sees of a button, and where it stands. */
const looks = (one: Locator) =>
  one.evaluate((element) => {
    const { width, height } = element.getBoundingClientRect()
    const { font, color, backgroundColor, opacity, visibility } = getComputedStyle(element)
    // Relative luminance (WCAG 2.2).
    const luminance = (rgb: string) => {
      const [r = 0, g = 0, b = 0] = (rgb.match(/[\d.]+/g) ?? []).map((text) => {
        const part = Number(text) / 255
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const [light = 0, dark = 0] = [luminance(color), luminance(backgroundColor)].sort((a, b) => b - a)
    return {
      ...{ tag: element.tagName, width, height, font, opacity, visibility },
      contrast: (light + 0.05) / (dark + 0.05),
      container: element.parentElement!.className,
      siblings: Array.from(element.parentElement!.children, ({ textContent }) => textContent),
    }
  })

/** The two by their place, which is the same in every language: accepting last, refusing before it. */
async function expectAlike(layer: Locator, { words }: Notice): Promise<void> {
  const [reject, accept] = [
    await looks(layer.locator('.actions > button:nth-last-child(2)')),
    await looks(layer.locator('.actions > button:last-child')),
  ]
  expect(accept.siblings.slice(-2)).toEqual([words.rejectAll, words.acceptAll])
  expect(reject.siblings).toEqual(accept.siblings)
  for (const same of ['tag', 'font', 'opacity', 'visibility', 'container'] as const)
    expect(reject[same]).toBe(accept[same])
  expect(reject.tag).toBe('BUTTON')
  expect(Math.abs(reject.width - accept.width)).toBeLessThanOrEqual(1)
  expect(Math.abs(reject.height - accept.height)).toBeLessThanOrEqual(1)
  expect(Math.abs(reject.contrast - accept.contrast)).toBeLessThanOrEqual(0.5)
  expect(Math.min(reject.contrast, accept.contrast)).toBeGreaterThanOrEqual(4.5)
}

for (const layout of layouts) {
  test(`Reject stands on every layer that has accept, a <button> beside it, equal in width, height, font and contrast, each at least 4.5:1 (${layout})`, async ({
    page,
    world,
  }) => {
    const shop = await world.host({ policy, options: { layout } })
    for (const lang of ['en', 'fi', 'el', 'ar']) {
      const notice = await noticeOf(shop, lang)
      await page.goto(shop.page('/', [...ordinary, panel], { lang }))
      for (const [width, height] of [
        [320, 568],
        [768, 1024],
        [1280, 720],
      ] as const) {
        await page.setViewportSize({ width, height })
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme })
          await page.evaluate(() => {
            document.documentElement.style.colorScheme = 'light dark'
          })
          await expectAlike(banner(page), notice)
          await expectAlike(settings(page), notice)
          await button(banner(page), notice.words.manage).click()
          await expectAlike(dialog(page), notice)
          await button(dialog(page), notice.words.close).click()
        }
      }
    }
  })
}

/** Rows of answers that leave room at an end, where another answer seems to be missing. */
const gaps = (layer: Locator) =>
  layer.evaluate((element) => {
    const actions = element.querySelector('.actions')!
    const whole = actions.getBoundingClientRect()
    const style = getComputedStyle(actions)
    const inside = {
      left: whole.left + Number.parseFloat(style.paddingLeft),
      right: whole.right - Number.parseFloat(style.paddingRight),
    }
    const boxes = Array.from(actions.children, (one) => one.getBoundingClientRect())
    return [...new Set(boxes.map(({ top }) => Math.round(top)))]
      .map((row) => boxes.filter(({ top }) => Math.round(top) === row))
      .filter(
        (row) =>
          Math.abs(Math.min(...row.map(({ left }) => left)) - inside.left) > 1 ||
          Math.abs(Math.max(...row.map(({ right }) => right)) - inside.right) > 1,
      ).length
  })

test('The answers fill the rows they stand in, at every width, of the window or of the column that has the settings', async ({
  page,
  world,
}) => {
  const shop = await world.host({ policy })
  await page.goto(shop.page('/', [...ordinary, panel]))
  await expect(settings(page)).toBeVisible()
  for (const width of [320, 390, 440, 520, 599, 600, 768, 1280]) {
    await page.setViewportSize({ width, height: 800 })
    for (const layer of [banner(page), settings(page)]) expect(await gaps(layer), `${width} px`).toBe(0)
  }
  const isRefusingBesideAccepting = () =>
    settings(page).evaluate((element) => {
      const [manage, reject, accept] = Array.from(element.querySelectorAll<HTMLElement>('.actions > button'))
      return manage!.offsetTop < reject!.offsetTop && reject!.offsetTop === accept!.offsetTop
    })
  for (const width of [300, 420]) {
    await page.locator('main').evaluate((main, width) => {
      main.style.width = `${width}px`
    }, width)
    expect(await gaps(settings(page)), `a column of ${width} px`).toBe(0)
    expect(await isRefusingBesideAccepting()).toBe(true)
  }
})

test('Nothing is pre-ticked on any layer. No "legitimate interest" toggle', async ({ page, world }) => {
  const shop = await world.host({ policy })
  await page.goto(shop.page('/', [...ordinary, panel]))
  await button(banner(page), 'Manage').click()
  for (const [layer, switches] of [
    [banner(page), []],
    [dialog(page), ['Analytics', 'Maps']],
    [settings(page), ['Analytics', 'Maps']],
  ] as const) {
    await expect(layer).toBeVisible()
    // All that can be set at all: one switch a category that needs consent, and each is off.
    const inputs = layer.locator(
      'input, select, textarea, [role=switch], [role=checkbox], [aria-checked], [aria-pressed]',
    )
    await expect(inputs).toHaveCount(switches.length)
    for (const name of switches)
      await expect(layer.locator('label').filter({ hasText: name }).locator('input')).not.toBeChecked()
    await expect(layer).not.toContainText(/legitimate/i)
  }
  expect(await state(page)).toBeUndefined()
})

for (const layout of layouts) {
  test(`No consent wall: the page works behind the banner (${layout})`, async ({ page, world }) => {
    const shop = await world.host({ policy, options: { layout } })
    const lines = `<pre>${'A line of the page.\n'.repeat(200)}</pre>`
    const parts = [loader(), html(lines), hostApp, html(`<a href="/next">Next</a> <input id="field">${lines}`)]
    shop.page('/next', [loader()])
    for (const width of [320, 1280]) {
      await page.setViewportSize({ width, height: 640 })
      await page.goto(shop.page('/', parts))
      await expect(banner(page)).toBeVisible()
      const box = (await banner(page).boundingBox())!
      expect(box.height).toBeLessThanOrEqual(0.8 * 640)
      await page.mouse.wheel(0, 1500)
      await expect.poll(() => page.evaluate(() => scrollY)).toBeGreaterThan(300)
      await expectUnharmed(page)
      await page.locator('#field').fill('typed')
      await expect(page.locator('#field')).toHaveValue('typed')
      await page.getByRole('link', { name: 'Next' }).click()
      await expect(page).toHaveURL(shop.url('/next'))
      await expect(banner(page)).toBeVisible()
      expect(await state(page)).toBeUndefined()
    }
  })
}

test('A host button data-avow-withdraw and the settings panel withdraw in one click, as accepting is; by data-avow-open it takes one more; never a confirmation', async ({
  page,
  world,
}) => {
  const shop = await world.host({ policy })
  page.on('dialog', (asked) => {
    throw new Error(`asked to confirm: ${asked.message()}`)
  })
  const withdrawals: (() => Promise<void>)[] = [
    () => page.locator('[data-avow-withdraw]').click(),
    () => button(settings(page), 'Withdraw consent').click(),
    async () => {
      await page.locator('[data-avow-open]').click()
      await rejectAll(page).click()
    },
  ]
  await page.goto(shop.page('/', [...ordinary, panel]))
  await acceptAll(page).click()
  for (const withdraw of withdrawals) {
    await expect.poll(() => state(page)).toEqual(all)
    await expect.poll(() => marks(page)).toEqual(['tracker'])
    // What ran is taken back by a reload.
    const reloaded = page.waitForEvent('load')
    await withdraw()
    await reloaded
    await expect.poll(() => state(page)).toEqual(none)
    await expect(dialog(page)).toHaveCount(0)
    await expect(button(settings(page), 'Withdraw consent')).toHaveCount(0)
    await page.locator('[data-avow-open]').click()
    await acceptAll(page).click()
  }
  await expect.poll(() => state(page)).toEqual(all)
})

test('A way to withdraw is on every page of a site that has the small button', async ({ page, world }) => {
  const shop = await world.host({ policy, options: { button: true } })
  shop.page('/second', [loader()])
  await page.goto(shop.page('/', [loader()]))
  await expect(button(page, 'Privacy choices')).toHaveCount(0)
  await acceptAll(page).click()
  await expect(button(page, 'Privacy choices')).toBeVisible()
  await page.goto(shop.url('/second'))
  await button(page, 'Privacy choices').click()
  await rejectAll(page).click()
  await expect.poll(() => state(page)).toEqual(none)
  await expect(button(page, 'Privacy choices')).toBeVisible()
})

test('The settings show the visitor: current choice, when, under which notice (text available), consent id, history, download of the receipt', async ({
  page,
  world,
}) => {
  const shop = await world.host({ policy })
  const notice = await noticeOf(shop, 'en')
  // The panel's last button, and below it the banner.
  await page.setViewportSize({ width: 1280, height: 1600 })
  await page.goto(shop.page('/', [...ordinary, panel]))
  const isOn = (name: string) => settings(page).getByRole('switch', { name, exact: true })
  await expect(settings(page)).toContainText(notice.words.undecided)

  await isOn('Maps').check()
  await button(settings(page), 'Save choices').click()
  await expect.poll(() => shop.records()).toHaveLength(1)
  await page.reload()
  await expect(isOn('Maps')).toBeChecked()
  await expect(isOn('Analytics')).not.toBeChecked()

  const [record] = await shop.records()
  const format = (time: string) =>
    page.evaluate((at) => new Date(at).toLocaleString('en-GB', { dateStyle: 'long', timeStyle: 'short' }), time)
  const row = (name: string) => settings(page).locator('.row').filter({ hasText: name })
  await expect(row('Chosen on')).toContainText(await format(record!.decidedAt))
  await expect(row('Valid until')).toContainText(/20\d\d/)
  await expect(row('Consent ID').locator('code')).toHaveText(record!.subject)

  await settings(page).getByText('History', { exact: true }).click()
  const entry = settings(page).getByRole('listitem')
  await expect(entry).toHaveCount(1)
  await expect(entry).toContainText('Saved a selection; Analytics: Not allowed; Maps: Allowed')
  await settings(page).getByText('What you were shown').click()
  await expect(settings(page).locator('details details').getByText(notice.text)).toBeVisible()
  for (const { description } of notice.categories)
    await expect(settings(page).locator('details details').getByText(description)).toBeVisible()

  const downloading = page.waitForEvent('download')
  await button(entry, 'Download receipt').click()
  const download = await downloading
  expect(download.suggestedFilename()).toBe(`avow-receipt-${record!.id}.tlog-proof`)
  expect(await readFile(await download.path(), 'utf8')).toMatch(/^c2sp\.org\/tlog-proof@v1\n/)
})

test('The settings keep up: what has arrived waits no more, a history that is unfolded grows, and an emptied jar has no id', async ({
  page,
  world,
}) => {
  const shop = await world.host({ policy })
  const { words } = await noticeOf(shop, 'en')
  await page.setViewportSize({ width: 1280, height: 1600 })
  await page.goto(shop.page('/', [loader(), panel]))
  const entries = settings(page).getByRole('listitem')
  for (const [at, name] of ['Maps', 'Analytics'].entries()) {
    await settings(page).getByRole('switch', { name, exact: true }).check()
    await button(settings(page), 'Save choices').click()
    await expect.poll(() => shop.records()).toHaveLength(at + 1)
    await expect(settings(page)).not.toContainText(words.waiting)
    if (at === 0) await settings(page).getByText('History', { exact: true }).click()
    await expect(entries).toHaveCount(at + 1)
  }
  await expect(settings(page).getByText(words.consentId)).toBeVisible()
  // Put elsewhere in the page it is the same panel, still unfolded.
  await page.evaluate(() => document.body.append(document.querySelector('avow-settings')!))
  await expect(entries).toHaveCount(2)

  const region = await settings(page).getByRole('status').elementHandle()
  await page.context().clearCookies()
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
  await expect(settings(page)).toContainText(words.undecided)
  // What a screen reader listens to is not replaced, nor made another line.
  expect(await region!.evaluate((one) => [one.isConnected, one.getAttribute('role')])).toEqual([true, 'status'])
  await expect(settings(page).getByText(words.consentId)).toHaveCount(0)
})

test('A refuser, of whom nothing is kept that could be shown, is told so in the settings', async ({ page, world }) => {
  const shop = await world.host({ policy })
  await page.goto(shop.page('/', [...ordinary, panel]))
  await rejectAll(page).click()
  await expect(settings(page)).toContainText('nothing that identifies you is kept about this choice')
  await expect(settings(page)).toContainText('Chosen on')
  await expect(settings(page).getByText('Consent ID')).toHaveCount(0)
  await expect(settings(page).getByText('History')).toHaveCount(0)
})

/** Every text that is in there, shown or folded away, in order. */
const texts = (layer: Locator) =>
  layer.evaluate((element) => {
    const found: string[] = []
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT)
    let last: Node | null = null
    while (walker.nextNode()) {
      const { data, previousSibling } = walker.currentNode as Text
      // One sentence may be several nodes.
      if (previousSibling && previousSibling === last) found.push(`${found.pop()}${data}`)
      else found.push(data)
      last = walker.currentNode
    }
    return found.map((one) => one.replace(/[\t\n\r ]+/g, ' ').trim()).filter(Boolean)
  })

const formTexts = ({ words, categories, cookies }: Notice): string[] => [
  ...categories.flatMap(({ id, title, description, required }) => {
    const own = cookies.filter(({ category }) => category === id)
    return [
      title,
      ...(required ? [words.alwaysOn] : []),
      description,
      `${words.cookies} (${own.length})`,
      ...own.flatMap(({ name, provider, purpose, necessaryBecause, lifetime }) => [
        ...[words.cookieName, name, words.cookieProvider, provider, words.cookiePurpose, purpose],
        ...(necessaryBecause ? [words.cookieReason, necessaryBecause] : []),
        ...[words.cookieLifetime, lifetime],
      ]),
    ]
  }),
  ...[words.save, words.rejectAll, words.acceptAll],
]

test.describe("The words in a record's notice are the words on the screen", () => {
  test.skip(({ hostile }) => hostile, 'a library of the host’s changes no words, and there are many')

  for (const lang of galleryLanguages) {
    test(lang, async ({ page, world }) => {
      const shop = await world.host({ policy })
      const notice = await noticeOf(shop, lang)
      const { words, text } = notice
      await page.goto(shop.page('/', [...ordinary, frame('maps'), panel], { lang }))
      await expect(banner(page)).toBeVisible()
      await expect(settings(page)).toBeVisible()
      for (const ours of ['avow-notice', 'avow-settings', 'avow-held']) {
        await expect(page.locator(ours)).toHaveAttribute('lang', lang)
        await expect(page.locator(ours)).toHaveAttribute('dir', notice.dir)
      }
      expect(await texts(banner(page))).toEqual([
        ...[words.title, `${text} ${words.crossDevice}`, words.policyLink],
        ...[words.manage, words.rejectAll, words.acceptAll],
      ])
      const maps = notice.categories.find(({ id }) => id === 'maps')!
      expect(await texts(page.locator('avow-held section'))).toEqual([
        words.heldText.replace('{category}', maps.title),
        words.heldAllow,
      ])
      expect(await texts(settings(page))).toEqual([words.settingsTitle, words.undecided, ...formTexts(notice)])
      await button(banner(page), words.manage).click()
      expect(await texts(dialog(page))).toEqual([
        ...[words.preferencesTitle, words.close, text, words.policyLink],
        ...formTexts(notice),
      ])

      await button(dialog(page), words.acceptAll).click()
      await expect(page.locator('avow-notice [role=status]')).toHaveText(words.saved)
      await expect.poll(() => shop.records()).toHaveLength(1)
      const [record] = await shop.records()
      expect(record).toMatchObject({ notice: { hash: notice.hash, language: lang } })
      await settings(page).getByText(words.history, { exact: true }).click()
      await expect(settings(page).getByText(words.shownText)).toBeVisible()
      const format = (time: string | number) =>
        page.evaluate(
          ([at, language]) =>
            // In the words' language, as it is written where the visitor is.
            new Date(at).toLocaleString([...navigator.languages.filter((tag) => tag.startsWith(language)), language], {
              dateStyle: 'long',
              timeStyle: 'short',
            }),
          [time, lang] as const,
        )
      const shown = await texts(settings(page))
      // When it lapses is counted from the last activity, which is the browser's to know.
      expect(shown.splice(4, 1)[0]).toMatch(/\d|[٠-٩]/)
      expect(shown).toEqual([
        ...[words.settingsTitle, words.decidedAt, await format(record!.decidedAt), words.validUntil],
        ...[words.consentId, record!.subject, words.copy],
        ...formTexts(notice),
        ...[words.withdraw, words.history],
        [
          `${await format(record!.recordedAt)}: ${words.didAcceptAll}`,
          ...notice.categories.filter((one) => !one.required).map(({ title }) => `; ${title}: ${words.granted}`),
        ].join(''),
        ...[words.receipt, words.shownText, text],
        ...notice.categories.flatMap(({ title, description }) => [title, `: ${description}`]),
      ])
    })
  }
})
