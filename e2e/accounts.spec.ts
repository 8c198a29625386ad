/** Accounts: a choice follows its person to other devices, and nobody else to this one. */
import type { Browser, Page } from '@playwright/test'
import { html, loader, ordinary, startAndStop } from './pages/parts.js'
import { type Accounts, openAccounts } from './support/accounts.js'
import type { AuditRecord } from './support/audit.js'
import type { Witness } from './support/witness.js'
import type { Host, HostOptions, World } from './support/world.js'
import {
  acceptAll,
  avow,
  decisionCookie,
  expect,
  marks,
  pendingKeys,
  rejectAll,
  state,
  test,
  traces,
} from './support/world-test.js'

const all = { analytics: true, maps: true }
const none = { analytics: false, maps: false }
/** Without a script that only a reload takes back. */
const parts = [loader(), startAndStop('analytics'), ordinary[2]!]

async function open(world: World, options: HostOptions = {}): Promise<{ shop: Host; accounts: Accounts }> {
  const accounts = openAccounts(options.site ?? 'shop')
  const shop = await world.host({ ...options, options: { accountKeys: accounts.accountKeys } })
  return { shop, accounts }
}

/** Another browser, with nothing in it. */
async function device(browser: Browser, witness: Witness): Promise<Page> {
  const context = await browser.newContext()
  await witness.join(context)
  return context.newPage()
}

/** Opens a page and says who is signed in, as the host's page does on each load; fulfils when the server has answered. */
async function signIn(page: Page, shop: Host, accounts: Accounts, account: string, path = '/'): Promise<void> {
  await page.goto(shop.page(path, parts))
  const answered = page.waitForResponse((one) => /\/v1\/state\?/.test(one.url()))
  await avow(page, 'identify', await accounts.token(account))
  expect((await answered).status()).toBe(200)
}

const accountsOf = (records: readonly AuditRecord[]) =>
  records.map((one) => (one as unknown as { account: string | null }).account)
const actions = async (shop: Host) => (await shop.records()).map(({ action }) => action)
const isAsked = (page: Page) => expect(acceptAll(page)).toBeVisible()

/** All that the browser keeps, as text. */
async function kept(page: Page): Promise<string> {
  const storage = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]))
  return JSON.stringify(await page.context().cookies()) + storage
}

for (const plain of [false, true]) {
  test(`A signed-in refuser is not asked again on a second device (${plain ? 'http' : 'https'})`, async ({
    page,
    browser,
    world,
    witness,
  }) => {
    const { shop, accounts } = await open(world, { plain, apart: true })
    await signIn(page, shop, accounts, 'user-1')
    await isAsked(page)
    await rejectAll(page).click()
    await expect.poll(() => actions(shop)).toEqual(['reject-all'])

    const second = await device(browser, witness)
    await signIn(second, shop, accounts, 'user-1')
    await expect.poll(() => state(second)).toEqual(none)
    await expect(acceptAll(second)).toHaveCount(0)
    expect(await marks(second)).toEqual([])
    await second.reload()
    await expect.poll(() => state(second)).toEqual(none)
    await expect(acceptAll(second)).toHaveCount(0)
    await expect.poll(() => actions(shop)).toEqual(['reject-all', 'link'])
    await second.context().close()
  })
}

test('where choices are not shared across devices, a refuser is not asked again all the same, and a grant is not taken over', async ({
  page,
  browser,
  world,
  witness,
}) => {
  const { shop, accounts } = await open(world, { policy: { crossDevice: false } })
  await signIn(page, shop, accounts, 'refuser')
  await rejectAll(page).click()
  await expect.poll(() => actions(shop)).toEqual(['reject-all'])
  const second = await device(browser, witness)
  await signIn(second, shop, accounts, 'refuser')
  await expect.poll(() => state(second)).toEqual(none)

  const third = await device(browser, witness)
  await signIn(third, shop, accounts, 'granter')
  await acceptAll(third).click()
  await expect.poll(() => actions(shop)).toEqual(['reject-all', 'link', 'accept-all'])
  const fourth = await device(browser, witness)
  await signIn(fourth, shop, accounts, 'granter')
  await isAsked(fourth)
  expect(await state(fourth)).toBeUndefined()
  for (const one of [second, third, fourth]) await one.context().close()
})

