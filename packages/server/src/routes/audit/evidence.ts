/** Evidence of a subject, which verifies without us. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { accepts } from 'hono/accepts'
import { encodeBase64 } from '../../ledger/base64.js'
import type { Ledger } from '../../ledger/ledger.js'
import type { Door, KeyEnv } from '../../middleware/api-key.js'
import { Refusal } from '../../problem.js'
import { type DocumentRow, UnavailableError } from '../../storage/storage.js'
import { NOT_PROVED } from '../../verify/limits.js'
import { createEvidencePage } from '../../verify/page/document.js'
import { problems, REFUSED, SECURITY, subjectParam } from '../openapi.js'
import { provingHead, recordsIn, type Site, type Sites, siteOf } from '../site.js'
import { ledgerOf, logName } from './chosen-log.js'
import { secretsOf } from './secrets.js'

const refusals = problems(...REFUSED, 'invalid-input', 'not-found', 'rate-limited', 'unavailable')

const query = z.strictObject({
  log: logName,
  format: z
    .enum(['json', 'html'])
    .optional()
    .openapi({ description: 'left out: by `Accept`, JSON for who takes either' }),
})

/** `pageScript`: what a page checks itself with. */
export function evidenceRoutes(
  app: OpenAPIHono<KeyEnv>,
  sites: Sites,
  door: Door,
  pageScript: () => string,
  now: () => number,
): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/subjects/{subject}/evidence',
      tags: ['privacy team'],
      summary: 'Evidence of a subject, for a regulator: verifies offline with the public key',
      description:
        'A bundle as JSON, or as one page to read and print, which holds the same bundle and checks it in the browser, without a network. Neither proves that there is nothing else, that the operator logged everything, or the times; both say so.',
      security: SECURITY,
      middleware: door('audit:export'),
      request: { params: subjectParam, query },
      responses: {
        200: {
          description: 'the evidence bundle',
          content: {
            'application/json': {
              schema: z.looseObject({ format: z.literal('avow-evidence@v1') }),
              example: {
                format: 'avow-evidence@v1',
                vkey: 'dash.example/_avow/log/shop+c638f466+AZPG…',
                subject: 'wkWeQ_05Vb3ombUhl1XORqxL2WoeE-8QRWudB5hAGBk',
                asOf: '2026-11-26T18:30:00.000Z',
                notProved: NOT_PROVED,
                checkpoint: 'dash.example/_avow/log/shop\n1042\n…\n\n— …\n',
                records: [],
                policies: [],
                notices: [],
                tombstones: [],
              },
            },
            'text/html': { schema: z.string(), example: '<!doctype html>…' },
          },
        },
        ...refusals,
      },
    }),
    async (c) => {
      const { subject } = c.req.valid('param')
      const site = siteOf(sites, c.get('caller').site)
      const { log, format = accepts(c, ACCEPT) === 'text/html' ? 'html' : 'json' } = c.req.valid('query')
      const ledger = ledgerOf(site, log)
      const bundle = await evidenceBundle(site, ledger, subject, now())
      c.set('rows', bundle.records.length)
      c.header('content-disposition', `attachment; filename="evidence-${subject.slice(0, 12)}.${format}"`)
      if (format === 'json') return c.json(bundle, 200)
      const { html, csp } = createEvidencePage(bundle, pageScript())
      c.header('content-security-policy', `${csp}; frame-ancestors 'none'; sandbox allow-scripts`)
      c.header('x-content-type-options', 'nosniff')
      return c.html(html, 200)
    },
  )
}

const ACCEPT: Parameters<typeof accepts>[1] = {
  header: 'Accept',
  supports: ['application/json', 'text/html'],
  default: 'application/json',
}

/** What `avow verify` checks: all of a subject's records, the documents they cite, and one checkpoint that proves them. */
async function evidenceBundle(site: Site, ledger: Ledger, subject: string, now: number) {
  const records = await recordsIn(ledger, site, subject)
  if (records.length === 0)
    throw new Refusal('not-found', 'no record of this subject in this log', { field: 'subject' })
  const { size, checkpoint } = await provingHead(site, ledger, records.at(-1)!.index + 1)
  const inLog = records.filter(({ index }) => index < size)
  if (inLog.length === 0) throw new UnavailableError('what was recorded of this subject is not published yet')
  // A verifier refuses what none of the records cites, and what is not in the order of the log.
  const cited = new Set(inLog.flatMap(({ evidence: { policy, notice } }) => [policy.hash, notice.hash]))
  const documents = (await ledger.documents()).filter(({ index, hash }) => index < size && cited.has(hash))
  const latest = inLog.reduce((time, { evidence }) => Math.max(time, Date.parse(evidence.recordedAt)), now)
  const proofs = await ledger.prove(
    [...inLog, ...documents].map(({ index }) => index),
    size,
  )
  const proofOf = new Map([...inLog, ...documents].map(({ index }, i) => [index, proofs[i]!.map(encodeBase64)]))
  const common = ({ hash, index, body }: DocumentRow) => ({
    hash,
    document: JSON.parse(body) as Record<string, unknown>,
    index,
    proof: proofOf.get(index)!,
  })
  return {
    format: 'avow-evidence@v1' as const,
    vkey: ledger.vkey,
    subject,
    // Where the clock was set back since, no earlier than what is in it.
    asOf: new Date(latest).toISOString(),
    notProved: NOT_PROVED,
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
      .map((row) => ({ language: row.language!, ...common(row) })),
    tombstones: [],
  }
}
