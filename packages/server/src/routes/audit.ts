/** What a privacy team asks: the latest records, one record, one subject, and evidence that verifies without us. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { stateOf } from '../consent/state.js'
import { decodeBase64url, encodeBase64, encodeBase64url } from '../ledger/base64.js'
import type { Ledger } from '../ledger/ledger.js'
import type { Door, KeyEnv } from '../middleware/api-key.js'
import { InputError, Refusal } from '../problem.js'
import type { DocumentRow } from '../storage/storage.js'
import {
  idParam,
  json,
  logSchema,
  problems,
  REFUSED,
  recordSchema,
  SECURITY,
  stateSchema,
  subjectParam,
} from './openapi.js'
import {
  findEntry,
  type LinkedRecord,
  openLinked,
  provingHead,
  recordOf,
  recordsIn,
  recordsOf,
  type Site,
  type Sites,
  siteOf,
} from './site.js'

const PAGE_DEFAULT = 100
const PAGE_LIMIT = 1000

const refusals = problems(...REFUSED, 'invalid-input', 'not-found', 'rate-limited', 'unavailable')
const security = SECURITY

const secretsSchema = z.strictObject({ evidence: z.string(), identity: z.string() })

/** Which of the site's logs: the newest by default, `<site>` or `<site>.e2` for an earlier epoch. */
const logName = z.string().max(80).optional()

function ledgerOf({ ledger, logs }: Site, name: string | undefined): Ledger {
  const chosen = name === undefined ? ledger : logs.get(name)
  if (!chosen) throw new InputError('log', 'the name of one of the logs of the site')
  return chosen
}

const query = z.strictObject({
  limit: z.coerce.number().int().min(1).max(PAGE_LIMIT).default(PAGE_DEFAULT),
  cursor: z.string().max(64).optional(),
  log: logName,
})

/** A cursor is the index below which the next page starts. Opaque to whoever holds it. */
const encodeCursor = (before: number) => encodeBase64url(new TextEncoder().encode(`v1:${before}`))

function parseCursor(cursor: string): number {
  const expected = 'the cursor of an earlier page'
  let text: string
  try {
    text = new TextDecoder().decode(decodeBase64url(cursor))
  } catch {
    // Not base64url: no cursor of ours.
    throw new InputError('cursor', expected)
  }
  const before = Number(/^v1:([1-9]\d{0,14})$/.exec(text)?.[1])
  if (!Number.isSafeInteger(before)) throw new InputError('cursor', expected)
  return before
}

