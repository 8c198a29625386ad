/** Verifies an evidence bundle with nothing but a public key: no network, no clock, no database; in Node and in a browser. */
import { encodeBase64url } from '../ledger/base64.js'
import type { Checkpoint } from '../ledger/checkpoint.js'
import { encodeEntry, jcs } from '../ledger/entry.js'
import { sha256 } from '../merkle/hash.js'
import { verifyInclusion } from '../merkle/proof.js'
import { leafHash } from '../merkle/tree.js'
import { VerificationError } from '../merkle/verification-error.js'
import { NOT_PROVED } from './limits.js'
import { openWitnessed, type WitnessPolicy } from './policy.js'
import { canonical, type EvidencePart, OPENING, openRecord, readEntry, requireCommitted } from './record.js'
import {
  type Parse,
  parseFields,
  parseIndex,
  parseList,
  parseObject,
  parseProof,
  parseRecord,
  parseSecret,
  parseText,
  parseTime,
} from './shape.js'

export { VerificationError } from '../merkle/verification-error.js'
/** What a bundle that came as text is parsed with: two fields of one name would be read as the one or the other. */
export { parseUniqueJson } from './unique-keys.js'

/** What a bundle proves. */
export interface Verified {
  /** Size of the log that the checkpoint signs. */
  readonly size: number
  readonly origin: string
  readonly subject: string
  /** The consents whose evidence is still there, in the order of the log: of the subject, but for those that aren't linked. */
  readonly records: readonly VerifiedRecord[]
  /** Records that are proved to be of the subject. */
  readonly linked: number
  /** Records whose identity was erased: nothing proves whose they are. */
  readonly unlinked: number
  /** Records with a part that a proven tombstone says was erased. */
  readonly erased: number
  readonly policies: number
  readonly notices: number
}

export interface VerifiedRecord {
  readonly index: number
  /** Whether it is proved to be of the bundle's subject. */
  readonly isLinked: boolean
  /** The operator's word, which no proof can better. */
  readonly recordedAt: string
  readonly decidedAt: string
  readonly action: string
  readonly choices: Readonly<Record<string, boolean>>
  readonly policyVersion: string
}

const parseRecordOf = (value: unknown, where: string) =>
  parseObject(value, where, { index: parseIndex, ...OPENING, proof: parseProof })

const parsePolicy = (value: unknown, where: string) =>
  parseObject(value, where, {
    version: parseText,
    hash: parseText,
    document: parseRecord,
    index: parseIndex,
    proof: parseProof,
  })

const parseNotice = (value: unknown, where: string) =>
  parseObject(value, where, {
    hash: parseText,
    language: parseText,
    document: parseRecord,
    index: parseIndex,
    proof: parseProof,
  })

const parseTombstone = (value: unknown, where: string) =>
  parseObject(value, where, {
    index: parseIndex,
    entry: parseText,
    body: parseRecord,
    secret: parseSecret,
    proof: parseProof,
  })

/** Text of another form names nobody, and would be printed as if it did. */
const parseSubject: Parse<string> = (value, where) => {
  const subject = parseText(value, where)
  if (!/^[\w-]{43}$/.test(subject)) throw new VerificationError(`${where} is not 43 characters of base64url`)
  return subject
}

const listOf =
  <T>(parse: Parse<T>): Parse<T[]> =>
  (value, where) =>
    parseList(value, where, parse)

/** The words are the format's own: others would read as if they had been checked. Bundles of earlier releases have none. */
const parseLimits: Parse<string[]> = (value, where) => {
  const said = parseList(value, where, parseText)
  if (said.length !== NOT_PROVED.length || said.some((words, at) => words !== NOT_PROVED[at]))
    throw new VerificationError(`${where} is not what every bundle says`)
  return said
}

const parseBundle = (value: unknown) =>
  parseObject({ notProved: NOT_PROVED, ...parseRecord(value, 'bundle') }, 'bundle', {
    format: parseText,
    vkey: parseText,
    subject: parseSubject,
    asOf: parseTime,
    notProved: parseLimits,
    checkpoint: parseText,
    records: listOf(parseRecordOf),
    policies: listOf(parsePolicy),
    notices: listOf(parseNotice),
    tombstones: listOf(parseTombstone),
  })

