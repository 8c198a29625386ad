/**
 * What a driver has to do for the stories, and no more: open tabs, click, press keys, run an expression. A file each for
 * Playwright, Puppeteer and Selenium does it; `tab.ts` makes of it what a story says.
 */
import type { FoundEngine } from '../../tools/engines.mjs'

export interface Engine {
  /** As it says itself: `Firefox 153.7.0, by Puppeteer`. */
  readonly name: string
  /** Somebody whom no page knows: with an empty jar and empty storages, as if nobody had been here before. */
  visit(): Promise<Visit>
  close(): Promise<void>
}

export interface Visit {
  /** Opens a tab, which is shown from then on; what was shown before is hidden where the engine has one window. */
  open(): Promise<DrivenTab>
  close(): Promise<void>
}

/** As the jar holds it. */
export interface Cookie {
  readonly name: string
  readonly value: string
  readonly path: string
  readonly secure: boolean
  readonly httpOnly: boolean
  readonly sameSite: string
  /** In seconds since 1970. */
  readonly expires: number
}

export const keys = ['Tab', 'Shift+Tab', 'Enter', 'Space', 'Escape', 'PageDown'] as const
export type Key = (typeof keys)[number]

/** Expressions are JavaScript, run in the page whatever its policy; their values come back as JSON has them. */
export interface DrivenTab {
  /** Fulfils when the page has loaded, or was put back as it had been left. */
  goto(url: string): Promise<void>
  reload(): Promise<void>
  back(): Promise<void>
  run(expression: string): Promise<unknown>
  /** Scrolls to the element that the expression gives, and clicks on its middle as a hand does; false where it gives null. */
  click(expression: string): Promise<boolean>
  /** Presses a key as a hand does. */
  press(key: Key): Promise<void>
  /** Of the page's address. */
  cookies(): Promise<readonly Cookie[]>
  /** Shows this tab. */
  show(): Promise<void>
  /** A PNG, for whoever looks into what failed. */
  picture(): Promise<Buffer>
}

export async function openEngine(found: FoundEngine): Promise<Engine> {
  if (found.driver === 'playwright') return (await import('./playwright.js')).openPlaywright(found)
  if (found.driver === 'puppeteer') return (await import('./puppeteer.js')).openPuppeteer(found)
  return (await import('./selenium.js')).openSelenium(found)
}
