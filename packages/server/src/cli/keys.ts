/** `avow keys`: makes, lists, rotates and revokes API keys, while the server runs or not. */
import { parseArgs } from 'node:util'
import {
  createApiKey,
  createRotation,
  isLine,
  NAME_LIMIT,
  OVERLAP_LIMIT_MS,
  OVERLAP_MS,
  REASON_LIMIT,
} from '../access/api-key.js'
import { SCOPES, type Scope } from '../access/caller.js'
import { DAY_MS } from '../consent/utc-day.js'
import { InputError } from '../problem.js'
import type { ApiKeyRow, OpenedKeys } from '../storage/storage.js'
import { blindedSites } from '../vault/blind.js'
import { openKeys, STORE_OPTIONS } from './stores.js'

const HOUR_MS = 3_600_000

const options = {
  ...STORE_OPTIONS,
  site: { type: 'string' },
  name: { type: 'string' },
  scopes: { type: 'string', default: 'audit:read,audit:export' },
  days: { type: 'string' },
  reason: { type: 'string' },
  env: { type: 'string', default: 'live' },
  'overlap-hours': { type: 'string' },
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>['values']

export async function keys(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options })
  const [command = '', id] = positionals
  const program = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined
  if (!program) throw new InputError('command', `one of ${Object.keys(COMMANDS).join(', ')}`)
  // All that is said is checked before anything is opened.
  const run = program(values, id, Date.now())
  const store = await openKeys(values)
  try {
    await run(store)
  } finally {
    await store.close()
  }
  return 0
}

type Command = (values: Values, id: string | undefined, now: number) => (store: OpenedKeys) => Promise<void>

const create: Command = (values, _, now) => {
  if (!values.site)
    throw new InputError('--site', 'the site the key is for, several with commas between them, or "*" for all')
  if (!isLine(values.name ?? '', NAME_LIMIT))
    throw new InputError('--name', `who will hold the key, up to ${NAME_LIMIT} characters on one line`)
  if (values.reason !== undefined && !isLine(values.reason, REASON_LIMIT))
    throw new InputError('--reason', `up to ${REASON_LIMIT} characters on one line`)
  const scopes = (values.scopes ?? '').split(',')
  if (!scopes.every((scope): scope is Scope => (SCOPES as readonly string[]).includes(scope)))
    throw new InputError('--scopes', `some of ${SCOPES.join(', ')}`)
  if (!/^[a-z]{1,12}$/.test(values.env ?? '')) throw new InputError('--env', 'up to 12 lower-case letters, "live"')
  const sites = values.site === '*' ? null : values.site.split(',')
  const wanted = { name: values.name ?? '', sites, scopes, env: values.env ?? 'live', reason: values.reason ?? null }
  const { secret, row } = createApiKey({ ...wanted, expiresAt: parseDays(values.days, now) ?? null }, now)
  return async (store) => {
    const served = blindedSites(await store.vaultValues())
    if (sites?.some((site) => !served.includes(site)))
      throw new InputError('--site', `a site that is served from here: ${served.join(', ') || 'none yet'}`)
    await store.keys.add(row)
    show(`${row.id} for ${row.sites?.join(', ') ?? 'all sites'}: ${row.scopes.join(', ')}`, secret)
  }
}

const list: Command =
  (_values, _id, now) =>
  async ({ keys }) => {
    const lines = (await keys.list()).map((row) =>
      [
        row.id,
        standing(row, now),
        row.sites?.join(',') ?? '*',
        row.scopes.join(','),
        row.usedOn ?? 'never used',
        row.name,
      ].join('\t'),
    )
    process.stdout.write(lines.map((line) => `${line}\n`).join(''))
  }

const rotate: Command = (values, id, now) => {
  const hours = values['overlap-hours']
  const overlapMs = hours === undefined ? OVERLAP_MS : Number(hours) * HOUR_MS
  if (!(/^\d{1,4}$/.test(hours ?? '24') && overlapMs <= OVERLAP_LIMIT_MS))
    throw new InputError('--overlap-hours', `a whole number of hours up to ${OVERLAP_LIMIT_MS / HOUR_MS}`)
  const expiresAt = parseDays(values.days, now)
  return async ({ keys }) => {
    const row = await requireKey(keys, id)
    const wanted = { overlapMs, env: values.env ?? 'live', ...(expiresAt === undefined ? {} : { expiresAt }) }
    const { secret, rotation } = createRotation(row, wanted, now)
    if (!(await keys.rotate(row.id, rotation))) throw new InputError('ID', 'a key that was not revoked')
    show(`${row.id}: the old secret works until ${new Date(rotation.oldUntil).toISOString()}`, secret)
  }
}

const revoke: Command =
  (_values, id, now) =>
  async ({ keys }) => {
    const row = await requireKey(keys, id)
    await keys.revoke(row.id, now)
    process.stderr.write(`${row.id} (${row.name}) is revoked\n`)
  }

const COMMANDS: Readonly<Record<string, Command>> = { create, list, rotate, revoke }

/** When a key that lives so many days ends, Unix milliseconds; undefined where nothing is said. */
function parseDays(days: string | undefined, now: number): number | undefined {
  if (days === undefined) return undefined
  if (!/^[1-9]\d{0,4}$/.test(days)) throw new InputError('--days', 'a number of days')
  return now + Number(days) * DAY_MS
}

async function requireKey(keys: OpenedKeys['keys'], id: string | undefined): Promise<ApiKeyRow> {
  const row = id === undefined ? null : await keys.get(id)
  if (!row) throw new InputError('ID', 'the id of a key, key_…, as `avow keys list` shows it')
  return row
}

function standing({ revokedAt, expiresAt }: ApiKeyRow, now: number): string {
  if (revokedAt !== null) return `revoked ${new Date(revokedAt).toISOString()}`
  if (expiresAt === null) return 'does not expire'
  return `${expiresAt <= now ? 'expired' : 'until'} ${new Date(expiresAt).toISOString()}`
}

/** The secret alone on standard output, so that it can be handed on without being seen. */
function show(what: string, secret: string): void {
  process.stderr.write(`${what}. The key is shown this once:\n`)
  process.stdout.write(`${secret}\n`)
}
