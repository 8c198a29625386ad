/** The cookie's bytes: what was written comes back, and nothing else does. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareDecisions, type Decision, decodeDecision, encodeDecision } from './cookie.js'

const golden: { value: string; decision: Decision | null }[] = JSON.parse(
  readFileSync(`${import.meta.dirname}/../../../../testdata/cookie.json`, 'utf8'),
)

const secret = 'AAECAwQFBgcICQoLDA0ODw'
const decision: Decision = {
  n: 3,
  version: '2026.04',
  choices: { analytics: true, other: false },
  decidedAt: 1_775_001_600_000,
  lastActive: 1_775_088_000_000,
  secret,
  gpc: false,
}
const value = `1.3.2026%2E04.analytics1~other0.tcsg00.tcuao0.${secret}`

test('a decision has exactly one spelling', () => {
  expect(encodeDecision(decision)).toBe(value)
  expect(decodeDecision(value)).toEqual(decision)
})

test('whatever was decided comes back, to the second', () => {
  const seconds = fc.integer({ min: 1, max: 4_000_000_000 })
  const made = fc.record({
    n: fc.integer({ min: 1, max: 1_000_000 }),
    version: fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' }),
    choices: fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/), fc.boolean(), { minKeys: 1, maxKeys: 5 }),
    times: fc.tuple(seconds, seconds),
    secret: fc.constantFrom('', secret),
    gpc: fc.boolean(),
  })
  fc.assert(
    fc.property(made, ({ times, ...rest }) => {
      const [decidedAt = 0, lastActive = 0] = times.sort((a, b) => a - b).map((second) => second * 1000)
      const choices = { ...rest.choices }
      // The mark of the signal is on what is granted; without a grant there is nothing to mark.
      const gpc = rest.gpc && Object.values(choices).includes(true)
      const whole: Decision = { ...rest, choices, gpc, decidedAt, lastActive }
      expect(decodeDecision(encodeDecision(whole))).toEqual(whole)
    }),
  )
})

test.each([
  ['nothing', ''],
  ['no cookie', null],
  ['a word', 'true'],
  ['another format', value.replace('1.', '2.')],
  ['a field too few', '1.3.2026%2E04.analytics1.tcsg00'],
  ['a field too many', `${value}.x`],
  ['a trailing dot', '1.3.v.analytics1.tcsg00.tcuao0.'],
  ['a count of zero', value.replace('1.3.', '1.0.')],
  ['a negative count', value.replace('1.3.', '1.-3.')],
  ['a leading zero', value.replace('1.3.', '1.03.')],
  ['upper case digits', value.replace('tcsg00', 'TCSG00')],
  ['a time that is none', value.replace('tcsg00', '')],
  ['activity before the decision', value.replace('tcsg00', 'zzzzzz')],
  ['a dot in the version', value.replace('%2E', '.')],
  ['a stray percent sign', value.replace('%2E', '%zz')],
  ['a truncated escape', value.replace('%2E', '%E0%A4.')],
  ['a grant of 3', value.replace('analytics1', 'analytics3')],
  ['a grant with the signal beside one without', value.replace('analytics1', 'analytics2').replace('other0', 'other1')],
  ['a grant spelled out', value.replace('analytics1', 'analyticstrue')],
  ['the same category twice', value.replace('other0', 'analytics0')],
  ['a prototype', value.replace('analytics1', '__proto__1').replace('other0', '')],
  ['a short secret', value.slice(0, -1)],
  ['a secret with bits to spare', `${value.slice(0, -1)}x`],
  ['spaces around it', ` ${value} `],
])('%s is no decision, and never an exception', (_, corrupt) => {
  expect(decodeDecision(corrupt)).toBeNull()
})

test('any other text is no decision, or the one it spells', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const read = decodeDecision(text)
      expect(read === null || encodeDecision(read) === text).toBe(true)
    }),
  )
})

test.each(golden)('the bytes of $value stay what they are', ({ value, decision }) => {
  expect(decodeDecision(value)).toEqual(decision)
  if (decision) expect(encodeDecision(decision)).toBe(value)
})

test('of two decisions the one that counts more is newer, whatever the clocks say', () => {
  const earlier = { ...decision, n: 4, decidedAt: 0, lastActive: 0 }
  expect(compareDecisions(earlier, decision)).toBeGreaterThan(0)
  expect(compareDecisions(decision, earlier)).toBeLessThan(0)
})

test('of two that count alike the one that grants less is taken, then the later one', () => {
  const denial = { ...decision, choices: { analytics: false, other: false }, decidedAt: 0 }
  expect(compareDecisions(denial, decision)).toBeGreaterThan(0)
  expect(compareDecisions({ ...decision, decidedAt: decision.decidedAt + 1 }, decision)).toBeGreaterThan(0)
  expect(compareDecisions({ ...decision, lastActive: decision.lastActive + 1 }, decision)).toBe(0)
  expect(compareDecisions(decision, { ...decision })).toBe(0)
})
