import fc from 'fast-check'
import { expect, test } from 'vitest'
import { coarsened, type Dimension, finishedPeriods, INTERVALS, periodOf, statistics } from './statistics.js'

const DAY_MS = 86_400_000
const dayOf = (text: string) => Date.parse(text) / DAY_MS
const nameOf = (day: number) => new Date(day * DAY_MS).toISOString().slice(0, 10)

const facet = (action: string, granted: boolean, more = {}) =>
  JSON.stringify({
    ...{
      action,
      choices: { analytics: granted, maps: false },
      gpc: null,
      language: 'en',
      layer: 'banner',
      version: '1',
    },
    ...more,
  })

const counted = (day: string, text: string, count: number) => ({ day: dayOf(day), facet: text, count })

test('a period is a day, a week from Monday, or a month, in UTC, also before 1970', () => {
  const periods = (day: string) => INTERVALS.map((interval) => nameOf(periodOf(dayOf(day), interval)))
  expect(periods('2026-11-23')).toEqual(['2026-11-23', '2026-11-23', '2026-11-01'])
  expect(periods('2026-11-22')).toEqual(['2026-11-22', '2026-11-16', '2026-11-01'])
  expect(periods('2024-02-29')).toEqual(['2024-02-29', '2024-02-26', '2024-02-01'])
  expect(periods('1970-01-01')).toEqual(['1970-01-01', '1969-12-29', '1970-01-01'])
  for (let day = -40; day < 40; day++) expect(new Date(periodOf(day, 'week') * DAY_MS).getUTCDay()).toBe(1)
})

test('a span is made longer until its periods are whole, and ends before the one that is not over', () => {
  const told = (from: string, to: string, today = '2027-01-01') =>
    INTERVALS.map((interval) =>
      Object.values(finishedPeriods(dayOf(from), dayOf(to), interval, dayOf(today)))
        .map(nameOf)
        .join(' '),
    )
  expect(told('2026-11-24', '2026-12-01')).toEqual([
    ...['2026-11-24 2026-12-01', '2026-11-23 2026-12-07', '2026-11-01 2026-12-01'],
  ])
  expect(told('2024-02-29', '2024-03-02')[2]).toBe('2024-02-01 2024-04-01')
  expect(told('2026-11-23', '2026-11-30')[1]).toBe('2026-11-23 2026-11-30')
  expect(told('2026-11-01', '2026-12-01', '2026-11-24')).toEqual([
    ...['2026-11-01 2026-11-24', '2026-10-26 2026-11-23', '2026-11-01 2026-11-01'],
  ])
  expect(told('2026-11-24', '2026-11-25', '2026-11-24')).toEqual([
    ...['2026-11-24 2026-11-24', '2026-11-23 2026-11-23', '2026-11-01 2026-11-01'],
  ])
})

test('a span of nothing, and one that is all to come, have no period', () => {
  for (const [from, to] of [
    ['2026-11-23', '2026-11-23'],
    ['2030-01-01', '2030-02-01'],
    ['2030-01-01', '2030-01-01'],
  ] as const)
    for (const interval of INTERVALS) {
      const span = finishedPeriods(dayOf(from), dayOf(to), interval, dayOf('2026-12-24'))
      expect(span.from).toBe(span.to)
      expect(span.to).toBeLessThanOrEqual(dayOf('2026-12-24'))
    }
})

test('what grants a category is an opt-in, what grants none a refusal, and what takes over nothing', () => {
  const [period] = statistics(
    [
      counted('2026-11-23', facet('accept-all', true), 5),
      counted('2026-11-23', facet('save', true), 1),
      counted('2026-11-23', facet('api', true), 2),
      counted('2026-11-23', facet('save', false), 1),
      counted('2026-11-23', facet('reject-all', false), 3),
      counted('2026-11-23', facet('withdraw', false), 2),
      counted('2026-11-23', facet('lapse', true), 4),
      counted('2026-11-23', facet('link', true), 50),
    ],
    'day',
    [],
  )
  expect(period).toEqual({
    day: dayOf('2026-11-23'),
    cells: [
      {
        ...{ of: [], optIns: 8, refusals: 4, withdrawals: 2, lapses: 4 },
        rates: { optIn: 0.6667, refusal: 0.3333, withdrawal: 0.25, lapse: 0.5 },
      },
    ],
  })
})

