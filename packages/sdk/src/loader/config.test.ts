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
  account: 'avow-account.0.js',
}

test('a whole configuration passes', () => {
  expect(parseSite(site)).toBe(site)
})

test.each(Object.keys(site))('without "%s" the configuration is refused by name', (key) => {
  expect(() => parseSite({ ...site, [key]: undefined })).toThrow(`"${key}"`)
})

test('a category that every object has is refused by name', () => {
  expect(() => parseSite({ ...site, categories: ['constructor'] })).toThrow('"categories"')
})

test('nothing at all is refused', () => {
  expect(() => parseSite(null)).toThrow('site configuration')
})

test('with words of its own a site needs no server to name, and has them in each of its languages', () => {
  const { ui, settings, account, ...rest } = site
  const own = { ...rest, policy: { version: '2026-04', hash: '' }, notices: [{ language: 'en' }] }
  expect(parseSite(own)).toBe(own)
  expect(() => parseSite({ ...own, languages: ['en', 'de'] })).toThrow('"notices"')
  expect(() => parseSite({ ...own, notices: 'en' })).toThrow('site configuration')
})

test('a layout that there is passes, and another is refused by name', () => {
  for (const layout of ['box', 'box-end', 'box-center', 'bar', 'bar-top'])
    expect(parseSite({ ...site, layout })).toMatchObject({ layout })
  for (const layout of ['modal', '', null, true]) expect(() => parseSite({ ...site, layout })).toThrow('"layout"')
})