type Bundle = ReturnType<typeof parseBundle>

/**
 * Checks everything that a bundle claims against the log whose key is given, and says what it proves. The key inside
 * the bundle is never trusted: whoever could alter the bundle could have put it there. `policy`: whose cosignatures the
 * checkpoint needs besides; nobody's, if left out.
 */
export function verifyBundle(input: unknown, vkey: string, policy: WitnessPolicy | null = null): Verified {
  const bundle = parseBundle(input)
  if (bundle.format !== 'avow-evidence@v1') throw new VerificationError('this is not an evidence bundle of version 1')
  const head = openWitnessed(bundle.checkpoint, vkey, policy)
  // Nothing rests on it, but a reader of the file would believe it.
  if (bundle.vkey !== vkey) throw new VerificationError('bundle names another key than the one given')
  const policies = bundle.policies.map((policy) => verifyPolicy(policy, head))
  const notices = bundle.notices.map((notice) => verifyNotice(notice, head))
  const erasures = verifyTombstones(bundle, head)
  const cited = new Set<object>()
  const records: VerifiedRecord[] = []
  for (const record of bundle.records) {
    const where = `record ${record.index}`
    const { leaf, evidence, identity } = openRecord(record, where)
    requireLogged(leaf, record.index, record.proof, head, where)
    // Without this, leaving a part out would look the same as having had to erase it.
    const grade = erasures.get(record.index)
    if (!evidence && grade !== 'erase')
      throw new VerificationError(`${where}: evidence is missing, and no tombstone says why`)
    if (!identity && !grade) throw new VerificationError(`${where}: identity is missing, and no tombstone says why`)
    if (identity && identity.subject !== bundle.subject)
      throw new VerificationError(`${where} is about another subject`)
    if (!evidence) continue
    for (const document of [
      ...publishedBefore(policies, evidence.policy, record.index, `${where}: policy ${evidence.policy.version}`),
      ...publishedBefore(notices, evidence.notice, record.index, `${where}: notice in ${evidence.notice.language}`),
    ])
      cited.add(document)
    records.push(toVerified(record.index, evidence, identity !== null))
  }
  const linked = bundle.records.filter(({ identity }) => identity).length
  if (linked === 0) throw new VerificationError('no record in the bundle is proved to be of its subject')
  requireNothingElse(bundle, [...policies, ...notices], cited, erasures)
  requireOrder(bundle)
  // Nothing signs it, but it can't have been before what it holds.
  const early = records.find(({ recordedAt }) => Date.parse(recordedAt) > Date.parse(bundle.asOf))
  if (early) throw new VerificationError(`bundle: asOf is before record ${early.index} was recorded`)
  return {
    size: head.size,
    origin: head.origin,
    subject: bundle.subject,
    records,
    linked,
    unlinked: bundle.records.length - linked,
    erased: bundle.records.filter(({ evidence, identity }) => !evidence || !identity).length,
    policies: policies.length,
    notices: notices.length,
  }
}

/** What no record needs is true of the log, and yet shown as if it belonged to this person. */
function requireNothingElse(
  { records }: Bundle,
  documents: readonly { readonly index: number; readonly where: string }[],
  cited: ReadonlySet<object>,
  erasures: ReadonlyMap<number, unknown>,
): void {
  const uncited = documents.find((document) => !cited.has(document))
  if (uncited) throw new VerificationError(`${uncited.where} is cited by no record in the bundle`)
  const own = new Set(records.map(({ index }) => index))
  const foreign = [...erasures.keys()].find((index) => !own.has(index))
  if (foreign !== undefined)
    throw new VerificationError(`a tombstone is about entry ${foreign}, which is no record in the bundle`)
}

/** Each entry once, and as the log has them: a reader takes what stands last for what was said last. */
function requireOrder({ records, policies, notices, tombstones }: Bundle): void {
  const seen = new Set<number>()
  for (const [name, list] of Object.entries({ records, policies, notices, tombstones })) {
    let last = -1
    for (const { index } of list) {
      if (seen.has(index)) throw new VerificationError(`entry ${index} is in the bundle twice`)
      seen.add(index)
      if (index < last) throw new VerificationError(`${name} are not in the order of the log`)
      last = index
    }
  }
}

