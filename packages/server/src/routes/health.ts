/** Whether the process lives, and whether it can record. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { KeyEnv } from '../middleware/api-key.js'
import { Refusal } from '../problem.js'
import { json, problems } from './openapi.js'
import type { Sites } from './site.js'

const ok = z.strictObject({ status: z.literal('ok') })

export function healthRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, isKeyCurrent: () => Promise<boolean>): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/healthz',
      tags: ['operator'],
      summary: 'The process lives',
      responses: { 200: json(ok, 'it does', { status: 'ok' }), ...problems() },
    }),
    (c) => c.json({ status: 'ok' as const }, 200),
  )
  app.openapi(
    createRoute({
      method: 'get',
      path: '/readyz',
      tags: ['operator'],
      summary: 'Logs are open and can be appended to, by their size',
      responses: {
        200: json(ok.extend({ logs: z.record(z.string(), z.int()) }), 'ready', { status: 'ok', logs: { shop: 1042 } }),
        ...problems('unavailable'),
      },
    }),
    async (c) => {
      // Refused, not thrown: it was told when it was noticed, and whoever asks here asks every few seconds.
      const forked = [...sites].filter(([, { ledger }]) => ledger.fork !== null).map(([name]) => name)
      if (forked.length > 0)
        throw new Refusal('unavailable', `nothing is appended to ${forked.join(', ')}: the log of the server says why`)
      if (!(await isKeyCurrent()))
        throw new Refusal('unavailable', 'another process rotated the key: restart with the key file it wrote')
      const logs = Object.fromEntries([...sites].map(([name, { ledger }]) => [name, ledger.head.size]))
      return c.json({ status: 'ok' as const, logs }, 200)
    },
  )
}
