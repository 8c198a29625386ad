/** Withdrawing in the account settings: one click, and what was granted stops. */
import { logSize, recordsSince } from './support/audit.js'
import { expect, test } from './support/stories.js'
import { acceptAll, isAnalytics, optionalTraces, signIn } from './support/visitor.js'

test('withdrawing stops analytics, reloads the page, deletes its cookies and adds a second record of the same subject', async ({
  page,
  demo,
  witness,
}) => {
  const before = await logSize(demo)
  await page.goto('/')
  await acceptAll(page).click()
  await expect(acceptAll(page)).toBeHidden()
  await expect.poll(() => recordsSince(demo, before)).toHaveLength(1)
  await signIn(page)
  await page.goto('/account')
  await expect.poll(() => optionalTraces(demo, page)).not.toEqual([])

  // The script has run on this page and can't be taken back, so the page itself has to go.
  const reloaded = page.waitForEvent('load')
  await page.getByRole('button', { name: 'Withdraw' }).click()
  await reloaded
  witness.requests.length = 0

  await expect.poll(() => recordsSince(demo, before)).toHaveLength(2)
  await expect.poll(() => optionalTraces(demo, page)).toEqual([])
  await expect(page.getByRole('button', { name: 'Withdraw' })).toBeHidden()

  for (const route of ['/dashboard', '/account']) {
    await page.goto(route)
    await page.waitForLoadState('load')
    await expect(acceptAll(page)).toBeHidden()
  }
  expect(witness.requests.filter(isAnalytics)).toEqual([])
  expect(await optionalTraces(demo, page)).toEqual([])

  const [second, first] = await recordsSince(demo, before)
  expect(first).toMatchObject({ action: 'accept-all', choices: { analytics: true } })
  expect(second).toMatchObject({ action: 'withdraw', choices: { analytics: false }, layer: 'settings' })
  expect(second?.subject).toBe(first?.subject)
})
