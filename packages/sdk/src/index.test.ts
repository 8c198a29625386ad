/** The npm entries: what compiles, and what is not thrown into a page. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createConsent as createHeadless } from './headless.js'
import { createConsent } from './index.js'
import { site } from './test-site.js'

const own = { ...site, categories: ['analytics', 'maps'], notices: [{ language: 'en' }] } as const

beforeEach(() => {
  // biome-ignore lint/suspicious/noDocumentCookie: the page begins without a decision.
  document.cookie = 'avow=;path=/;max-age=0'
  localStorage.clear()
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

/** An event as a person's click makes it; no script can make one. */
const trusted = () =>
  Object.defineProperties(Object.create(Event.prototype) as Event, {
    isTrusted: { value: true },
    type: { value: 'click' },
  })

test('a category that the site doesn’t have is an error before anything runs', () => {
  const consent = createHeadless(own as never as typeof site & { categories: readonly ['analytics', 'maps'] })
  const start = vi.fn()
  consent.whenGranted('analytics', start)
  // @ts-expect-error: a slip of the pen doesn't compile.
  consent.whenGranted('analtyics', start)
  // @ts-expect-error: nor does it here.
  const choices: Parameters<typeof consent.save>[0] = { analtyics: true }
  expect([start.mock.calls.length, Object.keys(choices)]).toEqual([0, ['analtyics']])
})

test('a site that is half configured is refused by the key that is wrong', () => {
  expect(() => createConsent({ ...site, categories: [] }, 'https://dash.example/_avow')).toThrow('"categories"')
})

test('without a server and without an interface of ours a choice is taken, kept in the jar, and nothing is sent', async () => {
  const sent = vi.fn()
  vi.stubGlobal('fetch', sent)
  const consent = createHeadless({ ...site, notices: [{ language: 'en', words: {} }] as never })
  const heard: unknown[] = []
  consent.on('change', (event) => heard.push(event))
  consent.acceptAll(trusted())
  await vi.waitFor(() => expect(consent.state()).toEqual({ analytics: true }))
  consent.withdraw()
  await vi.waitFor(() => expect(consent.state()).toEqual({ analytics: false }))
  expect(heard).toEqual([
    { choices: undefined, initial: true, reloadNeeded: false },
    { choices: { analytics: true }, initial: false, reloadNeeded: false },
    { choices: { analytics: false }, initial: false, reloadNeeded: false },
  ])
  expect(document.cookie).toContain('avow=1.2.2026-04.analytics0.')
  expect(sent).not.toHaveBeenCalled()
})

test('a script’s click grants nothing without an interface of ours either', async () => {
  const told = vi.spyOn(console, 'error').mockImplementation(() => {})
  const consent = createHeadless({ ...site, notices: [{ language: 'en', words: {} }] as never })
  consent.save({ analytics: true }, new Event('click'))
  await vi.waitFor(() => expect(told).toHaveBeenCalledTimes(1))
  expect(consent.state()).toBeUndefined()
})
