/**
 * `avow export URL --format csv --out FILE`: fetches all records that match into a file, with its manifest beside. What broke
 * off is gone on with, by itself and by running the same again. FILE is there only once it is whole and agrees with the
 * manifest. Exit 0 for that; 1 if it is refused, or does not agree; 2 if it broke off.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
} from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { FORMAT_NAMES, type FormatName } from '../consent/exports/formats.js'
import { InputError } from '../problem.js'
import { replaceFile, syncFolder, writeWhole } from '../storage/durable-file.js'
import { realWeb, reasonOf, type Web } from './log-source.js'
import { showProgress } from './progress.js'

/** How often no further row may arrive, one time after the other. */
const TRIES = 5
const WAIT_MS = 2000
const WAIT_LIMIT_S = 120

/** A manifest has some kilobytes, and a line break in front for some thousands of records. */
const MANIFEST_LIMIT = 1 << 20

/** What the server's own filters are called; it says what is wrong with a value. */
const FILTERS = [
  ...['subject', 'action', 'granted', 'denied', 'version', 'language', 'layer', 'gpc', 'from', 'to', 'order', 'log'],
] as const

/** What is asked for: the same words ask for the same export. */
interface Question {
  readonly url: string
  readonly format: FormatName
  readonly filters: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
}

/** Kept beside what arrived so far. */
interface Begun {
  readonly question: Question
  readonly cursor: string
  /** Entries of the log as it stood. */
  readonly size: number
}

/** The answer broke off, or none came. */
class BrokenOffError extends Error {
  override name = 'BrokenOffError'
}

export async function exportRecords(args: string[], web: Web = realWeb(), print = console.error): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      format: { type: 'string' },
      out: { type: 'string' },
      site: { type: 'string' },
      reason: { type: 'string' },
      account: { type: 'string' },
      ...(Object.fromEntries(FILTERS.map((name) => [name, { type: 'string' }])) as Record<string, { type: 'string' }>),
    },
  })
  const given = values as Readonly<Record<string, string | undefined>>
  const [url, ...rest] = positionals
  const { out } = given
  if (!url || rest.length > 0 || !/^https?:\/\//.test(url))
    throw new InputError('URL', 'the address of the private surface, https://privacy.example')
  if (!out) throw new InputError('--out', 'the file to write')
  const files = { out, part: `${out}.part`, begun: `${out}.part.json`, manifest: `${out}.manifest.json` }
  // What was begun has a part, and perhaps a manifest; else these are somebody else's.
  const taken = existsSync(files.begun) ? [out] : [out, files.part, files.manifest]
  for (const file of taken)
    if (existsSync(file)) throw new InputError('--out', `a file that is not there yet: ${file} is`)
  if (!web.apiKey) throw new InputError('AVOW_API_KEY', 'an API key with audit:export')
  const format = FORMAT_NAMES.find((name) => name === given.format)
  if (!format) throw new InputError('--format', `one of ${FORMAT_NAMES.join(', ')}`)
  const question = { url: url.replace(/\/$/, ''), format, filters: pick(given, FILTERS), headers: headersOf(given) }
  const begun = await fetchAll(question, files, web, print)
  const said = begun && (await fetchManifest(begun, web, print))
  if (!said) {
    print(`broke off: what arrived is in ${files.part}; run the same again to go on`)
    return 2
  }
  const { sha256, bytes } = await digestOf(files.part)
  if (said.sha256 !== sha256 || said.bytes !== bytes) {
    print(
      `does not agree: ${files.part} has ${bytes} bytes with the SHA-256 ${sha256}, and the server says ${said.bytes} and ${said.sha256}. ` +
        'Records were erased since, or the file was changed. Remove it and export anew',
    )
    return 1
  }
  placeManifest(files, said)
  syncFile(files.part)
  // Last: a file under this name is whole.
  placeFile(files.part, out)
  rmSync(files.begun, { force: true })
  syncFolder(path.dirname(out))
  print(`${said.records} records in ${out}, ${bytes} bytes, SHA-256 ${sha256}`)
  return 0
}

/** Gives a file its name, which must not be taken: somebody else's work may have appeared under it since this began. */
function placeFile(draft: string, file: string): void {
  try {
    linkSync(draft, file)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' || existsSync(file)) throw appeared(file)
    if (code === undefined || !NO_LINKS.includes(code)) throw error
    // Nothing better is to be had there.
    renameSync(draft, file)
  }
  rmSync(draft, { force: true })
}

