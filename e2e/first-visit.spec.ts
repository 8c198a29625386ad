/** A first visit: nothing flows before the click, one record after it. */
import { logSize, recordsSince } from './support/audit.js'
import { expect, test } from './support/stories.js'
import { acceptAll, decisionCookie, isAnalytics, optionalTraces, rejectAll } from './support/visitor.js'

test('before a decision the banner is there, and no analytics request, cookie or storage key is', async ({
  page,
  demo,
  witness,
}) => {
  await page.goto('/')
  await expect(acceptAll(page)).toBeVisible()
  await expect(rejectAll(page)).toBeVisible()
  await expect(page.getByRole('button', { name: /^Manage/ })).toBeVisible()

  // Using the page, scrolling and Escape are no consent.
  await page.mouse.wheel(0, 2000)
  await page.keyboard.press('Escape')
  await page.goto('/privacy')
  await expect(acceptAll(page)).toBeVisible()
  await page.waitForLoadState('networkidle')

  expect(witness.requests.filter(isAnalytics)).toEqual([])
  expect(witness.requests.filter((url) => new URL(url).origin !== demo.url)).toEqual([])
  expect(await optionalTraces(demo, page)).toEqual([])
  expect(await page.evaluate(() => [...Object.keys(localStorage), ...Object.keys(sessionStorage)])).toEqual([])
  expect(await decisionCookie(page.context())).toBeUndefined()
})

test('accepting closes the banner, starts analytics and leaves exactly one record', async ({ page, demo, witness }) => {
  const before = await logSize(demo)
  await page.goto('/')
  await acceptAll(page).click()

  await expect(acceptAll(page)).toBeHidden()
  await expect.poll(() => witness.requests.filter(isAnalytics).length).toBeGreaterThan(1)
  await expect.poll(() => optionalTraces(demo, page)).not.toEqual([])
  await expect.poll(() => recordsSince(demo, before)).toHaveLength(1)

  // The next page is where a submission that was thought lost would be sent again.
  await page.goto('/privacy')
  await page.waitForLoadState('networkidle')
  const records = await recordsSince(demo, before)
  expect(records).toMatchObject([
    { action: 'accept-all', choices: { analytics: true }, layer: 'banner', previous: null },
  ])
})

test('accept and reject are neighbours of the same size and weight', async ({ page }) => {
  await page.goto('/')
  await expect(acceptAll(page)).toBeVisible()
  const looks = (button: ReturnType<typeof acceptAll>) =>
    button.evaluate((element) => {
      const { fontSize, fontWeight, fontFamily, color, backgroundColor } = getComputedStyle(element)
      const { width, height } = element.getBoundingClientRect()
      return { tag: element.tagName, fontSize, fontWeight, fontFamily, color, backgroundColor, width, height }
    })
  const [accept, reject] = [await looks(acceptAll(page)), await looks(rejectAll(page))]
  expect({ ...accept, width: 0, height: 0 }).toEqual({ ...reject, width: 0, height: 0 })
  expect(Math.abs(accept.width - reject.width)).toBeLessThanOrEqual(1)
  expect(Math.abs(accept.height - reject.height)).toBeLessThanOrEqual(1)
})

test('a click made by a script grants nothing', async ({ page, demo, witness }) => {
  await page.goto('/')
  await acceptAll(page).evaluate((button: HTMLButtonElement) => button.click())
  await page.waitForLoadState('networkidle')

  await expect(acceptAll(page)).toBeVisible()
  expect(witness.requests.filter(isAnalytics)).toEqual([])
  expect(await optionalTraces(demo, page)).toEqual([])
  // The page's author is told, once; no other complaint is expected.
  expect(witness.complaints.splice(0)).toEqual([expect.stringContaining('a grant needs the event of a click')])
})
