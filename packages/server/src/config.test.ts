import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { parseOrigin, parsePort, parseRateLimit, readConfig, readKeys } from './config.js'
import { testPolicy } from './testing.js'

function configFile(content: unknown): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'avow-config-'))
  writeFileSync(path.join(folder, 'policy.json'), JSON.stringify(testPolicy()))
  writeFileSync(path.join(folder, 'avow.json'), JSON.stringify(content))
  return path.join(folder, 'avow.json')
}

const ENV = { AVOW_KEK: Buffer.alloc(32, 1).toString('base64') }
const site = { site: 'shop', policy: 'policy.json', origins: ['https://shop.example'] }

test('a configuration reads its policies from beside itself, and keeps logs private unless told otherwise', () => {
  const config = readConfig(configFile({ sites: [site] }), ENV)
  expect(config).toMatchObject({
    port: 8787,
    host: '127.0.0.1',
    rateLimit: 120,
    publicUrl: 'http://localhost:8787',
    data: './data',
  })
  expect(config.sites[0]).toMatchObject({ site: 'shop', publicLog: false, policy: { version: '2026-04' } })
})

test('a mistake in the configuration is named by its key', () => {
  expect(() => readConfig(configFile({ sites: [{ ...site, colour: 1 }] }), ENV)).toThrow('sites.0')
  expect(() => readConfig(configFile({ sites: [] }), ENV)).toThrow('sites')
  expect(() => readConfig(configFile({ sites: [{ ...site, policy: 'nowhere.json' }] }), ENV)).toThrow('nowhere.json')
  expect(() => readConfig('/nowhere/avow.json', ENV)).toThrow('/nowhere/avow.json')
})

test('settings of the environment are checked, each by its name', () => {
  expect(parseRateLimit('off')).toBeNull()
  expect(parseRateLimit('7')).toBe(7)
  for (const wrong of ['0', '-1', 'many', '1.5']) expect(() => parseRateLimit(wrong)).toThrow('AVOW_RATE_LIMIT')
  for (const wrong of ['x', '70000']) expect(() => parsePort(wrong)).toThrow('PORT')
  expect(parseOrigin('dash.example/_avow')).toBe('dash.example/_avow')
  for (const wrong of ['https://dash.example', 'dash.example/', 'a b'])
    expect(() => parseOrigin(wrong)).toThrow('AVOW_ORIGIN')
})

test('without a key-encryption key nothing is served, and the cure is said', () => {
  expect(() => readKeys({})).toThrow(/AVOW_KEK_FILE.*avow kek create/)
  expect(() => readKeys({ AVOW_KEK: 'c2hvcnQ=' })).toThrow('32 bytes')
  expect(() => readKeys({ AVOW_KEK_FILE: '/nowhere/kek' })).toThrow('/nowhere/kek')
  expect(readKeys({ AVOW_KEK: `${ENV.AVOW_KEK}\n${ENV.AVOW_KEK}` })).toHaveLength(2)
})
