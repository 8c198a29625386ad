/** The preferences in every engine: a modal dialog of the browser's own, which decides nothing by being closed. */
import { html, loader, ordinary } from '../pages/parts.js'
import { expect, here, marks, state, test, watched } from './engine-test.js'
import type { Place, Tab } from './tab.js'

const dialog: Place = { layer: 'dialog' }
const manage: Place = { layer: 'banner', role: 'button', name: 'Manage' }
const inDialog = (name: string): Place => ({ layer: 'dialog', role: 'button', name })
const switchOf = (name: string): Place => ({ layer: 'dialog', role: 'switch', name })

const isChecked = (tab: Tab, name: string) => tab.in(switchOf(name), (input) => (input as HTMLInputElement).checked)

test('the dialog is native, modal and named; the focus moves in, stays in, and returns to the opener', async ({
  world,
  open,
}) => {
  const shop = await world.host(here)
  const link = html('<a href="/account">Account</a>')
  const tab = await open(shop.page('/', watched(loader(), link)))
  await expect.poll(() => tab.sees(manage)).toBe(true)
  while ((await tab.focused()) !== 'Manage') await tab.press('Tab')
  await tab.press('Enter')
  await expect.poll(() => tab.sees(dialog)).toBe(true)
  const facts = await tab.in(dialog, (element) => ({
    tag: element.tagName,
    isModal: element.matches(':modal'),
    name: (element.getRootNode() as ShadowRoot).getElementById(element.getAttribute('aria-labelledby')!)?.textContent,
    isInside: innerHeight >= element.getBoundingClientRect().bottom && element.getBoundingClientRect().top >= 0,
  }))
  expect(facts).toEqual({ tag: 'DIALOG', isModal: true, name: 'Privacy choices', isInside: true })
  expect(await tab.focused()).toBe('Close')
  await tab.press('Enter')
  await expect.poll(() => tab.sees(dialog)).toBe(false)
  expect(await tab.focused()).toBe('Manage')

  await tab.press('Enter')
  await expect.poll(() => tab.focused()).toBe('Close')
  const seen: string[] = []
  while (seen.at(-1) !== 'Accept all' && seen.length < 20) {
    await tab.press('Tab')
    seen.push(await tab.focused())
  }
  const ours = ['Privacy policy', 'analytics', 'maps', 'Save choices', 'Reject all', 'Accept all']
  expect(seen.filter((name) => ours.includes(name))).toEqual(ours)
  // After the last an engine may offer its own controls; the page's it does not.
  for (let stop = 0; stop < 3; stop++) {
    await tab.press('Tab')
    seen.push(await tab.focused())
  }
  for (const name of ['Account', 'Manage']) expect(seen).not.toContain(name)
})

test('Escape and "Close" decide nothing, and what was switched and not saved counts for nothing', async ({
  world,
  open,
}) => {
  const shop = await world.host(here)
  const tab = await open(shop.page('/', watched(...ordinary)))
  for (const close of [() => tab.press('Escape'), () => tab.click(inDialog('Close'))]) {
    await tab.click(manage)
    for (const name of ['Analytics', 'Maps']) expect(await isChecked(tab, name)).toBe(false)
    await tab.click(switchOf('Analytics'))
    expect(await isChecked(tab, 'Analytics')).toBe(true)
    await close()
    await expect.poll(() => tab.sees(dialog)).toBe(false)
    expect(await tab.sees(manage)).toBe(true)
    expect(await state(tab)).toBeNull()
    expect(await marks(tab)).toEqual([])
    expect(await tab.cookies()).toEqual([])
  }
  expect(world.faults.at('consents')).toEqual([])
  expect(await shop.records()).toEqual([])
})

test('what was switched on, by hand or by Space, and saved is what is recorded, and no more', async ({
  world,
  open,
}) => {
  const shop = await world.host(here)
  const tab = await open(shop.page('/', watched(...ordinary)))
  await tab.click(manage)
  await tab.click(switchOf('Analytics'))
  await tab.click(switchOf('Analytics'))
  while ((await tab.focused()) !== 'maps') await tab.press('Tab')
  await tab.press('Space')
  await tab.click(inDialog('Save choices'))
  await expect.poll(() => tab.sees(dialog)).toBe(false)
  const choices = { analytics: false, maps: true }
  await expect.poll(() => state(tab)).toEqual(choices)
  await expect.poll(() => shop.records()).toMatchObject([{ action: 'save', choices, layer: 'preferences' }])
  expect(await tab.sees(manage)).toBe(false)
  expect(await marks(tab)).toEqual([])
  await expect.poll(() => tab.text({ layer: 'status' })).toBe('Your choice is saved.')

  // By a button of the host's, as it was left.
  await tab.click({ layer: 'page', role: 'button', name: 'Privacy' })
  await expect.poll(() => tab.sees(dialog)).toBe(true)
  expect(await isChecked(tab, 'Analytics')).toBe(false)
  expect(await isChecked(tab, 'Maps')).toBe(true)
  await tab.click(inDialog('Reject all'))
  await expect.poll(() => state(tab)).toEqual({ analytics: false, maps: false })
  await expect.poll(() => shop.records()).toHaveLength(2)
  await expect.poll(() => tab.focused()).toBe('Privacy')
})
