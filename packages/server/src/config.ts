/** The environment and the configuration file, as one checked object. Every setting is documented here. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { type AlarmOptions, parseHours, REFUSALS_DEFAULT, ROWS_DEFAULT } from './access/alarms.js'
import { type OidcOptions, parseOidc } from './access/token.js'
import { parseWebhook, type WebhookTarget } from './access/webhook.js'
import { type PageOptions, pageOptionFields } from './consent/page-options.js'
import { type Policy, parsePolicy } from './consent/policy.js'
import { type JwkSet, parseAccountKeys } from './middleware/account.js'
import type { Witnessing } from './outsiders.js'
import { InputError, inputErrorOf } from './problem.js'
import { parseKeys } from './vault/keyring.js'
import { parseWitnessPolicy, type WitnessPolicy } from './verify/policy.js'

export interface SiteOptions extends PageOptions {
  /** Names the site in addresses and in the log: lower-case letters, digits, hyphens. */
  readonly site: string
  readonly policy: Policy
  /** Origins of the pages that may submit, `https://dash.example`. */
  readonly origins: readonly string[]
  /** Whether anybody may read the log; otherwise a key with `audit:read`. */
  readonly publicLog: boolean
  /** Public keys, each with its `alg`, that the host signs account tokens with; in `avow.json` the name of a file. Default none. */
  readonly accountKeys?: JwkSet | undefined
}

export interface Config {
  /** `AVOW_DATA`: folder of ledger.db, vault.db and the signing keys. Default `./data`. */
  readonly data: string
  /** `PORT`. Default 8787. */
  readonly port: number
  /** `HOST`: address to listen on. Default 127.0.0.1, so that nothing is open by accident. */
  readonly host: string
  /** `AVOW_PUBLIC_URL`: where browsers reach the public surface. Default `http://localhost:<port>`. */
  readonly publicUrl: string
  /** `AVOW_ORIGIN`: scheme-less address the logs are named by, `dash.example/_avow`. Set once; null takes what is stored, or the public URL. */
  readonly origin: string | null
  /** `AVOW_RATE_LIMIT`: requests a minute from one address, or `off`. Default 120. */
  readonly rateLimit: number | null
  /** `AVOW_TRUSTED_PROXIES`: addresses or CIDR ranges, separated by commas. Default none. */
  readonly trustedProxies: readonly string[]
  /** `AVOW_KEK_FILE` (a file) or `AVOW_KEK` (its content): key-encryption keys, base64, one a line, the newest first. */
  readonly keys: readonly Uint8Array[]
  /** `AVOW_DATABASE`, `AVOW_VAULT`: `postgres://…` of the ledger and of the vault, both or neither. Default: SQLite files in `AVOW_DATA`. */
  readonly database: string
  readonly vault: string
  /** `AVOW_ESCROW`: folder that keeps the newest head outside the databases; several nodes share one. Default `escrow` in `AVOW_DATA`. */
  readonly escrow: string
  /** `AVOW_NODE`: names this process in the escrow, which several nodes share. Default `node`; needed with `AVOW_DATABASE`. */
  readonly node: string
  /** `AVOW_ANCHOR`: a command, which gets the checkpoint on standard input, or an http(s) address it is posted to; at start and every hour. Default none. */
  readonly anchor: string | null
  /**
   * `AVOW_WITNESSES`: a policy file (c2sp.org/tlog-policy) with the witnesses to ask, each with its URL, and the quorum.
   * `AVOW_WITNESS_MODE`: `open` raises an alarm where too few answer, `closed` serves no checkpoint without them. Default
   * none, and `open`.
   */
  readonly witnessing: Witnessing | null
  /** `oidc` in the file: the company's own identity provider. Default none. */
  readonly oidc?: OidcOptions | undefined
  /**
   * `AVOW_ALARM_ROWS`: rows to one caller within an hour, default 10000; `AVOW_ALARM_REFUSALS`: requests refused within five
   * minutes, default 20; `off` for never. `AVOW_ALARM_HOURS`: `mon-fri 08:00-19:00 Europe/Paris`, default always.
   */
  readonly alarms: AlarmOptions
  /** `AVOW_ALARM_URL`: where alarms are posted to, signed with `AVOW_ALARM_SECRET`. Default nowhere. */
  readonly webhook: WebhookTarget | null
  readonly sites: readonly SiteOptions[]
}

