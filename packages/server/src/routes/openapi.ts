/** Pieces that the route descriptions share. */
import { z } from '@hono/zod-openapi'
import { uuidv7 } from '../consent/record.js'
import { PROBLEMS, type Problem, type ProblemCode } from '../problem.js'

export const problemSchema = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    detail: z.string(),
    field: z.string().optional(),
  })
  .openapi('Problem')

/** How the private surface is opened. */
export const SECURITY = [{ apiKey: [] }, { token: [] }]

/** What the door of the private surface refuses with. */
export const REFUSED = [
  'unauthorized',
  'key-expired',
  'key-revoked',
  'token-refused',
  'mfa-required',
  'forbidden',
  'wrong-site',
] as const satisfies ProblemCode[]

/** The answers that say what went wrong, as every route gives them; that the fault is the server's may happen at any. */
export function problems(...codes: ProblemCode[]) {
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of [...codes, 'internal'] as const) {
    const [status] = PROBLEMS[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => `\`${code}\`: ${PROBLEMS[code][1]}`).join('. '),
        content: {
          'application/problem+json': {
            schema: problemSchema,
            examples: Object.fromEntries(group.map((code) => [code, { value: exampleOf(code) }])),
          },
        },
      },
    ]),
  )
}

/** What a refusal looks like. The detail is the one part that differs from one to the next. */
function exampleOf(code: ProblemCode): Problem {
  const [status, title] = PROBLEMS[code]
  const about = code === 'invalid-input' ? { detail: 'from: expected a time in UTC', field: 'from' } : { detail: title }
  return { type: `urn:avow:problem:${code}`, title, status, code, ...about }
}

/** `example`: an answer as it looks, cut short where it says `…`. */
export const json = <T extends z.ZodType>(schema: T, description: string, example: z.input<T>) => ({
  description,
  content: { 'application/json': { schema, example } },
})

export const siteParam = z.strictObject({ site: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'the name of a site') })

export const subjectParam = z.strictObject({
  subject: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'a consent id in full, 43 characters'),
})

/** How many a page has at most. Digits alone: JavaScript takes `0x10` and `1e2` for numbers, too. */
export const pageLimit = (max: number, otherwise: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'a whole number in decimal digits')
    .transform(Number)
    .pipe(z.int().min(1).max(max))
    .default(otherwise)
    .openapi({ type: 'integer', minimum: 1, maximum: max, default: otherwise })

export const idParam = z.strictObject({ id: uuidv7 })

export const logSchema = z.strictObject({ size: z.int(), checkpoint: z.string() }).openapi('LogHead')

/** Of what `logSchema` describes. */
export const LOG_EXAMPLE = { size: 1042, checkpoint: 'dash.example/_avow/log/shop\n1042\n…\n\n— …\n' }

export const recordSchema = z
  .strictObject({
    log: z.string(),
    index: z.int(),
    id: z.string(),
    subject: z.string(),
    account: z.string().nullable(),
    previous: z.string().nullable(),
    recordedAt: z.string(),
    decidedAt: z.string(),
    clock: z.enum(['ok', 'implausible']),
    action: z.string(),
    choices: z.record(z.string(), z.boolean()),
    layer: z.string(),
    offered: z.array(z.string()).readonly(),
    policy: z.strictObject({ version: z.string(), hash: z.string() }),
    notice: z.strictObject({ hash: z.string(), language: z.string() }),
    language: z.string(),
    ui: z.string(),
    gpc: z.boolean().nullable(),
    sdk: z.string(),
    agent: z.string(),
    validUntil: z.string(),
  })
  .openapi('ConsentRecord')

/** Of what `recordSchema` describes. */
export const RECORD_EXAMPLE: z.input<typeof recordSchema> = {
  ...{ log: 'shop', index: 1041, id: '019ab0c4-5a00-7000-8000-0123456789ab' },
  ...{ subject: 'wkWeQ_05Vb3ombUhl1XORqxL2WoeE-8QRWudB5hAGBk', account: null, previous: null },
  ...{
    recordedAt: '2026-11-23T10:00:00.000Z',
    decidedAt: '2026-11-23T09:59:59.960Z',
    clock: 'ok',
    action: 'accept-all',
  },
  ...{ choices: { analytics: true }, layer: 'banner', offered: ['reject-all', 'accept-all'] },
  ...{ policy: { version: '2026-04', hash: 'IJ5S…' }, notice: { hash: '0DpR…', language: 'en' }, language: 'en' },
  ...{ ui: '3f9c2a', gpc: null, sdk: '0.1.0', agent: 'Firefox', validUntil: '2027-05-22T09:59:59.960Z' },
}

export const stateSchema = z.enum([
  'granted',
  'refused',
  'withdrawn',
  'lapsed',
  'superseded',
  'restricted',
  'erased',
  'undecided',
])
