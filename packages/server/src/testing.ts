/** A small world for the tests: a site with a policy in two languages, in memory, with a clock that is set by hand. */
import { randomBytes } from 'node:crypto'
import type { PolicyRef, SubmissionAnswer } from '@avow/sdk/wire'
import type { PageOptions } from './consent/page-options.js'
import type { Policy } from './consent/policy.js'
import { dayOf } from './consent/utc-day.js'
import { encodeBase64 } from './ledger/base64.js'
import { epochDraft } from './ledger/epoch.js'
import { createMemoryEscrow } from './ledger/escrow.js'
import { Ledger } from './ledger/ledger.js'
import { createSigner } from './ledger/signer.js'
import { type AvowOptions, createAvow } from './main.js'
import { createTestKey, signToken } from './middleware/test-tokens.js'
import { createMemoryStorage } from './storage/memory.js'
import type { Grade, Storage } from './storage/storage.js'
import { createKeyring } from './vault/keyring.js'

export const SITE = 'shop'
export const PAGE_ORIGIN = 'https://shop.example'

const both = (en: string, de: string) => ({ en, de })

export const testPolicy = (more: Partial<Policy> = {}): Policy => ({
  format: 'avow-policy@v1',
  version: '2026-04',
  material: true,
  effective: '2026-04-01',
  controller: { name: 'Shop SAS', address: '1 rue de la Paix, Paris', email: 'privacy@shop.example', country: 'FR' },
  policyUrl: '/privacy',
  withdrawalUrl: '/account',
  jurisdictions: ['EU'],
  rights: ['access', 'erasure'],
  inactivityDays: 30,
  maxAgeDays: 180,
  crossDevice: false,
  defaultLanguage: 'en',
  categories: ['necessary', 'analytics'].map((id) => ({
    id,
    required: id === 'necessary',
    legalBasis: id === 'necessary' ? 'contract' : 'consent',
    purposes: [id],
    personalData: ['online identifier'],
    recipients: [],
    retention: '30 days',
    region: 'EU',
    texts: { en: { title: id, description: `about ${id}` }, de: { title: id, description: `zu ${id}` } },
  })),
  cookies: [
    {
      name: 'sid',
      kind: 'cookie',
      category: 'necessary',
      provider: 'Shop',
      lifetime: both('30 days', '30 Tage'),
      purpose: both('keeps you signed in', 'hält Sie angemeldet'),
      necessaryBecause: both('nobody could sign in', 'niemand könnte sich anmelden'),
    },
    {
      name: '_shop_*',
      kind: 'cookie',
      category: 'analytics',
      provider: 'Shop',
      lifetime: both('30 days', '30 Tage'),
      purpose: both('counts visits', 'zählt Besuche'),
    },
  ],
  texts: {
    en: { banner: 'We count visits if you let us.' },
    de: { banner: 'Wir zählen Besuche, wenn Sie es erlauben.' },
  },
  ...more,
})

const scripts = {
  loader: 'avowSite;',
  signals: 'avowSite;',
  ui: ['avow-ui.abc123.js', 'export const ui = 1'],
  settings: ['avow-settings.def456.js', 'export const settings = 1'],
  account: ['avow-account.789abc.js', 'export const account = 1'],
  pinned: ['avow.0.1.0.js', 'avow'],
  evidence: () => 'checkEvidence()',
} as const

/** What wraps the vault of the world, and what signs its logs. */
const KEY = new Uint8Array(32).fill(3)
const SEED = new Uint8Array(32).fill(9)

/** What the host of the world signs account tokens with. */
const hostKey = createTestKey('ES256', 'host')

interface WorldOptions extends Partial<AvowOptions> {
  policy?: Policy
  /** How the site's pages behave. */
  page?: PageOptions
}

