/** The panels beside each page say what is true, also while the server can't be reached, and each event flows once. */
import type { Request } from '@playwright/test'
import { logSize, recordsSince } from './support/audit.js'
import { expect, test } from './support/stories.js'
import { acceptAll, rejectAll, signIn } from './support/visitor.js'

const isEvents = (request: Request) => new URL(request.url()).pathname === '/analytics/events'
const types = (request: Request) =>
  (request.postDataJSON() as { events: { type: string }[] }).events.map(({ type }) => type)

test('five quick clicks are five events, each sent once, one request at a time, and the next page repeats none', async ({
  page,
}) => {
  const sent: string[] = []
  let inFlight = 0
  let most = 0
  await page.route('**/analytics/events', async (route) => {
    sent.push(...types(route.request()))
    most = Math.max(most, ++inFlight)
    const response = await route.fetch()
    // Before the page can know, so that its next request is never counted beside this one.
    inFlight--
    await route.fulfill({ response })
  })

  await page.goto('/')
  await acceptAll(page).click()
  await signIn(page)
  await expect(page.getByTestId('traffic-events').getByText('page view').first()).toBeVisible()
  await expect.poll(() => inFlight).toBe(0)
  sent.length = 0
  most = 0

  await page.getByTestId('feature-compare').evaluate((button: HTMLButtonElement) => {
    for (let click = 0; click < 5; click++) button.click()
  })
  await expect(page.getByTestId('traffic-events').getByText('compare-faces')).toHaveCount(5)
  expect(sent).toEqual(Array(5).fill('feature'))
  expect(most).toBe(1)

  await page.goto('/privacy')
  await expect(page.getByTestId('traffic-events').getByText('/privacy').first()).toBeVisible()
  expect(sent.filter((type) => type === 'feature')).toHaveLength(5)
})

test('events that can not be sent wait, and go with the next one', async ({ page, witness }) => {
  await page.goto('/')
  await acceptAll(page).click()
  await signIn(page)
  await expect(page.getByTestId('traffic-events').getByText('/dashboard').first()).toBeVisible()

  await page.route('**/analytics/events', (route) => route.abort())
  const failed = page.waitForEvent('requestfailed', isEvents)
  await page.getByTestId('feature-compare').click()
  await failed
  await expect.poll(() => page.evaluate(() => localStorage.getItem('fr_analytics_queue'))).toContain('compare-faces')
  await page.unroute('**/analytics/events')
  await page.getByTestId('feature-compare').click()

  await expect(page.getByTestId('traffic-events').getByText('compare-faces')).toHaveCount(2)
  await expect.poll(() => page.evaluate(() => localStorage.getItem('fr_analytics_queue'))).toBeNull()
  // The request that was cut off, and no more, is on the console.
  expect(witness.complaints.splice(0)).toEqual([expect.stringContaining('ERR_FAILED')])
})

test('a choice that has not reached the server is shown as waiting, then with its record and receipt', async ({
  page,
  demo,
  witness,
}) => {
  const before = await logSize(demo)
  const panel = page.getByTestId('what-just-happened')
  await page.route('**/v1/consents', (route) => route.abort())
  await page.goto('/')
  await rejectAll(page).click()
  await expect(panel).toContainText('Waiting to be sent')
  await expect(page.getByTestId('decision-state')).toHaveText('denied')
  await page.goto('/privacy')
  await expect(panel).toContainText('Waiting to be sent')
  expect(await recordsSince(demo, before)).toEqual([])

  await page.unroute('**/v1/consents')
  await page.reload()
  await expect(page.getByTestId('decision-record')).toBeVisible()
  await expect(page.getByTestId('decision-receipt')).toBeVisible()
  await expect(panel).not.toContainText('Waiting')
  await page.reload()
  await expect(panel).toContainText('This choice was made earlier')
  expect(await recordsSince(demo, before)).toHaveLength(1)
  expect(witness.complaints.splice(0).filter((complaint) => !complaint.includes('ERR_FAILED'))).toEqual([])
})

test('the receipt of a grant is not shown for the withdrawal that follows it', async ({ page, witness }) => {
  await page.goto('/privacy')
  await acceptAll(page).click()
  await expect(page.getByTestId('decision-receipt')).toBeVisible()
  await page.route('**/v1/consents', (route) => route.abort())
  const reloaded = page.waitForEvent('load')
  await page.getByTestId('withdraw').click()
  await reloaded
  await expect(page.getByTestId('what-just-happened')).toContainText('Waiting to be sent')
  await expect(page.getByTestId('decision-receipt')).toBeHidden()
  expect(witness.complaints.splice(0).filter((complaint) => !complaint.includes('ERR_FAILED'))).toEqual([])
})

test('withdrawing is offered where there is something to withdraw, and else the page says that there is not', async ({
  page,
}) => {
  await page.goto('/privacy')
  await expect(page.getByTestId('nothing-to-withdraw')).toBeHidden()
  await rejectAll(page).click()
  await expect(page.getByTestId('withdraw')).toBeDisabled()
  await expect(page.getByTestId('nothing-to-withdraw')).toBeVisible()
})

test('the note that a choice is saved covers none of the panels', async ({ page }) => {
  await page.setViewportSize({ width: 1280, height: 720 })
  await page.goto('/')
  await acceptAll(page).click()
  const note = page.getByRole('status').filter({ hasText: 'saved' })
  await expect(note).toBeVisible()
  const [covering, panels] = [await note.boundingBox(), await page.locator('.dock').boundingBox()]
  expect((covering?.x ?? Infinity) + (covering?.width ?? 0)).toBeLessThanOrEqual(panels?.x ?? 0)
})

test('on a telephone a link near the top says what was chosen and leads to the panels below', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 })
  await page.goto('/')
  const link = page.getByRole('link', { name: /^What just happened/ })
  await expect(link).toContainText('undecided')
  await acceptAll(page).click()
  await expect(link).toContainText('granted')
  await expect(page.getByTestId('what-just-happened')).not.toBeInViewport()
  await link.click()
  await expect(page.getByTestId('what-just-happened')).toBeInViewport()
  await page.setViewportSize({ width: 1280, height: 720 })
  await expect(link).toBeHidden()
})

test('one event is counted as one event', async ({ page }) => {
  await page.goto('/')
  await acceptAll(page).click()
  await expect(page.getByTestId('traffic')).toContainText('1 event.')
})

test('an address without a page answers 404 with a page that leads on', async ({ page, witness }) => {
  const answer = await page.goto('/no-such-page')
  expect(answer?.status()).toBe(404)
  await expect(page.getByRole('heading', { name: 'Page not found' })).toBeVisible()
  await page.getByRole('link', { name: 'To the start page' }).click()
  await expect(page).toHaveURL('/')
  expect(witness.complaints.splice(0)).toEqual([expect.stringContaining('404')])
})

test('a click that a script dispatches on the document or the window breaks nothing', async ({ page }) => {
  await page.goto('/')
  await expect(acceptAll(page)).toBeVisible()
  // An exception in a listener would be a complaint of the witness.
  await page.evaluate(() => {
    for (const target of [window, document]) target.dispatchEvent(new MouseEvent('click', { bubbles: true }))
  })
  await expect(acceptAll(page)).toBeVisible()
})
