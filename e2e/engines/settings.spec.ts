/** The account page's panel in every engine: what was chosen, under which words, and the way out in one click. */
import { html, loader, ordinary, startAndStop } from '../pages/parts.js'
import { logSize, recordsSince } from '../support/audit.js'
import { createDataFolder, deleteDataFolder, startDemo } from '../support/demo.js'
import { expect, here, hereSecurely, marks, state, test, traces, watched } from './engine-test.js'
import type { Place } from './tab.js'

const settings: Place = { layer: 'settings' }
const panel = html('<avow-settings></avow-settings>')
const banner = (name: string): Place => ({ layer: 'banner', role: 'button', name })
const inSettings = (name: string): Place => ({ layer: 'settings', role: 'button', name })
const page = (name: string): Place => ({ layer: 'page', role: 'button', name })

test('the settings show the choice, when it was made, the consent id, the history, the words that were shown, and a receipt to download', async ({
  world,
  open,
}) => {
  const shop = await world.host(here)
  const tab = await open(shop.page('/', watched(...ordinary, panel)))
  await expect.poll(() => tab.text(settings)).toContain('You have not chosen yet')
  await tab.click(banner('Accept all'))
  await expect.poll(() => shop.records()).toHaveLength(1)
  const [record] = await shop.records()
  await expect.poll(() => tab.text(settings)).toContain(record!.subject)
  const said = (await tab.text(settings))!
  expect(said).toContain('Chosen on')
  expect(said).toContain('Valid until')
  expect(said).toContain(String(new Date().getFullYear()))
  for (const name of ['Analytics', 'Maps'])
    expect(await tab.in({ layer: 'settings', role: 'switch', name }, (one) => (one as HTMLInputElement).checked)).toBe(
      true,
    )

  await tab.click({ layer: 'settings', role: 'summary', name: 'History' })
  await expect.poll(() => tab.text(settings)).toContain('Accepted all')
  await tab.click({ layer: 'settings', role: 'summary', name: 'What you were shown' })
  await expect.poll(() => tab.text(settings)).toContain('We count visits if you let us.')

  await tab.click(inSettings('Download receipt'))
  const receipts = () => world.faults.arrivals.filter(({ path }) => path.includes(`/v1/receipts/${record!.id}`))
  await expect.poll(() => receipts().map(({ status }) => status)).toEqual([200])
  // The page is as it was: a download leads nowhere.
  expect(await tab.sees(inSettings('Download receipt'))).toBe(true)
})

test('a refuser sees that nothing is kept that could be shown, and no way to withdraw what was never granted', async ({
  world,
  open,
}) => {
  const shop = await world.host(hereSecurely)
  const tab = await open(shop.page('/', watched(...ordinary, panel)))
  await tab.click(banner('Reject all'))
  await expect.poll(() => shop.records()).toHaveLength(1)
  await expect.poll(() => tab.text(settings)).toContain('nothing that identifies you is kept about this choice')
  expect(await tab.sees(inSettings('Withdraw consent'))).toBe(false)
  expect(await tab.sees({ layer: 'settings', role: 'summary', name: 'History' })).toBe(false)
})

test('withdrawing in the settings is one click: what can be stopped stops, what was kept is deleted, and the next page is clean', async ({
  world,
  open,
}) => {
  const shop = await world.host(here)
  const parts = watched(loader(), startAndStop('analytics'), ...ordinary.slice(2), panel)
  shop.page('/next', watched(...ordinary))
  const tab = await open(shop.page('/', parts))
  await tab.click(banner('Accept all'))
  await expect.poll(() => marks(tab)).toEqual(['start'])
  await expect.poll(() => shop.records()).toHaveLength(1)
  await tab.evaluate(() => {
    // biome-ignore lint/suspicious/noDocumentCookie: as a tracker would.
    document.cookie = '_ga_X1=1;path=/;max-age=3600'
    localStorage.setItem('fr_queue', '1')
    sessionStorage.setItem('fr_views', '1')
    localStorage.setItem('basket', '1')
  })
  expect(await traces(tab)).toEqual(['cookie _ga_X1', 'local fr_queue', 'session fr_views'])

  await tab.click(inSettings('Withdraw consent'))
  await expect.poll(() => marks(tab)).toEqual(['start', 'stop'])
  await expect.poll(() => traces(tab)).toEqual([])
  await expect
    .poll(() => shop.records())
    .toMatchObject([{ action: 'accept-all' }, { action: 'withdraw', layer: 'settings' }])
  expect(await tab.evaluate(() => localStorage.getItem('basket'))).toBe('1')
  await tab.goto(shop.url('/next'))
  await expect.poll(() => state(tab)).toEqual({ analytics: false, maps: false })
  expect(await marks(tab)).toEqual([])
  expect(await traces(tab)).toEqual([])
})

test('a script that ran is taken back by a reload, with the cookies and keys it left', async ({ world, open }) => {
  const shop = await world.host(here)
  const tab = await open(shop.page('/', watched(...ordinary, panel)))
  await tab.click(banner('Accept all'))
  await expect.poll(() => marks(tab)).toEqual(['tracker'])
  await expect.poll(() => shop.records()).toHaveLength(1)
  await tab.click(page('Withdraw'))
  await expect.poll(() => tab.evaluate(() => (window as unknown as { ran?: string[] }).ran ?? null)).toEqual([])
  await expect.poll(() => state(tab)).toEqual({ analytics: false, maps: false })
  await expect.poll(() => traces(tab)).toEqual([])
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'accept-all' }, { action: 'withdraw' }])
})

test('in the demo, a visitor accepts, signs in and withdraws on the account page: two records of one subject', async ({
  open,
}) => {
  const data = await createDataFolder()
  const demo = await startDemo(data)
  try {
    const before = await logSize(demo)
    const tab = await open(`${demo.url}/`)
    const kept = async () => (await tab.cookies()).map(({ name }) => name)
    await tab.click(banner('Accept all'))
    await expect.poll(() => recordsSince(demo, before)).toHaveLength(1)
    await expect.poll(kept).toContain('fr_analytics')
    await tab.click(page('Sign in'))
    await expect.poll(() => tab.evaluate(() => location.pathname)).toBe('/dashboard')
    await tab.goto(`${demo.url}/account`)
    await tab.click(inSettings('Withdraw consent'))
    await expect.poll(() => recordsSince(demo, before)).toHaveLength(2)
    await expect.poll(kept).not.toContain('fr_analytics')
    await tab.goto(`${demo.url}/dashboard`)
    expect(await tab.sees(banner('Accept all'))).toBe(false)
    const [second, first] = await recordsSince(demo, before)
    expect(first).toMatchObject({ action: 'accept-all', choices: { analytics: true } })
    expect(second).toMatchObject({ action: 'withdraw', choices: { analytics: false }, layer: 'settings' })
    expect(second?.subject).toBe(first?.subject)
  } finally {
    await demo.end('SIGTERM')
    await deleteDataFolder(data)
  }
})
