/** How many opted in, refused, withdrew, lapsed. Nothing is opened: what was counted is read. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { may } from '../../access/caller.js'
import {
  type Cell,
  coarsened,
  DIMENSIONS,
  type Dimension,
  finishedPeriods,
  INTERVALS,
  statistics,
} from '../../consent/statistics.js'
import { DAY_MS, dayOf } from '../../consent/utc-day.js'
import type { Door, KeyEnv } from '../../middleware/api-key.js'
import { InputError } from '../../problem.js'
import { json, problems, REFUSED, SECURITY } from '../openapi.js'
import { type Sites, siteOf } from '../site.js'

const DAYS_DEFAULT = 30
/** Periods of one answer: a year of days, seven of weeks. */
const PERIODS_LIMIT = 366

/** Whose periods all have dates of four digits. */
const day = z.iso
  .date({ error: 'a day in UTC, 2026-11-23' })
  .refine((text) => text >= '1970' && text < '9999', 'a day of the years 1970 to 9998')
  .transform((text) => Date.parse(text) / DAY_MS)

const query = z.strictObject({
  interval: z.enum(INTERVALS).default('day').openapi({ description: 'weeks begin on Monday' }),
  by: z
    .string()
    .regex(/^[a-z]+(,[a-z]+)?$/, 'one or two of version, language, layer, with a comma between')
    .optional()
    .openapi({ example: 'version,language' }),
  from: day
    .optional()
    .openapi({ type: 'string', format: 'date', description: 'the first day; by default 30 days ago' }),
  to: day.optional().openapi({
    type: 'string',
    format: 'date',
    description: 'the first day that is not asked for; by default tomorrow',
  }),
})

const rate = z.number().nullable()
const count = z.int()

const cellSchema = z
  .strictObject({
    version: z.string().nullable().optional(),
    language: z.string().nullable().optional(),
    layer: z.string().nullable().optional(),
    optIns: count,
    refusals: count,
    withdrawals: count,
    lapses: count,
    rates: z.strictObject({ optIn: rate, refusal: rate, withdrawal: rate, lapse: rate }),
  })
  .openapi('StatisticsCell')

const answer = z.strictObject({
  interval: z.enum(INTERVALS),
  from: z.string().openapi({ description: 'the first day that is told of: what was asked for, or for whole periods' }),
  to: z
    .string()
    .openapi({ description: 'the first day that is not; `from`, where no period of what was asked for is over' }),
  exact: z.boolean().openapi({ description: 'false where counts are rounded to 5 and small cells merged' }),
  periods: z.array(z.strictObject({ from: z.string(), cells: z.array(cellSchema) })),
})

const EXAMPLE: z.input<typeof answer> = {
  ...{ interval: 'week', from: '2026-11-02', to: '2026-11-30', exact: true },
  periods: [
    {
      from: '2026-11-23',
      cells: [
        {
          ...{ version: '2026-04', optIns: 120, refusals: 80, withdrawals: 6, lapses: 12 },
          rates: { optIn: 0.6, refusal: 0.4, withdrawal: 0.05, lapse: 0.1 },
        },
      ],
    },
  ],
}

function parseDimensions(by: string | undefined): Dimension[] {
  const wanted = by?.split(',') ?? []
  const dimensions = DIMENSIONS.filter((dimension) => wanted.includes(dimension))
  if (dimensions.length < wanted.length) throw new InputError('by', `one or two of ${DIMENSIONS.join(', ')}`)
  return dimensions
}

const dateOf = (day: number) => new Date(day * DAY_MS).toISOString().slice(0, 10)

const named = ({ of, ...counted }: Cell, by: readonly Dimension[]) => ({
  ...Object.fromEntries(by.map((dimension, i) => [dimension, of[i]])),
  ...counted,
})

export function statsRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, door: Door, now: () => number): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/stats',
      tags: ['privacy team'],
      summary: 'Opt-ins, refusals, withdrawals, lapses, and their rates',
      description:
        'Counts of what was recorded, by UTC day of recording; erasing lowers none. For a key that may not read records they are of whole periods that are over, rounded to 5, and what has fewer than 10 is merged, or left out.',
      security: SECURITY,
      middleware: door('stats:read'),
      request: { query },
      responses: {
        200: json(answer, 'the counts, a period in which nothing was recorded left out', EXAMPLE),
        ...problems(...REFUSED, 'invalid-input', 'not-found', 'rate-limited', 'unavailable'),
      },
    }),
    async (c) => {
      const { interval, by, from: first, to: end } = c.req.valid('query')
      const dimensions = parseDimensions(by)
      const today = dayOf(now())
      const until = end ?? today + 1
      const since = first ?? until - DAYS_DEFAULT
      if (since > until) throw new InputError('from', 'a day that is not after `to`')
      if (until - since > PERIODS_LIMIT * { day: 1, week: 7, month: 28 }[interval])
        throw new InputError('interval', `a longer one: at most ${PERIODS_LIMIT} periods are answered`)
      const caller = c.get('caller')
      const { logs, blind } = siteOf(sites, caller.site)
      const exact = may(caller, 'audit:read', caller.site)
      // Two spans that differ by a day would tell that day, and two moments of one that isn't over who came between.
      const { from, to } = exact ? { from: since, to: until } : finishedPeriods(since, until, interval, today)
      const counts = (await Promise.all([...logs.values()].map((log) => log.counts(from, to)))).flat()
      const all = statistics(counts, interval, dimensions, (facet) => blind.showFacet(facet))
      const periods = (exact ? all : coarsened(all)).map(({ day, cells }) => ({
        from: dateOf(day),
        cells: cells.map((cell) => named(cell, dimensions)),
      }))
      c.set(
        'rows',
        periods.reduce((rows, { cells }) => rows + cells.length, 0),
      )
      return c.json({ interval, from: dateOf(from), to: dateOf(to), exact, periods }, 200)
    },
  )
}
