import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { parseNode, parseOrigin, parsePort, parseRateLimit, readConfig, readKeys, readWitnessing } from './config.js'
import { TestWitness } from './ledger/test-witness.js'
import { createTestKey } from './middleware/test-tokens.js'
import { testFolder } from './test-folder.js'
import { testPolicy } from './testing.js'

function configFile(content: unknown): string {
  const folder = testFolder()
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

test('how the pages of a site behave is read as it stands', () => {
  const page = { domain: 'shop.example', gpc: 'ask', consentMode: { analytics: ['analytics_storage'] }, page: true }
  expect(readConfig(configFile({ sites: [{ ...site, ...page }] }), ENV).sites[0]).toMatchObject(page)
})

test('the keys of account tokens are read from beside the configuration, and a bad one is named with its file', () => {
  const keysFile = (content: unknown) => {
    const file = configFile({ sites: [{ ...site, accountKeys: 'keys.json' }] })
    writeFileSync(path.join(path.dirname(file), 'keys.json'), JSON.stringify(content))
    return file
  }
  const set = { keys: [createTestKey('ES256', 'one').jwk] }
  expect(readConfig(keysFile(set), ENV).sites[0]?.accountKeys).toEqual(set)
  expect(readConfig(configFile({ sites: [site] }), ENV).sites[0]).not.toHaveProperty('accountKeys')
  expect(() => readConfig(keysFile({ keys: [{ kty: 'oct' }] }), ENV)).toThrow(/keys\.json\.keys\.0\.alg: expected/)
  expect(() => readConfig(configFile({ sites: [{ ...site, accountKeys: 'nowhere.json' }] }), ENV)).toThrow(
    /nowhere\.json: expected a readable file/,
  )
})

test('the identity provider is checked with the rest, and a bad setting is named', () => {
  const oidc = {
    issuer: 'https://id.example',
    audience: 'avow',
    roleClaim: 'roles',
    roles: { privacy: { scopes: ['audit:read'], sites: ['shop'] } },
  }
  expect(readConfig(configFile({ sites: [site], oidc }), ENV).oidc).toMatchObject({ ...oidc, requireMfa: false })
  expect(readConfig(configFile({ sites: [site] }), ENV).oidc).toBeUndefined()
  const wrong = { ...oidc, roles: { privacy: { scopes: ['audit:read'], sites: ['other'] } } }
  expect(() => readConfig(configFile({ sites: [site], oidc: wrong }), ENV)).toThrow(
    'oidc.roles.privacy.sites: expected some of shop',
  )
})

test('alarms have limits unless they are off, and an address needs a secret', () => {
  const read = (env: Record<string, string>) => readConfig(configFile({ sites: [site] }), { ...ENV, ...env })
  expect(read({})).toMatchObject({ alarms: { rows: 10_000, refusals: 20, hours: null }, webhook: null })
  expect(
    read({ AVOW_ALARM_ROWS: 'off', AVOW_ALARM_REFUSALS: '5', AVOW_ALARM_HOURS: 'mon-fri 08:00-19:00 UTC' }).alarms,
  ).toMatchObject({ rows: null, refusals: 5, hours: { days: [1, 2, 3, 4, 5], from: 480, to: 1140 } })
  expect(() => read({ AVOW_ALARM_ROWS: '0' })).toThrow('AVOW_ALARM_ROWS')
  expect(() => read({ AVOW_ALARM_REFUSALS: 'many' })).toThrow('AVOW_ALARM_REFUSALS')
  expect(() => read({ AVOW_ALARM_HOURS: 'always' })).toThrow('AVOW_ALARM_HOURS')
  expect(() => read({ AVOW_ALARM_URL: 'https://alarms.example' })).toThrow('AVOW_ALARM_SECRET')
})

test('a mistake in the configuration is named by its key', () => {
  expect(() => readConfig(configFile({ sites: [{ ...site, colour: 1 }] }), ENV)).toThrow(
    'avow.json: sites.0.colour: expected no such field',
  )
  expect(() => readConfig(configFile({ sites: [site], publicUrl: 'https://a.example' }), ENV)).toThrow(
    'avow.json: publicUrl: expected no such field',
  )
  expect(() => readConfig(configFile([]), ENV)).toThrow(/avow\.json: expected /)
  expect(() => readConfig(configFile({ sites: [] }), ENV)).toThrow('sites')
  expect(() => readConfig(configFile({ sites: [{ ...site, gpc: 'obey' }] }), ENV)).toThrow(
    'sites.0.gpc: expected "ask"',
  )
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

test('what several nodes share, and who is told outside, is read from the environment', () => {
  const alone = readConfig(configFile({ sites: [site] }), ENV)
  expect(alone).toMatchObject({
    database: '',
    vault: '',
    escrow: 'data/escrow',
    node: 'node',
    anchor: null,
    witnessing: null,
  })
  const env = {
    AVOW_DATABASE: 'postgres://a',
    AVOW_VAULT: 'postgres://b',
    AVOW_ESCROW: '/escrow',
    AVOW_NODE: 'n2',
    AVOW_ANCHOR: 'cat',
  }
  expect(readConfig(configFile({ sites: [site] }), { ...ENV, ...env })).toMatchObject({
    database: 'postgres://a',
    vault: 'postgres://b',
    escrow: '/escrow',
    node: 'n2',
    anchor: 'cat',
  })
  expect(() => readConfig(configFile({ sites: [site] }), { ...ENV, AVOW_DATABASE: 'postgres://a' })).toThrow(
    'AVOW_VAULT',
  )
  expect(() => readConfig(configFile({ sites: [site] }), { ...ENV, AVOW_VAULT: 'postgres://b' })).toThrow(
    'AVOW_DATABASE',
  )
  // Nodes that share databases share an escrow: none may go by the name that all would have.
  for (const unset of [undefined, ''])
    expect(() => readConfig(configFile({ sites: [site] }), { ...ENV, ...env, AVOW_NODE: unset })).toThrow(
      /AVOW_NODE: expected a name for this node that no other has/,
    )
  for (const wrong of ['a.b', '../x', 'a b']) expect(() => parseNode(wrong)).toThrow('AVOW_NODE')
})

test('a policy of witnesses is read with the address of each, and a mistake in it is named', () => {
  const { vkey } = new TestWitness('w.example/w', 1, [])
  const file = path.join(testFolder(), 'witnesses')
  const read = (text: string, mode = '') => {
    writeFileSync(file, text)
    return readWitnessing({ AVOW_WITNESSES: file, AVOW_WITNESS_MODE: mode })
  }
  const right = `witness W ${vkey} https://w.example/w\nquorum W\n`
  expect(read(right)).toMatchObject({ mode: 'open', witnesses: [{ alias: 'W', url: 'https://w.example/w' }] })
  expect(read(right, 'closed')?.isMet(new Set(['W']))).toBe(true)
  expect(() => read(`witness W ${vkey}\nquorum W\n`)).toThrow(/address for the witness W/)
  expect(() => read('quorum none\n')).toThrow(/at least one witness/)
  expect(() => read('quorum W\n')).toThrow(/line 1/)
  expect(() => read(right, 'ajar')).toThrow('AVOW_WITNESS_MODE')
  expect(() => readWitnessing({ AVOW_WITNESS_MODE: 'closed' })).toThrow('AVOW_WITNESSES')
  expect(() => readWitnessing({ AVOW_WITNESSES: '/nowhere/policy' })).toThrow('/nowhere/policy')
  expect(readWitnessing({})).toBeNull()
})
