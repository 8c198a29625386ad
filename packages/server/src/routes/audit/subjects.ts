/** What a subject has chosen. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { stateOf } from '../../consent/state.js'
import type { Door, KeyEnv } from '../../middleware/api-key.js'
import { Refusal } from '../../problem.js'
import { json, logSchema, problems, REFUSED, recordSchema, SECURITY, stateSchema, subjectParam } from '../openapi.js'
import { recordOf, recordsOf, type Sites, siteOf } from '../site.js'
import { logAt } from './chosen-log.js'

const refusals = problems(...REFUSED, 'invalid-input', 'not-found', 'rate-limited', 'unavailable')

export function subjectRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, door: Door, now: () => number): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/subjects/{subject}',
      tags: ['privacy team'],
      summary: 'What a subject has chosen: history and current state',
      security: SECURITY,
      middleware: door('audit:read'),
      request: { params: subjectParam },
      responses: {
        200: json(
          z.strictObject({ subject: z.string(), state: stateSchema, records: z.array(recordSchema), log: logSchema }),
          'the history, oldest first',
        ),
        ...refusals,
      },
    }),
    async (c) => {
      const { subject } = c.req.valid('param')
      const site = siteOf(sites, c.get('caller').site)
      const log = await logAt(site.ledger)
      const records = await recordsOf(site, subject)
      if (records.length === 0) throw new Refusal('not-found', 'no record of this subject', { field: 'subject' })
      c.set('rows', records.length)
      return c.json(
        { subject, state: stateOf(records, site.book.accepts, now()), records: records.map(recordOf), log },
        200,
      )
    },
  )
}
