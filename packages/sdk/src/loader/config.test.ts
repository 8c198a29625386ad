/** What the loader needs to be told. */
import { expect, test } from 'vitest'
import { parseSite } from './config.js'

const site = {
  site: 'fr-apiaas',
  policy: { version: '2026-04', hash: 'h' },
  accepts: ['2026-04'],
  categories: ['analytics'],
  cookies: [],
  languages: ['en'],
  inactivityDays: 30,
  maxAgeDays: 180,
  ui: 'avow-ui.0.js',
  settings: 'avow-settings.0.js',
}

test('a whole configuration passes', () => {
  expect(parseSite(site)).toBe(site)
})

test.each(Object.keys(site))('without "%s" the configuration is refused by name', (key) => {
  expect(() => parseSite({ ...site, [key]: undefined })).toThrow(`"${key}"`)
})

test('nothing at all is refused', () => {
  expect(() => parseSite(null)).toThrow('site configuration')
})
