/** The controller, with a jar and a clock that the test holds. */
import { expect, test } from 'vitest'
import { memoryJar, secret, site } from '../test-site.js'
import { createConsent } from './consent.js'
import { type Decision, decodeDecision } from './cookie.js'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const yes = { analytics: true }
const no = { analytics: false }
const keep = () => {}

/** One browser: a jar that any number of tabs share, and a clock. */
function browser({ blocked = false, signal = false } = {}) {
  const world = { now: Date.UTC(2026, 3, 1), jar: memoryJar({ blocked }) }
  const tab = (kept: (Decision | null)[] = [], more = {}) =>
    createConsent(
      { ...site, ...more },
      world.jar,
      () => world.now,
      signal,
      () => kept,
    )
  return { world, tab }
}

test('a decision is in the jar before it is kept, and kept before anybody is told', () => {
  const { world, tab } = browser()
  const consent = tab()
  const order: string[] = []
  consent.subscribe((own) => order.push(`told ${own} ${consent.granted()}`))
  consent.decide(yes, secret, () => order.push(`kept ${decodeDecision(world.jar.value)?.n}`))
  expect(order).toEqual(['kept 1', 'told true analytics'])
})

test('a refusal leaves no secret; a withdrawal keeps the one that its grant is filed under', () => {
  const { world, tab } = browser()
  const consent = tab()
  consent.decide(no, '', keep)
  expect(decodeDecision(world.jar.value)?.secret).toBe('')
  consent.decide(yes, secret, keep)
  consent.decide(no, '', keep)
  expect(decodeDecision(world.jar.value)).toMatchObject({ n: 3, secret, choices: { analytics: false } })
})

test('a choice in one tab is told in the other when it looks', () => {
  const { tab } = browser()
  const [one, two] = [tab(), tab()]
  const told: string[][] = []
  two.subscribe(() => told.push(two.granted()))
  one.decide(yes, secret, keep)
  two.refresh()
  two.refresh()
  one.decide(no, '', keep)
  two.refresh()
  expect(told).toEqual([['analytics'], []])
})

test('a tab that stays open notices the lapse', () => {
  const { world, tab } = browser()
  const consent = tab()
  consent.decide(yes, secret, keep)
  let told = 0
  consent.subscribe(() => told++)
  world.now += 30 * dayMs
  consent.refresh()
  expect([told, consent.granted(), consent.decision()]).toEqual([1, [], null])
})

test('activity moves the last activity at most hourly, and never revives what has lapsed', () => {
  const { world, tab } = browser()
  const consent = tab()
  consent.decide(yes, secret, keep)
  const first = world.jar.value
  world.now += hourMs - 1
  consent.slide()
  expect(world.jar.value).toBe(first)
  world.now += 1
  consent.slide()
  expect(decodeDecision(world.jar.value)?.lastActive).toBe(world.now)
  world.now += 30 * dayMs
  const last = world.jar.value
  consent.slide()
  expect(world.jar.value).toBe(last)
})

test('activity does not bring back a choice whose cookie the person deleted', () => {
  const { world, tab } = browser()
  const consent = tab()
  consent.decide(yes, secret, keep)
  world.jar.value = null
  world.now += 2 * hourMs
  consent.slide()
  expect([world.jar.value, consent.granted()]).toEqual([null, []])
})

test('with cookies blocked the choice holds for the page', () => {
  const { tab } = browser({ blocked: true })
  const consent = tab()
  consent.decide(yes, secret, keep)
  consent.refresh()
  expect(consent.granted()).toEqual(['analytics'])
  expect(tab().granted()).toEqual([])
})

test('forgetting closes the gates and empties the jar', () => {
  const { world, tab } = browser()
  const consent = tab()
  consent.decide(yes, secret, keep)
  consent.drop()
  expect([world.jar.value, consent.granted(), consent.decision()]).toEqual([null, [], null])
})

test('an answer that comes late brings nothing back: the gate is closed before the older cookie goes', () => {
  const { world, tab } = browser()
  const consent = tab()
  consent.decide(yes, secret, keep)
  const granted = world.jar.value
  consent.decide(no, '', keep)
  const denied = world.jar.value
  const told: string[][] = []
  consent.subscribe(() => told.push(consent.granted()))
  world.jar.value = granted
  consent.refresh()
  expect([told, world.jar.value, consent.granted()]).toEqual([[], denied, []])
})

test('on the next page what waits to be sent beats an older cookie, and a refusal an empty jar', () => {
  const { world, tab } = browser()
  const consent = tab()
  consent.decide(yes, secret, keep)
  const granted = world.jar.value
  const grant = consent.decision()
  consent.decide(no, '', keep)
  const denial = consent.decision()
  world.jar.value = granted
  expect(tab([grant, denial]).granted()).toEqual([])
  expect(decodeDecision(world.jar.value)).toEqual(denial)
  world.jar.value = null
  expect(tab([denial]).decision()).toEqual(denial)
  // A grant is in the jar or it is none.
  world.jar.value = null
  expect(tab([grant]).decision()).toBeNull()
})

test('after it was dropped, an answer that comes late is removed again', () => {
  const { world, tab } = browser()
  const consent = tab()
  consent.decide(yes, secret, keep)
  const granted = world.jar.value
  consent.drop()
  world.jar.value = granted
  consent.refresh()
  expect([world.jar.value, consent.granted()]).toEqual([null, []])
})

test.each([
  ['withdrawn', false, secret],
  ['refused', false, secret],
  ['restricted', false, secret],
  ['lapsed', undefined, secret],
  ['superseded', undefined, secret],
  ['erased', undefined, undefined],
  ['undecided', undefined, undefined],
] as const)('what the server says is %s ends here too', (state, analytics, left) => {
  const { tab } = browser()
  const consent = tab()
  consent.decide(yes, secret, keep)
  consent.obey(state)
  expect([consent.granted(), consent.decision()?.choices.analytics]).toEqual([[], analytics])
  expect([consent.known()?.secret, consent.asks()]).toEqual([left, analytics === undefined])
})

test('a grant is no news from the server, and nothing it says makes one', () => {
  const { world, tab } = browser()
  const consent = tab()
  consent.decide(no, secret, keep)
  const before = world.jar.value
  for (const state of ['granted', 'withdrawn', 'lapsed'] as const) consent.obey(state)
  expect(world.jar.value).toBe(before)
  consent.obey('erased')
  expect([consent.granted(), consent.decision()?.choices, consent.known()?.secret]).toEqual([[], no, ''])
})

test('the first sign of life on a UTC day is told, once', () => {
  const { world, tab } = browser()
  const consent = tab()
  consent.decide(yes, secret, keep)
  const told: boolean[] = []
  for (const hours of [2, 20, 2, 1, 24]) {
    world.now += hours * hourMs
    told.push(consent.slide())
  }
  expect(told).toEqual([false, false, true, false, true])
})

test('a grant made in spite of the opt-out signal stands, one from before is suspended', () => {
  const before = browser()
  before.tab().decide(yes, secret, keep)
  const { world, tab } = browser({ signal: true })
  world.jar.value = before.world.jar.value
  const consent = tab()
  expect([consent.granted(), consent.asks(), consent.decision()?.choices]).toEqual([[], false, yes])
  consent.decide(yes, secret, keep)
  expect([consent.granted(), consent.decision()?.gpc]).toEqual([['analytics'], true])
})
