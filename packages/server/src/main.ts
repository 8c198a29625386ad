/** Where everything meets: stores, signing keys, ledgers, published policies, the application. */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { labels } from '@avow/sdk/labels'
import type { Notice } from '@avow/sdk/wire'
import { type App, createApp } from './app.js'
import type { SiteOptions } from './config.js'
import { parsePageOptions, type SetPageOptions } from './consent/page-options.js'
import { noticesOf, type Policy, PolicyBook, type Published, parsePolicy, unpublished } from './consent/policy.js'
import { epochsOf, isUnbegun, openEpochs } from './ledger/epoch.js'
import { type Escrow, escrowedLogs, openFileEscrow, originOf } from './ledger/escrow.js'
import { createKeptCheckpoint, openKeptCheckpoint } from './ledger/kept-checkpoint.js'
import type { Ledger } from './ledger/ledger.js'
import { createSigner } from './ledger/signer.js'
import { type AccountKeys, parseAccountKeys } from './middleware/account.js'
import { createApiKey, type Scope } from './middleware/api-key.js'
import { type Outside, type Outsiders, realOutside, startOutsiders, type Witnessing } from './outsiders.js'
import { InputError } from './problem.js'
import { readScripts, type Scripts } from './routes/script.js'
import type { Site } from './routes/site.js'
import { readSeed, requireSigningKey, seedFile } from './signing-key.js'
import { holdFile } from './storage/held-file.js'
import { openThreadedSqliteStorage } from './storage/sqlite-thread.js'
import { type LogStore, OriginError, type Storage } from './storage/storage.js'
import { type Blinder, openBlinder } from './vault/blind.js'
import { createKeyring, type Keyring } from './vault/keyring.js'
import { openVault } from './vault/vault.js'

export const VERSION = '0.1.0'

export interface AvowOptions {
  /** Folder of the databases and the signing keys; made if missing. */
  readonly data: string
  /** Where browsers reach the public surface, path included: `https://dash.example/_avow`. */
  readonly publicUrl: string
  /** Scheme-less address that names the logs; by default what is stored, or `publicUrl` without its scheme. */
  readonly origin?: string | null
  readonly sites: readonly (Omit<SiteOptions, 'policy'> & { readonly policy: unknown })[]
  /** Requests a minute from one address; null for no limit. */
  readonly rateLimit: number | null
  readonly trustedProxies?: readonly string[]
  /** Unix milliseconds; the real clock by default. */
  readonly now?: () => number
  readonly log?: (line: string) => void
  /** SQLite files in `data` by default, in a thread of their own. */
  readonly storage?: Storage
  /** Key-encryption keys of 32 bytes, the newest first: what wraps every secret of the vault. */
  readonly keys: readonly Uint8Array[]
  /** Folder for the escrow, outside the databases; several nodes share one. `escrow` in `data` by default. */
  readonly escrow?: string
  /** Names this process in the escrow; several nodes need names of their own. */
  readonly node?: string
  /** Entries in one commit at most; for benches. */
  readonly batchLimit?: number
  /** A command, or an http(s) address, that is handed the checkpoint at start and every hour; null for none. */
  readonly anchor?: string | null
  /** Witnesses that cosign the checkpoints which are served; null for none. */
  readonly witnessing?: Witnessing | null
  /** How outsiders are reached; the real world by default. */
  readonly outside?: Outside
  /** Another escrow than a folder. */
  readonly escrowOf?: (site: string) => Escrow
  /** The 32-byte Ed25519 seed a site's log is signed with; a file in `data` by default. `isNew`: nothing is signed yet. */
  readonly seedOf?: (site: string, isNew: boolean) => Uint8Array
  /** The installed SDK's files by default. */
  readonly scripts?: Scripts
}

export interface Avow {
  /** Both surfaces as one Hono application: `host.route('/_avow', avow.app)`. */
  readonly app: App['all']
  readonly publicApp: App['public']
  readonly privateApp: App['private']
  /** The public key that a site's log verifies with (c2sp.org/signed-note). */
  vkey(site: string): string
  readonly keys: {
    /** Makes an API key and answers it; it can't be had again. */
    create(wanted: { name: string; site: string; scopes: readonly Scope[]; expiresAt?: number | null }): Promise<string>
  }
  /** Answers what is under way, then closes the stores. */
  close(): Promise<void>
}

