/** `POST /v1/consents`: a decision becomes a record. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { facetOf } from '../consent/facet.js'
import {
  agentFamily,
  checkSubmission,
  composeRecord,
  fingerprintOf,
  type ParsedSubmission,
  parseSubmission,
  subjectOf,
  submissionSchema,
} from '../consent/record.js'
import { stateOf } from '../consent/state.js'
import { type Appended, ConflictError, type Draft, ErasedError, ForkError } from '../ledger/ledger.js'
import { proofFileJson } from '../ledger/proof-file.js'
import { readAccount } from '../middleware/account.js'
import type { KeyEnv } from '../middleware/api-key.js'
import type { Carry } from '../middleware/carried-cookie.js'
import { readJson } from '../middleware/json-body.js'
import { InputError, Refusal } from '../problem.js'
import { UnavailableError } from '../storage/storage.js'
import { PROOF_EXAMPLE, SUBMISSION_EXAMPLE } from './examples.js'
import { json, problems, RECORD_EXAMPLE, stateSchema } from './openapi.js'
import { receiptOf } from './receipts.js'
import {
  findEntry,
  isLinked,
  noteActivity,
  openLinked,
  recordsBeside,
  refuseOrigin,
  type Site,
  type Sites,
  siteOf,
} from './site.js'

const answerSchema = z
  .strictObject({
    id: z.string(),
    index: z.int(),
    recordedAt: z.string(),
    subject: z.string(),
    state: stateSchema,
    receipt: z.string(),
  })
  .openapi('SubmissionAnswer')

const ANSWER_EXAMPLE: z.input<typeof answerSchema> = {
  ...{ id: RECORD_EXAMPLE.id, index: 1041, recordedAt: RECORD_EXAMPLE.recordedAt, subject: RECORD_EXAMPLE.subject },
  ...{ state: 'granted', receipt: PROOF_EXAMPLE },
}

const route = createRoute({
  method: 'post',
  path: '/v1/consents',
  tags: ['page'],
  summary: 'Records a decision',
  description:
    'Answers once the record is durable. Sending the same submission again answers the same record. Whose account it is says the token in `Avow-Account`, where somebody is signed in; the receipt leaves out who, unless that token is shown.',
  security: [{}, { account: [] }],
  request: {
    body: {
      required: true,
      content: { 'application/json': { schema: submissionSchema, example: SUBMISSION_EXAMPLE } },
    },
  },
  responses: {
    201: json(answerSchema, 'recorded', ANSWER_EXAMPLE),
    200: json(answerSchema, 'recorded before, by the same submission', ANSWER_EXAMPLE),
    ...problems(
      'invalid-input',
      'unknown-policy',
      'malformed-json',
      'unsupported-media-type',
      'too-large',
      'conflict',
      'erased',
      'account-refused',
      'origin-refused',
      'not-found',
      'rate-limited',
      'unavailable',
    ),
  },
})

/** `previous` must be the same subject's. One that is not here yet is taken: a withdrawal may overtake the grant it follows. */
async function checkPrevious(site: Site, previous: string | null, subject: string): Promise<void> {
  if (previous === null) return
  const found = await findEntry(site, site.blind.submission(previous))
  if (!found) return
  const [record] = await openLinked(found.ledger, [found.index])
  if (record && record.identity.subject !== subject) throw new InputError('previous', 'a submission of the same secret')
}

/** Appends to the newest log what none of the site's logs has. */
async function append(site: Site, draft: Draft): Promise<Appended & { log: string }> {
  try {
    for (const [log, ledger] of site.logs) {
      // One that takes nothing new still answers for what it has.
      if (ledger === site.ledger && ledger.fork === null) continue
      const repeated = await ledger.repeated(draft)
      if (repeated) return { log, ...repeated }
    }
    return { log: site.ledger.log, ...(await site.ledger.append(draft)) }
  } catch (error) {
    if (error instanceof ConflictError)
      throw new Refusal('conflict', 'id: was used for another submission', { field: 'id' })
    if (error instanceof ErasedError)
      throw new Refusal('erased', 'what was erased is not recorded again', { field: 'id' })
    // Logged by the ledger, with the cure, when it was noticed; the browser keeps its submission until then.
    if (error instanceof ForkError) throw new UnavailableError(error.message)
    throw error
  }
}

/** The submission with what the request's own fields say: the opt-out signal counts in either place. */
function asSeen(submission: ParsedSubmission, { page }: Site, secGpc: string | undefined): ParsedSubmission {
  const { page: told, ...rest } = submission
  return {
    ...rest,
    gpc: secGpc === '1' || submission.gpc,
    // A query and a fragment hold more than the place: they are cut whatever the browser sent.
    ...(page.page && told !== undefined && { page: told.replace(/[?#].*$/s, '') }),
  }
}

export function consentRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, carry: Carry, now: () => number): void {
  app.openAPIRegistry.registerPath(route)
  app.post(route.path, async (c) => {
    const submission = parseSubmission(await readJson(c))
    const site = siteOf(sites, submission.site)
    refuseOrigin(site, c.req.header('origin'))
    const policy = checkSubmission(submission, site.book)
    const account = await readAccount(c, site.accountKeys, site.name, now())
    const subject = subjectOf(site.name, submission.secret)
    await checkPrevious(site, submission.previous, subject)
    const blinded = site.blind.subject(subject)
    const loggedAt = site.book.loggedAt(submission.policy.hash)
    const seen = asSeen(submission, site, c.req.header('sec-gpc'))
    const agent = agentFamily(c.req.header('user-agent'))
    const appended = await append(site, {
      key: site.blind.submission(submission.id),
      fingerprint: fingerprintOf(submission),
      compose: (recordedAt) => {
        const parts = composeRecord(seen, subject, account, policy, agent, recordedAt, loggedAt)
        return {
          kind: 'consent',
          subject: blinded,
          account: account === null ? null : site.blind.account(account),
          facet: site.blind.hideFacet(facetOf(parts.evidence)),
          ...parts,
        }
      },
    })
    const ledger = site.logs.get(appended.log)!
    const opened = appended.opened ?? (await ledger.open([appended.index]))[0]
    if (!opened || !isLinked(opened)) throw new Error(`entry ${appended.index} was appended and can't be opened`)
    const records = await recordsBeside(site, blinded, opened)
    noteActivity(site, blinded, records, now(), !appended.repeated)
    const state = stateOf(records, site.book.accepts, now())
    c.header('cache-control', 'no-store')
    carry(c, site.page.domain, site.book.current.inactivityDays)
    const answer = {
      id: submission.id,
      index: appended.index,
      recordedAt: opened.evidence.recordedAt,
      subject,
      state,
    }
    const receipt = proofFileJson(await receiptOf(ledger, ledger.head, opened, account))
    return c.body(`${JSON.stringify(answer).slice(0, -1)},"receipt":${receipt}}`, appended.repeated ? 200 : 201, {
      'content-type': 'application/json',
    })
  })
}
