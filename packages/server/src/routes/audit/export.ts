/** All records that match, as one stream in one of four formats; and what that stream is, for whoever checks what arrived. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { FORMAT_NAMES, FORMATS } from '../../consent/exports/formats.js'
import { uuidv7 } from '../../consent/record.js'
import { filterFields, toFilter } from '../../consent/record-filter.js'
import type { Ledger } from '../../ledger/ledger.js'
import type { Door, KeyEnv } from '../../middleware/api-key.js'
import { accountHeader, readSubjectAccount } from '../../middleware/subject-account.js'
import type { Outside } from '../../outsiders.js'
import { InputError } from '../../problem.js'
import { json, problems, REFUSED, SECURITY } from '../openapi.js'
import { type LinkedRecord, type Site, type Sites, siteOf } from '../site.js'
import { ledgerOf, logName } from './chosen-log.js'
import { encodeCursor, parseCursor } from './cursor.js'
import { createTally, Digest, exportText, type Tally, toBody } from './export-stream.js'
import { type Pages, pagesOf } from './record-pages.js'

/** Records that are read and written in one go: some eighty kilobytes. */
const PAGE = 128

/** The same while consents are recorded: each of their steps may have to wait for a page. */
const BUSY_PAGE = 32

/** How long an export waits then after each page. */
const GIVE_WAY_MS = 10

/** Pages between two line breaks in front of a manifest. */
const HEARTBEAT = 64

const refusals = problems(...REFUSED, 'invalid-input', 'not-found', 'rate-limited', 'unavailable')

const question = {
  ...filterFields,
  order: filterFields.order.unwrap().default('oldest'),
  log: logName,
  format: z.enum(FORMAT_NAMES).default('ndjson'),
  cursor: z
    .string()
    .max(64)
    .optional()
    .openapi({ description: 'what `Avow-Cursor` said of an export: the same question, of the log as it stood then' }),
} as const

const exportQuery = z.strictObject({
  ...question,
  after: z
    .union([uuidv7, z.string().regex(/^\d{1,15}$/)], { error: 'the id or the index of a record' })
    .optional()
    .openapi({
      description: 'to go on after the last whole record that arrived, by its id or its index; needs `cursor`',
    }),
})

const manifestQuery = z.strictObject(question)

type Question = z.infer<typeof manifestQuery> & { after?: string | undefined }

const manifestSchema = z
  .strictObject({
    format: z.literal('avow-export@v1'),
    site: z.string(),
    log: z.strictObject({ name: z.string(), size: z.int(), checkpoint: z.string() }),
    vkey: z.string(),
    madeAt: z.string(),
    as: z.enum(FORMAT_NAMES),
    filters: z.record(z.string(), z.string()),
    records: z.int(),
    leftOut: z.strictObject({ unlinked: z.int(), erased: z.int(), denials: z.int() }),
    bytes: z.int(),
    sha256: z.string(),
  })
  .openapi('ExportManifest')

const MANIFEST_EXAMPLE: z.input<typeof manifestSchema> = {
  format: 'avow-export@v1',
  site: 'shop',
  log: { name: 'shop', size: 1042, checkpoint: 'dash.example/_avow/log/shop\n1042\n…\n\n— …\n' },
  vkey: 'dash.example/_avow/log/shop+c638f466+AZPG…',
  madeAt: '2026-11-26T18:30:00.000Z',
  as: 'csv',
  filters: { denied: 'analytics', from: '2026-11-01T00:00:00Z', order: 'oldest' },
  records: 127,
  leftOut: { unlinked: 2, erased: 1, denials: 0 },
  bytes: 61302,
  sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
}

interface Asked {
  readonly site: Site
  readonly ledger: Ledger
  readonly account: string | null
  readonly question: Question
  readonly source: Pages
  /** Of the log as it stands for this export, for whoever asks on. */
  readonly cursor: string
  /** Counts while it is written. */
  readonly tally: Tally
  readonly text: (leave: KeyEnv['Variables']['leave']) => AsyncGenerator<string>
}

