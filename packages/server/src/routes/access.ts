/** `/v1/audit/access-log`: who asked the private surface for what. Asking this is itself in it. */
import { timingSafeEqual } from 'node:crypto'
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { AccessPlace } from '../access/access-log.js'
import { decodeBase64url, encodeBase64url } from '../ledger/base64.js'
import type { Door, KeyEnv } from '../middleware/api-key.js'
import { noQuery } from '../middleware/no-query.js'
import { accountHeader, readSubjectAccount } from '../middleware/subject-account.js'
import { InputError } from '../problem.js'
import type { Sign } from './audit/cursor.js'
import {
  idParam,
  json,
  LOG_EXAMPLE,
  logSchema,
  pageLimit,
  problems,
  REFUSED,
  SECURITY,
  subjectParam,
} from './openapi.js'
import { type Sites, siteOf } from './site.js'

const PAGE_DEFAULT = 100
/** Each row is read from two places of the log. */
const PAGE_LIMIT = 500

const time = z.iso.datetime({ error: 'a time in UTC, 2026-11-23T10:00:00Z' }).transform((text) => Date.parse(text))

const query = z.strictObject({
  who: z.string().min(1).max(256).optional().openapi({ description: 'the id of a key, or the subject of a token' }),
  route: z
    .string()
    .regex(/^[A-Z]{3,7} \/[\w.{}/-]{1,120}$/, 'a method and a path, GET /v1/audit/records')
    .optional()
    .openapi({ example: 'GET /v1/audit/records' }),
  subject: subjectParam.shape.subject.optional().openapi({
    description: 'a consent id: who asked about it? An account that was asked about is a header here, too',
  }),
  record: idParam.shape.id.optional().openapi({ description: 'the id of a record: who asked for it?' }),
  from: time.optional(),
  to: time.optional().openapi({ description: 'the first instant that is not asked for' }),
  limit: pageLimit(PAGE_LIMIT, PAGE_DEFAULT),
  cursor: z.string().max(256).optional(),
})

const access = z
  .strictObject({
    log: z.string(),
    index: z.int(),
    id: z.string(),
    at: z.string(),
    who: z.strictObject({ kind: z.enum(['key', 'token']), id: z.string(), name: z.string() }).readonly(),
    route: z.string(),
    filters: z.record(z.string(), z.string()).readonly(),
    reason: z.string().nullable(),
    status: z.int().nullable(),
    rows: z.int().nullable(),
  })
  .openapi('Access')

/** Of the last access of a page, signed for who asked, and for what: `bound`. */
function encodeCursor({ log, index }: AccessPlace, bound: readonly unknown[], sign: Sign): string {
  const mac = encodeBase64url(macOf({ log, index }, bound, sign))
  return encodeBase64url(new TextEncoder().encode(`a2:${log}:${index}:${mac}`))
}

/** Throws `InputError` for what isn't a cursor that was given to this one, for this question. */
function parseCursor(cursor: string, bound: readonly unknown[], sign: Sign): AccessPlace {
  const refused = new InputError('cursor', 'the cursor of the page before: same key, same filters')
  let text = ''
  try {
    text = new TextDecoder().decode(decodeBase64url(cursor))
  } catch {
    // Not base64url: no cursor of ours.
    throw refused
  }
  const [, log, index, mac] = /^a2:([a-z0-9.-]+):(\d{1,15}):([\w-]{22})$/.exec(text) ?? []
  if (log === undefined || mac === undefined) throw refused
  const place = { log, index: Number(index) }
  if (!timingSafeEqual(Buffer.from(mac), Buffer.from(encodeBase64url(macOf(place, bound, sign))))) throw refused
  return place
}

const macOf = ({ log, index }: AccessPlace, bound: readonly unknown[], sign: Sign): Uint8Array =>
  sign(JSON.stringify(['access', log, index, ...bound])).subarray(0, 16)

export function accessRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, door: Door): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/access-log',
      tags: ['privacy team'],
      summary: 'Who asked for what and why, newest first; a page may be short and yet not the last',
      security: SECURITY,
      middleware: door('access:read'),
      request: { query, headers: accountHeader },
      responses: {
        200: json(
          z.strictObject({ accesses: z.array(access), next: z.string().nullable(), log: logSchema, vkey: z.string() }),
          'a page',
          {
            accesses: [
              {
                ...{
                  log: 'shop.access',
                  index: 88,
                  id: '019ab0c4-5a00-7000-8000-0123456789ab',
                  at: '2026-11-23T10:00:00.000Z',
                },
                ...{
                  who: { kind: 'key', id: 'key_3BAOL3M7uNSh', name: 'privacy team' },
                  route: 'GET /v1/audit/records',
                },
                ...{ filters: { limit: '50' }, reason: 'request 2026-17', status: 200, rows: 50 },
              },
            ],
            ...{ next: null, log: LOG_EXAMPLE, vkey: 'dash.example/_avow/log/shop.access+c638f466+AZPG…' },
          },
        ),
        ...problems(...REFUSED, 'invalid-input', 'not-found', 'rate-limited', 'unavailable'),
      },
    }),
    async (c) => {
      const { cursor, limit, ...filters } = c.req.valid('query')
      const { from, to } = filters
      if (from !== undefined && to !== undefined && from > to)
        throw new InputError('from', 'a time that is not after `to`')
      const caller = c.get('caller')
      const { access, blind } = siteOf(sites, caller.site)
      const account = readSubjectAccount(c) ?? undefined
      const bound = [caller.kind, caller.id, filters, account]
      const before = cursor === undefined ? undefined : parseCursor(cursor, bound, blind.cursor)
      const { accesses, next } = await access.list({ ...filters, account, limit, before })
      c.set('rows', accesses.length)
      return c.json(
        {
          accesses,
          next: next && encodeCursor(next, bound, blind.cursor),
          log: await access.head(),
          vkey: access.vkey,
        },
        200,
      )
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/access-log/overdue',
      tags: ['privacy team'],
      summary: 'What the next daily sweep would forget: two entries for each access older than 90 days',
      security: SECURITY,
      middleware: [door('access:read'), noQuery],
      responses: {
        200: json(
          z.strictObject({ count: z.int(), first: z.string().nullable(), last: z.string().nullable() }),
          'how much, and from when to when',
          { count: 2, first: '2026-08-24T10:00:00.000Z', last: '2026-08-24T10:00:00.000Z' },
        ),
        ...problems(...REFUSED, 'invalid-input', 'not-found', 'rate-limited', 'unavailable'),
      },
    }),
    async (c) => c.json(await siteOf(sites, c.get('caller').site).access.sweep(true), 200),
  )
}
