/** Evidence of a subject, which verifies without us. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { encodeBase64 } from '../../ledger/base64.js'
import type { Ledger } from '../../ledger/ledger.js'
import type { Door, KeyEnv } from '../../middleware/api-key.js'
import { Refusal } from '../../problem.js'
import type { DocumentRow } from '../../storage/storage.js'
import { json, problems, REFUSED, SECURITY, subjectParam } from '../openapi.js'
import { provingHead, recordsIn, type Site, type Sites, siteOf } from '../site.js'
import { ledgerOf, logName } from './chosen-log.js'
import { secretsOf } from './secrets.js'

const refusals = problems(...REFUSED, 'invalid-input', 'not-found', 'rate-limited', 'unavailable')

export function evidenceRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, door: Door, now: () => number): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/subjects/{subject}/evidence',
      tags: ['privacy team'],
      summary: 'Evidence of a subject, for a regulator: verifies offline with the public key',
      security: SECURITY,
      middleware: door('audit:export'),
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
