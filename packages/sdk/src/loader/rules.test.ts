/** When a choice still counts, told by a clock that the test holds. */
import { expect, test } from 'vitest'
import type { Decision } from './cookie.js'
import { grants, isNewDay, mustAsk, pickLanguage, stands, type Terms } from './rules.js'

const dayMs = 86_400_000
const start = Date.UTC(2026, 3, 1)
const terms: Terms = { accepts: ['2026-04'], categories: ['analytics'], inactivityDays: 30, maxAgeDays: 180 }
const granted: Decision = {
  n: 1,
  version: '2026-04',
  choices: { analytics: true },
  decidedAt: start,
  lastActive: start,
  secret: '',
  gpc: false,
}

test('29 days, 23 hours, 59 minutes and 59 seconds after the last activity the grant stands', () => {
  expect(grants(granted, terms, start + 30 * dayMs - 1000, false)).toEqual(['analytics'])
})

test('30 days after the last activity it has lapsed, and the visitor is asked again', () => {
  expect(grants(granted, terms, start + 30 * dayMs, false)).toEqual([])
  expect(stands(granted, terms, start + 30 * dayMs)).toBe(false)
})

test('180 days after the decision it is asked again, however active the visitor was', () => {
  const active = { ...granted, lastActive: start + 180 * dayMs - 1000 }
  expect(stands(active, terms, start + 180 * dayMs - 1)).toBe(true)
  expect(stands(active, terms, start + 180 * dayMs)).toBe(false)
})

test('an activity more than 24 hours in the future is no decision', () => {
  expect(stands({ ...granted, lastActive: start + dayMs }, terms, start)).toBe(true)
  expect(stands({ ...granted, lastActive: start + dayMs + 1 }, terms, start)).toBe(false)
})

test('a policy that superseded the choice asks again; an editorial one does not', () => {
  expect(stands(granted, { ...terms, accepts: ['2026-10'] }, start)).toBe(false)
  expect(stands(granted, { ...terms, accepts: ['2026-04', '2026-04b'] }, start)).toBe(true)
})

test('a refusal stands and opens nothing', () => {
  const refused = { ...granted, choices: { analytics: false } }
  expect(stands(refused, terms, start)).toBe(true)
  expect(grants(refused, terms, start, false)).toEqual([])
})

test('a category that was never offered is not decided, and no name of an object makes it so', () => {
  expect(stands(granted, { ...terms, categories: ['analytics', 'other'] }, start)).toBe(false)
  expect(grants(granted, { ...terms, categories: ['constructor'] }, start, false)).toEqual([])
})

test('the page speaks its own language, then the browser’s, then the policy’s default', () => {
  expect(pickLanguage(['de-AT', 'en'], ['en', 'de'])).toBe('de')
  expect(pickLanguage(['', 'fr', 'en-GB'], ['de', 'en'])).toBe('en')
  expect(pickLanguage(['ja'], ['en', 'de'])).toBe('en')
})

test('the opt-out signal suspends what was granted without it, and nothing that was granted in spite of it', () => {
  expect(grants(granted, terms, start, true)).toEqual([])
  expect(stands(granted, terms, start)).toBe(true)
  expect(grants({ ...granted, gpc: true }, terms, start, true)).toEqual(['analytics'])
  expect(grants({ ...granted, gpc: true }, terms, start, false)).toEqual(['analytics'])
})

test('who sends the opt-out signal has answered, unless the site asks all the same', () => {
  expect([mustAsk(null, terms, start, false), mustAsk(null, terms, start, true)]).toEqual([true, false])
  expect(mustAsk(null, { ...terms, gpc: 'ask' }, start, true)).toBe(true)
  expect(mustAsk(granted, { ...terms, gpc: 'ask' }, start, true)).toBe(false)
})

test('a day begins at midnight UTC', () => {
  expect([isNewDay(start, start + dayMs - 1), isNewDay(start, start + dayMs), isNewDay(start - 1, start)]).toEqual([
    false,
    true,
    true,
  ])
})
