import { expect, test } from 'vitest'
import { createMemoryEscrow } from '../../ledger/escrow.js'
import { createMemoryStorage } from '../../storage/memory.js'
import { SITE, testWorld } from '../../testing.js'

const DAY_MS = 86_400_000
const REFUSAL = { action: 'reject-all', choices: { analytics: false } }

async function world() {
  const storage = createMemoryStorage()
  const made = await testWorld({ storage, escrowOf: createMemoryEscrow })
  const { avow } = made
  const exact = await avow.keys.create({ name: 'team', site: SITE, scopes: ['stats:read', 'audit:read'] })
  const coarse = await avow.keys.create({ name: 'product', site: SITE, scopes: ['stats:read'] })
  const ask = (query: string, key = exact) =>
    avow.app.request(`/v1/audit/stats${query}`, { headers: { authorization: `Bearer ${key}` } })
  const stats = async (query = '', key = exact) => {
    const response = await ask(query, key)
    expect(response.status).toBe(200)
    return response.json()
  }
  /** `count` records of one kind. */
  const record = async (count: number, more: Record<string, unknown> = {}) => {
    for (let i = 0; i < count; i++) await made.consent(more)
  }
  return { ...made, storage, exact, coarse, ask, stats, record }
}

test('what was recorded is counted by day, week or month, and by one or two dimensions', async () => {
  const { clock, stats, record } = await world()
  await record(2)
  await record(1, { ...REFUSAL, layer: 'preferences' })
  clock.now += 7 * DAY_MS
  await record(1, { action: 'withdraw', choices: { analytics: false }, layer: 'settings' })
  await record(3)
  const { interval, from, to, exact, periods } = await stats()
  expect([interval, from, to, exact]).toEqual(['day', '2026-11-01', '2026-12-01', true])
  expect(periods).toEqual([
    {
      from: '2026-11-23',
      cells: [
        {
          ...{ optIns: 2, refusals: 1, withdrawals: 0, lapses: 0 },
          rates: { optIn: 0.6667, refusal: 0.3333, withdrawal: 0, lapse: 0 },
        },
      ],
    },
    {
      from: '2026-11-30',
      cells: [
        {
          ...{ optIns: 3, refusals: 0, withdrawals: 1, lapses: 0 },
          rates: { optIn: 1, refusal: 0, withdrawal: 0.3333, lapse: 0 },
        },
      ],
    },
  ])
  expect((await stats('?from=2026-11-23&to=2026-11-30')).periods).toEqual(periods.slice(0, 1))
  expect((await stats('?interval=week')).periods.map((period: { from: string }) => period.from)).toEqual([
    '2026-11-23',
    '2026-11-30',
  ])
  const [month] = (await stats('?interval=month&by=layer,version')).periods
  expect(month.from).toBe('2026-11-01')
  const cells = month.cells.map((cell: Record<string, unknown>) => [
    cell.version,
    cell.layer,
    cell.optIns,
    cell.refusals,
  ])
  expect(cells).toEqual([
    ['2026-04', 'banner', 5, 0],
    ['2026-04', 'preferences', 0, 1],
    ['2026-04', 'settings', 0, 0],
  ])
})

test('a submission that is sent again is counted once, and no erasure lowers a count', async () => {
  const { storage, submission, post, stats } = await world()
  const sent = submission()
  await Promise.all([post(sent), post(sent)])
  await post(sent)
  const { periods } = await stats()
  expect(periods[0].cells[0].optIns).toBe(1)
  const { log } = await storage.openLog(SITE, null)
  const facets = await log.facets()
  const found = await log.findFacets({ facets, erased: null, from: 0, below: 99, order: 'newest', limit: 9 })
  expect(found).toHaveLength(1)
  await log.forget(found.map((index) => ({ index, grade: 'erase', secrets: new Uint8Array(0) })))
  expect((await stats()).periods).toEqual(periods)
})

