/**
 * Pictures of all that Avow shows, to be looked at by a person: `node tools/screenshots.mjs FOLDER [--width 320] [--lang de]
 * [--mode dark] [--state banner] [--layout bar]`, after a build; each of the five may stand more than once. They are taken of the
 * demo's gallery, in the Chromium of the browser stories. Beside each picture goes one sheet for each mode and state, on which
 * all its pictures are. `--readme` takes the three that the README shows instead, small: `node tools/screenshots.mjs docs/images --readme`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { chromium } from '@playwright/test'
import { findChromium } from './chromium.mjs'

const many = { type: 'string', multiple: true }
const { values, positionals } = parseArgs({
  options: { width: many, lang: many, mode: many, state: many, layout: many, readme: { type: 'boolean' } },
  allowPositionals: true,
})
const [folder] = positionals
if (!folder) throw new Error('which folder? node tools/screenshots.mjs FOLDER')
const out = resolve(folder)
mkdirSync(out, { recursive: true })

const widths = (values.width ?? ['1280', '768', '390', '320']).map(Number)
const languages = values.lang ?? ['en', 'de', 'fi', 'el', 'ar']
const layouts = values.layout ?? ['box']
/** Theme of the gallery, and how the browser is set. */
const modes = {
  light: { theme: 'light', media: {} },
  dark: { theme: 'dark', media: { colorScheme: 'dark' } },
  forced: { theme: 'dark', media: { forcedColors: 'active', colorScheme: 'dark' } },
  custom: { theme: 'custom', media: {} },
}
/** `tables`: the preferences with everything unfolded, as long as that is. */
const states = { banner: 'banner', preferences: 'preferences', tables: 'preferences', settings: 'granted' }
const heights = { 1280: 800, 768: 1024, 390: 844, 320: 568 }

const root = fileURLToPath(new URL('..', import.meta.url))
const data = mkdtempSync(join(tmpdir(), 'avow-screenshots-'))
const env = { ...process.env, PORT: '0', AVOW_DATA: data, AVOW_RATE_LIMIT: 'off' }
const demo = spawn(process.execPath, [join(root, 'demo/dist/main.js')], {
  env,
  stdio: ['ignore', 'ignore', 'inherit'],
})

async function addressOfDemo() {
  while (demo.exitCode === null) {
    try {
      return JSON.parse(readFileSync(join(data, 'demo.json'), 'utf8')).url
    } catch {
      // Not written yet.
      await sleep(50)
    }
  }
  throw new Error('the demo did not start; it said why above')
}

/** Takes one picture, and says what sticks out of its box sideways. */
async function take(page, url, { state, mode, lang, layout, width }) {
  const { theme, media } = modes[mode]
  await page.emulateMedia(media)
  await page.setViewportSize({ width, height: heights[width] ?? 800 })
  await page.goto(`${url}/gallery/view?${new URLSearchParams({ state: states[state], theme, lang, layout })}`)
  const shown = { banner: 'avow-notice section', settings: 'avow-settings section' }[state] ?? 'avow-notice dialog'
  await page.locator(shown).waitFor()
  if (state === 'tables') {
    await page.setViewportSize({ width, height: 3200 })
    for (const summary of await page.locator('avow-notice summary').all()) await summary.click()
  }
  if (state === 'settings') for (const one of await page.locator('avow-settings summary').all()) await one.click()
  const wide = await page.locator(shown).evaluate((layer) => [
    ...(document.documentElement.scrollWidth > innerWidth ? ['the page'] : []),
    ...[layer, ...layer.querySelectorAll('*')]
      // What stands in the margin on purpose does no harm but in what scrolls.
      .filter((one) => one.scrollWidth > one.clientWidth + 1 && /BUTTON|DIALOG|SECTION/.test(one.tagName))
      .map((one) => `${one.tagName.toLowerCase()}.${one.className}: ${one.textContent.slice(0, 30)}`),
  ])
  const name = [state, mode, ...(layout === 'box' ? [] : [layout]), lang, width].join('-')
  for (const one of wide) console.log(`${name}: scrolls sideways: ${one}`)
  const bytes = await page.screenshot({ path: join(out, `${name}.png`), fullPage: state === 'settings' })
  return { name, width, src: `data:image/png;base64,${bytes.toString('base64')}` }
}

/** All pictures of one mode and state on one page, small enough to be seen at once. */
async function lay(page, name, pictures) {
  const cell = ({ name, width, src }) =>
    `<figure><img src="${src}" width="${width * 0.7}"><figcaption>${name}</figcaption></figure>`
  const style =
    'body{margin:8px;background:#bbb;font:11px sans-serif;display:flex;flex-wrap:wrap;align-items:start}figure{margin:4px}'
  await page.setContent(`<style>${style}</style>${pictures.map(cell).join('')}`)
  await page.setViewportSize({ width: 1540, height: 400 })
  await page.screenshot({ path: join(out, `sheet-${name}.png`), fullPage: true })
}

/** What the README shows: name, size of the window, view, and how many of its details are open. */
const forReadme = [
  ['banner', [390, 700], { state: 'banner', theme: 'dark' }],
  ['preferences', [720, 800], { state: 'preferences', theme: 'light' }],
  ['settings', [720, 720], { state: 'granted', theme: 'light' }],
]

async function takeForReadme(page, url) {
  const session = await page.context().newCDPSession(page)
  for (const [name, [width, height], view] of forReadme) {
    await page.setViewportSize({ width, height })
    await page.goto(`${url}/gallery/view?${new URLSearchParams({ ...view, layout: 'box', lang: 'en' })}`)
    await page
      .locator(view.state === 'granted' ? 'avow-settings section' : 'avow-notice :is(section, dialog)')
      .first()
      .waitFor()
    // What was opened by a script has the focus as if by a key.
    await page.mouse.click(5, 5)
    const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 70 })
    writeFileSync(join(out, `${name}.webp`), Buffer.from(data, 'base64'))
  }
}

const browser = await chromium.launch({ executablePath: findChromium(), args: ['--no-sandbox'] })
try {
  const url = await addressOfDemo()
  const page = await browser.newPage({ locale: 'en-GB' })
  // Not where the gallery's own policy holds.
  const table = await browser.newPage()
  if (values.readme) await takeForReadme(page, url)
  else
    for (const mode of values.mode ?? ['light', 'dark', 'forced']) {
      for (const state of values.state ?? Object.keys(states)) {
        for (const layout of layouts) {
          const pictures = []
          for (const width of widths)
            for (const lang of languages) pictures.push(await take(page, url, { state, mode, lang, layout, width }))
          await lay(table, [state, mode, ...(layout === 'box' ? [] : [layout])].join('-'), pictures)
        }
      }
    }
} finally {
  await browser.close()
  if (demo.exitCode === null) {
    demo.kill()
    await once(demo, 'exit')
  }
  rmSync(data, { recursive: true, force: true })
}
