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

/** How often the button was asked for on a page of `site`, once its other files had time to come. */
async function buttons(site: SiteConfig): Promise<number> {
  const button = vi.fn()
  const ui = async () => ({ create: () => ({ button, settle: async () => {} }) })
  createMethods(site, 'https://dash.example/_avow', { ui, settings: ui, account: ui })
  await new Promise((resolve) => setTimeout(resolve, 20))
  return button.mock.calls.length
}

test('a site with a button has it asked for, and another has not', async () => {
  expect(await buttons({ ...site, button: true })).toBe(1)
  expect(await buttons(site)).toBe(0)
})
