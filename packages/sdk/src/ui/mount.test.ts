/** What the UI file does where the browser forbids. */
import { afterEach, expect, test, vi } from 'vitest'
import { createConsent } from '../loader/consent.js'
import { createJar } from '../loader/jar.js'
import type { Page } from '../loader/start.js'
import type { SiteConfig, Submission } from '../wire.js'
import { create } from './mount.js'

const site: SiteConfig = {
  site: 'fr-apiaas',
  policy: { version: '2026-04', hash: 'h' },
  accepts: ['2026-04'],
  categories: ['analytics'],
  cookies: [{ kind: 'cookie', name: 'fr_analytics', category: 'analytics' }],
  languages: ['en'],
  inactivityDays: 30,
  maxAgeDays: 180,
  ui: 'avow-ui.0123456789.js',
  settings: 'avow-settings.0.js',
  account: 'avow-account.0.js',
}

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

test('in a frame that forbids cookies a refusal is still sent', async () => {
  vi.spyOn(document, 'cookie', 'get').mockImplementation(() => {
    throw new DOMException('sandboxed', 'SecurityError')
  })
  const sent: Submission[] = []
  vi.stubGlobal('fetch', async (_: string, { body }: { body: string }) => {
    sent.push(JSON.parse(body))
    return Response.json({ id: sent[0]?.id, state: 'refused' }, { status: 201 })
  })
  const consent = createConsent(
    site,
    createJar(false, site),
    () => Date.UTC(2026, 3, 1),
    false,
    () => [],
  )
  const page = {
    base: 'https://dash.example/_avow',
    prefix: 'avow:fr-apiaas:',
    now: () => Date.UTC(2026, 3, 1),
    consent,
    notice: async () => ({ hash: 'n', language: 'en', words: {} }),
    ask: () => {},
  } as unknown as Page
  const ui = create(page)
  ui.asked.rejectAll()
  await ui.settle()
  expect(sent).toMatchObject([{ action: 'reject-all', choices: { analytics: false } }])
})
