/** What a consent record is: a browser's submission parsed at the door, and the two parts the ledger seals of it. */
import { hash } from 'node:crypto'
import { z } from '@hono/zod-openapi'
import { InputError, inputErrorOf, Refusal } from '../problem.js'
import { categoryName, optionalCategories, type Policy, type PolicyBook } from './policy.js'
import { DAY_MS } from './utc-day.js'

/** A browser's clock further off than this is recorded as implausible, and the server's counts. */
const CLOCK_TOLERANCE_MS = DAY_MS

export const hashSchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'a base64url SHA-256')
/** RFC 9562 §5.7. */
export const uuidv7 = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'a lower-case UUIDv7')
const browserAction = z.enum(['accept-all', 'reject-all', 'save', 'withdraw', 'link'])

/** Looked at before `z.record` reads it, which passes over `__proto__` in silence. */
const choicesSchema = z
  .custom((choices) => !Object.hasOwn(Object(choices), '__proto__'), 'categories of the policy')
  .pipe(z.record(categoryName, z.boolean()))
  .openapi({ type: 'object', additionalProperties: { type: 'boolean' } })

/** 16 bytes are 22 characters, of which the last carries two bits only. */
const SECRET = /^[A-Za-z0-9_-]{21}[AQgw]$/

export const isSecret = (text: string): boolean => SECRET.test(text)

/** `POST /v1/consents`. */
export const submissionSchema = z
  .strictObject({
    id: uuidv7,
    site: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'the name of a site'),
    secret: z.string().regex(SECRET, '16 bytes in base64url'),
    action: browserAction,
    choices: choicesSchema,
    policy: z.strictObject({ version: z.string().min(1).max(32), hash: hashSchema }),
    notice: z.strictObject({ hash: hashSchema, language: z.string().min(2).max(35) }),
    ui: z.string().regex(/^[\w-]{1,64}$/, 'the hash in the name of the UI file'),
    layer: z.enum(['banner', 'preferences', 'settings', 'placeholder', 'api']),
    offered: z.array(browserAction).max(4),
    decidedAt: z.iso.datetime(),
    ageMs: z.number().min(0).max(Number.MAX_SAFE_INTEGER),
    gpc: z.boolean().nullable(),
    // Half a surrogate pair has no canonical form, so that no entry can hold it.
    page: z
      .string()
      .max(2048)
      .refine((text) => !/\p{Cs}/u.test(text), 'text of whole characters')
      .optional(),
    previous: uuidv7.nullable(),
    sdk: z.string().regex(/^[\w.+-]{1,32}$/, 'the version of the SDK'),
  })
  .openapi('Submission')

export type ParsedSubmission = z.infer<typeof submissionSchema>

/** Throws an `InputError`. */
export function parseSubmission(input: unknown): ParsedSubmission {
  // Not `safeParseAsync`, for which zod leaves out the parser it has compiled: 5 µs, not 7.
  const parsed = submissionSchema.safeParse(input)
  if (!parsed.success) throw inputErrorOf(parsed.error, 'json')
  return parsed.data
}

export interface Evidence {
  readonly site: string
  readonly action: z.infer<typeof browserAction> | 'lapse'
  readonly choices: Readonly<Record<string, boolean>>
  readonly policy: { readonly version: string; readonly hash: string }
  readonly notice: { readonly hash: string; readonly language: string }
  readonly ui: string
  /** `server`: of a lapse, which nobody made. */
  readonly layer: ParsedSubmission['layer'] | 'server'
  readonly offered: readonly string[]
  readonly decidedAt: string
  readonly recordedAt: string
  readonly clock: 'ok' | 'implausible'
  readonly gpc: boolean | null
  readonly sdk: string
  readonly validUntil: string
}

/** The evidence of what somebody decided. */
export interface Decided extends Evidence {
  readonly action: z.infer<typeof browserAction>
  readonly layer: ParsedSubmission['layer']
}

export interface Identity {
  readonly id: string
  readonly previous: string | null
  readonly subject: string
  readonly account: string | null
  readonly network: string | null
  readonly agent: string
  readonly page: string | null
}

/** The id a subject is looked up by. It can't be turned back into the secret, which alone may read or change the state. */
export function subjectOf(site: string, secret: string): string {
  const place = Buffer.from(`avow/subject/v1${site}\0`)
  return hash('sha256', Buffer.concat([place, Buffer.from(secret, 'base64url')]), 'base64url')
}

/** Tells one submission sent twice from two under one id. `ageMs` is filled in anew at each sending and left out. */
export function fingerprintOf(submission: ParsedSubmission): Uint8Array {
  // Parsing has put all other keys in one order.
  const told = { ...submission, ageMs: undefined, choices: inOrder(submission.choices) }
  return hash('sha256', JSON.stringify(told), 'buffer')
}

const inOrder = (choices: Readonly<Record<string, boolean>>): Record<string, boolean> =>
  Object.fromEntries(Object.entries(choices).sort(([a], [b]) => (a < b ? -1 : 1)))

/** Checks a submission against what the site has published, and answers the policy that it cites. */
export function checkSubmission(submission: ParsedSubmission, book: PolicyBook): Policy {
  const { policy, notice, action, choices } = submission
  const cited = book.find(policy)
  if (!cited)
    throw new Refusal('unknown-policy', 'policy: cites a version or hash that is not published here', {
      field: 'policy',
    })
  if (!book.hasNotice(notice.hash, policy.version, notice.language)) {
    throw new Refusal('unknown-policy', 'notice: cites words that are not published here', { field: 'notice' })
  }
  const categories = optionalCategories(cited)
  const foreign = Object.keys(choices).find((category) => !categories.includes(category))
  if (foreign !== undefined) throw new InputError('choices', `only ${categories.join(', ')}`)
  const missing = categories.find((category) => !(category in choices))
  if (missing !== undefined) throw new InputError(`choices.${missing}`, 'granted or denied, each category')
  const answers = Object.values(choices)
  if (action === 'accept-all' && answers.includes(false))
    throw new InputError('choices', 'all granted, as accept-all says')
  if ((action === 'reject-all' || action === 'withdraw') && answers.includes(true)) {
    throw new InputError('choices', `all denied, as ${action} says`)
  }
  return cited
}