test('where nothing was decided there is no rate, and not a rate of nothing', () => {
  const [period] = statistics([counted('2026-11-23', facet('withdraw', false), 3)], 'day', [])
  expect(period?.cells[0]?.rates).toEqual({ optIn: null, refusal: null, withdrawal: null, lapse: null })
})

test('cells are by the dimensions asked for, in their order, and add up to what there is without', () => {
  const arbitrary = fc.array(
    fc.record({
      day: fc.integer({ min: 20_000, max: 20_060 }),
      count: fc.integer({ min: 1, max: 30 }),
      facet: fc
        .tuple(
          fc.constantFrom('accept-all', 'reject-all', 'withdraw', 'lapse', 'link'),
          fc.constantFrom('1', '2'),
          fc.constantFrom('en', 'de', 'fr'),
          fc.constantFrom('banner', 'settings'),
        )
        .map(([action, version, language, layer]) =>
          facet(action, action === 'accept-all', { version, language, layer }),
        ),
    }),
  )
  const dimensions = fc.constantFrom<Dimension[]>(['version'], ['language', 'layer'], ['layer', 'version'])
  fc.assert(
    fc.property(arbitrary, dimensions, fc.constantFrom(...INTERVALS), (counts, by, interval) => {
      const whole = statistics(counts, interval, [])
      const parts = statistics(counts, interval, by)
      expect(parts.map(({ day }) => day)).toEqual(whole.map(({ day }) => day))
      for (const [i, { cells }] of parts.entries()) {
        expect(new Set(cells.map(({ of }) => JSON.stringify(of))).size).toBe(cells.length)
        for (const kind of ['optIns', 'refusals', 'withdrawals', 'lapses'] as const)
          expect(cells.reduce((total, cell) => total + cell[kind], 0)).toBe(whole[i]!.cells[0]![kind])
      }
    }),
  )
})

test('coarsened, nothing is shown that is of fewer than ten, all counts are multiples of five, and rates are of those', () => {
  const counts = [
    counted('2026-11-23', facet('accept-all', true), 23),
    counted('2026-11-23', facet('reject-all', false), 12),
    counted('2026-11-23', facet('accept-all', true, { language: 'de' }), 6),
    counted('2026-11-23', facet('withdraw', false, { language: 'fr' }), 7),
    counted('2026-11-24', facet('accept-all', true), 12),
    counted('2026-11-24', facet('accept-all', true, { language: 'de' }), 9),
    counted('2026-11-25', facet('accept-all', true, { language: 'de' }), 9),
  ]
  expect(coarsened(statistics(counts, 'day', ['language']))).toEqual([
    {
      day: dayOf('2026-11-23'),
      cells: [
        {
          ...{ of: ['en'], optIns: 25, refusals: 10, withdrawals: 0, lapses: 0 },
          rates: { optIn: 0.7143, refusal: 0.2857, withdrawal: 0, lapse: 0 },
        },
        {
          ...{ of: [null], optIns: 5, refusals: 0, withdrawals: 5, lapses: 0 },
          rates: { optIn: 1, refusal: 0, withdrawal: 1, lapse: 0 },
        },
      ],
    },
    {
      day: dayOf('2026-11-24'),
      cells: [
        {
          ...{ of: ['en'], optIns: 10, refusals: 0, withdrawals: 0, lapses: 0 },
          rates: { optIn: 1, refusal: 0, withdrawal: 0, lapse: 0 },
        },
      ],
    },
  ])
})
