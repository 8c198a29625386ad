/**
 * Fills a site's log with records, as quickly as they can be had: straight through the ledger, 1,024 in a commit, without
 * HTTP and without checking submissions. Each is composed, sealed, wrapped, indexed and hashed as any other; that takes the
 * most of it. Their clock is the bench's own, so that they are of more than a year.
 */

import path from 'node:path'
import { facetOf } from '../../packages/server/dist/consent/facet.js'
import { composeRecord, subjectOf } from '../../packages/server/dist/consent/record.js'
import { openFileEscrow } from '../../packages/server/dist/ledger/escrow.js'
import { Ledger } from '../../packages/server/dist/ledger/ledger.js'
import { createSigner } from '../../packages/server/dist/ledger/signer.js'
import { openBlinder } from '../../packages/server/dist/vault/blind.js'
import { createKeyring } from '../../packages/server/dist/vault/keyring.js'
import { openVault } from '../../packages/server/dist/vault/vault.js'

const BATCH = 1024

/** Pseudo-random numbers below `n` (xorshift32), so that every run has the same records. */
export function dice(seed) {
  let state = seed
  return (n) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % n
  }
}

/** The subject that `i`th of `people` is. */
export const secretOf = (i) => Buffer.from(`${i}`.padStart(16, '0')).toString('base64url')

/** Of a record: who, and what; one in 20,000 is of the rarest kind. */
function choose(roll, people, languages, versions, at) {
  const granted = roll(10) < 6
  const rare = roll(20_000) === 0
  return {
    secret: secretOf(roll(people)),
    account: roll(20) === 0 ? `account-${roll(people)}` : null,
    action: granted ? 'accept-all' : roll(8) === 0 ? 'withdraw' : 'reject-all',
    choices: granted,
    // A version is in force for its share of the time.
    version: versions[Math.min(versions.length - 1, Math.floor(at * versions.length))],
    language: languages[Math.min(languages.length - 1, roll(8))],
    layer: rare ? 'placeholder' : ['banner', 'banner', 'banner', 'preferences', 'settings'][roll(5)],
    gpc: rare || roll(30) === 0 ? true : roll(3) === 0 ? false : null,
  }
}

function uuidv7(now, count) {
  const time = now.toString(16).padStart(12, '0')
  const rest = count.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${rest}`
}

/**
 * Appends `records` to the log of `site`, which was opened before and has its policies. Answers the seconds it took.
 * `from` and `to`: Unix milliseconds, between which they are recorded.
 */
export async function fill({ storage, folder, site, keys, seed, records, people, from, to, documents, tell }) {
  const keyring = createKeyring(keys)
  await openVault(storage, keyring)
  const blind = await openBlinder(storage, site, keyring)
  const { origin, log: store } = await storage.openLog(site, null)
  let now = from
  // The one that the application opens afterwards.
  const escrow = openFileEscrow(path.join(folder, 'escrow'), site, 'node')
  const ledger = await Ledger.open({
    ...{ log: site, store, keyring, escrow, signer: createSigner(origin, seed) },
    ...{ now: () => now, warn: () => {} },
  })
  const policies = documents.filter(({ kind }) => kind === 'policy')
  const policyOf = new Map(policies.map((row) => [row.version, { ref: row, policy: JSON.parse(row.body) }]))
  const noticeOf = new Map(
    documents.filter(({ kind }) => kind === 'notice').map((row) => [`${row.version} ${row.language}`, row]),
  )
  const languages = [...new Set([...noticeOf.values()].map(({ language }) => language))]
  const versions = [...policyOf.keys()]
  const roll = dice(0x1234567)
  const started = performance.now()
  for (let done = 0; done < records; ) {
    const batch = []
    for (; batch.length < BATCH && done < records; done++) {
      now = from + Math.floor((done / records) * (to - from))
      const said = choose(roll, people, languages, versions, done / records)
      const { ref, policy } = policyOf.get(said.version)
      const notice = noticeOf.get(`${said.version} ${said.language}`)
      const id = uuidv7(now, done)
      const categories = policy.categories.filter(({ required }) => !required)
      const submission = {
        ...{ id, site, secret: said.secret, action: said.action, previous: null, sdk: '0.1.0', ui: 'abcdef' },
        choices: Object.fromEntries(categories.map((category) => [category.id, said.choices])),
        policy: { version: ref.version, hash: ref.hash },
        notice: { hash: notice.hash, language: notice.language },
        ...{ layer: said.layer, offered: ['reject-all', 'accept-all'], gpc: said.gpc, ageMs: 40 },
        decidedAt: new Date(now - 40).toISOString(),
      }
      const subject = subjectOf(site, said.secret)
      batch.push(
        ledger.append({
          key: blind.submission(id),
          fingerprint: Buffer.alloc(32, 1),
          compose(recordedAt) {
            const parts = composeRecord(submission, subject, said.account, policy, 'Firefox', recordedAt)
            return {
              ...{
                kind: 'consent',
                subject: blind.subject(subject),
                facet: blind.hideFacet(facetOf(parts.evidence)),
                ...parts,
              },
              account: said.account === null ? null : blind.account(said.account),
            }
          },
        }),
      )
    }
    await Promise.all(batch)
    if (done % (BATCH * 50) === 0) tell(done)
  }
  escrow.close()
  return (performance.now() - started) / 1000
}
