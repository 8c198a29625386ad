/** Whether the process lives, and whether it can answer. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { KeyEnv } from '../middleware/api-key.js'
import { json } from './openapi.js'
import type { Sites } from './site.js'

const ok = z.strictObject({ status: z.literal('ok') })

export function healthRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/healthz',
      tags: ['operator'],
      summary: 'The process lives',
      responses: { 200: json(ok, 'it does') },
    }),
    (c) => c.json({ status: 'ok' as const }, 200),
  )
  app.openapi(
    createRoute({
      method: 'get',
      path: '/readyz',
      tags: ['operator'],
      summary: 'Logs are open, by their size',
      responses: { 200: json(ok.extend({ logs: z.record(z.string(), z.int()) }), 'ready') },
    }),
    (c) =>
      c.json(
        {
          status: 'ok' as const,
          logs: Object.fromEntries([...sites].map(([name, { ledger }]) => [name, ledger.head.size])),
        },
        200,
      ),
  )
}