export function exportRoutes(
  app: OpenAPIHono<KeyEnv>,
  sites: Sites,
  door: Door,
  publicUrl: string,
  now: () => number,
  later: Outside['later'],
): void {
  const ask = async (c: Context<KeyEnv>, question: Question): Promise<Asked> => {
    const { format, log, cursor = null, after = null, ...filters } = question
    const caller = c.get('caller')
    const site = siteOf(sites, caller.site)
    const ledger = ledgerOf(site, log)
    const account = readSubjectAccount(c)
    const filter = toFilter(filters, account, site.book)
    const bound = ['export', caller.kind, caller.id, ledger.log, filter, format]
    const size = cursor === null ? null : parseCursor(cursor, bound, site.blind.cursor).size
    if (after !== null && size === null)
      throw new InputError('after', 'a cursor beside it: what Avow-Cursor said of the export to go on with')
    const index = after === null ? null : await indexOf(site, ledger, after)
    const start = size === null ? null : { size, index }
    const { limit, giveWay } = besideConsents(site.ledger)
    const source = await pagesOf(site, ledger, filter, { cursor: null, start, limit, caller })
    const tally = createTally()
    return {
      ...{ site, ledger, account, question, source, tally },
      cursor: encodeCursor({ size: source.log.size, index: 0 }, bound, site.blind.cursor),
      text: (leave) =>
        exportText(
          {
            pages: source.pages(),
            publishedOf: (record) => ({ policy: policyOf(site, record), publicUrl }),
            format: FORMATS[format],
            isBeginning: index === null,
            leave,
            giveWay,
          },
          tally,
        ),
    }
  }

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/export',
      tags: ['privacy team'],
      summary: 'All records that match, with both parts opened, as a stream',
      description:
        'NDJSON, CSV (RFC 4180), JSON-LD after ISO/IEC TS 27560 or Kantara 1.1, a line each; of the log as it stood when this was asked for. `Avow-Cursor` in the answer, with the last whole line that arrived, goes on with an export that broke off; it does so, too, where its key ends meanwhile, and where nobody reads on for five minutes. Records that are linked to nobody are left out, and of Kantara those that grant nothing: the manifest counts them.',
      security: SECURITY,
      middleware: door('audit:export'),
      request: { query: exportQuery, headers: accountHeader },
      responses: {
        200: {
          description: 'the records; an answer that breaks off has no end in its transfer coding',
          headers: z.object({
            'avow-cursor': z.string().openapi({ description: 'for `cursor`, to go on or to ask for the manifest' }),
            'avow-log-size': z.string().openapi({ description: 'entries of the log that were looked through' }),
          }),
          content: {
            'application/x-ndjson': {
              schema: z.string(),
              example: '{"log":"shop","index":3,"id":"018f…","action":"save",…}\n',
            },
            'text/csv': { schema: z.string(), example: 'log,index,id,subject,account,…\r\nshop,3,018f…\r\n' },
          },
        },
        ...refusals,
      },
    }),
    async (c) => {
      const { cursor, source, tally, text, ledger, question } = await ask(c, c.req.valid('query'))
      const { contentType, extension } = FORMATS[question.format]
      const headers = {
        'content-type': contentType,
        'content-disposition': `attachment; filename="records-${ledger.log}-${source.log.size}.${extension}"`,
        'avow-cursor': cursor,
        'avow-log-size': String(source.log.size),
      }
      if (c.req.method === 'HEAD') {
        c.set('rows', 0)
        return c.body(null, 200, headers)
      }
      let ended = () => {}
      const rows = new Promise<void>((resolve) => {
        ended = resolve
      })
      c.set(
        'rows',
        rows.then(() => tally.records),
      )
      return c.body(toBody(text(c.get('leave')), later, ended), 200, headers)
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit/export/manifest',
      tags: ['privacy team'],
      summary: 'What an export is: SHA-256 of its bytes, how many records it has, and what it leaves out',
      description:
        'Made by going through the same records once more. With the `cursor` of an export it is of that one, however often it broke off. It differs from what arrived if records were erased since, and then what arrived holds what should be gone. While it is being made, line breaks come in front of it.',
      security: SECURITY,
      middleware: door('audit:export'),
      request: { query: manifestQuery, headers: accountHeader },
      responses: { 200: json(manifestSchema, 'the manifest', MANIFEST_EXAMPLE), ...refusals },
    }),
    async (c) => {
      const asked = await ask(c, c.req.valid('query'))
      const headers = { 'content-type': 'application/json' }
      if (c.req.method === 'HEAD') return c.body(null, 200, headers) as never
      // Of a long export it takes minutes, and whoever waits gives up on an answer that doesn't begin.
      return c.body(
        toBody(manifestText(asked, c.get('leave'), now), later, () => {}),
        200,
        headers,
      ) as never
    },
  )
}

/** Line breaks while it lasts, then the manifest. */
async function* manifestText(
  asked: Asked,
  leave: KeyEnv['Variables']['leave'],
  now: () => number,
): AsyncGenerator<string> {
  const digest = new Digest()
  let lines = 0
  for await (const piece of asked.text(() => leave(0))) {
    digest.add(piece)
    if (++lines % HEARTBEAT === 0) yield '\n'
  }
  yield `${JSON.stringify(await manifestOf(asked, digest, now()))}\n`
}

async function manifestOf(asked: Asked, digest: Digest, now: number): Promise<z.infer<typeof manifestSchema>> {
  const { site, ledger, account, question, source, tally } = asked
  const { format, log: _, cursor: _1, after: _2, ...filters } = question
  const { unlinked, erased } = await source.leftOut()
  return {
    format: 'avow-export@v1',
    site: site.name,
    log: { name: ledger.log, ...source.log },
    vkey: ledger.vkey,
    madeAt: new Date(now).toISOString(),
    as: format,
    filters: told({ ...filters, account }),
    records: tally.records,
    leftOut: { unlinked, erased, denials: tally.denials },
    ...digest.result(),
  }
}

/** Whoever submits a consent is waiting for it; whoever exports is not. */
function besideConsents(ledger: Ledger) {
  let { size } = ledger.head
  let isBusy = false
  return {
    limit: () => (isBusy ? BUSY_PAGE : PAGE),
    /** To be called after each page. */
    async giveWay(): Promise<void> {
      await new Promise<void>((resume) => setImmediate(resume))
      isBusy = ledger.head.size > size
      size = ledger.head.size
      if (isBusy) await new Promise<void>((resume) => setTimeout(resume, GIVE_WAY_MS))
    },
  }
}

const told = (filters: Readonly<Record<string, string | null | undefined>>): Record<string, string> =>
  Object.fromEntries(Object.entries(filters).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))

/** Where a record stands that arrived, by what a line of it says. */
async function indexOf(site: Site, ledger: Ledger, after: string): Promise<number> {
  const index = /^\d+$/.test(after) ? Number(after) : await ledger.find(site.blind.submission(after))
  if (index === null)
    throw new InputError('after', 'a record of this log that was not erased since; if it was, make the export anew')
  return index
}

function policyOf({ book, name }: Site, { evidence, index }: LinkedRecord) {
  const policy = book.find(evidence.policy)
  if (!policy) throw new Error(`record ${index} of ${name} cites a policy that was never published`)
  return policy
}