export async function testWorld({ policy = testPolicy(), page = {}, ...options }: WorldOptions = {}) {
  const clock = { now: Date.parse('2026-11-23T10:00:00Z') }
  const logged: string[] = []
  const storage: Storage = options.storage ?? createMemoryStorage()
  const avow = await createAvow({
    data: 'memory',
    publicUrl: 'https://shop.example/_avow',
    sites: [
      { site: SITE, policy, origins: [PAGE_ORIGIN], publicLog: true, accountKeys: { keys: [hostKey.jwk] }, ...page },
    ],
    rateLimit: null,
    keys: [KEY],
    escrowOf: createMemoryEscrow,
    seedOf: () => SEED,
    now: () => clock.now,
    log: (line) => logged.push(line),
    storage,
    scripts,
    ...options,
  })
  const key = await avow.keys.create({ name: 'privacy team', site: SITE, scopes: ['audit:read', 'audit:export'] })
  const notice = await (await avow.app.request(`/v1/sites/${SITE}/notice`)).json()

  let count = 0
  /** A submission that is right in everything; `more` makes it otherwise. */
  const submission = (more: Record<string, unknown> = {}) => ({
    id: uuidv7(clock.now, count++),
    site: SITE,
    secret: randomBytes(16).toString('base64url'),
    action: 'accept-all',
    choices: { analytics: true },
    policy: notice.policy as PolicyRef,
    notice: { hash: notice.hash as string, language: notice.language as string },
    ui: 'abc123',
    layer: 'banner',
    offered: ['reject-all', 'accept-all'],
    decidedAt: new Date(clock.now - 40).toISOString(),
    ageMs: 40,
    gpc: null,
    previous: null,
    sdk: '0.1.0',
    ...more,
  })
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    avow.app.request('/v1/consents', {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: PAGE_ORIGIN, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  const consent = async (more: Record<string, unknown> = {}): Promise<SubmissionAnswer> =>
    (await post(submission(more))).json()
  /** The daily ping, with the secret where there is one. */
  const activity = (secret: string | null, headers: Record<string, string> = {}, site = SITE) =>
    avow.app.request(`/v1/activity?site=${site}`, {
      method: 'POST',
      headers: { origin: PAGE_ORIGIN, ...(secret === null ? {} : { authorization: `Avow ${secret}` }), ...headers },
    })
  /** The headers of a page where this account is signed in. */
  const signedIn = async (account: string) => ({ 'avow-account': await signToken(hostKey, SITE, account, clock.now) })
  /** What a browser is told of its own choice, with the secret where there is one. */
  const state = (secret: string | null, headers: Record<string, string> = {}, site = SITE) =>
    avow.app.request(`/v1/state?site=${site}`, {
      headers: { ...(secret === null ? {} : { authorization: `Avow ${secret}` }), ...headers },
    })
  /** A receipt as its own browser asks for it, with the secret where there is one. */
  const receipt = (id: string, secret: string | null, headers: Record<string, string> = {}, site = SITE) =>
    avow.app.request(`/v1/receipts/${id}?site=${site}`, {
      headers: { ...(secret === null ? {} : { authorization: `Avow ${secret}` }), ...headers },
    })
  const audit = (path: string, token = key, headers: Record<string, string> = {}) =>
    avow.app.request(`/v1/audit${path}`, { headers: { authorization: `Bearer ${token}`, ...headers } })
  /** A ledger of somebody else's on the same stores. */
  const openAnother = async (name: string, wanted: string | null) => {
    const { origin, log: store } = await storage.openLog(name, wanted)
    return Ledger.open({
      ...{ log: name, store, escrow: createMemoryEscrow(), now: options.now ?? (() => clock.now), warn: () => {} },
      signer: createSigner(origin, SEED),
      keyring: createKeyring([KEY]),
    })
  }
  /** Erases records, by another ledger on the same stores; the world hears of it with its next record. */
  const erase = async (grade: Grade, ...indexes: number[]) => {
    const ledger = await openAnother(SITE, null)
    await ledger.erase(
      indexes.map((index) => ({ log: SITE, index })),
      grade,
      'request',
    )
  }
  /** Begins the next epoch as `avow recover --new-epoch` does it; another world on the same storage goes on there. */
  const beginEpoch = async () => {
    const { origin, log } = await storage.openLog(SITE, null)
    const { size, root } = await log.head()
    const newer = await openAnother(`${SITE}.e2`, `${origin}.e2`)
    await newer.append(epochDraft({ origin, size, root: encodeBase64(root) }))
  }
  /** Lets time pass, a server being there every day. */
  const pass = async (ms: number) => {
    const { log } = await storage.openLog(SITE, null)
    for (let day = dayOf(clock.now); day <= dayOf(clock.now + ms); day++) await log.keepServed(day)
    clock.now += ms
  }
  return {
    ...{ avow, storage, clock, pass, logged, key, notice, submission, post, consent },
    ...{ activity, state, receipt, signedIn, audit, erase, beginEpoch },
  }
}

/** A UUIDv7 of this instant, told apart by `count` (RFC 9562 §5.7). */
export function uuidv7(now: number, count: number): string {
  const hex = now.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${count.toString(16).padStart(12, '0')}`
}
