import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SITE, testWorld } from '../testing.js'
import { type Alarm, type AlarmOptions, Alarms, describeAlarm, isWithin, parseHours } from './alarms.js'

const MINUTE_MS = 60_000
const ann = { kind: 'key', id: 'key_ann', name: 'Ann' } as const
const bob = { kind: 'token', id: 'bob', name: 'Bob' } as const
const ROUTE = 'GET /v1/audit/records'

function heard(options: AlarmOptions) {
  const raised: Alarm[] = []
  return { raised, alarms: new Alarms(options, (alarm) => raised.push(alarm)) }
}

test('many rows to one caller are told once an hour, in pages or at once, and those of two callers are not added up', () => {
  const { raised, alarms } = heard({ rows: 100 })
  for (let page = 0; page < 30; page++) alarms.answered('shop', ann, ROUTE, 10, page * MINUTE_MS)
  alarms.answered('shop', bob, ROUTE, 99, 0)
  alarms.answered('other', bob, ROUTE, 99, 0)
  expect(raised.map(({ kind, who, at }) => [kind, who?.id, at])).toEqual([['many-rows', 'key_ann', 9 * MINUTE_MS]])
  alarms.answered('shop', ann, ROUTE, 100, 68 * MINUTE_MS)
  expect(raised).toHaveLength(1)
  alarms.answered('shop', ann, ROUTE, 1, 69 * MINUTE_MS)
  expect(raised.map(({ at }) => at)).toEqual([9 * MINUTE_MS, 69 * MINUTE_MS])
  // All of that was told of.
  alarms.answered('shop', ann, ROUTE, 99, 129 * MINUTE_MS)
  expect(raised).toHaveLength(2)
})

test('no hour has as many rows and no alarm, wherever it begins; and what is spread over more than an hour has none', () => {
  const { raised, alarms } = heard({ rows: 100 })
  // A window of its own for what came first, and both sides of where it ends.
  alarms.answered('shop', ann, ROUTE, 1, 0)
  alarms.answered('shop', ann, ROUTE, 98, 60 * MINUTE_MS - 1)
  expect(raised).toEqual([])
  alarms.answered('shop', ann, ROUTE, 99, 60 * MINUTE_MS)
  expect(raised).toHaveLength(1)

  const pages = fc.array(fc.record({ after: fc.integer({ min: 0, max: 20 }), rows: fc.integer({ min: 0, max: 60 }) }))
  fc.assert(
    fc.property(pages, fc.integer({ min: 0, max: 99 }), (asked, start) => {
      const { raised, alarms } = heard({ rows: 100 })
      const left: { at: number; rows: number }[] = []
      let at = start * MINUTE_MS
      const rowsSince = (from: number) => left.reduce((sum, page) => (page.at > from ? sum + page.rows : sum), 0)
      for (const { after, rows } of asked) {
        at += after * MINUTE_MS
        left.push({ at, rows })
        const before = raised.length
        alarms.answered('shop', ann, ROUTE, rows, at)
        const isTold = raised.some((alarm) => alarm.at > at - 60 * MINUTE_MS)
        if (rowsSince(at - 60 * MINUTE_MS) >= 100) expect(isTold).toBe(true)
        if (rowsSince(at - 66 * MINUTE_MS) < 100) expect(raised).toHaveLength(before)
      }
    }),
  )
})

test('a caller is counted on however many others there are in between, and a clock that is set back keeps nobody quiet', () => {
  const { raised, alarms } = heard({ rows: 100 })
  const other = (i: number) => alarms.answered('shop', { ...bob, id: `bob ${i}` }, ROUTE, 1, i)
  for (let i = 0; i < 30_000; i++) {
    if (i % 5000 === 0) alarms.answered('shop', ann, ROUTE, 20, i)
    other(i)
  }
  expect(raised.map(({ who }) => who?.id)).toEqual(['key_ann'])
  alarms.answered('shop', ann, ROUTE, 100, -1e9)
  expect(raised).toHaveLength(2)
})

