/** `GET /v1/state`: a browser asks what its own subject chose, or what the account that is signed in chose on any device. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { subjectOf } from '../consent/record.js'
import { decisionOf, decisive, isDecided, stateOf } from '../consent/state.js'
import { readAccount } from '../middleware/account.js'
import type { KeyEnv } from '../middleware/api-key.js'
import { shownSecret } from '../middleware/secret.js'
import { Refusal } from '../problem.js'
import { json, problems, RECORD_EXAMPLE, siteParam, stateSchema } from './openapi.js'
import { recordsOf, recordsOfAccount, refuseOrigin, type Sites, siteOf } from './site.js'

const decisionSchema = z
  .strictObject({
    id: z.string(),
    action: z.enum(['accept-all', 'reject-all', 'save', 'withdraw', 'link']),
    choices: z.record(z.string(), z.boolean()),
    layer: z.string(),
    policy: z.strictObject({ version: z.string(), hash: z.string() }),
    notice: z.strictObject({ hash: z.string(), language: z.string() }),
    gpc: z.boolean().nullable(),
    decidedAt: z.string(),
    recordedAt: z.string(),
    validUntil: z.string(),
  })
  .openapi('RecordedDecision')

const route = createRoute({
  method: 'get',
  path: '/v1/state',
  tags: ['page'],
  summary: 'What this browser, or the account that is signed in, has chosen',
  description:
    'Shows what the secret of the cookie owns, which goes into `Authorization: Avow …`; with a token in `Avow-Account`, what was chosen under that account, on all of its devices, and nothing else. `account` is a pseudonym. Where there is no token, and no record under the secret, there is nothing here: no id that anybody else knows finds anything.',
  security: [{ secret: [] }, { account: [] }, { secret: [], account: [] }],
  request: { query: siteParam },
  responses: {
    200: json(
      z
        .strictObject({
          subject: z.string().nullable(),
          account: z.string().nullable(),
          state: stateSchema,
          decision: decisionSchema.nullable(),
          history: z.array(decisionSchema),
        })
        .openapi('StateAnswer'),
      'the choice that counts, and all of them, oldest first',
      { subject: RECORD_EXAMPLE.subject, account: null, state: 'undecided', decision: null, history: [] },
    ),
    ...problems('invalid-input', 'account-refused', 'origin-refused', 'not-found', 'rate-limited', 'unavailable'),
  },
})

export function stateRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, now: () => number): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'account', {
    type: 'apiKey',
    in: 'header',
    name: 'Avow-Account',
    description: 'A JSON Web Token of the host’s own: `aud` the site, `sub` the account, `iat` and `exp`',
  })
  app.openapi(route, async (c) => {
    const site = siteOf(sites, c.req.valid('query').site)
    refuseOrigin(site, c.req.header('origin'))
    const account = await readAccount(c, site.accountKeys, site.name, now())
    // What is no secret is as unknown as a secret that nothing was recorded under, and is told nothing else.
    const secret = shownSecret(c)
    const subject = secret === null ? null : subjectOf(site.name, secret)
    const records =
      account !== null ? await recordsOfAccount(site, account) : subject !== null ? await recordsOf(site, subject) : []
    if (account === null && records.length === 0)
      throw new Refusal('not-found', 'nothing was recorded under the secret that was shown, or none was')
    const decision = decisive(records)
    c.header('cache-control', 'no-store')
    return c.json(
      {
        subject,
        account: account === null ? null : site.blind.pseudonym(account),
        state: stateOf(records, site.book.accepts, now()),
        decision: decision && isDecided(decision) ? decisionOf(decision) : null,
        history: records.filter(isDecided).map(decisionOf),
      },
      200,
    )
  })
}
