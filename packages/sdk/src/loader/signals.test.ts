/** What Google's scripts are told, in the form that they read. */
import { afterEach, expect, test, vi } from 'vitest'
import { memoryJar, secret, site } from '../test-site.js'
import type { ConsentType } from '../wire.js'
import { createConsent } from './consent.js'
import { tellSignals } from './signals.js'

const consentMode = { analytics: ['analytics_storage'] } as const
const denied = { ad_storage: 'denied', ad_user_data: 'denied', ad_personalization: 'denied' }

afterEach(() => vi.restoreAllMocks())

/** A page with what stands in its `dataLayer` before. */
function page(...before: unknown[]) {
  const consent = createConsent(
    { ...site, consentMode },
    memoryJar(),
    () => Date.UTC(2026, 3, 1),
    false,
    () => [],
  )
  const dataLayer = [...before]
  const tell = () => tellSignals({ dataLayer } as unknown as Window, consent.site, consent)
  const commands = () => dataLayer.filter((one) => Object.prototype.toString.call(one) === '[object Arguments]')
  return { consent, dataLayer, tell, commands: () => commands().map((one) => Array.from(one as ArrayLike<unknown>)) }
}

test('the default comes first, an update with each change, as arguments and never as arrays', () => {
  const { consent, tell, commands } = page()
  tell()
  consent.decide({ analytics: true }, secret, () => {})
  consent.decide({ analytics: false }, secret, () => {})
  expect(commands()).toEqual([
    ['consent', 'default', { ...denied, analytics_storage: 'denied' }],
    ['consent', 'update', { ...denied, analytics_storage: 'granted' }],
    ['consent', 'update', { ...denied, analytics_storage: 'denied' }],
  ])
})

test('a tag manager hears of each change by an event', () => {
  const { consent, tell, dataLayer } = page()
  tell()
  consent.decide({ analytics: true }, secret, () => {})
  expect(dataLayer.filter((one) => (one as { event?: string }).event === 'avow')).toEqual([
    { event: 'avow', avow: undefined },
    { event: 'avow', avow: { analytics: true } },
  ])
})

test.each(['js', 'config'])('where Google’s tag said "%s" before us, one line names the cure', (command) => {
  const told = vi.spyOn(console, 'error').mockImplementation(() => {})
  const { tell } = page({ 0: command })
  tell()
  expect(told.mock.calls).toEqual([[expect.stringContaining('put the tag of Avow first')]])
})

test.each([undefined, null, 0, 'config', {}])('%s in the dataLayer, which others put there, stops nothing', (entry) => {
  const told = vi.spyOn(console, 'error').mockImplementation(() => {})
  const { consent, tell, commands } = page(entry)
  tell()
  consent.decide({ analytics: true }, secret, () => {})
  expect(commands().map(([, command]) => command)).toEqual(['default', 'update'])
  expect(told).not.toHaveBeenCalled()
})

test('a site without consent mode leaves the page’s dataLayer alone', () => {
  const consent = createConsent(
    site,
    memoryJar(),
    () => Date.UTC(2026, 3, 1),
    false,
    () => [],
  )
  const dataLayer: unknown[] = []
  tellSignals({ dataLayer } as unknown as Window, site, consent)
  expect(dataLayer).toEqual([])
})

test('no type can grant what is for advertising', () => {
  // @ts-expect-error: `ad_storage` is no consent type here.
  const type: ConsentType = 'ad_storage'
  expect(type).toMatch(/^ad_/)
})
