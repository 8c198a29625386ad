/** Records for the tests of the formats: one that is right in everything, and others by what they differ in. */
import { testPolicy, uuidv7 } from '../../testing.js'
import { policyRef } from '../policy.js'
import type { Evidence, Identity } from '../record.js'
import type { Exported } from './formats.js'
import type { Published } from './published.js'

export const published: Published = { policy: testPolicy(), publicUrl: 'https://shop.example/_avow' }

const decidedAt = '2026-11-23T09:59:59.960Z'

export function testRecord(evidence: Partial<Evidence> = {}, identity: Partial<Identity> = {}): Exported {
  return {
    log: 'shop',
    index: 7,
    evidence: {
      action: 'accept-all',
      choices: { analytics: true },
      clock: 'ok',
      decidedAt,
      gpc: null,
      layer: 'banner',
      notice: { hash: 'n'.repeat(43), language: 'de' },
      offered: ['reject-all', 'accept-all'],
      policy: policyRef(published.policy),
      recordedAt: '2026-11-23T10:00:00.000Z',
      sdk: '0.1.0',
      site: 'shop',
      ui: 'abc123',
      validUntil: '2027-05-22T09:59:59.960Z',
      ...evidence,
    },
    identity: {
      account: null,
      agent: 'Firefox',
      id: uuidv7(Date.parse(decidedAt), 7),
      network: null,
      page: null,
      previous: null,
      subject: 's'.repeat(43),
      ...identity,
    },
  }
}