test('a grant is taken over on another device of the account, with a notice that says so', async ({
  page,
  browser,
  world,
  witness,
}) => {
  const { shop, accounts } = await open(world, { apart: true })
  await signIn(page, shop, accounts, 'user-1')
  await acceptAll(page).click()
  await expect.poll(() => actions(shop)).toEqual(['accept-all'])

  const second = await device(browser, witness)
  await signIn(second, shop, accounts, 'user-1')
  await expect(second.getByText('The choice you made earlier with this account is used here too.')).toBeVisible()
  await expect.poll(() => marks(second)).toEqual(['start'])
  await expect(acceptAll(second)).toHaveCount(0)
  await expect.poll(() => actions(shop)).toEqual(['accept-all', 'link'])
  const [first, linked] = await shop.records()
  // The same account, and another secret: neither device can speak for the other.
  expect(accountsOf([first!, linked!])).toEqual(['user-1', 'user-1'])
  expect(linked!.subject).not.toBe(first!.subject)
  expect(linked!.choices).toEqual(all)

  // Withdrawn on one, it is withdrawn on the other at its next page.
  await second.locator('[data-avow-withdraw]').click()
  await expect.poll(() => actions(shop)).toEqual(['accept-all', 'link', 'withdraw'])
  await signIn(page, shop, accounts, 'user-1')
  await expect.poll(() => state(page)).toEqual(none)
  await expect.poll(() => marks(page)).toEqual(expect.not.arrayContaining(['tracker']))
  await second.context().close()
})

test('what was chosen before signing in is linked to the account, and its older choice elsewhere gives way', async ({
  page,
  browser,
  world,
  witness,
}) => {
  const { shop, accounts } = await open(world)
  const second = await device(browser, witness)
  await signIn(second, shop, accounts, 'user-1')
  await acceptAll(second).click()
  await expect.poll(() => actions(shop)).toEqual(['accept-all'])

  await page.goto(shop.page('/', parts))
  await rejectAll(page).click()
  await expect.poll(() => actions(shop)).toEqual(['accept-all', 'reject-all'])
  await signIn(page, shop, accounts, 'user-1')
  await expect.poll(() => actions(shop)).toEqual(['accept-all', 'reject-all', 'link'])
  expect(await state(page)).toEqual(none)
  expect(accountsOf(await shop.records())).toEqual(['user-1', null, 'user-1'])

  await signIn(second, shop, accounts, 'user-1')
  await expect.poll(() => state(second)).toEqual(none)
  await second.context().close()
})

test('who refused signed out is told that nothing identifies them, and who refused signed in is not', async ({
  page,
  world,
}) => {
  const { shop, accounts } = await open(world)
  const panel = page.locator('avow-settings section')
  const account = shop.page('/account', [...parts, html('<avow-settings></avow-settings>')])
  await page.goto(account)
  await rejectAll(panel).click()
  await expect(panel).toContainText('nothing that identifies you is kept')
  await signIn(page, shop, accounts, 'ada')
  await expect.poll(async () => accountsOf(await shop.records())).toContainEqual(expect.any(String))
  await page.goto(account)
  await expect(panel).toContainText('Chosen on')
  await expect(panel).not.toContainText('nothing that identifies you is kept')
})

