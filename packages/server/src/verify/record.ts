/** One record against its leaf: the entry's bytes, and each part against the commitment in it. Bundles and receipts both do this. */
import { commit, type PartKind } from '../ledger/commitment.js'
import { type Entry, jcs, parseEntry } from '../ledger/entry.js'
import { leafHash } from '../merkle/tree.js'
import { VerificationError } from '../merkle/verification-error.js'
import {
  orNull,
  type Parse,
  parseChoices,
  parseFields,
  parseObject,
  parseRecord,
  parseSecret,
  parseText,
  parseTime,
} from './shape.js'

/** The fields that open a leaf; `entry` is the very text that the tree commits to. */
export const OPENING = {
  entry: parseText,
  evidence: orNull(parseRecord),
  identity: orNull(parseRecord),
  secrets: ((value, where) =>
    parseObject(value, where, {
      evidence: orNull(parseSecret),
      identity: orNull(parseSecret),
    })) satisfies Parse<unknown>,
}

export interface Opening {
  readonly entry: string
  readonly evidence: Readonly<Record<string, unknown>> | null
  readonly identity: Readonly<Record<string, unknown>> | null
  readonly secrets: { readonly evidence: Uint8Array | null; readonly identity: Uint8Array | null }
}

/** What a verified record says; a part is null where it was erased. */
export interface OpenedRecord {
  readonly leaf: Uint8Array
  readonly evidence: EvidencePart | null
  readonly identity: IdentityPart | null
}

const parseEvidence = (value: unknown, where: string) =>
  parseFields(value, where, {
    recordedAt: parseTime,
    decidedAt: parseTime,
    action: parseText,
    choices: parseChoices,
    policy: (policy, at) => parseObject(policy, at, { version: parseText, hash: parseText }),
    notice: (notice, at) => parseObject(notice, at, { hash: parseText, language: parseText }),
  })

const parseIdentity = (value: unknown, where: string) =>
  parseFields(value, where, { id: parseText, subject: parseText })

export type EvidencePart = ReturnType<typeof parseEvidence>
export type IdentityPart = ReturnType<typeof parseIdentity>

/** Checks both parts against the entry. That the entry is in the log is the caller's to check, by the leaf. */
export function openRecord(opening: Opening, where: string): OpenedRecord {
  const bytes = new TextEncoder().encode(opening.entry)
  const entry = readEntry(bytes, where)
  if (entry.type !== 'consent') throw new VerificationError(`${where} is not a consent`)
  requireCommitted('evidence', opening.evidence, opening.secrets.evidence, entry.evidence, where)
  requireCommitted('identity', opening.identity, opening.secrets.identity, entry.identity, where)
  return {
    leaf: leafHash(bytes),
    evidence: opening.evidence && parseEvidence(opening.evidence, `${where}: evidence`),
    identity: opening.identity && parseIdentity(opening.identity, `${where}: identity`),
  }
}

export function readEntry(bytes: Uint8Array, where: string): Entry {
  try {
    return parseEntry(bytes)
  } catch (error) {
    // Thrown on, with the place: a bundle has many entries.
    throw new VerificationError(`${where}: ${(error as Error).message}`)
  }
}

export function requireCommitted(
  kind: PartKind,
  part: Readonly<Record<string, unknown>> | null,
  secret: Uint8Array | null,
  commitment: string,
  where: string,
): void {
  if ((part === null) !== (secret === null)) throw new VerificationError(`${where}: ${kind} comes without its secret`)
  if (part === null || secret === null) return
  if (commit(kind, secret, canonical(part, `${where}: ${kind}`)) !== commitment) {
    throw new VerificationError(`${where}: ${kind} is not what the ledger committed to`)
  }
}

/** Refuses JSON that has no canonical form, such as half a surrogate pair. */
export function canonical<T extends object>(value: T, where: string): T {
  try {
    jcs(value)
  } catch {
    // It can't have been hashed, so nothing that was hashed is this.
    throw new VerificationError(`${where} has no canonical form`)
  }
  return value
}
