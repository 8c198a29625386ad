/** Records of a site, page by page, and one of them with what opens it. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { decodeBase64url, encodeBase64, encodeBase64url } from '../../ledger/base64.js'
import type { Door, KeyEnv } from '../../middleware/api-key.js'
import { InputError, Refusal } from '../../problem.js'
import { idParam, json, logSchema, problems, REFUSED, recordSchema, SECURITY } from '../openapi.js'
import { findEntry, openLinked, recordOf, type Sites, siteOf } from '../site.js'
import { ledgerOf, logAt, logName } from './chosen-log.js'
import { secretsOf, secretsSchema } from './secrets.js'

const PAGE_DEFAULT = 100
const PAGE_LIMIT = 1000

const refusals = problems(...REFUSED, 'invalid-input', 'not-found', 'rate-limited', 'unavailable')

const query = z.strictObject({
  limit: z.coerce.number().int().min(1).max(PAGE_LIMIT).default(PAGE_DEFAULT),
  cursor: z.string().max(64).optional(),
  log: logName,
})

/** A cursor is the index below which the next page starts. Opaque to whoever holds it. */
const encodeCursor = (before: number) => encodeBase64url(new TextEncoder().encode(`v1:${before}`))

function parseCursor(cursor: string): number {
  const expected = 'the cursor of an earlier page'
  let text: string
  try {
    text = new TextDecoder().decode(decodeBase64url(cursor))
  } catch {
    // Not base64url: no cursor of ours.
    throw new InputError('cursor', expected)
  }
  const before = Number(/^v1:([1-9]\d{0,14})$/.exec(text)?.[1])
  if (!Number.isSafeInteger(before)) throw new InputError('cursor', expected)
  return before
}

export function recordRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, door: Door): void {
  const read = door('audit:read')

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/records',
      tags: ['privacy team'],
      summary: 'Records, newest first',
      security: SECURITY,
      middleware: read,
      request: { query },
      responses: {
        200: json(
          z.strictObject({ records: z.array(recordSchema), next: z.string().nullable(), log: logSchema }),
          'a page',
        ),
        ...refusals,
      },
    }),
    async (c) => {
      const { limit, cursor, log: name } = c.req.valid('query')
      const ledger = ledgerOf(siteOf(sites, c.get('caller').site), name)
      const log = await logAt(ledger)
      const before = cursor === undefined ? log.size : parseCursor(cursor)
      const indexes = await ledger.recent(Math.min(before, log.size), limit)
      const records = (await openLinked(ledger, indexes)).map(recordOf)
      const last = indexes.at(-1)
      c.set('rows', records.length)
      const next = last !== undefined && indexes.length === limit && last > 0 ? encodeCursor(last) : null
      return c.json({ records, next, log }, 200)
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/records/{id}',
      tags: ['privacy team'],
      summary: 'One record, what opens it, and its proof',
      security: SECURITY,
      middleware: read,
      request: { params: idParam },
      responses: {
        200: json(
          z.strictObject({
            record: recordSchema,
            entry: z.string(),
            secrets: secretsSchema,
            proof: z.array(z.string()),
            log: logSchema,
          }),
          'the record',
        ),
        ...refusals,
      },
    }),
    async (c) => {
      const site = siteOf(sites, c.get('caller').site)
      const entry = await findEntry(site, site.blind.submission(c.req.valid('param').id))
      const [opened] = entry ? await openLinked(entry.ledger, [entry.index]) : []
      if (!entry || !opened) throw new Refusal('not-found', 'no record with this id', { field: 'id' })
      const log = await logAt(entry.ledger)
      const [proof] = await entry.ledger.prove([opened.index], log.size)
      return c.json(
        {
          record: recordOf(opened),
          entry: opened.entry,
          secrets: secretsOf(opened),
          proof: proof!.map(encodeBase64),
          log,
        },
        200,
      )
    },
  )
}