/** Opens the stores and publishes the policies. Rejects, with the cure in the message, if the data can't be served from. */
export async function createAvow(options: AvowOptions): Promise<Avow> {
  const now = options.now ?? Date.now
  const storage = options.storage ?? (await openThreadedSqliteStorage(options.data))
  const outsiders: Outsiders[] = []
  const escrows: Escrow[] = []
  const close = async () => {
    await Promise.all(outsiders.map((held) => held.close()))
    for (const escrow of escrows) escrow.close()
    await storage.close()
  }
  try {
    if (!/^https?:\/\//.test(options.publicUrl) || !URL.canParse(options.publicUrl))
      throw new InputError('publicUrl', 'an http(s) address, path included: https://dash.example/_avow')
    // Every site, before anything is written for one of them.
    const wanted = options.sites.map((site) => checkSite(site, options.publicUrl))
    checkApart(wanted)
    const keyring = createKeyring(options.keys)
    // First of all: with the wrong key, or beside another vault, nothing may be written for any site.
    await openVault(storage, keyring)
    const sites = new Map<string, Site>()
    for (const one of wanted) {
      const { site, outsiders: held } = await openSite(options, one, storage, keyring, escrows, now)
      sites.set(site.name, site)
      outsiders.push(held)
    }
    const app = createApp({
      sites,
      keys: storage.keys,
      isKeyCurrent: async () => (await storage.currentKey()) === keyring.currentId,
      scripts: options.scripts ?? readScripts(),
      publicUrl: options.publicUrl,
      rateLimit: options.rateLimit,
      trustedProxies: options.trustedProxies ?? [],
      version: VERSION,
      now,
      log: options.log ?? ((line) => console.error(line)),
    })
    return {
      app: app.all,
      publicApp: app.public,
      privateApp: app.private,
      vkey: (name) => {
        const site = sites.get(name)
        if (!site) throw new Error(`no site ${name} here`)
        return site.ledger.vkey
      },
      keys: {
        async create(wanted) {
          const { token, row } = createApiKey(wanted, now())
          await storage.keys.add(row)
          return token
        },
      },
      async close() {
        await Promise.all([...sites.values()].map(({ ledger }) => ledger.settled()))
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** A site's options once they are checked. */
interface CheckedSite extends Pick<SiteOptions, 'site' | 'origins' | 'publicLog' | 'policy'> {
  readonly page: SetPageOptions
  readonly accountKeys: AccountKeys | null
}

function checkSite(one: AvowOptions['sites'][number], publicUrl: string): CheckedSite {
  const { site, origins, publicLog } = one
  if (!origins.every((origin) => URL.canParse(origin)))
    throw new InputError(`sites.${site}.origins`, 'origins of pages: https://dash.example')
  const policy = parsePolicy(one.policy)
  const page = parsePageOptions(site, one, policy, publicUrl)
  const { accountKeys: set } = one
  const accountKeys = set === undefined ? null : parseAccountKeys(`sites.${site}.accountKeys`, set)
  return { site, origins, publicLog, policy, page, accountKeys }
}

/**
 * A host keeps one cookie of ours whatever the port, and a domain one for its hosts: two sites on one would take each other's
 * choices for their own. Throws `InputError`.
 */
function checkApart(sites: readonly CheckedSite[]): void {
  const owners = new Map<string, CheckedSite>()
  const claim = (place: string, site: CheckedSite, field: string, what: string) => {
    const owner = owners.get(place) ?? site
    owners.set(place, owner)
    if (owner !== site)
      throw new InputError(
        `sites.${site.site}.${field}`,
        `${what} that ${owner.site} does not have: its visitors' choices are in one cookie, ${place}`,
      )
  }
  for (const site of sites) {
    for (const origin of site.origins) claim(`that of ${new URL(origin).hostname}`, site, 'origins', 'hosts')
    const { domain } = site.page
    if (domain !== undefined) claim(`that of all hosts under ${domain}`, site, 'domain', 'a domain')
  }
}

async function openSite(
  options: AvowOptions,
  site: CheckedSite,
  storage: Storage,
  keyring: Keyring,
  escrows: Escrow[],
  now: () => number,
): Promise<{ site: Site; outsiders: Outsiders }> {
  const { policy } = site
  const blind = await openBlinder(storage, site.site, keyring)
  const logs = await openLogs(options, site.site, storage, keyring, escrows, now)
  const [ledger] = logs.values()
  if (!ledger) throw new Error(`no log of ${site.site} was opened`)
  const notices = noticesOf(policy, labels)
  const earlier = (await Promise.all([...logs.values()].reverse().map((log) => log.documents()))).flat()
  if (ledger.fork === null) await publish(ledger, blind, await due(ledger, earlier, policy, notices))
  // An older copy may lack them: what cites them is kept and sent again, and must not be told that it is wrong.
  const published =
    ledger.fork === null ? await ledger.documents() : uniqueOf([...earlier, ...unpublished(earlier, policy, notices)])
  const book = new PolicyBook(published, policy, notices)
  const outsiders = await startOutsiders(logs.values(), {
    anchor: options.anchor ?? null,
    witnessing: options.witnessing ?? null,
    keptOf: (log) =>
      options.escrowOf ? createKeptCheckpoint() : openKeptCheckpoint(escrowFolder(options), log, nodeName(options)),
    outside: options.outside ?? realOutside,
    warn: options.log ?? console.error,
  })
  return {
    site: {
      name: site.site,
      ledger,
      logs,
      publications: outsiders.publications,
      book,
      blind,
      origins: new Set(site.origins),
      publicLog: site.publicLog,
      page: site.page,
      accountKeys: site.accountKeys,
    },
    outsiders,
  }
}

/** What the newest log lacks: all that earlier epochs published, so that it can still be cited, and today's policy. */
async function due(ledger: Ledger, earlier: readonly Published[], policy: Policy, notices: readonly Notice[]) {
  const here = new Set((await ledger.documents()).map(({ hash }) => hash))
  return uniqueOf([...earlier, ...unpublished(earlier, policy, notices)]).filter(({ hash }) => !here.has(hash))
}

const uniqueOf = (documents: readonly Published[]) =>
  documents.filter(({ hash }, i) => documents.findIndex((other) => other.hash === hash) === i)

/** The site's logs, the newest epoch first; each one's escrow is added to `escrows`. */
async function openLogs(
  options: AvowOptions,
  site: string,
  storage: Storage,
  keyring: Keyring,
  escrows: Escrow[],
  now: () => number,
): Promise<Map<string, Ledger>> {
  const seedOf = options.seedOf ?? ((name, isNew) => readSeed(seedFile(options.data, name), isNew))
  const warn = options.log ?? console.error
  const stored = await storage.logs()
  const names = epochsOf(site, [...stored, ...(options.escrowOf ? [] : escrowedLogs(escrowFolder(options)))])
  // All of them first: where one is damaged, no log is touched.
  const opened = new Map<string, Escrow>()
  for (const log of names) {
    const escrow = options.escrowOf?.(log) ?? openHeldEscrow(escrowFolder(options), log, nodeName(options))
    escrows.push(escrow)
    opened.set(log, escrow)
  }
  const ledgers = await openEpochs(names, async (log) => {
    const escrow = opened.get(log)!
    const escrowed = escrow.highest()
    const { origin, log: store } = stored.includes(log)
      ? await storage.openLog(log, options.origin ? originFor(log, options.origin) : null)
      : await openNewLog(options, log, escrowed && originOf(escrowed), storage)
    const head = await store.head()
    const seed = seedOf(site, names.length === 1 && escrowed === null && head.size === 0)
    const limit = options.batchLimit === undefined ? {} : { batchLimit: options.batchLimit }
    const signer = createSigner(origin, seed)
    await requireSigningKey(storage, site, signer, head.checkpoint || (escrowed?.checkpoint ?? ''))
    return { log, store, signer, keyring, escrow, now, warn, ...limit }
  })
  if (isUnbegun(ledgers)) {
    throw new Error(
      `the log ${names[0]} was made and never begun: stop every server and run \`avow recover --new-epoch --site ${site}\` again, which finishes it`,
    )
  }
  return new Map(ledgers.map((ledger) => [ledger.log, ledger]))
}

/** The log's escrow, held: two nodes of one name would write over each other's heads in it. */
function openHeldEscrow(folder: string, log: string, node: string): Escrow {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const letGo = holdFile(
    path.join(folder, `${log}.${node}.lock`),
    'stop it first, or give each node that shares the escrow an AVOW_NODE of its own',
  )
  try {
    const escrow = openFileEscrow(folder, log, node)
    return {
      ...escrow,
      close() {
        escrow.close()
        letGo()
      },
    }
  } catch (error) {
    letGo()
    throw error
  }
}

const escrowFolder = ({ escrow, data }: AvowOptions) => escrow ?? path.join(data, 'escrow')
const nodeName = ({ node }: AvowOptions) => node ?? 'node'

const originFor = (log: string, base: string) => `${base}/log/${log}`

/** A log that the ledger doesn't have. `escrowed`: its origin, where the ledger is an older copy, or lost, and it had been there. */
async function openNewLog(
  { origin, publicUrl }: AvowOptions,
  log: string,
  escrowed: string | null,
  storage: Storage,
): Promise<{ origin: string; log: LogStore }> {
  const given = origin ? originFor(log, origin) : null
  if (escrowed !== null && given !== null && given !== escrowed) throw new OriginError(log, escrowed, given)
  // Derived, not set: an address that changed later must not rename a log.
  return storage.openLog(
    log,
    escrowed ?? given ?? originFor(log, publicUrl.replace(/^https?:\/\//, '').replace(/\/$/, '')),
  )
}

/** One after the other, so that a policy is in the log before its notices, and all before any consent can cite them. */
async function publish(ledger: Ledger, blind: Blinder, documents: readonly Published[]): Promise<void> {
  for (const document of documents) {
    await ledger.append({
      key: blind.document(document.hash),
      fingerprint: Buffer.from(document.hash, 'base64url'),
      compose: () => ({ kind: 'document', document }),
    })
  }
}