/** What file systems without hard links say, such as those of most memory sticks. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']

const appeared = (file: string) =>
  new InputError('--out', `no other file under ${file}, which appeared meanwhile: move it away and run the same again`)

/** One that a run before has left says the same of the same bytes, and stays. */
function placeManifest({ manifest }: Files, said: Manifest): void {
  if (existsSync(manifest)) {
    if (sha256In(readFileSync(manifest, 'utf8')) === said.sha256) return
    throw appeared(manifest)
  }
  const draft = `${manifest}.new`
  replaceFile(draft, `${JSON.stringify(said, null, 2)}\n`)
  placeFile(draft, manifest)
}

/** Null for what is no manifest. */
function sha256In(text: string): string | null {
  try {
    return parseManifest(text).sha256
  } catch {
    // Somebody else's file.
    return null
  }
}

type Files = Readonly<Record<'out' | 'part' | 'begun' | 'manifest', string>>

/** Resolves once all has arrived; to null if it broke off too often. Rejects for what the server refuses. */
async function fetchAll(
  question: Question,
  files: Files,
  web: Web,
  print: (line: string) => void,
): Promise<Begun | null> {
  let begun = readBegun(question, files)
  const progress = showProgress('exporting')
  let had = 0
  for (let tries = 0; tries < TRIES; ) {
    const last = begun ? await lastRow(files.part, question.format) : null
    if (begun && !last) truncateSync(files.part, 0)
    // What arrives and is cut off again, or begins anew, is no way forward.
    if (last && last.rows > had) tries = 0
    had = last?.rows ?? 0
    try {
      const more = begun && { cursor: begun.cursor, ...(last ? { after: last.id } : {}) }
      const response = await ask(`/v1/audit/export`, question, more ?? {}, web)
      // A proxy's page, which is no part of the file. It may be gone the next time.
      if (begun && response.headers.get('avow-cursor') === null)
        throw new BrokenOffError(`what answers at ${question.url} is not the private surface of a server`)
      begun ??= begin(question, files, response)
      const { size } = begun
      let rows = last?.rows ?? 0
      for await (const bytes of bodyOf(response)) {
        append(files.part, bytes)
        for (const byte of bytes) if (byte === 0x0a) rows++
        progress(Math.min(rows, size - 1), size)
      }
      progress(size, size)
      return begun
    } catch (error) {
      // Refused, or the disk is full: not for asking again.
      if (!(error instanceof BrokenOffError)) throw error
      tries++
      print(`broke off: ${error.message}`)
      if (tries < TRIES) await web.wait(WAIT_MS * tries)
    }
  }
  return null
}

/** What was begun before, if it was the same question. */
function readBegun(question: Question, files: Files): Begun | null {
  if (!existsSync(files.begun) || !existsSync(files.part)) return null
  const begun = parseBegun(readFileSync(files.begun, 'utf8'))
  if (!begun)
    throw new InputError(
      '--out',
      `a file to go on with: ${files.begun} can’t be read; remove it and ${files.part}, and run the same again to begin anew`,
    )
  if (JSON.stringify(begun.question) !== JSON.stringify(question))
    throw new InputError(
      '--out',
      `another file: ${files.part} is part of another export; remove it and ${files.begun} if not`,
    )
  return begun
}

/** Null for what is damaged. */
function parseBegun(text: string): Begun | null {
  try {
    const begun = JSON.parse(text) as Begun
    return typeof begun.cursor === 'string' && Number.isSafeInteger(begun.size) ? begun : null
  } catch {
    // Half of it, or somebody else's.
    return null
  }
}

/** Before the first byte: a part of nobody knows what can't be gone on with. */
function begin(question: Question, { begun, part }: Files, { headers }: Response): Begun {
  const cursor = headers.get('avow-cursor')
  const size = Number(headers.get('avow-log-size'))
  if (!cursor || !Number.isSafeInteger(size)) throw new Error(`${question.url} is not the private surface of a server`)
  closeSync(openSync(part, 'w', 0o600))
  replaceFile(begun, JSON.stringify({ question, cursor, size }))
  return { question, cursor, size }
}

interface Manifest {
  readonly sha256: string
  readonly bytes: number
  readonly records: number
}