test('refusals in a burst are told once, and the same number spread out is not', () => {
  const { raised, alarms } = heard({ refusals: 5 })
  for (let i = 0; i < 20; i++) alarms.refused(ROUTE, i * 2 * MINUTE_MS)
  expect(raised).toEqual([])
  for (let i = 0; i < 20; i++) alarms.refused(ROUTE, 100 * MINUTE_MS + i)
  expect(raised.map(({ kind }) => kind)).toEqual(['refusals'])
})

test('who asks outside of working hours is told of once a night', () => {
  const { raised, alarms } = heard({ hours: parseHours('hours', 'mon-fri 08:00-19:00 Europe/Paris') })
  const at = (time: string) => alarms.asked('shop', ann, ROUTE, Date.parse(time))
  for (const time of ['2026-11-23T07:00:00Z', '2026-11-23T17:59:00Z', '2026-07-01T06:00:00Z']) at(time)
  expect(raised).toEqual([])
  for (const time of ['2026-11-23T18:00:00Z', '2026-11-23T23:00:00Z', '2026-11-24T18:00:00Z']) at(time)
  expect(raised.map(({ kind, at }) => [kind, new Date(at).getUTCDate()])).toEqual([
    ['off-hours', 23],
    ['off-hours', 24],
  ])
})

test('working hours are of days and of a place, and what is none is refused with an example', () => {
  const weekend = parseHours('hours', 'sat-mon 00:00-24:00 UTC')
  expect(weekend.days).toEqual([6, 0, 1])
  const days = ['2026-11-28', '2026-11-29', '2026-11-30', '2026-12-01']
  expect(days.map((day) => isWithin(weekend, Date.parse(`${day}T23:59:00Z`)))).toEqual([true, true, true, false])
  for (const text of [
    '',
    '08:00-19:00',
    'mon-fri 08:00-19:00',
    'mon-xyz 08:00-19:00 UTC',
    'mon-fri 19:00-08:00 UTC',
    'mon-fri 08:00-24:01 UTC',
    'mon-fri 08:00-19:00 Mars/Olympus',
  ])
    expect(() => parseHours('AVOW_ALARM_HOURS', text)).toThrow(/AVOW_ALARM_HOURS: expected .*Europe\/Paris/)
})

test('what is set to null is never told', () => {
  const { raised, alarms } = heard({ rows: null, refusals: null })
  for (let i = 0; i < 100; i++) {
    alarms.answered('shop', ann, ROUTE, 1e6, 0)
    alarms.refused(ROUTE, 0)
    alarms.asked('shop', ann, ROUTE, 0)
  }
  expect(raised).toEqual([])
})

describe('a server', () => {
  test('tells its log of rows and refusals, with who it was and with nobody who was asked about', async () => {
    const { consent, audit, logged, key } = await testWorld({ alarms: { rows: 4, refusals: 3 } })
    const { subject } = await consent({ secret: 'A'.repeat(22) })
    for (let i = 0; i < 3; i++) await audit(`/subjects/${subject}`)
    expect(logged).toEqual([])
    await audit('/records')
    await expect.poll(() => logged).toHaveLength(1)
    expect(logged[0]).toMatch(
      /^alarm many-rows: key key_\S{12} \(privacy team\), site shop, GET \/v1\/audit\/records: 4 rows or more within an hour$/,
    )
    for (let i = 0; i < 9; i++) await audit('/records', 'nonsense')
    await audit('/access-log')
    expect(logged).toHaveLength(2)
    expect(logged[1]).toBe('alarm refusals: GET /v1/audit/records: 3 refusals within five minutes')
    for (const secret of [key, subject]) expect(logged.join()).not.toContain(secret)
  })

  test('counts a request that is refused for its input as no refusal', async () => {
    const { audit, logged } = await testWorld({ alarms: { refusals: 1 } })
    for (const path of ['/records?limit=none', '/records/x', `/subjects/${'A'.repeat(43)}`]) await audit(path)
    expect(logged).toEqual([])
  })
})

test('an alarm is one line, for people', () => {
  const alarm = { kind: 'off-hours', at: 0, site: SITE, who: bob, route: ROUTE, detail: 'asked' } as const
  expect(describeAlarm(alarm)).toBe('alarm off-hours: token bob (Bob), site shop, GET /v1/audit/records: asked')
})