function verifyPolicy(policy: Bundle['policies'][number], head: Checkpoint) {
  const { version, hash, document, index, proof } = policy
  const where = `policy ${version}`
  requireHash(document, hash, where)
  if (document.version !== version) throw new VerificationError(`${where} is of another version`)
  requireLogged(leafHash(entryOf({ type: 'policy', v: 1, hash, version }, where)), index, proof, head, where)
  return { where, index, cited: { version, hash } }
}

function verifyNotice(notice: Bundle['notices'][number], head: Checkpoint) {
  const { hash, language, document, index, proof } = notice
  const where = `notice in ${language}`
  // The notice carries its own hash, which can't cover itself.
  const { hash: stated, ...words } = document
  requireHash(words, hash, where)
  if (stated !== hash) throw new VerificationError(`${where} states another hash than its own`)
  if (document.language !== language) throw new VerificationError(`${where} is in another language`)
  const { version } = parseFields(document.policy, `${where}: policy`, { version: parseText, hash: parseText })
  requireLogged(leafHash(entryOf({ type: 'notice', v: 1, hash, language, version }, where)), index, proof, head, where)
  return { where, index, cited: { hash, language } }
}

/** By the index of a record, the gravest grade of erasure that is proven for it. */
function verifyTombstones(bundle: Bundle, head: Checkpoint): Map<number, 'unlink' | 'erase'> {
  const grades = new Map<number, 'unlink' | 'erase'>()
  for (const { index, entry, body, secret, proof } of bundle.tombstones) {
    const where = `tombstone ${index}`
    const bytes = new TextEncoder().encode(entry)
    const parsed = readEntry(bytes, where)
    if (parsed.type !== 'tombstone') throw new VerificationError(`${where} is not a tombstone`)
    requireCommitted('body', body, secret, parsed.body, where)
    requireLogged(leafHash(bytes), index, proof, head, where)
    const erased = parseFields(body, `${where}: body`, { index: parseIndex, grade: parseText })
    if (erased.grade !== 'unlink' && erased.grade !== 'erase')
      throw new VerificationError(`${where} has no known grade`)
    // All records of a bundle are of one log, so that this one is about none of them.
    if (Object.hasOwn(body, 'log')) throw new VerificationError(`${where} is about a record of another log`)
    if (erased.index >= index) throw new VerificationError(`${where} erases what was not there yet`)
    if (grades.get(erased.index) !== 'erase') grades.set(erased.index, erased.grade)
  }
  return grades
}

function requireLogged(leaf: Uint8Array, index: number, proof: Uint8Array[], head: Checkpoint, where: string): void {
  try {
    verifyInclusion(leaf, index, head.size, head.root, proof)
  } catch (error) {
    // Thrown on, with the place: a bundle has many proofs.
    throw new VerificationError(`${where}: ${(error as Error).message}`)
  }
}

function requireHash(document: object, hash: string, where: string): void {
  if (encodeBase64url(sha256(jcs(canonical(document, where)))) !== hash) {
    throw new VerificationError(`${where} is not the document that its hash names`)
  }
}

interface Published<T> {
  readonly where: string
  readonly index: number
  /** As records cite it. */
  readonly cited: T
}

/** What a record cites. A consent to words that were not published yet would be no consent to them. */
function publishedBefore<T extends object>(
  published: readonly Published<T>[],
  named: T,
  before: number,
  where: string,
): Published<T>[] {
  const same = published.filter(({ cited }) =>
    Object.entries(named).every(([name, value]) => cited[name as keyof T] === value),
  )
  if (same.length === 0) throw new VerificationError(`${where} is cited, but not in the bundle`)
  if (!same.some(({ index }) => index < before))
    throw new VerificationError(`${where} was logged after the consent to it`)
  return same
}

function entryOf(entry: Parameters<typeof encodeEntry>[0], where: string): Uint8Array {
  try {
    return encodeEntry(entry)
  } catch {
    // No log holds an entry with such fields.
    throw new VerificationError(`${where} is nothing that a log may hold`)
  }
}

function toVerified(
  index: number,
  { recordedAt, decidedAt, action, choices, policy }: EvidencePart,
  isLinked: boolean,
): VerifiedRecord {
  return { index, isLinked, recordedAt, decidedAt, action, choices, policyVersion: policy.version }
}