test('a key that may not read records is shown multiples of five, and no cell of fewer than ten', async () => {
  const { stats, record, coarse, clock } = await world()
  await record(12)
  await record(4, REFUSAL)
  clock.now += DAY_MS
  expect((await stats('', coarse)).periods[0].cells).toEqual([
    {
      ...{ optIns: 10, refusals: 5, withdrawals: 0, lapses: 0 },
      rates: { optIn: 0.6667, refusal: 0.3333, withdrawal: 0, lapse: 0 },
    },
  ])
  expect((await stats('', coarse)).exact).toBe(false)
  await record(12)
  await record(3, { layer: 'settings' })
  clock.now += DAY_MS
  const cellsOf = async (day: string) =>
    (await stats(`?by=layer&from=${day}`, coarse)).periods[0].cells.map((cell: Record<string, unknown>) => [
      cell.layer,
      cell.optIns,
    ])
  expect(await cellsOf('2026-11-24')).toEqual([['banner', 10]])
  await record(12)
  await record(3, { layer: 'settings' })
  await record(8, { layer: 'preferences' })
  clock.now += DAY_MS
  expect(await cellsOf('2026-11-25')).toEqual([
    ['banner', 10],
    [null, 10],
  ])
})

test('a key that may not read records is shown whole periods alone, so that no two spans differ by less', async () => {
  const { stats, record, coarse, clock } = await world()
  await record(20)
  clock.now += DAY_MS
  await record(20)
  clock.now += 7 * DAY_MS
  const spans = ['from=2026-11-23&to=2026-11-25', 'from=2026-11-24&to=2026-11-25']
  const told = (key?: string) => Promise.all(spans.map((span) => stats(`?interval=week&${span}`, key)))
  expect((await told()).map(({ periods }) => periods[0].cells[0].optIns)).toEqual([40, 20])
  const [long, short] = await told(coarse)
  expect(short).toEqual(long)
  expect(long).toMatchObject({ from: '2026-11-23', to: '2026-11-30', periods: [{ cells: [{ optIns: 40 }] }] })
})

test('a key that may not read records is told of no period that is not over, so that nobody is seen in it who comes', async () => {
  const { stats, record, coarse, clock } = await world()
  await record(22)
  const queries = [
    '?interval=day',
    '?interval=week',
    '?interval=month',
    '?from=2026-11-23',
    '?from=2027-01-01&to=2027-02-01',
  ]
  const told = () => Promise.all(queries.map((query) => stats(query, coarse)))
  const before = await told()
  expect(before.map(({ periods }) => periods)).toEqual(queries.map(() => []))
  expect(before.map(({ from, to }) => [from, to])).toEqual([
    ['2026-10-25', '2026-11-23'],
    ['2026-10-19', '2026-11-23'],
    ['2026-10-01', '2026-11-01'],
    ['2026-11-23', '2026-11-23'],
    ['2026-11-23', '2026-11-23'],
  ])
  await record(1)
  expect(await told()).toEqual(before)
  clock.now = Date.parse('2026-11-24T00:00:00Z')
  expect((await stats('', coarse)).periods).toMatchObject([{ from: '2026-11-23', cells: [{ optIns: 25 }] }])
  expect((await stats('?interval=week', coarse)).periods).toEqual([])
})

test('the first and the last day that may be asked for are answered with dates', async () => {
  const { stats, coarse, exact } = await world()
  for (const key of [coarse, exact])
    for (const query of ['?to=1970-01-01&interval=month', '?from=9998-12-01&to=9998-12-31&interval=month']) {
      const { from, to } = await stats(query, key)
      expect([from, to].join(' ')).toMatch(/^\d{4}-\d\d-\d\d \d{4}-\d\d-\d\d$/)
    }
})

test('a parameter that is unknown, malformed or absurd is refused by its name', async () => {
  const { ask, exact } = await world()
  for (const [query, field] of [
    ['colour=red', 'colour'],
    ['interval=year', 'interval'],
    ['by=account', 'by'],
    ['by=version,version', 'by'],
    ['by=version,language,layer', 'by'],
    ['by=', 'by'],
    ['from=yesterday', 'from'],
    ['from=2026-11-23T00:00:00Z', 'from'],
    ['to=2026-02-30', 'to'],
    ['from=2026-11-24&to=2026-11-23', 'from'],
    ['from=1970-01-01', 'interval'],
    ['from=1970-01-01&interval=week', 'interval'],
    ['from=1969-12-31', 'from'],
    ['to=0000-01-10', 'to'],
    ['from=9999-12-01&to=9999-12-31&interval=month', 'from'],
    ['to=9999-12-31&interval=month', 'to'],
    ['interval=day&interval=week', 'interval'],
  ] as const) {
    const response = await ask(`?${query}`, exact)
    expect([query, response.status]).toEqual([query, 422])
    expect(await response.json()).toMatchObject({ code: 'invalid-input', field })
  }
})
