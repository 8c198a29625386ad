/**
 * `test` for the stories that are told in every engine: a world of the story's own on `localhost`, and a visitor whom nobody
 * knows. What they rest on is written once, in `tab.ts`; what drives the engine is the project's business.
 *
 *     test('a sentence that is true of the product', async ({ world, open }) => {
 *       const shop = await world.host(here)
 *       const tab = await open(shop.page('/', watched(...ordinary)))
 *       await tab.click({ layer: 'banner', role: 'button', name: 'Accept all' })
 *       await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }])
 *     })
 *
 * A page of `watched` parts reports exceptions, console errors and violations of its policy to the story's server, and
 * each fails the story.
 */
import { expect } from '@playwright/test'
import type { FoundEngine } from '../../tools/engines.mjs'
import type { Part } from '../pages/page.js'
import { script } from '../pages/parts.js'
import { test as base } from '../support/ground-test.js'
import { isDeclared } from '../support/site-policy.js'
import type { HostOptions, World } from '../support/world.js'
import { type Engine, openEngine, type Visit } from './engine.js'
import { Tab } from './tab.js'

export { expect }

export interface EngineOptions {
  /** Where the project's engine is; see `tools/engines.mjs`. */
  engine: FoundEngine
}

interface Fixtures {
  /** Opens a tab of the story's visitor, at an address where one is given. */
  open: (url?: string) => Promise<Tab>
}

/** Where every engine can go: on http the loopback address counts as secure, so all there is on https is there. */
export const here: HostOptions = { name: 'localhost', plain: true }

/** With a certificate that the engines are told to believe. */
export const hereSecurely: HostOptions = { name: 'localhost' }

const complaintPath = '/complaint'

/** Runs before anything else of the page. */
function complain(path: string): void {
  const tell = (text: string) => void fetch(path, { method: 'POST', body: text, keepalive: true }).catch(() => {})
  addEventListener('error', ({ message }) => tell(`exception: ${message}`))
  addEventListener('unhandledrejection', ({ reason }) => tell(`rejection: ${reason}`))
  document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
    tell(`policy violated: ${effectiveDirective} by ${blockedURI}`),
  )
  const { error } = console
  console.error = (...said) => {
    tell(`console: ${said.join(' ')}`)
    error(...said)
  }
}

/** The parts, on a page that complains of itself to the story. */
export const watched = (...parts: readonly Part[]): Part[] => [script(`(${complain})('${complaintPath}')`), ...parts]

/** What such pages have complained of so far; taken out, since whoever asks expected it. */
export function takeComplaints(world: World): string[] {
  const { arrivals } = world.faults
  const complaints = arrivals.filter(({ path }) => path === complaintPath)
  for (const one of complaints) arrivals.splice(arrivals.indexOf(one), 1)
  return complaints.map(({ body }) => body)
}

export const test = base.extend<Fixtures, EngineOptions & { opened: Engine }>({
  engine: [undefined as unknown as FoundEngine, { option: true, scope: 'worker' }],

  opened: [
    async ({ engine }, use) => {
      const opened = await openEngine(engine)
      await use(opened)
      await opened.close()
    },
    { scope: 'worker' },
  ],

  open: async ({ opened, world }, use, testInfo) => {
    testInfo.annotations.push({ type: 'engine', description: opened.name })
    const visit: Visit = await opened.visit()
    const tabs: Tab[] = []
    await use(async (url) => {
      const tab = new Tab(await visit.open())
      tabs.push(tab)
      if (url !== undefined) await tab.goto(url)
      return tab
    })
    if (testInfo.status !== testInfo.expectedStatus) {
      for (const [at, tab] of tabs.entries()) {
        const path = testInfo.outputPath(`tab-${at}.png`)
        const body = await tab.picture().catch(() => null)
        if (body) await testInfo.attach(path, { body, contentType: 'image/png' })
      }
    }
    await visit.close()
    expect(takeComplaints(world), 'violations, console errors and exceptions').toEqual([])
  },
})

/** What scripts have run, in order. */
export const marks = (tab: Tab) => tab.evaluate(() => (window as unknown as { ran: string[] }).ran)
/** What this page takes as granted; null while undecided, or while the loader isn't there. */
export const state = (tab: Tab) =>
  tab.evaluate(() => {
    const { avow } = window as unknown as { avow?: (method: string) => Record<string, boolean> | undefined }
    return avow?.('state') ?? null
  })

/** Cookies and storage keys that need consent, as the engine has them now. */
export async function traces(tab: Tab): Promise<string[]> {
  const stored = await tab.evaluate(() => ({ local: Object.keys(localStorage), session: Object.keys(sessionStorage) }))
  return [
    ...(await tab.cookies()).map(({ name }) => ['cookie', name] as const),
    ...stored.local.map((key) => ['local', key] as const),
    ...stored.session.map((key) => ['session', key] as const),
  ]
    .filter(([kind, name]) => isDeclared(kind, name, true))
    .map(([kind, name]) => `${kind} ${name}`)
}
