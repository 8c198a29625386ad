/** Where everything meets: stores, signing keys, ledgers, published policies, the application. */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { labels } from '@avow/sdk/labels'
import type { Notice } from '@avow/sdk/wire'
import { AccessLog, accessLogOf, type Sweep } from './access/access-log.js'
import { type AlarmOptions, Alarms, describeAlarm } from './access/alarms.js'
import { createApiKey, type NewKey } from './access/api-key.js'
import { createTokens, type OidcOptions, parseOidc } from './access/token.js'
import { createWebhook, type WebhookTarget } from './access/webhook.js'
import { type App, createApp } from './app.js'
import type { SiteOptions } from './config.js'
import { describeEvidence } from './consent/facet.js'
import { parsePageOptions, type SetPageOptions } from './consent/page-options.js'
import { noticesOf, type Policy, PolicyBook, type Published, parsePolicy, unpublished } from './consent/policy.js'
import type { Evidence } from './consent/record.js'
import { encodeBase64 } from './ledger/base64.js'
import { epochDraft, epochsOf, isUnbegun, nextEpoch, openEpochs } from './ledger/epoch.js'
import { type Escrow, type EscrowedHead, escrowedLogs, guardEscrow, openFileEscrow, originOf } from './ledger/escrow.js'
import { createKeptCheckpoint, openKeptCheckpoint } from './ledger/kept-checkpoint.js'
import { Ledger, type LedgerParts } from './ledger/ledger.js'
import { createSigner } from './ledger/signer.js'
import { type AccountKeys, parseAccountKeys } from './middleware/account.js'
import { type Outside, type Outsiders, realOutside, startOutsiders, type Witnessing } from './outsiders.js'
import { InputError } from './problem.js'
import { recordLapses } from './routes/lapses.js'
import { readScripts, type Scripts } from './routes/script.js'
import { isLinked, type Site } from './routes/site.js'
import { readSeed, requireSigningKey, seedFile } from './signing-key.js'
import { holdFile } from './storage/held-file.js'
import { openThreadedSqliteStorage } from './storage/sqlite-thread.js'
import { type LogStore, OriginError, type Storage } from './storage/storage.js'
import { type Blinder, openBlinder } from './vault/blind.js'
import { createKeyring, type Keyring } from './vault/keyring.js'
import { LastActive } from './vault/last-active.js'
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
  /** The company's own identity provider, whose tokens open the private surface besides keys. */
  readonly oidc?: OidcOptions | undefined
  /** What of the private surface is worth a look; see `docs/operating.md`. */
  readonly alarms?: AlarmOptions
  /** Where alarms are sent besides the log; null for nowhere. */
  readonly webhook?: WebhookTarget | null
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
  /**
   * Another escrow than a folder, by the name of the log: `shop`, `shop.access`, and `shop.e2` and so on for later epochs, of
   * which one more is asked for than there are. Each log needs one of its own, and the same whenever it is asked for again.
   */
  readonly escrowOf?: (log: string) => Escrow
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
    create(wanted: Omit<NewKey, 'sites'> & ({ readonly site: string } | Pick<NewKey, 'sites'>)): Promise<string>
  }
  /**
   * Forgets what the access logs have kept long enough, by site; `isDry`: only says what would go. Runs by itself once a day.
   * Rejects once all were tried, naming the sites where it failed.
   */
  sweepAccessLogs(isDry?: boolean): Promise<Record<string, Sweep>>
  /**
   * Records what has lapsed for want of activity; answers how many, by site. Runs by itself every hour. Rejects once all were
   * tried, naming the sites where it failed.
   */
  recordLapses(): Promise<Record<string, number>>
  /** Answers what is under way, then closes the stores. */
  close(): Promise<void>
}

