/** What a visitor sees and does, and what the browser holds afterwards. */
import type { BrowserContext, FrameLocator, Locator, Page } from '@playwright/test'
import { expect } from '@playwright/test'
import type { DemoFacts } from './demo.js'

type Place = Page | FrameLocator | Locator

/** In the banner or the preferences of a page or a frame, whose settings panel has such buttons, too; or inside an element. */
const inNotice = (place: Place) => ('page' in place ? place : place.locator('avow-notice'))
export const acceptAll = (place: Place) => inNotice(place).getByRole('button', { name: 'Accept all', exact: true })
export const rejectAll = (place: Place) => inNotice(place).getByRole('button', { name: 'Reject all', exact: true })

/** The requests that the analytics script is, or makes. */
export const isAnalytics = (url: string) => {
  const { pathname } = new URL(url)
  return pathname === '/assets/analytics.js' || pathname === '/analytics/events'
}

/** Whether a request fetched what only somebody who decides, or looks at a decision, needs. */
export const isUi = (url: string) => /\/avow-(ui|settings)\.[^/]+\.js$/.test(new URL(url).pathname)
export const isNotice = (url: string) => /\/v1\/sites\/[^/]+\/notice$/.test(new URL(url).pathname)

interface PolicyCookie {
  readonly name: string
  readonly kind: 'cookie' | 'local' | 'session'
  readonly category: string
}

/** Tells whether the site's policy declares a cookie or storage key, in a category that `isWanted`. */
export async function declaredBy(
  demo: DemoFacts,
  isWanted: (category: string) => boolean,
): Promise<(kind: string, name: string) => boolean> {
  const answer = await fetch(`${demo.apiUrl}/v1/sites/${demo.site}/policy`)
  const { cookies }: { cookies: readonly PolicyCookie[] } = await answer.json()
  const wanted = cookies.filter(({ category }) => isWanted(category))
  expect(wanted, 'the policy declares what its categories keep').not.toEqual([])
  return (kind, name) =>
    wanted.some(
      (one) =>
        one.kind === kind && (one.name.endsWith('*') ? name.startsWith(one.name.slice(0, -1)) : one.name === name),
    )
}

/** Names of the cookies and storage keys of categories that need consent, as they are in the browser now. */
export async function optionalTraces(demo: DemoFacts, page: Page): Promise<string[]> {
  const isOptional = await declaredBy(demo, (category) => category !== 'necessary')
  const cookies = await page.context().cookies()
  const keys = await page.evaluate(async () => ({
    local: Object.keys(localStorage),
    session: Object.keys(sessionStorage),
    databases: (await indexedDB.databases()).map(({ name }) => name ?? ''),
  }))
  return [
    ...cookies.filter(({ name }) => isOptional('cookie', name)).map(({ name }) => `cookie ${name}`),
    ...keys.local.filter((key) => isOptional('local', key)).map((key) => `local ${key}`),
    ...keys.session.filter((key) => isOptional('session', key)).map((key) => `session ${key}`),
    ...keys.databases.map((name) => `database ${name}`),
  ]
}

/** The decision's cookie, or undefined. */
export const decisionCookie = async (context: BrowserContext) =>
  (await context.cookies()).find(({ name }) => /^(__Host-|__Secure-)?avow$/.test(name))

/** Signs in with the demo account that the sign-in form shows already filled in. */
export async function signIn(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL('**/dashboard')
}