test('The other account on a shared device inherits nothing', async ({ page, world }) => {
  const { shop, accounts } = await open(world)
  await signIn(page, shop, accounts, 'user-1')
  await acceptAll(page).click()
  await expect.poll(() => actions(shop)).toEqual(['accept-all'])
  const cookie = (await decisionCookie(page.context()))!.value
  const secret = cookie.split('.')[6]!

  // Nobody said that the first has signed out.
  await signIn(page, shop, accounts, 'user-2', '/second')
  await isAsked(page)
  expect(await state(page)).toBeUndefined()
  await expect.poll(() => traces(page)).toEqual([])
  expect(await kept(page)).not.toContain(secret)

  await rejectAll(page).click()
  await expect.poll(() => actions(shop)).toEqual(['accept-all', 'reject-all'])
  const [first, second] = await shop.records()
  expect(second!.subject).not.toBe(first!.subject)
  expect(second!.previous).toBeNull()
  expect(accountsOf([first!, second!])).toEqual(['user-1', 'user-2'])

  // And the first finds what it chose.
  await signIn(page, shop, accounts, 'user-1', '/third')
  await expect.poll(() => state(page)).toEqual(all)
})

test('after `forget()` no value in cookie, storage or pending submission relates to the account', async ({
  page,
  world,
}) => {
  const { shop, accounts } = await open(world)
  await page.goto(shop.page('/', parts))
  await rejectAll(page).click()
  await expect.poll(() => actions(shop)).toEqual(['reject-all'])
  await signIn(page, shop, accounts, 'user-1')
  await expect.poll(() => actions(shop)).toEqual(['reject-all', 'link'])
  const account = JSON.parse((await page.evaluate(() => localStorage.getItem('avow:shop:account')))!).account as string
  expect(account).toBeTruthy()

  // A choice of the account waits to be sent when it signs out.
  world.faults.set('consents', { status: 503 })
  await page.locator('[data-avow-open]').click()
  await acceptAll(page).click()
  await expect.poll(() => state(page)).toEqual(all)
  await expect.poll(() => world.faults.at('consents').at(-1)?.status).toBe(503)
  const secret = (await decisionCookie(page.context()))!.value.split('.')[6]!
  expect(await kept(page)).toContain(secret)

  await avow(page, 'forget')
  await expect.poll(() => state(page)).toEqual(none)
  await expect.poll(() => marks(page)).toEqual(['start', 'stop'])
  const all_ = await kept(page)
  for (const value of [account, secret, 'user-1']) expect(all_).not.toContain(value)
  expect(await pendingKeys(page)).toHaveLength(1)

  // It is sent all the same, and nobody can tell whose it was.
  world.faults.clear()
  await page.reload()
  await expect.poll(() => actions(shop)).toEqual(['reject-all', 'link', 'accept-all'])
  expect(accountsOf(await shop.records())).toEqual([null, 'user-1', null])
  expect(world.faults.at('consents').at(-1)?.headers['avow-account']).toBeUndefined()
  // The choice made signed out is back.
  expect(await state(page)).toEqual(none)
  await expect(acceptAll(page)).toHaveCount(0)
})

test('who had chosen nothing signed out is asked again after `forget()`', async ({ page, world }) => {
  const { shop, accounts } = await open(world)
  await signIn(page, shop, accounts, 'user-1')
  await acceptAll(page).click()
  await expect.poll(() => actions(shop)).toEqual(['accept-all'])
  await avow(page, 'forget')
  await isAsked(page)
  expect(await state(page)).toBeUndefined()
  expect(await decisionCookie(page.context())).toBeUndefined()
  expect(await page.evaluate(() => Object.keys(localStorage))).toEqual([])
})

/** A sign-in whose answer has come as far as the browser's door. */
async function heldSignIn(page: Page, world: World, accounts: Accounts, account: string) {
  const answer = world.faults.hold('state', 'answer')
  await avow(page, 'identify', await accounts.token(account))
  await answer.arrived
  return answer
}

/** Fulfils when all that the page has begun by now has come to an end: a later sign-in is answered, and done with. */
async function settled(page: Page, accounts: Accounts): Promise<void> {
  const answered = page.waitForResponse((one) => /\/v1\/state\?/.test(one.url()))
  await avow(page, 'identify', await accounts.token('a later one'))
  await answered
  await expect.poll(() => page.evaluate(() => localStorage.getItem('avow:shop:account'))).not.toBeNull()
  await avow(page, 'forget')
  await expect.poll(() => page.evaluate(() => localStorage.getItem('avow:shop:account'))).toBeNull()
}

