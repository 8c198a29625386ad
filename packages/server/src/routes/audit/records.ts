/** Records of a site, page by page, and one of them with what opens it. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { filterFields, toFilter } from '../../consent/record-filter.js'
import { encodeBase64 } from '../../ledger/base64.js'
import type { Door, KeyEnv } from '../../middleware/api-key.js'
import { noQuery } from '../../middleware/no-query.js'
import { accountHeader, readSubjectAccount } from '../../middleware/subject-account.js'
import { Refusal } from '../../problem.js'
import { UnavailableError } from '../../storage/storage.js'
import {
  idParam,
  json,
  LOG_EXAMPLE,
  logSchema,
  pageLimit,
  problems,
  RECORD_EXAMPLE,
  REFUSED,
  recordSchema,
  SECURITY,
} from '../openapi.js'
import { findEntry, openLinked, provingHead, recordOf, type Sites, siteOf } from '../site.js'
import { ledgerOf, logName } from './chosen-log.js'
import { pagesOf } from './record-pages.js'
import { secretsOf, secretsSchema } from './secrets.js'

const PAGE_DEFAULT = 100
const PAGE_LIMIT = 1000

const refusals = problems(...REFUSED, 'invalid-input', 'not-found', 'rate-limited', 'unavailable')

const query = z.strictObject({
  ...filterFields,
  limit: pageLimit(PAGE_LIMIT, PAGE_DEFAULT),
  cursor: z.string().max(64).optional(),
  log: logName,
})

export function recordRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, door: Door): void {
  const read = door('audit:read')

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/records',
      tags: ['privacy team'],
      summary: 'Records that are linked to a person, by what was chosen, when, under which words, by whom',
      description:
        'All pages are of the log as it stood when the first was asked for. A cursor is good for the key, the filters, the order and the log that it was given for.',
      security: SECURITY,
      middleware: read,
      request: { query, headers: accountHeader },
      responses: {
        200: json(
          z.strictObject({ records: z.array(recordSchema), next: z.string().nullable(), log: logSchema }),
          'a page',
          { records: [RECORD_EXAMPLE], next: 'AQAA…', log: LOG_EXAMPLE },
        ),
        ...refusals,
      },
    }),
    async (c) => {
      const { limit, cursor = null, log: name, ...filters } = c.req.valid('query')
      const caller = c.get('caller')
      const site = siteOf(sites, caller.site)
      const filter = toFilter(filters, readSubjectAccount(c), site.book)
      const { log, pages } = await pagesOf(site, ledgerOf(site, name), filter, { cursor, limit: () => limit, caller })
      for await (const { records, next } of pages()) {
        c.set('rows', records.length)
        return c.json({ records: records.map(recordOf), next, log }, 200)
      }
      throw new Error('there is always a first page')
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/records/{id}',
      tags: ['privacy team'],
      summary: 'One record, what opens it, and its proof',
      security: SECURITY,
      middleware: [read, noQuery],
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
          {
            record: RECORD_EXAMPLE,
            entry: '{"evidence":"…","identity":"…","type":"consent","v":1}',
            ...{ secrets: { evidence: '…', identity: '…' }, proof: ['…'], log: LOG_EXAMPLE },
          },
        ),
        ...refusals,
      },
    }),
    async (c) => {
      const site = siteOf(sites, c.get('caller').site)
      const entry = await findEntry(site, site.blind.submission(c.req.valid('param').id))
      const [opened] = entry ? await openLinked(entry.ledger, [entry.index]) : []
      if (!entry || !opened) throw new Refusal('not-found', 'no record with this id', { field: 'id' })
      const { ledger, index } = entry
      const { size, checkpoint } = await provingHead(site, ledger, index + 1)
      // Written, and its head could not be escrowed: the next append publishes it, or the next start.
      if (size <= index) throw new UnavailableError(`entry ${index} of ${ledger.log} is not published yet`)
      const [proof] = await ledger.prove([index], size)
      return c.json(
        {
          record: recordOf(opened),
          entry: opened.entry,
          secrets: secretsOf(opened),
          proof: proof!.map(encodeBase64),
          log: { size, checkpoint },
        },
        200,
      )
    },
  )
}
