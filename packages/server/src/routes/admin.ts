/** `/v1/admin/keys`: API keys, made and ended by who may administer them. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import {
  createApiKey,
  createRotation,
  isLine,
  NAME_LIMIT,
  OVERLAP_LIMIT_MS,
  OVERLAP_MS,
  REASON_LIMIT,
} from '../access/api-key.js'
import { administers, type Caller, type Grant, mayGrant, SCOPES, type Scope } from '../access/caller.js'
import type { Door, KeyEnv } from '../middleware/api-key.js'
import { readJson } from '../middleware/json-body.js'
import { noQuery } from '../middleware/no-query.js'
import { InputError, inputErrorOf, Refusal } from '../problem.js'
import type { ApiKeyRow, KeyStore } from '../storage/storage.js'
import { json, problems, REFUSED, SECURITY, siteParam } from './openapi.js'
import type { Sites } from './site.js'

const HOUR_MS = 3_600_000

const keyId = z.strictObject({ id: z.string().regex(/^key_[\w-]{12}$/, 'the id of a key, key_…') })

const expiresAt = z.iso.datetime({ error: 'a time in UTC, 2026-11-23T10:00:00Z' }).nullable()

const line = (limit: number) =>
  z
    .string()
    .trim()
    .refine((text) => isLine(text, limit), `1 to ${limit} characters on one line`)

const newKey = z
  .strictObject({
    name: line(NAME_LIMIT).openapi({ description: 'who will hold it' }),
    sites: z.array(siteParam.shape.site).min(1).max(100).nullable().openapi({ description: 'null for all' }),
    scopes: z.array(z.enum(SCOPES)).min(1),
    expiresAt: expiresAt.optional(),
    reason: line(REASON_LIMIT)
      .nullable()
      .optional()
      .openapi({ description: 'why its holder asks, where a request has no Avow-Reason' }),
    env: z
      .string()
      .regex(/^[a-z]{1,12}$/, 'up to 12 lower-case letters')
      .optional(),
  })
  .openapi('NewKey')

const rotation = z
  .strictObject({
    overlapHours: z
      .int()
      .min(0)
      .max(OVERLAP_LIMIT_MS / HOUR_MS)
      .default(OVERLAP_MS / HOUR_MS)
      .openapi({ description: 'how long the old secret works on' }),
    expiresAt: expiresAt.optional(),
  })
  .openapi('KeyRotation')

const keyFields = {
  id: z.string(),
  name: z.string(),
  sites: z.array(z.string()).readonly().nullable(),
  scopes: z.array(z.string()).readonly(),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  revokedAt: z.string().nullable(),
  oldSecretUntil: z.string().nullable(),
  reason: z.string().nullable(),
  lastUsed: z.string().nullable().openapi({ description: 'a UTC day' }),
} as const

const keySchema = z.strictObject(keyFields).openapi('ApiKey')

// Not an extension of the other: it would be described as what fits both, and nothing with a `key` fits one that has none.
const withSecret = z
  .strictObject({ ...keyFields, key: z.string().openapi({ description: 'shown this once' }) })
  .openapi('ApiKeyWithSecret')

const KEY_EXAMPLE: z.input<typeof keySchema> = {
  ...{ id: 'key_3BAOL3M7uNSh', name: 'privacy team', sites: ['shop'], scopes: ['audit:read', 'audit:export'] },
  ...{ createdAt: '2026-11-23T10:00:00.000Z', expiresAt: null, revokedAt: null, oldSecretUntil: null },
  ...{ reason: 'requests of customers', lastUsed: '2026-11-23' },
}

const iso = (time: number | null) => (time === null ? null : new Date(time).toISOString())

const shown = (row: ApiKeyRow): z.infer<typeof keySchema> => ({
  id: row.id,
  name: row.name,
  sites: row.sites,
  scopes: row.scopes,
  createdAt: new Date(row.createdAt).toISOString(),
  expiresAt: iso(row.expiresAt),
  revokedAt: iso(row.revokedAt),
  oldSecretUntil: iso(row.oldUntil),
  reason: row.reason,
  lastUsed: row.usedOn,
})

const grantOf = ({ sites, scopes }: ApiKeyRow): Grant => ({ sites, scopes: scopes as Scope[] })

function parse<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const parsed = schema.safeParse(body)
  if (!parsed.success) throw inputErrorOf(parsed.error, 'body')
  return parsed.data
}

/** Null stays null, and what was left out stays left out. */
function parseExpiry(text: string | null | undefined, now: number): { expiresAt?: number | null } {
  if (text === undefined) return {}
  if (text !== null && Date.parse(text) <= now) throw new InputError('expiresAt', 'a time that is still to come')
  return { expiresAt: text === null ? null : Date.parse(text) }
}