test('who signs out before the sign-in is answered is signed out: nothing of the account comes', async ({
  page,
  browser,
  world,
  witness,
}) => {
  const { shop, accounts } = await open(world)
  const other = await device(browser, witness)
  await signIn(other, shop, accounts, 'user-1')
  await acceptAll(other).click()
  await expect.poll(() => actions(shop)).toEqual(['accept-all'])
  await other.context().close()

  await page.goto(shop.page('/', parts))
  await isAsked(page)
  const before = await kept(page)
  const answer = await heldSignIn(page, world, accounts, 'user-1')
  await avow(page, 'forget')
  answer.release()
  await settled(page, accounts)
  expect(await kept(page)).toBe(before)
  expect(await state(page)).toBeUndefined()
  expect(await marks(page)).toEqual([])
  await rejectAll(page).click()
  await expect.poll(() => actions(shop)).toEqual(['accept-all', 'reject-all'])
  expect(accountsOf(await shop.records())).toEqual(['user-1', null])
})

test('of two sign-ins the later one counts, though the earlier one is answered last', async ({ page, world }) => {
  const { shop, accounts } = await open(world)
  await page.goto(shop.page('/', parts))
  await isAsked(page)
  const answer = await heldSignIn(page, world, accounts, 'user-1')
  // What is held back is only what came before.
  world.faults.hold('state', 'answer').release()
  const answered = page.waitForResponse(async (one) => /\/v1\/state\?/.test(one.url()) && one.ok())
  await avow(page, 'identify', await accounts.token('user-2'))
  await answered
  await expect.poll(() => page.evaluate(() => localStorage.getItem('avow:shop:account'))).not.toBeNull()
  const second = await kept(page)
  answer.release()
  await acceptAll(page).click()
  await expect.poll(() => actions(shop)).toEqual(['accept-all'])
  expect(accountsOf(await shop.records())).toEqual(['user-2'])
  const account = JSON.parse((await page.evaluate(() => localStorage.getItem('avow:shop:account')))!).account as string
  expect(second).toContain(account)
})

test('a withdrawal that the loader took alone outlives the account by its words only', async ({ page, world }) => {
  const { shop, accounts } = await open(world)
  await signIn(page, shop, accounts, 'user-1')
  await acceptAll(page).click()
  await expect.poll(() => actions(shop)).toEqual(['accept-all'])
  await expect.poll(() => pendingKeys(page)).toEqual([])
  const secret = (await decisionCookie(page.context()))!.value.split('.')[6]!

  // The file that would make a submission of it can't be had, not even from the browser's own cache.
  world.faults.excuse('ui')
  await page.route('**/avow-ui.*', (route) => route.abort())
  await page.reload()
  await expect.poll(() => marks(page)).toEqual(['start'])
  await page.locator('[data-avow-withdraw]').click()
  await expect.poll(() => state(page)).toEqual(none)
  expect(await pendingKeys(page)).toEqual(['avow:shop:0draft'])
  expect(await kept(page)).toContain(secret)
  await avow(page, 'forget')
  await expect.poll(() => state(page)).toBeUndefined()
  expect(await kept(page)).not.toContain(secret)
  expect(await pendingKeys(page)).toEqual(['avow:shop:0draft'])

  // The next page sends it, and is nobody's.
  await page.unroute('**/avow-ui.*')
  await page.goto(shop.page('/second', parts))
  await isAsked(page)
  await expect.poll(() => actions(shop)).toEqual(['accept-all', 'withdraw'])
  expect(await state(page)).toBeUndefined()
  expect(await decisionCookie(page.context())).toBeUndefined()
  await expect.poll(() => pendingKeys(page)).toEqual([])
  const [granted, withdrawn] = await shop.records()
  expect(accountsOf([granted!, withdrawn!])).toEqual(['user-1', null])
  expect(withdrawn!.subject).not.toBe(granted!.subject)
  expect(withdrawn!.choices).toEqual(none)
})

