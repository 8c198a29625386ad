/** `POST /v1/activity`: a browser says, once a day, that its visitor is active, and hears what its choice has come to. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { subjectOf } from '../consent/record.js'
import { stateOf } from '../consent/state.js'
import type { KeyEnv } from '../middleware/api-key.js'
import type { Carry } from '../middleware/carried-cookie.js'
import { requireNoBody } from '../middleware/json-body.js'
import { readSecret } from '../middleware/secret.js'
import { json, problems, siteParam, stateSchema } from './openapi.js'
import { noteActivity, recordsUnder, refuseOrigin, type Sites, siteOf } from './site.js'

const route = createRoute({
  method: 'post',
  path: '/v1/activity',
  tags: ['page'],
  summary: 'Tells that a visitor is active, and answers the state of the choice',
  description:
    'The secret of the cookie, where it holds one, goes into `Authorization: Avow …`. Without it, or under one that nothing is recorded of, the state is `undecided`. There is no body.',
  security: [{}, { secret: [] }],
  request: { query: siteParam },
  responses: {
    200: json(z.strictObject({ state: stateSchema }).openapi('ActivityAnswer'), 'what the subject has chosen', {
      state: 'granted',
    }),
    ...problems(
      'invalid-input',
      'too-large',
      'unauthorized',
      'origin-refused',
      'not-found',
      'rate-limited',
      'unavailable',
    ),
  },
})

export function activityRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, carry: Carry, now: () => number): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'secret', {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: '`Avow ` and the secret of the visitor’s cookie',
  })
  app.openapi(route, async (c) => {
    const site = siteOf(sites, c.req.valid('query').site)
    refuseOrigin(site, c.req.header('origin'))
    await requireNoBody(c)
    const secret = readSecret(c)
    const subject = secret === null ? null : site.blind.subject(subjectOf(site.name, secret))
    const records = subject === null ? [] : await recordsUnder(site, subject)
    if (subject !== null) noteActivity(site, subject, records, now())
    const state = stateOf(records, site.book.accepts, now())
    c.header('cache-control', 'no-store')
    carry(c, site.page.domain, site.book.current.inactivityDays)
    return c.json({ state }, 200)
  })
}
