/** What those who bundle the loader get beyond what the tag has. */
import { beforeEach, expect, test, vi } from 'vitest'
import { site } from '../test-site.js'
import type { SiteConfig } from '../wire.js'
import { createMethods } from './methods.js'

beforeEach(() => {
  // biome-ignore lint/suspicious/noDocumentCookie: the page begins with a decision, and nothing else loads the UI file.
  document.cookie = `avow=1.1.2026-04.analytics0.${Math.floor(Date.now() / 1000).toString(36)}.${Math.floor(Date.now() / 1000).toString(36)};path=/`
  localStorage.clear()
})

test('a site with a button has the UI file fetched for it on every page, and another has not', () => {
  const ui = vi.fn(async () => ({ create: () => ({ asked: { button() {} }, settle: async () => {} }) }))
  const visit = (site: SiteConfig) =>
    createMethods(site, 'https://dash.example/_avow', undefined, { ui, settings: ui, account: ui })
  visit(site)
  expect(ui).not.toHaveBeenCalled()
  visit({ ...site, button: true })
  expect(ui).toHaveBeenCalledTimes(1)
})