export function auditRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, door: Door, now: () => number): void {
  const read = door('audit:read')
  const exportEvidence = door('audit:export')

  const logOf = async (ledger: Ledger) => {
    const { size, checkpoint } = await ledger.latest()
    return { size, checkpoint }
  }
  const state = (site: Site, records: readonly LinkedRecord[]) => stateOf(records, site.book.accepts, now())

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/records',
      tags: ['privacy team'],
      summary: 'Records, newest first',
      security,
      middleware: read,
      request: { query },
      responses: {
        200: json(
          z.strictObject({ records: z.array(recordSchema), next: z.string().nullable(), log: logSchema }),
          'a page',
        ),
        ...refusals,
      },
    }),
    async (c) => {
      const { limit, cursor, log: name } = c.req.valid('query')
      const ledger = ledgerOf(siteOf(sites, c.get('caller').site), name)
      const log = await logOf(ledger)
      const before = cursor === undefined ? log.size : parseCursor(cursor)
      const indexes = await ledger.recent(Math.min(before, log.size), limit)
      const records = (await openLinked(ledger, indexes)).map(recordOf)
      const last = indexes.at(-1)
      c.set('rows', records.length)
      const next = last !== undefined && indexes.length === limit && last > 0 ? encodeCursor(last) : null
      return c.json({ records, next, log }, 200)
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/records/{id}',
      tags: ['privacy team'],
      summary: 'One record, what opens it, and its proof',
      security,
      middleware: read,
      request: { params: idParam },
      responses: {
        200: json(
          z.strictObject({
            record: recordSchema,
            entry: z.string(),
            secrets: secretsSchema,
            proof: z.array(z.string()),
            log: logSchema,
          }),
          'the record',
        ),
        ...refusals,
      },
    }),
    async (c) => {
      const site = siteOf(sites, c.get('caller').site)
      const entry = await findEntry(site, site.blind.submission(c.req.valid('param').id))
      const [opened] = entry ? await openLinked(entry.ledger, [entry.index]) : []
      if (!entry || !opened) throw new Refusal('not-found', 'no record with this id', { field: 'id' })
      const log = await logOf(entry.ledger)
      const [proof] = await entry.ledger.prove([opened.index], log.size)
      return c.json(
        {
          record: recordOf(opened),
          entry: opened.entry,
          secrets: secretsOf(opened),
          proof: proof!.map(encodeBase64),
          log,
        },
        200,
      )
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/subjects/{subject}',
      tags: ['privacy team'],
      summary: 'What a subject has chosen: history and current state',
      security,
      middleware: read,
      request: { params: subjectParam },
      responses: {
        200: json(
          z.strictObject({ subject: z.string(), state: stateSchema, records: z.array(recordSchema), log: logSchema }),
          'the history, oldest first',
        ),
        ...refusals,
      },
    }),
    async (c) => {
      const { subject } = c.req.valid('param')
      const site = siteOf(sites, c.get('caller').site)
      const log = await logOf(site.ledger)
      const records = await recordsOf(site, subject)
      if (records.length === 0) throw new Refusal('not-found', 'no record of this subject', { field: 'subject' })
      c.set('rows', records.length)
      return c.json({ subject, state: state(site, records), records: records.map(recordOf), log }, 200)
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/subjects/{subject}/evidence',
      tags: ['privacy team'],
      summary: 'Evidence of a subject, for a regulator: verifies offline with the public key',
      security,
      middleware: exportEvidence,
      request: { params: subjectParam, query: z.strictObject({ log: logName }) },
      responses: {
        200: json(z.looseObject({ format: z.literal('avow-evidence@v1') }), 'the evidence bundle'),
        ...refusals,
      },
    }),
    async (c) => {
      const { subject } = c.req.valid('param')
      const site = siteOf(sites, c.get('caller').site)
      const ledger = ledgerOf(site, c.req.valid('query').log)
      const bundle = await evidenceBundle(site, ledger, subject, now())
      c.set('rows', bundle.records.length)
      c.header('content-disposition', `attachment; filename="evidence-${subject.slice(0, 12)}.json"`)
      return c.json(bundle, 200)
    },
  )
}

const secretsOf = ({ secrets }: LinkedRecord) => ({
  evidence: encodeBase64url(secrets.evidence),
  identity: encodeBase64url(secrets.identity),
})

/** What `avow verify` checks: all of a subject's records, the documents they cite, and one checkpoint that proves them. */
async function evidenceBundle(site: Site, ledger: Ledger, subject: string, now: number) {
  const records = await recordsIn(ledger, site, subject)
  if (records.length === 0)
    throw new Refusal('not-found', 'no record of this subject in this log', { field: 'subject' })
  const cited = new Set(records.flatMap(({ evidence: { policy, notice } }) => [policy.hash, notice.hash]))
  const documents = (await ledger.documents()).filter(({ hash }) => cited.has(hash))
  const last = [...records, ...documents].reduce((highest, { index }) => Math.max(highest, index), 0)
  const { size, checkpoint } = await provingHead(site, ledger, last + 1)
  const inLog = records.filter(({ index }) => index < size)
  const proofs = await ledger.prove(
    [...inLog, ...documents].map(({ index }) => index),
    size,
  )
  const proofOf = new Map([...inLog, ...documents].map(({ index }, i) => [index, proofs[i]!.map(encodeBase64)]))
  const common = ({ hash, index, body }: DocumentRow) => ({
    hash,
    document: JSON.parse(body),
    index,
    proof: proofOf.get(index),
  })
  return {
    format: 'avow-evidence@v1' as const,
    vkey: ledger.vkey,
    subject,
    asOf: new Date(now).toISOString(),
    checkpoint,
    records: inLog.map((record) => ({
      index: record.index,
      entry: record.entry,
      evidence: record.evidence,
      identity: record.identity,
      secrets: secretsOf(record),
      proof: proofOf.get(record.index),
    })),
    policies: documents
      .filter(({ kind }) => kind === 'policy')
      .map((row) => ({ version: row.version, ...common(row) })),
    notices: documents
      .filter(({ kind }) => kind === 'notice')
      .map((row) => ({ language: row.language, ...common(row) })),
    tombstones: [],
  }
}
