/** The controller, with a jar and a clock that the test holds. */
import { expect, test } from 'vitest'
import type { SiteConfig } from '../wire.js'
import { createConsent } from './consent.js'
import { decodeDecision } from './cookie.js'
import type { Jar } from './jar.js'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const secret = 'AAECAwQFBgcICQoLDA0ODw'
const site: SiteConfig = {
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
}

/** One browser: a jar that any number of tabs share, and a clock. */
function browser({ blocked = false } = {}) {
  const world = { now: Date.UTC(2026, 3, 1), value: null as string | null }
  const jar: Jar = {
    read: () => world.value,
    write: (value, days) => {
      if (!blocked) world.value = days > 0 ? value : null
    },
  }
  return { world, tab: () => createConsent(site, jar, () => world.now) }
}

test('a decision is in the jar before it is kept, and kept before anybody is told', () => {
  const { world, tab } = browser()
  const consent = tab()
  const order: string[] = []
  consent.subscribe((own) => order.push(`told ${own} ${consent.granted()}`))
  consent.decide(
    () => true,
    secret,
    () => order.push(`kept ${decodeDecision(world.value)?.n}`),
  )
  expect(order).toEqual(['kept 1', 'told true analytics'])
})

test('a refusal leaves no secret; a withdrawal keeps the one that its grant is filed under', () => {
  const { world, tab } = browser()
  const consent = tab()
  const keep = () => {}
  consent.decide(() => false, '', keep)
  expect(decodeDecision(world.value)?.secret).toBe('')
  consent.decide(() => true, secret, keep)
  consent.decide(() => false, '', keep)
  expect(decodeDecision(world.value)).toMatchObject({ n: 3, secret, choices: { analytics: false } })
})

test('a choice in one tab is told in the other when it looks', () => {
  const { tab } = browser()
  const [one, two] = [tab(), tab()]
  const told: string[][] = []
  two.subscribe(() => told.push(two.granted()))
  one.decide(
    () => true,
    secret,
    () => {},
  )
  two.refresh()
  two.refresh()
  one.decide(
    () => false,
    '',
    () => {},
  )
  two.refresh()
  expect(told).toEqual([['analytics'], []])
})

test('a tab that stays open notices the lapse', () => {
  const { world, tab } = browser()
  const consent = tab()
  consent.decide(
    () => true,
    secret,
    () => {},
  )
  let told = 0
  consent.subscribe(() => told++)
  world.now += 30 * dayMs
  consent.refresh()
  expect([told, consent.granted(), consent.decision()]).toEqual([1, [], null])
})

test('activity moves the last activity at most hourly, and never revives what has lapsed', () => {
  const { world, tab } = browser()
  const consent = tab()
  consent.decide(
    () => true,
    secret,
    () => {},
  )
  const first = world.value
  world.now += hourMs - 1
  consent.slide()
  expect(world.value).toBe(first)
  world.now += 1
  consent.slide()
  expect(decodeDecision(world.value)?.lastActive).toBe(world.now)
  world.now += 30 * dayMs
  const last = world.value
  consent.slide()
  expect(world.value).toBe(last)
})

test('activity does not bring back a choice whose cookie the person deleted', () => {
  const { world, tab } = browser()
  const consent = tab()
  consent.decide(
    () => true,
    secret,
    () => {},
  )
  world.value = null
  world.now += 2 * hourMs
  consent.slide()
  expect([world.value, consent.granted()]).toEqual([null, []])
})

test('with cookies blocked the choice holds for the page', () => {
  const { tab } = browser({ blocked: true })
  const consent = tab()
  consent.decide(
    () => true,
    secret,
    () => {},
  )
  consent.refresh()
  expect(consent.granted()).toEqual(['analytics'])
  expect(tab().granted()).toEqual([])
})

test('forgetting closes the gates and empties the jar', () => {
  const { world, tab } = browser()
  const consent = tab()
  consent.decide(
    () => true,
    secret,
    () => {},
  )
  consent.forget()
  expect([world.value, consent.granted(), consent.decision()]).toEqual([null, [], null])
})
