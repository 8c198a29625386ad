/** A small log with two consents of one subject, for the tests: made of the same pieces as a real one, so that it verifies, and can be spoilt in one place. */
import { encodeBase64, encodeBase64url } from '../ledger/base64.js'
import { formatCheckpoint } from '../ledger/checkpoint.js'
import { commit } from '../ledger/commitment.js'
import { type Entry, encodeEntry, jcs } from '../ledger/entry.js'
import { formatProofFile } from '../ledger/proof-file.js'
import { randomSecret } from '../ledger/seal.js'
import { createSigner, generateSeed } from '../ledger/signer.js'
import { sha256 } from '../merkle/hash.js'
import { inclusionProof } from '../merkle/proof.js'
import { readerOf } from '../merkle/test-trees.js'
import { leafHash, rootOf } from '../merkle/tree.js'
import { NOT_PROVED } from './limits.js'

export const origin = 'dash.example/log/fr-apiaas'
export const signer = createSigner(origin, generateSeed())
export const subject = encodeBase64url(sha256(new TextEncoder().encode('ann')))

const hashOf = (document: object) => encodeBase64url(sha256(jcs(document)))
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

export const policy = { format: 'avow-policy@v1', version: '2026-04', material: true, name: 'Zürich €' }
export const policyHash = hashOf(policy)
const words = {
  format: 'avow-notice@v1',
  policy: { version: '2026-04', hash: policyHash },
  language: 'en',
  text: 'May we count?',
}
export const notice = { ...words, hash: hashOf(words) }

/** Published in the same log, and never cited by these consents. */
const otherPolicy = { ...policy, version: '2026-09', controller: { name: 'Another Company Ltd' } }
const otherWords = { ...words, language: 'de', text: 'Dürfen wir zählen?' }

const policyEntry: Entry = { type: 'policy', v: 1, hash: policyHash, version: '2026-04' }
const noticeEntry: Entry = { type: 'notice', v: 1, hash: notice.hash, language: 'en', version: '2026-04' }

/** What stands in the log, besides the documents: at most one thing is changed by a test. */
export interface Wish {
  readonly subject?: string
  /** Where in the log the policy and the notice stand: before the consents, unless a test wants otherwise. */
  readonly documentsLast?: boolean
  readonly hasUncited?: boolean
  readonly tombstone?: { grade: string; index: number; log?: unknown }
}

export function testBundle(wish: Wish = {}) {
  const consents = [
    testConsent('accept-all', true, '2026-04-02T10:00:00.000Z', wish.subject ?? subject),
    testConsent('withdraw', false, '2026-05-02T10:00:00.000Z', wish.subject ?? subject),
  ]
  const other = testConsent('accept-all', true, '2026-04-02T11:00:00.000Z', 'somebody-else')
  const body = { at: '2026-06-01T00:00:00Z', ground: 'request', ...(wish.tombstone ?? { grade: 'erase', index: 99 }) }
  const bodySecret = randomSecret()
  const tombstone: Entry = { type: 'tombstone', v: 1, body: commit('body', bodySecret, body) }
  const documents = [policyEntry, noticeEntry]
  const middle = [consents[0]!.entry, other.entry, consents[1]!.entry]
  const otherHashes = { policy: hashOf(otherPolicy), notice: hashOf(otherWords) }
  const otherEntries: Record<'policy' | 'notice', Entry> = {
    policy: { type: 'policy', v: 1, hash: otherHashes.policy, version: '2026-09' },
    notice: { type: 'notice', v: 1, hash: otherHashes.notice, language: 'de', version: '2026-04' },
  }
  const entries = [
    ...(wish.documentsLast ? [...middle, ...documents, tombstone] : [...documents, ...middle, tombstone]),
    ...(wish.hasUncited ? Object.values(otherEntries) : []),
  ]
  const encoded = entries.map(encodeEntry)
  const read = readerOf(encoded.map(leafHash))
  const size = encoded.length
  const checkpoint = signer.sign(formatCheckpoint({ origin, size, root: rootOf(size, read) }))
  const place = (entry: Entry) => {
    const index = entries.indexOf(entry)
    return { index, proof: inclusionProof(index, size, read).map(encodeBase64) }
  }
  const bundle = {
    format: 'avow-evidence@v1',
    vkey: signer.vkey,
    subject,
    asOf: '2026-06-01T00:00:00.000Z',
    notProved: NOT_PROVED,
    checkpoint,
    records: consents.map(({ entry, ...opening }) => ({
      ...place(entry),
      entry: textOf(encodeEntry(entry)),
      ...opening,
    })),
    policies: [{ version: '2026-04', hash: policyHash, document: policy, ...place(policyEntry) }],
    notices: [{ hash: notice.hash, language: 'en', document: notice, ...place(noticeEntry) }],
    tombstones: wish.tombstone
      ? [{ ...place(tombstone), entry: textOf(encodeEntry(tombstone)), body, secret: encodeBase64url(bodySecret) }]
      : [],
  }
  const uncited = wish.hasUncited && {
    policy: { version: '2026-09', hash: otherHashes.policy, document: otherPolicy, ...place(otherEntries.policy) },
    notice: {
      ...{ hash: otherHashes.notice, language: 'de', ...place(otherEntries.notice) },
      document: { ...otherWords, hash: otherHashes.notice },
    },
  }
  // As it arrives: text that was parsed, which a test may then change as it likes.
  return { bundle: JSON.parse(JSON.stringify(bundle)), size, read, checkpoint, uncited: uncited || null }
}

/** The receipt of the bundle's first record. */
export function testReceipt(): string {
  const { bundle, size, read, checkpoint } = testBundle()
  const { index, entry, evidence, identity, secrets } = bundle.records[0]
  const extra = new TextEncoder().encode(JSON.stringify({ entry, evidence, identity, secrets }))
  return formatProofFile({ extra, index, proof: inclusionProof(index, size, read), checkpoint })
}

function testConsent(action: string, granted: boolean, at: string, of: string) {
  const evidence = {
    site: 'fr-apiaas',
    action,
    choices: { analytics: granted },
    policy: { version: '2026-04', hash: policyHash },
    notice: { hash: notice.hash, language: 'en' },
    decidedAt: at,
    recordedAt: at,
    gpc: null,
  }
  const identity = { id: `id of ${action}`, previous: null, subject: of, account: null }
  const [a, b] = [randomSecret(), randomSecret()]
  const entry: Entry = {
    type: 'consent',
    v: 1,
    evidence: commit('evidence', a, evidence),
    identity: commit('identity', b, identity),
  }
  return { entry, evidence, identity, secrets: { evidence: encodeBase64url(a), identity: encodeBase64url(b) } }
}
