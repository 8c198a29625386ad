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

/** What a bundle proves. */
export interface Verified {
  /** Size of the log that the checkpoint signs. */
  readonly size: number
  readonly origin: string
  readonly subject: string
  /** The consents whose evidence is still there, in the order of the log. */
  readonly records: readonly VerifiedRecord[]
  /** Records with a part that a proven tombstone says was erased. */
  readonly erased: number
  readonly policies: number
  readonly notices: number
}

export interface VerifiedRecord {
  readonly index: number
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
    subject: parseText,
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
  const seen = new Set<number>()
  const records: VerifiedRecord[] = []
  for (const record of bundle.records) {
    const where = `record ${record.index}`
    if (seen.has(record.index)) throw new VerificationError(`${where} is there twice`)
    seen.add(record.index)
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
    requirePublished(policies, evidence.policy, record.index, `${where}: policy ${evidence.policy.version}`)
    requirePublished(notices, evidence.notice, record.index, `${where}: notice in ${evidence.notice.language}`)
    records.push(toVerified(record.index, evidence))
  }
  return {
    size: head.size,
    origin: head.origin,
    subject: bundle.subject,
    records: records.sort((a, b) => a.index - b.index),
    erased: bundle.records.filter(({ evidence, identity }) => !evidence || !identity).length,
    policies: policies.length,
    notices: notices.length,
  }
}

function verifyPolicy(policy: Bundle['policies'][number], head: Checkpoint) {
  const { version, hash, document, index, proof } = policy
  const where = `policy ${version}`
  requireHash(document, hash, where)
  if (document.version !== version) throw new VerificationError(`${where} is of another version`)
  requireLogged(leafHash(entryOf({ type: 'policy', v: 1, hash, version }, where)), index, proof, head, where)
  return { index, hash, version }
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
  return { index, hash, language }
}

/**
 * By the index of a record, the gravest grade of erasure that is proven for it. A tombstone may stand for a record of an
 * earlier log, which it names: it excuses nothing that is missing of this one.
 */
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
    if (Object.hasOwn(body, 'log')) {
      if (parseText(body.log, `${where}: log`) === head.origin)
        throw new VerificationError(`${where} names its own log`)
      continue
    }
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

/** A consent to words that were not published yet would be no consent to them. */
function requirePublished<T extends object>(
  published: readonly (T & { readonly index: number })[],
  cited: T,
  before: number,
  where: string,
): void {
  const same = published.filter((document) =>
    Object.entries(cited).every(([name, value]) => document[name as keyof T] === value),
  )
  if (same.length === 0) throw new VerificationError(`${where} is cited, but not in the bundle`)
  if (!same.some(({ index }) => index < before))
    throw new VerificationError(`${where} was logged after the consent to it`)
}

function entryOf(entry: Parameters<typeof encodeEntry>[0], where: string): Uint8Array {
  try {
    return encodeEntry(entry)
  } catch {
    // No log holds an entry with such fields.
    throw new VerificationError(`${where} is nothing that a log may hold`)
  }
}

function toVerified(index: number, { recordedAt, decidedAt, action, choices, policy }: EvidencePart): VerifiedRecord {
  return { index, recordedAt, decidedAt, action, choices, policyVersion: policy.version }
}