/** Resolves to null if it broke off too often. Rejects for what the server refuses, and for what is no manifest. */
async function fetchManifest(
  { question, cursor }: Begun,
  web: Web,
  print: (line: string) => void,
): Promise<Manifest | null> {
  for (let tries = 1; ; tries++) {
    try {
      return parseManifest(await textOf(await ask('/v1/audit/export/manifest', question, { cursor }, web)))
    } catch (error) {
      if (!(error instanceof BrokenOffError)) throw error
      print(`broke off: ${error.message}`)
      if (tries === TRIES) return null
      await web.wait(WAIT_MS * tries)
    }
  }
}

async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const bytes of bodyOf(response)) {
    parts.push(bytes)
    size += bytes.length
    if (size > MANIFEST_LIMIT) throw new Error('the manifest does not end')
  }
  return Buffer.concat(parts).toString('utf8')
}

/** What is compared; the rest is kept as the server says it. */
function parseManifest(text: string): Manifest {
  try {
    const said = JSON.parse(text) as Manifest
    if (said.sha256 && said.bytes >= 0 && said.records >= 0) return said
  } catch {
    // A page of a proxy, or half of one.
  }
  throw new Error('what came in place of the manifest is none')
}

/** Rejects with `BrokenOffError` where it may go better the next time. */
async function ask(route: string, question: Question, more: Record<string, string>, web: Web): Promise<Response> {
  const { url, format, filters, headers } = question
  const query = new URLSearchParams({ format, ...filters, ...more })
  let response: Response
  try {
    response = await web.fetch(`${url}${route}?${query}`, {
      headers: { ...headers, authorization: `Bearer ${web.apiKey}` },
    })
  } catch (error) {
    throw new BrokenOffError(reasonOf(error))
  }
  if (response.ok) return response
  const said = await response.text()
  if (response.status === 429 || response.status >= 500) {
    const seconds = Number(response.headers.get('retry-after') ?? 0)
    if (seconds > 0 && seconds <= WAIT_LIMIT_S) await web.wait(seconds * 1000)
    throw new BrokenOffError(`the server answered ${response.status}`)
  }
  throw new Error(`refused: ${detailOf(said) ?? `the server answered ${response.status}`}`)
}

/** What a problem says (RFC 9457); null for what is none. */
function detailOf(text: string): string | null {
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown }
    return typeof code === 'string' && typeof detail === 'string' ? `${code}: ${detail}` : null
  } catch {
    // A proxy's page: its status says more.
    return null
  }
}

async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader()
  if (!reader) return
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      throw new BrokenOffError(reasonOf(error))
    })
    if (done) return
    yield value
  }
}

function append(file: string, bytes: Uint8Array): void {
  const descriptor = openSync(file, 'a', 0o600)
  try {
    writeWhole(descriptor, bytes, null)
  } finally {
    closeSync(descriptor)
  }
}

function syncFile(file: string): void {
  const descriptor = openSync(file, 'r+')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** The last whole row of a file, by what it can be gone on from; what comes behind it is cut off. Null where there is none. */
async function lastRow(file: string, format: FormatName): Promise<{ id: string; rows: number } | null> {
  const isCsv = format === 'csv'
  let [at, start, end, rows, isQuoted] = [0, 0, 0, 0, false]
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    for (const byte of chunk) {
      at++
      // In a value of CSV a line break is none: an odd number of quotes came before.
      if (isCsv && byte === 0x22) isQuoted = !isQuoted
      if (byte !== 0x0a || isQuoted) continue
      ;[start, end] = [end, at]
      rows++
    }
  }
  truncateSync(file, end)
  const heads = isCsv ? 1 : 0
  if (rows <= heads) return null
  let row = ''
  for await (const piece of createReadStream(file, { start, end: end - 1, encoding: 'utf8' })) row += piece
  return { id: isCsv ? row.split(',')[1]! : idOf(JSON.parse(row)), rows: rows - heads }
}

function idOf(row: Readonly<Record<string, unknown>>): string {
  return String(row.index ?? row['dct:identifier'] ?? row.consentReceiptID)
}

async function digestOf(file: string): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { sha256: hash.digest('hex'), bytes }
}

function headersOf({ site, reason, account }: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return {
    ...(site === undefined ? {} : { 'avow-site': site }),
    ...(reason === undefined ? {} : { 'avow-reason': encodeURIComponent(reason) }),
    ...(account === undefined ? {} : { 'avow-subject-account': encodeURIComponent(account) }),
  }
}

const pick = (given: Readonly<Record<string, string | undefined>>, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = given[name]
      return value === undefined ? [] : [[name, value] as const]
    }),
  )
