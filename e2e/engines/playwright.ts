/** Chromium, and Playwright's own Firefox and WebKit where the system has none. */
import { chromium, type ElementHandle, firefox, webkit } from '@playwright/test'
import type { FoundEngine } from '../../tools/engines.mjs'
import type { Engine } from './engine.js'

const types = { chromium, firefox, webkit }

export async function openPlaywright({ name, path }: FoundEngine): Promise<Engine> {
  // Chromium's sandbox refuses root, which is what a container runs as.
  const args = name === 'chromium' ? ['--no-sandbox', '--disable-background-networking'] : []
  const browser = await types[name].launch({ executablePath: path, args })
  return {
    name: `${name} ${browser.version()}, by Playwright`,
    async visit() {
      const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB' })
      return {
        async open() {
          const page = await context.newPage()
          return {
            goto: async (url) => void (await page.goto(url)),
            reload: async () => void (await page.reload()),
            back: async () => void (await page.goBack()),
            run: (expression) => page.evaluate(expression),
            async click(expression) {
              const handle = await page.evaluateHandle<unknown>(expression)
              const element = handle.asElement() as ElementHandle<Element> | null
              await element?.click()
              return element !== null
            },
            press: (key) => page.keyboard.press(key),
            cookies: () => context.cookies(page.url()),
            show: () => page.bringToFront(),
            picture: () => page.screenshot(),
          }
        },
        close: () => context.close(),
      }
    },
    close: () => browser.close(),
  }
}
