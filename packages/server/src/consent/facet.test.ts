import { expect, test } from 'vitest'
import { testPolicy } from '../testing.js'
import { describeEvidence, facetOf, parseFacet } from './facet.js'
import { composeRecord, type ParsedSubmission } from './record.js'

const submission = {
  ...{ id: 'id', site: 'shop', secret: 'secret', action: 'save', choices: { maps: false, analytics: true } },
  ...{ policy: { version: '2026-04', hash: 'h' }, notice: { hash: 'n', language: 'de' }, ui: 'u', layer: 'banner' },
  ...{ offered: ['save'], decidedAt: '2026-11-23T09:00:00.000Z', ageMs: 0, gpc: null, previous: null, sdk: '1' },
} as unknown as ParsedSubmission

const compose = (more: Partial<ParsedSubmission> = {}) =>
  composeRecord({ ...submission, ...more }, 'subject', 'account', testPolicy(), 'Firefox', 1_700_000_000_000).evidence

test('a facet has six enumerations, and nothing of a person or of the one record', () => {
  const text = facetOf(compose())
  expect(text).toBe(
    '{"action":"save","choices":{"analytics":true,"maps":false},"gpc":null,"language":"de","layer":"banner","version":"2026-04"}',
  )
  expect(facetOf({ ...compose(), ...parseFacet(text) })).toBe(text)
})

test('two records that differ in whom they are about, and when, have one facet', () => {
  const other = compose({ id: 'other', secret: 'other', decidedAt: '2026-11-22T09:00:00.000Z', sdk: '2', ui: 'v' })
  expect(facetOf(other)).toBe(facetOf(compose()))
  expect(facetOf(compose({ choices: { analytics: true, maps: false } }))).toBe(facetOf(compose()))
  expect(facetOf(compose({ gpc: false }))).not.toBe(facetOf(compose()))
})

test('what is known of a record that an earlier release kept is its facet and when it was recorded', () => {
  expect(describeEvidence(compose())).toEqual({ facet: facetOf(compose()), recordedAt: 1_700_000_000_000 })
})
