/**
 * `test` for the stories of the loader and the gate. How to write one:
 *
 *     import { ordinary } from './pages/parts.js'
 *     import { acceptAll, expect, marks, test } from './support/world-test.js'
 *
 *     test('a sentence that is true of the product', async ({ page, world, witness }) => {
 *       const shop = await world.host()                  // https, Avow under /_avow; { apart, plain, name, site } for others
 *       await page.goto(shop.page('/', ordinary))        // parts are in e2e/pages/; a page put there again is replaced
 *       await acceptAll(page).click()
 *       await expect.poll(() => marks(page)).toEqual(['tracker'])
 *       await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }])
 *     })
 *
 * - Each story has servers of its own, in memory, opened by `world.host()`; nothing of another story is in them. What
 *   a server is told: `site` (see `site-policy.ts`), `options`, `policy`. `restart()` deploys another policy.
 * - `world.faults` breaks routes: `set('consents', { status: 500 }, times)`, `'reset'`, `'hang'`, `'lost'`; `hold('consents')` or
 *   `hold('consents', 'answer')` gives `{ arrived, release }`; `at('consents')` lists what arrived, with bodies and headers.
 * - `world.clock.aheadMs` moves the server's clock; Playwright's `page.clock` moves the page's. Neither ages real cookies.
 * - Pages have the strict policy with Trusted Types; `look.csp` changes a directive, `look.lax` takes the policy away.
 * - `witness` fails the story for violations, console errors, exceptions, and undeclared cookies and keys. What a story
 *   expects, it takes out: `await witness.expect(/a grant needs/)`. What Chromium says of requests to a route that the story
 *   broke is left out already. A second context is watched with `witness.join(context)`.
 * - No sleeps: `expect.poll` on a condition. That something does not happen is asserted after something later has: a request
 *   that arrived, a page that loaded.
 * - The project `hostile` runs these stories once more in pages that redefine what scripts rely on.
 */
import { type BrowserContext, expect, type Page } from '@playwright/test'
import { routeOf } from './faults.js'
import { test as base } from './ground-test.js'
import { isDeclared } from './site-policy.js'
import { closeWitness, createWitness, type Witness } from './witness.js'

export { acceptAll, decisionCookie, rejectAll } from './visitor.js'
export { expect }

/** The browser's words for what a story did to a route; whose fault it is, the story knows. */
const isFailedLoad = /^(Failed to load resource|Access to (fetch|script|XMLHttpRequest))/

export const test = base.extend<{ witness: Witness }>({
  witness: [
    async ({ context, world }, use) => {
      const isOwnDoing = (text: string, url: string) => {
        if (!isFailedLoad.test(text)) return false
        // A refused import is told with the address in the text alone.
        const named = [url, ...(text.match(/https?:\/\/[^'"\s]+/g) ?? [])]
        return named.some((one) => URL.canParse(one) && world.faults.touched.has(routeOf(new URL(one).pathname)!))
      }
      const witness = createWitness(isOwnDoing)
      await witness.join(context)
      await use(witness)
      closeWitness(witness, isDeclared)
    },
    { auto: true },
  ],
})

/** What scripts have run, in order; as strings, since a list of `undefined` would pass for an empty one. */
export const marks = (page: Page) =>
  page.evaluate(() => (globalThis as unknown as { ran: unknown[] }).ran.map((one) => String(one)))

export interface HeardMark {
  readonly name: 'change' | 'ask' | 'lapse'
  readonly choices?: Readonly<Record<string, boolean>>
  readonly initial: boolean
  readonly reloadNeeded: boolean
}

/** What listeners of `listening` have heard, in order. */
export const heard = (page: Page) => page.evaluate(() => (globalThis as unknown as { heard: HeardMark[] }).heard)

/** Calls the page's `avow`. */
export const avow = (page: Page, ...args: readonly unknown[]) =>
  page.evaluate((given) => (globalThis as unknown as { avow: (...args: unknown[]) => unknown }).avow(...given), args)

/** What this page takes as granted, or undefined while undecided; also undefined while the loader isn't there. */
export const state = (page: Page) =>
  page.evaluate(() =>
    (globalThis as unknown as { avow?: (method: string) => Record<string, boolean> | undefined }).avow?.('state'),
  )

/** Storage keys of what waits to be sent. */
export const pendingKeys = (page: Page) =>
  page.evaluate(() => Object.keys(localStorage).filter((key) => /^avow:[^:]+:0/.test(key)))

/** Declared cookies, keys and databases of categories that need consent, as the browser has them now. */
export async function traces(page: Page, context: BrowserContext = page.context()): Promise<string[]> {
  const cookies = (await context.cookies()).map(({ name }) => ['cookie', name] as const)
  const keys = await page.evaluate(async () => [
    ...Object.keys(localStorage).map((key) => ['local', key] as const),
    ...Object.keys(sessionStorage).map((key) => ['session', key] as const),
    ...(await indexedDB.databases()).map(({ name }) => ['database', name ?? ''] as const),
  ])
  return [...cookies, ...keys]
    .filter(([kind, name]) => kind === 'database' || isDeclared(kind, name, true))
    .map(([kind, name]) => `${kind} ${name}`)
}

/** The host's own page works as it would without us. Needs `hostApp`, which `ordinary` has. */
export async function expectUnharmed(page: Page): Promise<void> {
  const orders = () => page.evaluate(() => (globalThis as unknown as { orders?: number }).orders ?? 0)
  const before = await orders()
  await page.locator('#host').click()
  expect(await orders()).toBe(before + 1)
}