/**
 * Whether the browser's word for when it was decided is to be believed. What is taken over was decided at any time before
 * now; to count it by the server's clock would make an old grant a new one. Nothing else was decided before there was the policy that it
 * cites. `loggedAtMs`: when that was logged; null where nobody knows.
 */
function isPlausible(
  action: Evidence['action'],
  decidedAtMs: number,
  ageMs: number,
  recordedAtMs: number,
  loggedAtMs: number | null,
): boolean {
  if (action === 'link') return decidedAtMs - recordedAtMs <= CLOCK_TOLERANCE_MS
  if (loggedAtMs !== null && decidedAtMs < loggedAtMs - CLOCK_TOLERANCE_MS) return false
  return Math.abs(recordedAtMs - ageMs - decidedAtMs) <= CLOCK_TOLERANCE_MS
}

/**
 * The two parts of a record. The identity part is all that links the evidence to a person, `subject` by its id, and
 * `account` by what the site calls who was signed in. `loggedAtMs`: when the policy was logged that is cited.
 */
export function composeRecord(
  submission: ParsedSubmission,
  subject: string,
  account: string | null,
  policy: Policy,
  agent: string,
  recordedAtMs: number,
  loggedAtMs: number | null = null,
): { evidence: Decided; identity: Identity } {
  const { id, site, previous, ageMs, page = null, ...said } = submission
  const decidedAtMs = Date.parse(said.decidedAt)
  const plausible = isPlausible(said.action, decidedAtMs, ageMs, recordedAtMs, loggedAtMs)
  const from = plausible ? decidedAtMs : recordedAtMs
  return {
    evidence: {
      // Keys in the order of RFC 8785, which makes them quick to write.
      action: said.action,
      choices: inOrder(said.choices),
      clock: plausible ? 'ok' : 'implausible',
      decidedAt: new Date(decidedAtMs).toISOString(),
      gpc: said.gpc,
      layer: said.layer,
      notice: { hash: said.notice.hash, language: said.notice.language },
      offered: said.offered,
      policy: { hash: said.policy.hash, version: said.policy.version },
      recordedAt: new Date(recordedAtMs).toISOString(),
      sdk: said.sdk,
      site,
      ui: said.ui,
      validUntil: new Date(from + policy.maxAgeDays * DAY_MS).toISOString(),
    },
    // The address is off; the page is there where a site asks for it: a path carries names.
    identity: { account, agent, id, network: null, page, previous, subject },
  }
}

/**
 * The server's own record that a grant has ended for want of activity. It was decided, if that is a word for it, when the last
 * day ended on which anything was known of the subject: whatever they decided later, it doesn't know of.
 */
export function composeLapse(
  id: string,
  grant: { readonly evidence: Evidence; readonly identity: Identity },
  lastDay: number,
  recordedAtMs: number,
): { evidence: Evidence; identity: Identity } {
  const { choices, notice, policy, site, validUntil } = grant.evidence
  const { id: previous, subject, account } = grant.identity
  return {
    evidence: {
      action: 'lapse',
      // What was denied before doesn't end with it.
      choices: Object.fromEntries(
        Object.entries(choices).flatMap(([category, granted]) => (granted ? [[category, false]] : [])),
      ),
      clock: 'ok',
      decidedAt: new Date((lastDay + 1) * DAY_MS).toISOString(),
      gpc: null,
      layer: 'server',
      notice: { hash: notice.hash, language: notice.language },
      offered: [],
      policy: { hash: policy.hash, version: policy.version },
      recordedAt: new Date(recordedAtMs).toISOString(),
      sdk: '',
      site,
      ui: '',
      validUntil,
    },
    identity: { account, agent: 'server', id, network: null, page: null, previous, subject },
  }
}

/** The browser's family and nothing finer: a version and a platform would help to single a person out. */
export function agentFamily(userAgent: string | undefined): string {
  // Order matters: every later browser names the earlier ones.
  const families = [
    ['Edg', 'Edge'],
    ['OPR', 'Opera'],
    ['Firefox', 'Firefox'],
    ['FxiOS', 'Firefox'],
    ['CriOS', 'Chrome'],
    ['Chrome', 'Chrome'],
    ['Safari', 'Safari'],
  ] as const
  return families.find(([mark]) => userAgent?.includes(mark))?.[1] ?? 'other'
}

/** A record as the privacy team reads it: both parts, with its place in the ledger. */
export type ConsentRecord = ReturnType<typeof toRecord>

export function toRecord(log: string, index: number, evidence: Evidence, identity: Identity) {
  return {
    log,
    index,
    id: identity.id,
    subject: identity.subject,
    account: identity.account,
    previous: identity.previous,
    recordedAt: evidence.recordedAt,
    decidedAt: evidence.decidedAt,
    clock: evidence.clock,
    action: evidence.action,
    choices: evidence.choices,
    layer: evidence.layer,
    offered: evidence.offered,
    policy: evidence.policy,
    notice: evidence.notice,
    language: evidence.notice.language,
    ui: evidence.ui,
    gpc: evidence.gpc,
    sdk: evidence.sdk,
    agent: identity.agent,
    validUntil: evidence.validUntil,
  }
}