/** Opens the stores and publishes the policies. Rejects, with the cure in the message, if the data can't be served from. */
export async function createAvow(options: AvowOptions): Promise<Avow> {
  const now = options.now ?? Date.now
  const storage = options.storage ?? (await openThreadedSqliteStorage(options.data))
  const outsiders: Outsiders[] = []
  const escrows: Escrow[] = []
  const closing: (() => Promise<void>)[] = []
  const close = async () => {
    await Promise.all(closing.map((end) => end()))
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
    const served = wanted.map(({ site }) => site)
    const oidc = options.oidc === undefined ? null : parseOidc('oidc', options.oidc, served)
    const log = options.log ?? console.error
    const tokens = oidc && createTokens(oidc, { ...(options.outside ?? realOutside), now, warn: log })
    const webhook =
      options.webhook && createWebhook(options.webhook, { ...(options.outside ?? realOutside), now, warn: log })
    if (webhook) closing.push(() => webhook.close())
    const alarms = new Alarms(options.alarms ?? {}, (alarm) => {
      log(describeAlarm(alarm))
      webhook?.send(alarm)
    })
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
      tokens,
      alarms,
      isKeyCurrent: async () => (await storage.currentKey()) === keyring.currentId,
      scripts: options.scripts ?? readScripts(),
      publicUrl: options.publicUrl,
      rateLimit: options.rateLimit,
      trustedProxies: options.trustedProxies ?? [],
      version: VERSION,
      now,
      later: (options.outside ?? realOutside).later,
      log: options.log ?? ((line) => console.error(line)),
    })
    const sweepAccessLogs = (isDry = false) => ofEach(sites, ({ access }) => access.sweep(isDry))
    const recordDue = () => ofEach(sites, (site) => recordLapses(site, now()))
    const sweeping = [
      startSweeping(sweepAccessLogs, 24 * HOUR_MS, 'the access logs were not swept', options),
      startSweeping(recordDue, HOUR_MS, 'lapses were not recorded', options),
    ]
    return {
      sweepAccessLogs,
      recordLapses: recordDue,
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
          const reached = 'site' in wanted ? [wanted.site] : wanted.sites
          const { secret, row } = createApiKey({ ...wanted, sites: reached }, now())
          await storage.keys.add(row)
          return secret
        },
      },
      async close() {
        await Promise.all(sweeping.map((one) => one.stop()))
        await Promise.all([...sites.values()].map(({ access }) => access.settled()))
        await Promise.all([...sites.values()].map(({ ledger }) => ledger.settled()))
        // What isn't kept may only be known a day later: no reason not to stop.
        await Promise.all([...sites.values()].map(({ active }) => active.flush().catch((error) => log(error.message))))
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

const HOUR_MS = 3_600_000

/** Asks every site, one after the other: what is wrong with one leaves none of the others undone. Rejects then, naming those. */
async function ofEach<T>(
  sites: ReadonlyMap<string, Site>,
  ask: (site: Site) => Promise<T>,
): Promise<Record<string, T>> {
  const answers: Record<string, T> = {}
  const failed: string[] = []
  for (const [name, site] of sites) {
    try {
      answers[name] = await ask(site)
    } catch (error) {
      failed.push(`${name}: ${(error as Error).message}`)
    }
  }
  if (failed.length > 0) throw new Error(failed.join('; '))
  return answers
}

/** At start, and so long after the last one ended. Nobody waits for it. `failed`: what is to be told then. */
function startSweeping(
  sweep: () => Promise<unknown>,
  everyMs: number,
  failed: string,
  { outside = realOutside, log = console.error }: AvowOptions,
): { stop(): Promise<void> } {
  let cancel = () => {}
  let isStopped = false
  let running = Promise.resolve()
  const run = () => {
    running = sweep()
      // The next one makes up for it.
      .catch((error: Error) => log(`${failed}: ${error.message}`))
      .then(() => {
        if (!isStopped) cancel = outside.later(everyMs, run)
      })
  }
  run()
  return {
    stop() {
      isStopped = true
      cancel()
      return running
    },
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
  const opening: Opening = { options, site: site.site, storage, keyring, escrows, now, seedOf: onceOf(options) }
  const logs = await openLogs(opening)
  const [ledger] = logs.values()
  if (!ledger) throw new Error(`no log of ${site.site} was opened`)
  // Who was active since that copy was made isn't known: nobody is to lapse for it.
  if ([...logs.values()].some(({ isVaultOlder }) => isVaultOlder))
    await Promise.all([...logs.values()].map((log) => log.forgetServed()))
  // Before anything is appended that is dated: what isn't is a beginning of the log.
  const describe = (evidence: object) => {
    const { facet, recordedAt } = describeEvidence(evidence as Evidence)
    return { facet: blind.hideFacet(facet), recordedAt }
  }
  for (const log of logs.values()) await log.dateEarlier(describe)
  const notices = noticesOf(policy, labels)
  const earlier = (await Promise.all([...logs.values()].reverse().map((log) => log.documents()))).flat()
  if (ledger.fork === null) await publish(ledger, blind, await due(ledger, earlier, policy, notices))
  // An older copy may lack them: what cites them is kept and sent again, and must not be told that it is wrong.
  const published =
    ledger.fork === null ? await ledger.documents() : uniqueOf([...earlier, ...unpublished(earlier, policy, notices)])
  const book = new PolicyBook(published, policy, notices, await loggedSince(logs))
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
      active: new LastActive({
        later: (options.outside ?? realOutside).later,
        warn: options.log ?? console.error,
      }),
      origins: new Set(site.origins),
      publicLog: site.publicLog,
      page: site.page,
      accountKeys: site.accountKeys,
      access: await openAccessLog(opening, blind),
    },
    outsiders,
  }
}

/** What the newest log lacks: all that earlier epochs published, so that it can still be cited, and today's policy. */
async function due(ledger: Ledger, earlier: readonly Published[], policy: Policy, notices: readonly Notice[]) {
  const here = new Set((await ledger.documents()).map(({ hash }) => hash))
  return uniqueOf([...earlier, ...unpublished(earlier, policy, notices)]).filter(({ hash }) => !here.has(hash))
}

/** When each document was logged first, by its hash, Unix milliseconds. */
async function loggedSince(logs: ReadonlyMap<string, Ledger>): Promise<ReadonlyMap<string, number>> {
  const since = new Map<string, number>()
  for (const ledger of [...logs.values()].reverse()) {
    for (const { hash, index, recordedAt } of await ledger.documents())
      if (!since.has(hash)) since.set(hash, recordedAt ?? (await surelyLoggedAt(ledger, index)))
  }
  return since
}

