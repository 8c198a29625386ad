/** The log itself, for strangers: checkpoint, tiles and entry bundles (c2sp.org/tlog-tiles). */
import { type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { Ledger } from '../ledger/ledger.js'
import { HASH_SIZE } from '../merkle/hash.js'
import { entryBundle, parseTilePath, partialWidth, TILE_WIDTH, tileCount } from '../merkle/tile.js'
import type { Door, KeyEnv } from '../middleware/api-key.js'
import { noQuery } from '../middleware/no-query.js'
import { type ProblemCode, Refusal } from '../problem.js'
import { LOG_EXAMPLE, problems, REFUSED, SECURITY } from './openapi.js'
import { logOf, type Sites, servedHead } from './site.js'

/** A site's name, `.access` for its access log, and `.e2` and so on for later epochs. */
const logParam = z.strictObject({
  site: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}(\.access)?(\.e\d{1,6})?$/, 'the name of a log'),
})

/** A tile never changes. Of a private log it may be kept by whoever was let in, and by no proxy on the way. */
const cacheControl = (isPublic: boolean) => `${isPublic ? 'public' : 'private'}, max-age=31536000, immutable`

export function logRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, door: Door): void {
  const named = (c: Context) => logOf(sites, c.req.param('site') ?? '')
  const readRecords = door('audit:read', (c) => named(c).site.name)
  const readAccesses = door('access:read', (c) => named(c).site.name)

  /** Public logs are anybody's; a private one needs a key of that very site, and an access log is never public. */
  const allowed = createMiddleware<KeyEnv>(async (c, next) => {
    const { site, isAccess } = named(c)
    if (isAccess) return readAccesses(c, next)
    return site.publicLog ? next() : readRecords(c, next)
  })

  const describe = (
    path: string,
    summary: string,
    params: z.ZodObject,
    answer: { type: string; example: string },
    ...codes: ProblemCode[]
  ) =>
    app.openAPIRegistry.registerPath({
      method: 'get',
      path,
      tags: ['auditors'],
      summary,
      // Of a public log anybody, of an access log nobody without a key.
      security: [{}, ...SECURITY],
      request: { params },
      responses: {
        200: {
          description: 'as c2sp.org/tlog-tiles has it',
          content: { [answer.type]: { schema: z.string(), example: answer.example } },
        },
        ...problems(...REFUSED, 'invalid-input', 'not-found', 'unavailable', ...codes),
      },
    })

  const checkpoint = { type: 'text/plain', example: LOG_EXAMPLE.checkpoint }
  describe('/log/{site}/checkpoint', 'The newest signed checkpoint', logParam, checkpoint, 'rate-limited')
  app.get('/log/:site/checkpoint', allowed, noQuery, async (c) => {
    const { site, ledger } = named(c)
    return c.body((await servedHead(site, ledger)).checkpoint, 200, {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
    })
  })

  const tileParam = logParam.extend({ path: z.string().openapi({ example: '0/000.p/3' }) })
  describe('/log/{site}/tile/{path}', 'A tile of hashes, or a bundle of entries', tileParam, {
    type: 'application/octet-stream',
    example: '32 bytes for each hash, or each entry behind its length in two bytes',
  })
  app.get('/log/:site/tile/:path{.+}', allowed, noQuery, async (c) => {
    const { site, ledger, isAccess } = named(c)
    const tile = parseTilePath(`tile/${c.req.param('path')}`)
    const bytes = tile && (await tileBytes(ledger, tile.level, tile.n, tile.width))
    if (!bytes) throw new Refusal('not-found', 'no such tile in this log', { field: 'path' })
    return c.body(bytes, 200, {
      'content-type': 'application/octet-stream',
      'cache-control': cacheControl(site.publicLog && !isAccess),
    })
  })
}

async function tileBytes(ledger: Ledger, level: number | 'entries', n: number, width: number) {
  const treeLevel = level === 'entries' ? 0 : level
  const { size } = await ledger.latest()
  const isLast = n === tileCount(treeLevel, size) - 1
  const widest = isLast ? partialWidth(treeLevel, size) || TILE_WIDTH : TILE_WIDTH
  if (n >= tileCount(treeLevel, size) || width > widest) return null
  if (level === 'entries') {
    const start = n * TILE_WIDTH
    return new Uint8Array(entryBundle(await ledger.entries(start, start + width)))
  }
  const hashes = await ledger.tile(level, n, width)
  return hashes && new Uint8Array(hashes.subarray(0, width * HASH_SIZE))
}