type Env = Readonly<Record<string, string | undefined>>

function parseCount(name: string, value: string | undefined, ifAbsent: number): number {
  if (value === undefined || value === '') return ifAbsent
  if (!/^\d{1,9}$/.test(value)) throw new InputError(name, 'a whole number')
  return Number(value)
}

/** `AVOW_RATE_LIMIT`. Throws `InputError`. */
export function parseRateLimit(value: string | undefined): number | null {
  if (value === 'off') return null
  const limit = parseCount('AVOW_RATE_LIMIT', value, 120)
  if (limit === 0) throw new InputError('AVOW_RATE_LIMIT', 'a number above 0, or "off"')
  return limit
}

/** `AVOW_ALARM_ROWS`, `AVOW_ALARM_REFUSALS` and `AVOW_ALARM_HOURS`. Throws `InputError`. */
export function readAlarms(env: Env): AlarmOptions {
  const limit = (name: string, ifAbsent: number): number | null => {
    if (env[name] === 'off') return null
    const count = parseCount(name, env[name], ifAbsent)
    if (count === 0) throw new InputError(name, 'a number above 0, or "off"')
    return count
  }
  return {
    rows: limit('AVOW_ALARM_ROWS', ROWS_DEFAULT),
    refusals: limit('AVOW_ALARM_REFUSALS', REFUSALS_DEFAULT),
    hours: env.AVOW_ALARM_HOURS ? parseHours('AVOW_ALARM_HOURS', env.AVOW_ALARM_HOURS) : null,
  }
}

/** `PORT`. Throws `InputError`. */
export function parsePort(value: string | undefined): number {
  const port = parseCount('PORT', value, 8787)
  if (port > 65_535) throw new InputError('PORT', 'at most 65535')
  return port
}

/** `AVOW_KEK_FILE` or `AVOW_KEK`. Throws `InputError` where neither is set, `KeyringError` for what is no key. */
export function readKeys(env: Env): Uint8Array[] {
  if (env.AVOW_KEK_FILE) return parseKeys(readText(env.AVOW_KEK_FILE), env.AVOW_KEK_FILE)
  if (env.AVOW_KEK) return parseKeys(env.AVOW_KEK, 'AVOW_KEK')
  throw new InputError(
    'AVOW_KEK_FILE',
    'a file with the key that wraps the vault: make one with `avow kek create FILE`, and keep it apart from the data',
  )
}

/** `AVOW_ORIGIN`: no scheme, no trailing slash (c2sp.org/tlog-checkpoint). Throws `InputError`. */
export function parseOrigin(value: string | undefined): string | null {
  if (!value) return null
  if (!/^[A-Za-z0-9.:[\]-]+(\/[\w.~-]+)*$/.test(value))
    throw new InputError('AVOW_ORIGIN', 'an address without scheme and trailing slash, dash.example/_avow')
  return value
}

/** `AVOW_NODE`: becomes part of a file's name. Throws `InputError`, also where it is `needed` and not set. */
export function parseNode(value: string | undefined, needed = false): string {
  if (!value && needed)
    throw new InputError('AVOW_NODE', 'a name for this node that no other has, since AVOW_DATABASE is set')
  if (!value) return 'node'
  if (!/^[A-Za-z0-9_-]{1,63}$/.test(value)) throw new InputError('AVOW_NODE', 'up to 63 letters, digits, - and _')
  return value
}