export function adminRoutes(
  app: OpenAPIHono<KeyEnv>,
  sites: Sites,
  keys: KeyStore,
  door: Door,
  now: () => number,
): void {
  const administer = door('admin', 'all')
  const common = { tags: ['operator'], security: SECURITY }
  const refusals = problems(...REFUSED, 'invalid-input', 'not-found', 'rate-limited', 'unavailable')
  const bodyRefusals = problems(
    ...REFUSED,
    'invalid-input',
    'not-found',
    'malformed-json',
    'unsupported-media-type',
    'too-large',
    'rate-limited',
    'unavailable',
  )
  const body = <T extends z.ZodType>(schema: T, example: z.input<T>) => ({
    required: true,
    content: { 'application/json': { schema, example } },
  })

  /** A key within the caller's sites: others are not there for them. */
  const find = async (caller: Caller, id: string): Promise<ApiKeyRow> => {
    const row = await keys.get(id)
    if (!row || !administers(caller, row)) throw new Refusal('not-found', 'no such key of your sites', { field: 'id' })
    return row
  }

  const requireGrant = (caller: Caller, wanted: Grant) => {
    if (!administers(caller, wanted)) throw new Refusal('wrong-site', 'a key may reach no site that yours does not')
    if (!mayGrant(caller, wanted))
      throw new Refusal('forbidden', 'a key of some sites hands out no scope that it lacks itself')
  }

  // Bodies are read by hand, since their size is bounded before they are parsed.
  app.openAPIRegistry.registerPath({
    ...common,
    method: 'post',
    path: '/v1/admin/keys',
    summary: 'Make an API key, shown once',
    request: { body: body(newKey, { name: 'privacy team', sites: ['shop'], scopes: ['audit:read', 'audit:export'] }) },
    responses: { 201: json(withSecret, 'the key', { ...KEY_EXAMPLE, key: 'avow_live_…' }), ...bodyRefusals },
  })
  app.post('/v1/admin/keys', administer, noQuery, async (c) => {
    const wanted = parse(newKey, await readJson(c))
    requireGrant(c.get('caller'), wanted)
    if (wanted.sites?.some((site) => !sites.has(site)))
      throw new InputError('sites', 'names of sites that are served here')
    const { expiresAt: expiry, env, reason = null, ...rest } = wanted
    const more = { ...parseExpiry(expiry, now()), ...(env === undefined ? {} : { env }) }
    const { secret, row } = createApiKey({ ...rest, reason, ...more }, now())
    await keys.add(row)
    return c.json({ ...shown(row), key: secret }, 201)
  })

  app.openapi(
    createRoute({
      ...common,
      middleware: [administer, noQuery],
      method: 'get',
      path: '/v1/admin/keys',
      summary: 'API keys that reach no further than your own, in the order they were made; without their secrets',
      responses: {
        200: json(z.strictObject({ keys: z.array(keySchema) }), 'the keys', { keys: [KEY_EXAMPLE] }),
        ...refusals,
      },
    }),
    async (c) => {
      const reached = (await keys.list()).filter((row) => administers(c.get('caller'), row))
      c.set('rows', reached.length)
      return c.json({ keys: reached.map(shown) }, 200)
    },
  )

  app.openAPIRegistry.registerPath({
    ...common,
    method: 'post',
    path: '/v1/admin/keys/{id}/rotate',
    summary: 'Give a key a new secret, shown once; the old one works on for a while',
    request: { params: keyId, body: body(rotation, { overlapHours: 24 }) },
    responses: { 200: json(withSecret, 'the key', { ...KEY_EXAMPLE, key: 'avow_live_…' }), ...bodyRefusals },
  })
  app.post('/v1/admin/keys/:id/rotate', administer, noQuery, async (c) => {
    const caller = c.get('caller')
    const { id } = parse(keyId, c.req.param())
    const wanted = parse(rotation, await readJson(c))
    const row = await find(caller, id)
    // Its new secret is as good as a new key.
    requireGrant(caller, grantOf(row))
    const overlapMs = wanted.overlapHours * HOUR_MS
    const made = createRotation(row, { overlapMs, ...parseExpiry(wanted.expiresAt, now()) }, now())
    if (!(await keys.rotate(id, made.rotation))) throw new Refusal('not-found', 'the key was revoked', { field: 'id' })
    return c.json({ ...shown(await find(caller, id)), key: made.secret }, 200)
  })

  app.openapi(
    createRoute({
      ...common,
      middleware: [administer, noQuery],
      method: 'delete',
      path: '/v1/admin/keys/{id}',
      summary: 'Revoke a key at once; it stays in the list',
      request: { params: keyId },
      responses: {
        200: json(keySchema, 'the key, revoked', { ...KEY_EXAMPLE, revokedAt: '2026-11-24T09:00:00.000Z' }),
        ...refusals,
      },
    }),
    async (c) => {
      const caller = c.get('caller')
      const { id } = await find(caller, c.req.valid('param').id)
      await keys.revoke(id, now())
      return c.json(shown(await find(caller, id)), 200)
    },
  )
}
