/** The wiring, where a page or its browser is unusual: nothing of ours throws into it, and the visitor is still asked. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { SiteConfig } from '../wire.js'
import { type Files, start } from './start.js'

const site: SiteConfig = {
  site: 'fr-apiaas',
  policy: { version: '2026-04', hash: 'h' },
  accepts: ['2026-04'],
  categories: ['analytics'],
  cookies: [{ kind: 'local', name: 'fr_queue*', category: 'analytics' }],
  languages: ['en'],
  inactivityDays: 30,
  maxAgeDays: 180,
  ui: 'avow-ui.0123456789.js',
  settings: 'avow-settings.0.js',
  account: 'avow-account.0.js',
}

beforeEach(() => {
  vi.stubGlobal('fetch', async () => Response.json({}))
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  localStorage.clear()
})

/** Starts the loader; what the UI file is told to do is noted. */
function started() {
  const told: string[] = []
  const note = (name: string) => () => void told.push(name)
  const ui = {
    open: note('open'),
    withdraw: note('withdraw'),
    rejectAll: note('rejectAll'),
    acceptAll: note('acceptAll'),
    settle: async () => void told.push('settle'),
    save: note('save'),
    place: note('place'),
    link: note('link'),
  }
  const files = (async () => ({ create: () => ui })) as unknown as Files
  start(site, 'https://dash.example/_avow', '', files)
  return told
}

test('in a frame that forbids cookies and storage the visitor is asked all the same', async () => {
  const forbidden = () => {
    throw new DOMException('sandboxed', 'SecurityError')
  }
  vi.spyOn(document, 'cookie', 'get').mockImplementation(forbidden)
  vi.stubGlobal('localStorage', new Proxy({}, { ownKeys: forbidden, get: forbidden }))
  const told = started()
  await vi.waitFor(() => expect(told).toEqual(['settle']))
})

test('where storage is forbidden, what is in the jar is still seen', async () => {
  // A refusal that stands: nothing to ask, so only the leftover is a reason to fetch the UI file.
  const seconds = Math.floor(Date.now() / 1000).toString(36)
  vi.spyOn(document, 'cookie', 'get').mockReturnValue(`avow=1.1.2026-04.analytics0.${seconds}.${seconds}; fr_left=1`)
  vi.stubGlobal('localStorage', null)
  const files = vi.fn(async () => new Promise<never>(() => {})) as unknown as Files
  const leftover = { kind: 'cookie', name: 'fr_left', category: 'analytics' } as const
  start({ ...site, cookies: [leftover] }, 'https://dash.example/_avow', '', files)
  await vi.waitFor(() => expect(files).toHaveBeenCalledWith('ui'))
})

test('a click that a script dispatches on the document or the window is nobody’s button, and no error', async () => {
  const failed = vi.fn()
  window.addEventListener('error', failed)
  document.body.innerHTML = '<p data-avow-open><b>Cookie settings</b></p>'
  const told = started()
  for (const target of [window, document]) target.dispatchEvent(new Event('click', { bubbles: true }))
  expect(failed).not.toHaveBeenCalled()
  document.querySelector('b')?.dispatchEvent(new Event('click', { bubbles: true }))
  await vi.waitFor(() => expect(told).toContain('open'))
  window.removeEventListener('error', failed)
})
