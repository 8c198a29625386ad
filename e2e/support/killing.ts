/** A renderer that dies, to the millisecond: the page stands still at its time, and is killed while it does. */
import type { Page } from '@playwright/test'
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

/** Waits until the page stands still, and kills every renderer of its browser as the system would. */
export async function killFrozen(page: Page, world: World): Promise<void> {
  await expect.poll(() => world.faults.arrivals.some(({ path }) => path === freezePath)).toBe(true)
  const session = await page.context().browser()!.newBrowserCDPSession()
  const renderers = async () => {
    const { processInfo } = await session.send('SystemInfo.getProcessInfo')
    return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id)
  }
  const killed = await renderers()
  const crashed = page.waitForEvent('crash')
  for (const id of killed) process.kill(id, 'SIGKILL')
  await crashed
  // Among them is one that stood ready for the next page, which the browser must know to be gone.
  await expect.poll(async () => (await renderers()).filter((id) => killed.includes(id))).toEqual([])
  await session.detach()
}
