/** JSON-LD that a processor expands without a network, in terms that the vocabulary has. */
import { readFileSync } from 'node:fs'
import jsonld from 'jsonld'
import { describe, expect, test } from 'vitest'
import { testPolicy } from '../../testing.js'
import { jsonldLine, toJsonld } from './jsonld.js'
import { published, testRecord } from './test-records.js'

const { terms } = JSON.parse(
  readFileSync(new URL('../../../../../testdata/dpv-2.3.json', import.meta.url), 'utf8'),
) as { terms: Record<string, string[]> }
const known = new Set(Object.entries(terms).flatMap(([space, names]) => names.map((name) => space + name)))
const dct = 'http://purl.org/dc/terms/'
const dpv = 'https://w3id.org/dpv#'

/** Whoever asks the network for a context fails the test. */
const documentLoader = async (url: string) => {
  throw new Error(`${url} was asked for`)
}

const expand = async (line: string) =>
  (await jsonld.expand(JSON.parse(line), { documentLoader, safe: true } as object)) as Record<string, any>[]

/** Every name of DPV in a document, whether a property, a type or a value. */
function dpvNames(value: unknown): string[] {
  if (typeof value === 'string') return value.startsWith('https://w3id.org/dpv') ? [value] : []
  if (Array.isArray(value)) return value.flatMap(dpvNames)
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, inner]) => [...dpvNames(name), ...dpvNames(inner)])
  return []
}

const values = (node: Record<string, any>, name: string) => node[name] as Record<string, any>[]

test('a record expands offline, and says every field that the standard asks for', async () => {
  const [record, ...more] = await expand(jsonldLine(testRecord(), published))
  expect(more).toEqual([])
  const { id, subject } = testRecord().identity
  expect(record!['@type']).toEqual([`${dpv}ConsentRecord`])
  expect(record![`${dct}conformsTo`]).toEqual([{ '@id': 'https://w3id.org/dpv/schema/dpv-27560#record' }])
  expect(record![`${dct}identifier`]).toEqual([{ '@value': id }])
  expect(record![`${dct}language`]).toEqual([{ '@value': 'de' }])
  expect(values(record!, `${dpv}hasDataSubject`)[0]![`${dct}identifier`]).toEqual([{ '@value': subject }])
  expect(values(record!, `${dpv}hasNotice`)[0]!['@id']).toBe(
    `https://shop.example/_avow/v1/sites/shop/notice?hash=${'n'.repeat(43)}`,
  )
  const [controller] = values(record!, `${dpv}hasDataController`)
  expect(controller![`${dpv}hasName`]).toEqual([{ '@value': 'Shop SAS' }])
  for (const name of ['hasAddress', 'hasContact']) expect(controller![dpv + name]).not.toEqual([])
  const [process] = values(record!, `${dpv}hasProcess`)
  for (const name of ['hasPurpose', 'hasPersonalData', 'hasLegalBasis', 'hasStorageCondition', 'hasRecipient'])
    expect([name, process![dpv + name]?.length > 0]).toEqual([name, true])
  const [status] = values(record!, `${dpv}hasConsentStatus`)
  expect(status).toMatchObject({
    '@type': [`${dpv}ConsentGiven`],
    [`${dpv}isIndicatedAtTime`]: [{ '@value': '2026-11-23T09:59:59.960Z' }],
    [`${dpv}isIndicatedBy`]: [{ '@id': `${dpv}DataSubject` }],
    [`${dpv}hasProcess`]: [{ '@id': process!['@id'] }],
  })
  expect(values(status!, `${dpv}hasDuration`)[0]!['http://www.w3.org/1999/02/22-rdf-syntax-ns#value']).toEqual([
    { '@type': 'http://www.w3.org/2001/XMLSchema#dateTime', '@value': '2027-05-22T09:59:59.960Z' },
  ])
  expect(values(record!, `${dpv}hasConsentControl`)[0]).toMatchObject({
    '@type': [`${dpv}WithdrawConsent`],
    [`${dpv}isExercisedAt`]: [{ '@id': 'https://shop.example/account' }],
  })
  for (const name of ['hasRight', 'hasJurisdiction']) expect(record![dpv + name]).not.toEqual([])
})

const demo = JSON.parse(readFileSync(new URL('../../../../../demo/policy.json', import.meta.url), 'utf8'))
const odd = testPolicy({
  rights: ['access', 'constructor', 'a right that nobody listed'],
  jurisdictions: ['EU', 'US-CA', 'Atlantis'],
  policyUrl: 'http://[',
})
const policies = { 'of the tests': published.policy, 'of the demo': demo, 'of strange words': odd }

describe.each(Object.entries(policies))('with the policy %s', (_, policy) => {
  test.each([
    ['accept-all', true],
    ['reject-all', false],
    ['save', true],
    ['withdraw', false],
    ['link', true],
    ['lapse', false],
  ])('a record of %s is in terms of DPV 2.3 alone', async (action, analytics) => {
    const line = jsonldLine(testRecord({ action: action as never, choices: { analytics } }), { ...published, policy })
    const names = dpvNames(await expand(line))
    expect(names.length).toBeGreaterThan(30)
    expect(names.filter((name) => !known.has(name))).toEqual([])
  })
})

test('terms that the vocabulary lacks are not in the list of this test either', () => {
  for (const name of ['dpv#ConsentTerminated', 'dpv#hasLegalName', 'dpv/legal/eu/gdpr#GDPR'])
    expect(known.has(`https://w3id.org/${name}`)).toBe(false)
})

test('each category has its own answer, and how it came about', () => {
  const categories = ['analytics', 'maps'].map((id) => ({ ...published.policy.categories[1]!, id }))
  const policy = testPolicy({ categories: [published.policy.categories[0]!, ...categories] })
  const statuses = (action: string, choices: Record<string, boolean>) =>
    toJsonld(testRecord({ action: action as never, choices }), { ...published, policy })['dpv:hasConsentStatus'].map(
      (status) => status['@type'],
    )
  expect(statuses('save', { analytics: true, maps: false })).toEqual(['dpv:ConsentGiven', 'dpv:ConsentRefused'])
  expect(statuses('withdraw', { analytics: false, maps: false })).toEqual(Array(2).fill('dpv:ConsentWithdrawn'))
  expect(statuses('lapse', { analytics: false, maps: false })).toEqual(Array(2).fill('dpv:ConsentExpired'))
})

test('where the browser’s clock can’t be right, the server’s word counts', () => {
  const record = toJsonld(testRecord({ clock: 'implausible' }), published)
  expect(record['dpv:hasConsentStatus'][0]!['dpv:isIndicatedAtTime']).toBe('2026-11-23T10:00:00.000Z')
})

test('what nobody decided, the data subject did not indicate', () => {
  const lapse = testRecord({ action: 'lapse', layer: 'server', offered: [], choices: { analytics: false } })
  const record = toJsonld(lapse, published)
  expect(record['dpv:hasConsentStatus'][0]!['dpv:isIndicatedBy']).toBe(record['dpv:hasDataController']['@id'])
})