test('what waits when somebody signs out is sent by the same page, and nobody can tell whose it was', async ({
  page,
  world,
}) => {
  const { shop, accounts } = await open(world)
  await signIn(page, shop, accounts, 'user-1')
  await isAsked(page)
  world.faults.set('consents', { status: 503 })
  await acceptAll(page).click()
  await expect.poll(() => world.faults.at('consents').at(-1)?.status).toBe(503)
  const secret = (await decisionCookie(page.context()))!.value.split('.')[6]!
  await avow(page, 'forget')
  await isAsked(page)
  world.faults.clear()
  const tried = world.faults.at('consents').length
  await page.evaluate(() => dispatchEvent(new Event('online')))
  await expect.poll(() => actions(shop)).toEqual(['accept-all'])
  for (const { body, headers } of world.faults.at('consents').slice(tried)) {
    expect(body).not.toContain(secret)
    expect(headers['avow-account']).toBeUndefined()
  }
  expect(accountsOf(await shop.records())).toEqual([null])
})

test('what is withdrawn before the next page has heard from the server stays withdrawn, and is the account’s', async ({
  page,
  browser,
  world,
  witness,
}) => {
  const { shop, accounts } = await open(world)
  await signIn(page, shop, accounts, 'user-1')
  await acceptAll(page).click()
  await expect.poll(() => actions(shop)).toEqual(['accept-all'])

  await page.goto(shop.page('/second', parts))
  await expect.poll(() => state(page)).toEqual(all)
  const answer = await heldSignIn(page, world, accounts, 'user-1')
  await page.locator('[data-avow-withdraw]').click()
  await expect.poll(() => actions(shop)).toEqual(['accept-all', 'withdraw'])
  await expect.poll(() => pendingKeys(page)).toEqual([])
  // It was asked for before, and says that the account grants all.
  answer.release()
  await expect.poll(() => actions(shop)).toEqual(['accept-all', 'withdraw', 'link'])
  expect((await shop.records()).at(-1)!.choices).toEqual(none)
  expect(accountsOf(await shop.records())).toEqual(['user-1', null, 'user-1'])
  expect(await state(page)).toEqual(none)

  const second = await device(browser, witness)
  await signIn(second, shop, accounts, 'user-1')
  await expect.poll(() => state(second)).toEqual(none)
  await second.context().close()
})

test('a refuser whose clock was set back is not asked again for signing in', async ({ page, world }) => {
  const { shop, accounts } = await open(world)
  await page.clock.install({ time: Date.now() + 20 * 3_600_000 })
  await page.goto(shop.page('/', parts))
  await rejectAll(page).click()
  await expect.poll(() => actions(shop)).toEqual(['reject-all'])
  await page.clock.setSystemTime(Date.now())
  await signIn(page, shop, accounts, 'user-1', '/second')
  await expect.poll(() => actions(shop)).toEqual(['reject-all', 'link'])
  expect(await state(page)).toEqual(none)
  await page.reload()
  await expect.poll(() => state(page)).toEqual(none)
  await expect(acceptAll(page)).toHaveCount(0)
})

test('a token that is refused links nothing, and the choice is recorded without it', async ({
  page,
  world,
  witness,
}) => {
  const { shop, accounts } = await open(world)
  await page.goto(shop.page('/', parts))
  world.faults.excuse('state')
  await avow(page, 'identify', await accounts.token('user-1', -3_600_000))
  await witness.expect(/the account's token was refused with 401/)
  await acceptAll(page).click()
  await expect.poll(() => actions(shop)).toEqual(['accept-all'])
  expect(accountsOf(await shop.records())).toEqual([null])
})
