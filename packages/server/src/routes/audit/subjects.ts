/** What somebody has chosen, now or at an instant, why that is so, and the entries that prove it. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { uuidv7 } from '../../consent/record.js'
import { countedAt, judge, type Reason } from '../../consent/state.js'
import { encodeBase64url } from '../../ledger/base64.js'
import type { Door, KeyEnv } from '../../middleware/api-key.js'
import { accountHeader, readSubjectAccount, SUBJECT_ACCOUNT } from '../../middleware/subject-account.js'
import { InputError, Refusal } from '../../problem.js'
import type { Grade } from '../../storage/storage.js'
import {
  json,
  LOG_EXAMPLE,
  logSchema,
  problems,
  RECORD_EXAMPLE,
  REFUSED,
  recordSchema,
  SECURITY,
  subjectParam,
} from '../openapi.js'
import {
  findEntry,
  type LinkedRecord,
  openLinked,
  recordOf,
  recordsOf,
  recordsOfAccount,
  type Site,
  type Sites,
  siteOf,
} from '../site.js'
import { logAt } from './chosen-log.js'
import { placeSchema, prove, proveDocument } from './ground.js'
import { secretsOf } from './secrets.js'

const refusals = problems(...REFUSED, 'invalid-input', 'not-found', 'rate-limited', 'unavailable')

type Code = Reason | 'erased' | 'unlinked'

const REASONS: Readonly<Record<Code, string>> = {
  'no-choice': 'no choice counted by then; whether they were asked is not recorded',
  'grant-stands': 'something was granted, and no denial, no newer policy and no term had ended it',
  denied: 'everything was denied, and nothing had been granted before',
  'denied-after-grant':
    'everything was denied after something had been granted, and no grant that was later by both clocks undid it',
  'policy-replaced': 'the grant cites a policy that a material version had replaced, so they are to be asked again',
  'no-activity': 'nothing was known of them for longer than the policy allows, which the server recorded',
  'too-old': 'the grant was valid until before then, however active they were',
  erased: 'the record of this id was erased: neither what it said nor whose it was is known here any more',
  unlinked: 'the record of this id was unlinked: whose it was is not known here any more',
}

const at = z.iso.datetime('an instant in UTC, like 2026-03-03T12:00:00Z').optional()

const choicesSchema = z.record(z.string(), z.boolean())

const answerSchema = z
  .strictObject({
    /** Null where an account was asked about, which may have several, and where nobody knows any more. */
    subject: z.string().nullable(),
    asOf: z.string(),
    state: z.enum(['granted', 'refused', 'withdrawn', 'lapsed', 'superseded', 'erased', 'undecided']),
    reason: z.strictObject({ code: z.enum(Object.keys(REASONS) as [Code, ...Code[]]), text: z.string() }),
    /** What was granted and denied, while it stands; null where nothing does. */
    choices: choicesSchema.nullable(),
    records: z.array(recordSchema),
    restsOn: z.array(
      placeSchema.extend({
        parts: z.record(z.string(), z.looseObject({})),
        secrets: z.record(z.string(), z.string()),
      }),
    ),
    log: logSchema,
  })
  .openapi('SubjectAnswer')

type Answer = z.infer<typeof answerSchema>
type Ground = Answer['restsOn'][number]

const EXAMPLE: Answer = {
  ...{ subject: RECORD_EXAMPLE.subject, asOf: '2026-11-24T00:00:00.000Z', state: 'granted' },
  ...{ reason: { code: 'grant-stands', text: REASONS['grant-stands'] }, choices: { analytics: true } },
  records: [RECORD_EXAMPLE],
  restsOn: [
    {
      ...{ log: 'shop', index: 1041, entry: '{"evidence":"…","identity":"…","type":"consent","v":1}' },
      ...{ parts: { evidence: {}, identity: {} }, secrets: { evidence: '…', identity: '…' }, proof: ['…'] },
      ...LOG_EXAMPLE,
    },
  ],
  log: LOG_EXAMPLE,
}

const describe = (summary: string) => ({
  method: 'get' as const,
  tags: ['privacy team'],
  summary,
  security: SECURITY,
  responses: {
    200: json(answerSchema, 'the history that counted by then, oldest first, and what it came to', EXAMPLE),
    ...refusals,
  },
})

