/** A renderer that dies, to the millisecond: the page stands still at its time, and is killed while it does. */
import type { Browser, Page } from '@playwright/test'
import { expect } from '@playwright/test'
import type { World } from './world.js'

export const freezePath = '/freeze'

/** After the next click's handlers have run, and so many milliseconds, nothing of the page runs any more. */
export async function freezeAfterClick(page: Page, delayMs: number): Promise<void> {
  await page.evaluate(
    ([path, delayMs]) => {
      const freeze = () => {
        const request = new XMLHttpRequest()
        request.open('GET', path, false)
        request.send()
      }
      // On the window and last, so after all that the click meant to anybody.
      addEventListener('click', () => (delayMs ? setTimeout(freeze, delayMs) : freeze()))
    },
    [freezePath, delayMs] as const,
  )
}

/** Waits until a page stands still, and kills every renderer of this browser as the system would. */
export async function killFrozen(browser: Browser, world: World): Promise<void> {
  await expect.poll(() => world.faults.arrivals.some(({ path }) => path === freezePath)).toBe(true)
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  for (const { type, id } of processInfo) if (type === 'renderer') process.kill(id, 'SIGKILL')
  await session.detach()
}
