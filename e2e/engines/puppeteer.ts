/** The system's Firefox, by WebDriver BiDi. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import puppeteer, { type ElementHandle, type KeyInput } from 'puppeteer-core'
import type { FoundEngine } from '../../tools/engines.mjs'
import type { Engine, Key } from './engine.js'

const pressed: Readonly<Record<Key, readonly KeyInput[]>> = {
  Tab: ['Tab'],
  'Shift+Tab': ['Shift', 'Tab'],
  Enter: ['Enter'],
  // By what it types: the other name it does not know.
  Space: [' '],
  Escape: ['Escape'],
  PageDown: ['PageDown'],
}

const backWithinMs = 10_000

export async function openPuppeteer({ path }: FoundEngine): Promise<Engine> {
  // As root it refuses a home that is somebody else's; and it leaves nothing in the one of whoever runs this.
  const home = await mkdtemp(join(tmpdir(), 'avow-firefox-'))
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: path,
    acceptInsecureCerts: true,
    env: { ...process.env, HOME: home },
    extraPrefsFirefox: { 'intl.accept_languages': 'en-GB, en' },
  })
  return {
    name: `${(await browser.version()).replace('/', ' ')}, by Puppeteer`,
    async visit() {
      const context = await browser.createBrowserContext()
      return {
        async open() {
          const page = await context.newPage()
          return {
            goto: async (url) => void (await page.goto(url)),
            reload: async () => void (await page.reload()),
            // Its own way back waits for a page that loads, and one that is put back does not; nor does `page.url()` notice it.
            async back() {
              const address = () => page.evaluate('location.href').catch(() => left)
              const left = await page.evaluate('location.href')
              await page.evaluate('history.back()')
              const until = performance.now() + backWithinMs
              while ((await address()) === left) {
                if (performance.now() > until) throw new Error(`still on ${left} after ${backWithinMs} ms`)
                await pause(30)
              }
            },
            run: (expression) => page.evaluate(expression),
            async click(expression) {
              const handle = await page.evaluateHandle(expression)
              const element = handle.asElement() as ElementHandle<Element> | null
              await element?.click()
              return element !== null
            },
            async press(key) {
              const all = pressed[key]
              for (const one of all) await page.keyboard.down(one)
              for (const one of [...all].reverse()) await page.keyboard.up(one)
            },
            async cookies() {
              const { hostname } = new URL(page.url())
              const all = await context.cookies()
              return all
                .filter(({ domain }) => domain === hostname)
                .map((cookie) => ({ ...cookie, sameSite: cookie.sameSite ?? '', httpOnly: cookie.httpOnly ?? false }))
            },
            show: () => page.bringToFront(),
            picture: async () => Buffer.from(await page.screenshot()),
          }
        },
        close: () => context.close(),
      }
    },
    async close() {
      await browser.close()
      await rm(home, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}