export function subjectRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, door: Door, now: () => number): void {
  const read = door('audit:read')

  app.openapi(
    createRoute({
      ...describe('What a subject has chosen: history and state, now or at an instant'),
      path: '/v1/audit/subjects/{subject}',
      middleware: read,
      request: { params: subjectParam, query: z.strictObject({ asOf: at }) },
    }),
    async (c) => {
      const { subject } = c.req.valid('param')
      const question = await questionOf(c, c.req.valid('query').asOf)
      const records = await recordsOf(question.site, subject)
      if (records.length === 0) throw new Refusal('not-found', NOBODY, { field: 'subject' })
      return answer(c, await answerOf(question, subject, records))
    },
  )

  app.openapi(
    createRoute({
      ...describe('The same by an account, or by the id of a record'),
      description: `One of the two is needed, and not both. An account goes into the header \`${SUBJECT_ACCOUNT}\`, never into an address.`,
      path: '/v1/audit/subjects',
      middleware: read,
      request: { query: z.strictObject({ asOf: at, record: uuidv7.optional() }), headers: accountHeader },
    }),
    async (c) => {
      const { asOf, record } = c.req.valid('query')
      const question = await questionOf(c, asOf)
      const account = readSubjectAccount(c)
      if (record !== undefined && account !== null)
        throw new InputError('record', `left out, or ${SUBJECT_ACCOUNT}: one of the two`)
      if (record !== undefined) return answer(c, await answerOfRecord(question, record))
      if (account !== null) return answer(c, await answerOfAccount(question, account))
      throw new InputError(SUBJECT_ACCOUNT, 'a header with an account, or record with the id of one')
    },
  )

  /** Throws an `InputError` for an instant of which nothing can be known yet. */
  async function questionOf(c: Context<KeyEnv>, asOf: string | undefined): Promise<Question> {
    const site = siteOf(sites, c.get('caller').site)
    const log = await logAt(site.ledger)
    const instant = asOf === undefined ? now() : Date.parse(asOf)
    // Of another node the clock may be ahead.
    if (instant > Math.max(now(), site.ledger.head.recordedAt))
      throw new InputError('asOf', 'an instant that is not in the future')
    return { site, log, instant, isNow: asOf === undefined }
  }
}

function answer(c: Context<KeyEnv>, told: Answer) {
  c.set('rows', told.records.length)
  return c.json(told, 200)
}

/** What is asked of whom, as it was at an instant. */
interface Question {
  readonly site: Site
  readonly log: Answer['log']
  /** Unix milliseconds. */
  readonly instant: number
  /** No instant was named. */
  readonly isNow: boolean
}

const common = ({ instant, log }: Question) => ({ asOf: new Date(instant).toISOString(), log })

const NOBODY = 'no record of this subject; what was erased is found by nobody it was about'

async function answerOfAccount(question: Question, account: string): Promise<Answer> {
  const records = await recordsOfAccount(question.site, account)
  if (records.length === 0)
    throw new Refusal('not-found', 'no record of this account; what was erased is found by nobody it was about', {
      field: SUBJECT_ACCOUNT,
    })
  return answerOf(question, null, records)
}

/** Of the subject whose record it is. Of an erased one its id is the last that is known. */
async function answerOfRecord(question: Question, id: string): Promise<Answer> {
  const { site } = question
  const key = site.blind.submission(id)
  const entry = await findEntry(site, key)
  const [record] = entry ? await openLinked(entry.ledger, [entry.index]) : []
  if (record) {
    const { subject } = record.identity
    return answerOf(question, subject, await recordsOf(site, subject))
  }
  for (const ledger of site.logs.values()) {
    const forgotten = await ledger.forgotten(key)
    if (forgotten) return answerOfErased(question, { log: ledger.log, ...forgotten })
  }
  throw new Refusal('not-found', 'no record with this id', { field: 'record' })
}

async function answerOfErased(
  question: Question,
  erased: { log: string; index: number; grade: Grade },
): Promise<Answer> {
  const { site } = question
  const isWhole = erased.grade === 'erase'
  // Where an unlinked record is stays unsaid: what it says can still be read there, and is nobody's any more.
  const tombstone = isWhole ? await site.ledger.tombstoneOf(erased) : null
  const code = isWhole ? 'erased' : 'unlinked'
  const restsOn: Ground[] = []
  if (tombstone) {
    const { log, index, entry, body, secret } = tombstone
    const opening = { parts: { body: { ...body } }, secrets: { body: encodeBase64url(secret) } }
    restsOn.push({ ...(await prove(site, log, index, entry)), ...opening })
  }
  return {
    ...common(question),
    ...{ subject: null, state: 'erased', reason: { code, text: REASONS[code] }, choices: null, records: [], restsOn },
  }
}

async function answerOf(question: Question, subject: string | null, all: readonly LinkedRecord[]): Promise<Answer> {
  const { site, instant, isNow } = question
  // Now, all that is recorded counts, and the policy that is in force here, which may be an earlier one again.
  const records = isNow ? all : countedAt(all, instant)
  const accepts = isNow ? site.book.accepts : site.book.acceptsAt(instant)
  const { state, reason, records: grounds } = judge(records, accepts, instant)
  const restsOn: Ground[] = await Promise.all(
    grounds.map(async (record) => {
      const { log, index, entry, evidence, identity } = record
      const parts = { evidence: { ...evidence }, identity: { ...identity } }
      return { ...(await prove(site, log, index, entry)), parts, secrets: secretsOf(record) }
    }),
  )
  if (reason === 'policy-replaced') {
    // None where an earlier version was gone back to.
    const replacing = site.book.replacedBy(grounds[0]!.evidence.policy.version, instant)
    const place = replacing && (await proveDocument(site, replacing.hash))
    if (place) restsOn.push({ ...place, parts: {}, secrets: {} })
  }
  return {
    ...common(question),
    ...{ subject, state, reason: { code: reason, text: REASONS[reason] } },
    choices: state === 'granted' ? { ...grounds[0]!.evidence.choices } : null,
    records: records.map(recordOf),
    restsOn,
  }
}
