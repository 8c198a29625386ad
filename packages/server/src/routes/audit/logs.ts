/** What was published, and where it is logged; and the logs themselves, for whoever holds a checkpoint of theirs. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Door, KeyEnv } from '../../middleware/api-key.js'
import { noQuery } from '../../middleware/no-query.js'
import { fingerprintOf } from '../../verify/fingerprint.js'
import { json, LOG_EXAMPLE, logSchema, problems, REFUSED, SECURITY } from '../openapi.js'
import { type Site, type Sites, servedHead, siteOf } from '../site.js'
import { logAt } from './chosen-log.js'
import { type Place, placeSchema, proveDocument } from './ground.js'

const refusals = problems(...REFUSED, 'invalid-input', 'not-found', 'rate-limited', 'unavailable')

const logged = placeSchema.extend({
  hash: z.string(),
  /** When its entry was logged, by the operator's word. */
  loggedAt: z.string(),
})

const policySchema = logged
  .extend({
    version: z.string(),
    material: z
      .boolean()
      .openapi({ description: 'whether it ended what was agreed to before, so that all are asked again' }),
    current: z.boolean().openapi({ description: 'whether pages show it today' }),
    notices: z.array(logged.extend({ language: z.string() })),
  })
  .openapi('PublishedPolicy')

const PLACE_EXAMPLE: Place = {
  ...{ log: 'shop', index: 0, entry: '{"hash":"IJ5S…","type":"policy","v":1,"version":"2026-04"}', proof: ['…'] },
  ...LOG_EXAMPLE,
}

const epochSchema = z
  .strictObject({
    log: z.string(),
    origin: z.string(),
    appended: z.boolean().openapi({ description: 'whether it is the one that records are added to' }),
    size: z.int(),
    checkpoint: z.string(),
    newestAt: z.string().nullable().openapi({ description: 'when its last entry was recorded; null of an empty log' }),
    vkey: z.string(),
    fingerprint: z.string().openapi({ description: 'of the key, to be compared by telephone or letter' }),
  })
  .openapi('LogEpoch')

export function logListRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, door: Door): void {
  const read = door('audit:read')

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/policies',
      tags: ['privacy team'],
      summary: 'Every policy that was published and its notices, with where they are logged and the proof',
      description:
        'In the order they were published. The words of a notice are at `/v1/sites/{site}/notice?hash=`, for anybody.',
      security: SECURITY,
      middleware: [read, noQuery],
      responses: {
        200: json(z.strictObject({ policies: z.array(policySchema), log: logSchema }), 'oldest first', {
          policies: [
            {
              ...{ version: '2026-04', hash: 'IJ5S…', material: true, current: true },
              ...{ loggedAt: '2026-04-01T08:00:00.000Z', ...PLACE_EXAMPLE },
              notices: [
                {
                  ...{
                    language: 'en',
                    hash: '0DpR…',
                    loggedAt: '2026-04-01T08:00:00.000Z',
                    ...PLACE_EXAMPLE,
                    index: 1,
                  },
                  entry: '{"hash":"0DpR…","language":"en","type":"notice","v":1,"version":"2026-04"}',
                },
              ],
            },
          ],
          log: LOG_EXAMPLE,
        }),
        ...refusals,
      },
    }),
    async (c) => {
      const site = siteOf(sites, c.get('caller').site)
      const policies = await publishedIn(site)
      c.set('rows', policies.length)
      return c.json({ policies, log: await logAt(site.ledger) }, 200)
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/log',
      tags: ['privacy team'],
      summary: 'The logs of the site: where they stand, and the key they verify with',
      description:
        'The newest epoch first. Keep a checkpoint where the operator can’t reach it; `avow watch` does. A key vouches for nothing unless it is compared with one that came another way.',
      security: SECURITY,
      middleware: [read, noQuery],
      responses: {
        200: json(z.strictObject({ public: z.boolean(), logs: z.array(epochSchema) }), 'the logs', {
          public: true,
          logs: [
            {
              ...{ log: 'shop', origin: 'dash.example/_avow/log/shop', appended: true, ...LOG_EXAMPLE },
              ...{ newestAt: '2026-11-23T10:00:00.000Z', vkey: 'dash.example/_avow/log/shop+c638f466+AZPG…' },
              fingerprint: '01ba4719 c80b6fe9 …',
            },
          ],
        }),
        ...refusals,
      },
    }),
    async (c) => {
      const site = siteOf(sites, c.get('caller').site)
      const logs = await Promise.all(
        [...site.logs.values()].map(async (ledger) => {
          const { size, checkpoint, recordedAt } = await servedHead(site, ledger)
          return {
            ...{ log: ledger.log, origin: ledger.origin, appended: ledger === site.ledger, size, checkpoint },
            newestAt: size === 0 ? null : new Date(recordedAt).toISOString(),
            ...{ vkey: ledger.vkey, fingerprint: fingerprintOf(ledger.vkey) },
          }
        }),
      )
      c.set('rows', logs.length)
      return c.json({ public: site.publicLog, logs }, 200)
    },
  )
}

async function publishedIn(site: Site): Promise<z.infer<typeof policySchema>[]> {
  const prove = async <T extends { readonly hash: string; readonly loggedAt: number }>(one: T) => {
    const place = await proveDocument(site, one.hash)
    if (!place) throw new Error(`no log of ${site.name} has what was logged under ${one.hash}`)
    return { ...one, loggedAt: new Date(one.loggedAt).toISOString(), ...place }
  }
  return Promise.all(
    site.book.logged.map(async ({ notices, ...policy }) => ({
      ...(await prove({ ...policy, current: policy.version === site.book.ref.version })),
      notices: await Promise.all(notices.map(prove)),
    })),
  )
}
