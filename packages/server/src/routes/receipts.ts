/** Receipts: how one is made, and `GET /v1/receipts/{id}`, by which a browser gets its own once more. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { accepts } from 'hono/accepts'
import { toJsonld } from '../consent/exports/jsonld.js'
import { toKantara } from '../consent/exports/kantara.js'
import { subjectOf } from '../consent/record.js'
import { encodeBase64url } from '../ledger/base64.js'
import type { Ledger } from '../ledger/ledger.js'
import { formatProofFile, type ProofFile } from '../ledger/proof-file.js'
import { readAccount } from '../middleware/account.js'
import type { KeyEnv } from '../middleware/api-key.js'
import { shownSecret } from '../middleware/secret.js'
import { Refusal } from '../problem.js'
import { type Head, UnavailableError } from '../storage/storage.js'
import { JSONLD_EXAMPLE, KANTARA_EXAMPLE, PROOF_EXAMPLE } from './examples.js'
import { idParam, problems, siteParam } from './openapi.js'
import {
  findEntry,
  type LinkedRecord,
  openLinked,
  provingHead,
  refuseOrigin,
  type Site,
  type Sites,
  siteOf,
} from './site.js'

/**
 * A copy for the person: where the record stands, what opens it, and the checkpoint it is proved against, that of `head`. Who
 * somebody is to the site is told to nobody but `account`: it may be asked for again by a browser that is signed out by then.
 */
export async function receiptOf(
  ledger: Ledger,
  { size, checkpoint }: Head,
  opened: LinkedRecord,
  account: string | null,
): Promise<ProofFile> {
  const [proof] = await ledger.prove([opened.index], size)
  const { entry, evidence, identity, secrets } = opened
  const isTheirs = identity.account === null || identity.account === account
  const extra = JSON.stringify({
    entry,
    evidence,
    identity: isTheirs ? identity : null,
    secrets: {
      evidence: encodeBase64url(secrets.evidence),
      identity: isTheirs ? encodeBase64url(secrets.identity) : null,
    },
  })
  return { extra: Buffer.from(extra), index: opened.index, proof: proof!, checkpoint }
}

const route = createRoute({
  method: 'get',
  path: '/v1/receipts/{id}',
  tags: ['page'],
  summary: 'The receipt of a record of one’s own',
  description:
    'For who shows the secret that the record was made under, in `Authorization: Avow …`, or the token of its account, in `Avow-Account`. To anybody else, and once the record was erased, there is nothing here, whatever the id. The receipt leaves out who, where there is an account and its token isn’t shown. By `Accept` it is the proof, or the record in the words of a standard, which proves nothing by itself: JSON-LD after ISO/IEC TS 27560, or a Kantara Consent Receipt, which a record that grants nothing has none of.',
  security: [{ secret: [] }, { account: [] }, { secret: [], account: [] }],
  request: { params: idParam, query: siteParam },
  responses: {
    200: {
      description: 'a c2sp.org/tlog-proof file; for `application/ld+json` JSON-LD, for `application/json` Kantara 1.1',
      content: {
        'text/plain': { schema: z.string(), example: PROOF_EXAMPLE },
        'application/ld+json': { schema: z.looseObject({}), example: JSONLD_EXAMPLE },
        'application/json': { schema: z.looseObject({}), example: KANTARA_EXAMPLE },
      },
    },
    ...problems(
      'invalid-input',
      'account-refused',
      'origin-refused',
      'not-found',
      'not-acceptable',
      'rate-limited',
      'unavailable',
    ),
  },
})

interface Own {
  readonly ledger: Ledger
  readonly opened: LinkedRecord
}

/** The record of this id, where it is the subject's or the account's; else null. */
async function findOwn(site: Site, id: string, subject: string | null, account: string | null): Promise<Own | null> {
  if (subject === null && account === null) return null
  const entry = await findEntry(site, site.blind.submission(id))
  if (!entry) return null
  const { ledger, index } = entry
  const [opened] = await openLinked(ledger, [index])
  if (!opened) return null
  const { identity } = opened
  const isOwn = identity.subject === subject || (account !== null && identity.account === account)
  return isOwn ? { ledger, opened } : null
}

/** The record in the words of a standard; null where none was asked for. */
function standardOf(accept: string, { ledger, opened }: Own, { book }: Site, publicUrl: string): Standard | null {
  const policy = book.find(opened.evidence.policy)
  if (accept === 'text/plain' || !policy) return null
  const record = { ...opened, log: ledger.log }
  if (accept === 'application/ld+json')
    return { contentType: accept, extension: 'jsonld', body: toJsonld(record, { policy, publicUrl }) }
  const body = toKantara(record, { policy, publicUrl })
  if (!body) throw new Refusal('not-acceptable', 'a Kantara Consent Receipt can’t say that nothing was granted')
  return { contentType: accept, extension: 'kantara.json', body }
}

interface Standard {
  readonly contentType: string
  readonly extension: string
  readonly body: object
}

/** The first is for who doesn't say. */
const TYPES = ['text/plain', 'application/ld+json', 'application/json']

export function receiptRoutes(app: OpenAPIHono<KeyEnv>, sites: Sites, publicUrl: string, now: () => number): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param')
    const site = siteOf(sites, c.req.valid('query').site)
    refuseOrigin(site, c.req.header('origin'))
    const account = await readAccount(c, site.accountKeys, site.name, now())
    const secret = shownSecret(c)
    const own = await findOwn(site, id, secret === null ? null : subjectOf(site.name, secret), account)
    // Of what was erased nobody knows any more whose it was, so that its owner is told no more than a stranger.
    if (!own) throw new Refusal('not-found', 'nothing was recorded under this id by who asks')
    const { ledger, opened } = own
    const accept = accepts(c, { header: 'Accept', supports: TYPES, default: TYPES[0]! })
    const standard = standardOf(accept, own, site, publicUrl)
    if (standard) {
      return c.json(standard.body, 200, {
        'Content-Type': standard.contentType,
        'Content-Disposition': `attachment; filename="avow-receipt-${id}.${standard.extension}"`,
        'Cache-Control': 'no-store',
      })
    }
    // By now witnesses may have cosigned what the receipt that came with the answer could not wait for.
    const head = await provingHead(site, ledger, opened.index + 1)
    if (head.size <= opened.index)
      throw new UnavailableError(`entry ${opened.index} of ${ledger.log} is not published yet`)
    return c.text(formatProofFile(await receiptOf(ledger, head, opened, account)), 200, {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Disposition': `attachment; filename="avow-receipt-${id}.tlog-proof"`,
      'Cache-Control': 'no-store',
    })
  })
}
