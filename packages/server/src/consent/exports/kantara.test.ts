/** Kantara Consent Receipts 1.1: every required field is there and says something. */
import { expect, test } from 'vitest'
import { testPolicy } from '../../testing.js'
import { kantaraLine, toKantara } from './kantara.js'
import { published, testRecord } from './test-records.js'

const REQUIRED = {
  receipt: [
    ...['version', 'jurisdiction', 'consentTimestamp', 'collectionMethod', 'consentReceiptID', 'piiPrincipalId'],
    ...['piiControllers', 'policyUrl', 'services', 'sensitive', 'spiCat'],
  ],
  controller: ['piiController', 'contact', 'address', 'email', 'phone'],
  service: ['service', 'purposes'],
  purpose: [
    ...['purpose', 'purposeCategory', 'consentType', 'piiCategory', 'primaryPurpose', 'termination'],
    'thirdPartyDisclosure',
  ],
}

/** Required fields that are missing or say nothing; `spiCat` may be empty. */
function wanting(value: any, fields: readonly string[]): string[] {
  return fields.filter((field) => {
    const one = value[field]
    if (typeof one === 'boolean' || typeof one === 'number' || field === 'spiCat') return false
    return one === undefined || one === null || one.length === 0 || Object.keys(one).length === 0
  })
}

test('the required fields are present and not empty, and the time is in whole seconds', () => {
  const barest = testPolicy()
  barest.categories[1]!.personalData = []
  for (const policy of [published.policy, barest]) {
    const receipt = toKantara(testRecord(), { ...published, policy })!
    expect(wanting(receipt, REQUIRED.receipt)).toEqual([])
    for (const controller of receipt.piiControllers) expect(wanting(controller, REQUIRED.controller)).toEqual([])
    for (const service of receipt.services) {
      expect(wanting(service, REQUIRED.service)).toEqual([])
      for (const purpose of service.purposes) expect(wanting(purpose, REQUIRED.purpose)).toEqual([])
    }
    expect(receipt.consentTimestamp).toBe(Date.UTC(2026, 10, 23, 9, 59, 59) / 1000)
    expect([receipt.sensitive, receipt.spiCat]).toEqual([false, []])
  }
})

test('what the policy says of contacts, recipients and sensitive data is in it', () => {
  const { controller, categories } = published.policy
  const policy = testPolicy({
    controller: { ...controller, phone: '+33 1 00 00 00 00', contact: 'The privacy team' },
    categories: [categories[0]!, { ...categories[1]!, recipients: ['Counter GmbH'], sensitive: ['health'] }],
  })
  expect(toKantara(testRecord(), { ...published, policy })).toMatchObject({
    piiControllers: [{ contact: 'The privacy team', phone: '+33 1 00 00 00 00' }],
    services: [{ purposes: [{ thirdPartyDisclosure: true, thirdPartyName: 'Counter GmbH' }] }],
    sensitive: true,
    spiCat: ['health'],
  })
})

test('it names what was granted, never what was denied; of a denial there is none', () => {
  const categories = ['analytics', 'maps'].map((id) => ({ ...published.policy.categories[1]!, id }))
  const policy = testPolicy({ categories: [published.policy.categories[0]!, ...categories] })
  const mixed = toKantara(testRecord({ action: 'save', choices: { analytics: false, maps: true } }), {
    ...published,
    policy,
  })
  expect(mixed!.services[0]!.purposes.map(({ purposeCategory }) => purposeCategory)).toEqual([['maps']])
  expect(kantaraLine(testRecord({ action: 'withdraw', choices: { analytics: false } }), published)).toBeNull()
})
