/** `/.well-known/gpc.json`: the site says that it obeys Global Privacy Control (W3C, Global Privacy Control §4). */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { KeyEnv } from '../middleware/api-key.js'
import { json, problems } from './openapi.js'
import type { Sites } from './site.js'

const answer = z.strictObject({ gpc: z.literal(true), lastUpdate: z.iso.date() }).openapi('GpcSupport')

/** It belongs at the root of the dashboard's host: where this is mounted below, the host passes that one path on. */
export function gpcRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/.well-known/gpc.json',
      tags: ['page'],
      summary: 'The opt-out signal of browsers is obeyed here',
      responses: {
        200: json(answer, 'since when, by the newest policy', { gpc: true, lastUpdate: '2026-04-01' }),
        ...problems(),
      },
    }),
    (c) => {
      const [lastUpdate = '2026-01-01'] = [...sites.values()]
        .map(({ book }) => book.current.effective)
        .sort()
        .reverse()
      c.header('cache-control', 'public, max-age=86400')
      return c.json({ gpc: true as const, lastUpdate }, 200)
    },
  )
}