/** For what a release logged that kept no time: when the next record was, for which some are looked through, or the newest. */
async function surelyLoggedAt(ledger: Ledger, index: number): Promise<number> {
  const next = Array.from({ length: 32 }, (_, i) => index + 1 + i).filter((after) => after < ledger.head.size)
  const [record] = (await ledger.open(next)).filter(isLinked)
  return record ? Date.parse(record.evidence.recordedAt) : ledger.head.recordedAt
}

const uniqueOf = (documents: readonly Published[]) =>
  documents.filter(({ hash }, i) => documents.findIndex((other) => other.hash === hash) === i)

/** What opening the logs of a site takes. */
interface Opening {
  readonly options: AvowOptions
  readonly site: string
  readonly storage: Storage
  readonly keyring: Keyring
  /** Each log's escrow is added. */
  readonly escrows: Escrow[]
  readonly now: () => number
  readonly seedOf: NonNullable<AvowOptions['seedOf']>
}

/** All logs of a site are signed with one seed, which is read, or made, for the first of them. */
function onceOf({ seedOf, data }: AvowOptions): NonNullable<AvowOptions['seedOf']> {
  let seed: Uint8Array | null = null
  return (site, isNew) => {
    seed ??= seedOf?.(site, isNew) ?? readSeed(seedFile(data, site), isNew)
    return seed
  }
}

/** The site's logs, the newest epoch first. */
async function openLogs(opening: Opening): Promise<Map<string, Ledger>> {
  const { ledgers } = await openEpochsOf(opening, opening.site)
  if (isUnbegun(ledgers)) {
    throw new Error(
      `the log ${ledgers[0]?.log} was made and never begun: stop every server and run \`avow recover --new-epoch --site ${opening.site}\` again, which finishes it`,
    )
  }
  return new Map(ledgers.map((ledger) => [ledger.log, ledger]))
}

/**
 * The site's access log. An older copy of it goes on as a new epoch by itself, for nobody outside holds anything of it: its
 * first entry names the head that is missing, so that the gap can be seen for ever.
 */
async function openAccessLog(opening: Opening, blind: Blinder): Promise<AccessLog> {
  const { options, now } = opening
  const warn = options.log ?? console.error
  const { ledgers, open, escrowed } = await openEpochsOf(opening, accessLogOf(opening.site))
  const [newest, before] = ledgers
  if (newest && newest.fork !== null) {
    const next = nextEpoch(
      accessLogOf(opening.site),
      ledgers.map(({ log }) => log),
    )
    ledgers.unshift(await Ledger.open({ ...(await open(next)), earlier: [...ledgers] }))
    await beginEpoch(ledgers[0]!, newest, escrowed(newest.log))
    warn(`the access log of ${opening.site} goes on as ${next}: an older copy of ${newest.log} took its place`)
  } else if (newest && before && isUnbegun(ledgers)) await beginEpoch(newest, before, escrowed(before.log))
  return new AccessLog({ ledgers: ledgers as [Ledger, ...Ledger[]], blind, now, warn })
}

/** Its first entry names the last head of the one before that anybody was given. */
async function beginEpoch(ledger: Ledger, { origin, head }: Ledger, escrowed: EscrowedHead | null): Promise<void> {
  const { size, root } = escrowed && escrowed.size > head.size ? escrowed : { ...head, root: encodeBase64(head.root) }
  await ledger.append(epochDraft({ origin, size, root }))
}

/** The logs of this name, the newest epoch first, and what opens another. */
async function openEpochsOf(
  { options, site, storage, keyring, escrows, now, seedOf }: Opening,
  base: string,
): Promise<{
  ledgers: Ledger[]
  open: (log: string) => Promise<Omit<LedgerParts, 'earlier'>>
  escrowed: (log: string) => EscrowedHead | null
}> {
  const warn = options.log ?? console.error
  const stored = await storage.logs()
  const names = epochsOf(base, [...stored, ...(options.escrowOf ? [] : escrowedLogs(escrowFolder(options)))])
  const opened = new Map<string, Escrow>()
  const hold = (log: string): Escrow => {
    const escrow = options.escrowOf
      ? guardEscrow(options.escrowOf(log), log)
      : openHeldEscrow(escrowFolder(options), log, nodeName(options))
    escrows.push(escrow)
    opened.set(log, escrow)
    return escrow
  }
  // All of them first: where one is damaged, no log is touched.
  for (const log of names) hold(log)
  // A folder tells what logs it has a head of; of another escrow it is found out by asking for one epoch after the other.
  for (let next = nextEpoch(base, names); options.escrowOf && hold(next).highest(); next = nextEpoch(base, names))
    names.unshift(next)
  const open = async (log: string) => {
    const escrow = opened.get(log) ?? hold(log)
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
  }
  return { ledgers: await openEpochs(names, open), open, escrowed: (log) => opened.get(log)?.highest() ?? null }
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