/** `AVOW_WITNESSES` and `AVOW_WITNESS_MODE`. Throws `InputError`. */
export function readWitnessing(env: Env): Witnessing | null {
  const mode = env.AVOW_WITNESS_MODE || 'open'
  if (mode !== 'open' && mode !== 'closed') throw new InputError('AVOW_WITNESS_MODE', '"open" or "closed"')
  const file = env.AVOW_WITNESSES
  if (!file) {
    if (mode === 'closed') throw new InputError('AVOW_WITNESSES', 'a policy file, since AVOW_WITNESS_MODE is "closed"')
    return null
  }
  let policy: WitnessPolicy
  try {
    policy = parseWitnessPolicy(readText(file))
  } catch (error) {
    if (error instanceof InputError) throw error
    throw new InputError(file, `a policy of witnesses (${(error as Error).message})`)
  }
  if (policy.witnesses.length === 0) throw new InputError(file, 'at least one witness')
  const witnesses = policy.witnesses.map(({ url, ...witness }) => {
    if (!url || !/^https?:\/\//.test(url) || !URL.canParse(url))
      throw new InputError(file, `an http(s) address for the witness ${witness.alias}`)
    return { ...witness, url }
  })
  return { witnesses, isMet: policy.isMet, mode }
}

/** `AVOW_DATABASE` and `AVOW_VAULT`. Throws `InputError`. */
function readStores(env: Env): { database: string; vault: string } {
  const { AVOW_DATABASE: database = '', AVOW_VAULT: vault = '' } = env
  if (database && !vault) throw new InputError('AVOW_VAULT', 'a database of its own, since AVOW_DATABASE is set')
  if (vault && !database) throw new InputError('AVOW_DATABASE', 'the database of the ledger, since AVOW_VAULT is set')
  return { database, vault }
}

const siteFile = z.strictObject({
  site: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  policy: z.string().min(1),
  origins: z.array(z.url()).min(1),
  publicLog: z.boolean().default(false),
  accountKeys: z.string().min(1).optional(),
  ...pageOptionFields,
})
const configFile = z.strictObject({
  sites: z.array(siteFile).min(1),
  // Checked with all else that it says, and by the same rules as where it is handed in.
  oidc: z.unknown().optional(),
})

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new InputError(file, `a readable file (${(error as Error).message})`)
  }
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readText(file))
  } catch (error) {
    if (error instanceof InputError) throw error
    throw new InputError(file, `JSON (${(error as Error).message})`)
  }
}

/** Reads a policy file. Throws `InputError` naming the field that is off. */
export const readPolicy = (file: string): Policy => parsePolicy(readJson(file))

/** Reads a JSON Web Key Set. Throws `InputError` naming the file and what is off. */
function readAccountKeys(file: string): JwkSet {
  const set = readJson(file)
  parseAccountKeys(file, set)
  return set as JwkSet
}

/** Reads `avow.json`, whose paths are relative to itself, and the environment. Throws `InputError`. */
export function readConfig(file: string, env: Env): Config {
  const parsed = configFile.safeParse(readJson(file))
  if (!parsed.success) throw inputErrorOf(parsed.error, file, `${file}: `)
  const port = parsePort(env.PORT)
  return {
    data: env.AVOW_DATA || './data',
    port,
    host: env.HOST || '127.0.0.1',
    publicUrl: env.AVOW_PUBLIC_URL || `http://localhost:${port}`,
    origin: parseOrigin(env.AVOW_ORIGIN),
    rateLimit: parseRateLimit(env.AVOW_RATE_LIMIT),
    trustedProxies: (env.AVOW_TRUSTED_PROXIES ?? '').split(',').filter(Boolean),
    keys: readKeys(env),
    ...readStores(env),
    escrow: env.AVOW_ESCROW || path.join(env.AVOW_DATA || './data', 'escrow'),
    node: parseNode(env.AVOW_NODE, Boolean(env.AVOW_DATABASE)),
    anchor: env.AVOW_ANCHOR || null,
    witnessing: readWitnessing(env),
    oidc:
      parsed.data.oidc === undefined
        ? undefined
        : parseOidc(
            `${file}: oidc`,
            parsed.data.oidc,
            parsed.data.sites.map(({ site }) => site),
          ),
    alarms: readAlarms(env),
    webhook: parseWebhook(env.AVOW_ALARM_URL, env.AVOW_ALARM_SECRET),
    sites: parsed.data.sites.map(({ accountKeys, ...site }) => ({
      ...site,
      ...(accountKeys && { accountKeys: readAccountKeys(path.resolve(path.dirname(file), accountKeys)) }),
      policy: readPolicy(path.resolve(path.dirname(file), site.policy)),
    })),
  }
}
