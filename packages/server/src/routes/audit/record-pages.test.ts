/** Pages as an export walks them: steps of constant size, what is left out, and logs of an earlier release. */
import path from 'node:path'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { facetOf } from '../../consent/facet.js'
import { type Evidence, type Identity, subjectOf } from '../../consent/record.js'
import type { RecordFilter } from '../../consent/record-filter.js'
import { createMemoryEscrow } from '../../ledger/escrow.js'
import { Ledger } from '../../ledger/ledger.js'
import { createSigner } from '../../ledger/signer.js'
import { createMemoryStorage } from '../../storage/memory.js'
import { openSqliteStorage } from '../../storage/sqlite.js'
import { testFolder } from '../../test-folder.js'
import { PAGE_ORIGIN, SITE, testPolicy, testWorld, uuidv7 } from '../../testing.js'
import { openBlinder } from '../../vault/blind.js'
import { createKeyring } from '../../vault/keyring.js'
import type { Site } from '../site.js'
import { pagesOf } from './record-pages.js'

const NOTHING: RecordFilter = {
  ...{ subject: null, account: null, action: null, granted: null, denied: null, version: null, language: null },
  ...{ layer: null, gpc: null, from: null, to: null, order: 'oldest' },
}
const caller = { kind: 'key', id: 'key_1' } as const

/** A log of `count` records a second apart, every fourth of them a denial. */
async function logOf(count: number) {
  const storage = createMemoryStorage()
  const keyring = createKeyring([new Uint8Array(32).fill(3)])
  const blind = await openBlinder(storage, SITE, keyring)
  const signer = createSigner('log.example/shop', new Uint8Array(32).fill(5))
  const { log: store } = await storage.openLog(SITE, signer.name)
  let now = 1_700_000_000_000
  const ledger = await Ledger.open({
    ...{ log: SITE, store, signer, keyring, escrow: createMemoryEscrow(), now: () => now, warn: () => {} },
  })
  const record = async (i: number) => {
    now += 1000
    const secret = Buffer.alloc(16, i % 50).toString('base64url')
    await ledger.append({
      key: Buffer.alloc(16, `key ${i}`),
      fingerprint: Buffer.alloc(32),
      compose(recordedAt) {
        const at = new Date(recordedAt).toISOString()
        const granted = i % 4 !== 0
        const evidence: Evidence = {
          ...{ action: granted ? 'accept-all' : 'reject-all', choices: { analytics: granted }, clock: 'ok' },
          ...{ decidedAt: at, gpc: null, layer: 'banner', notice: { hash: 'n', language: 'en' }, offered: [] },
          ...{ policy: { hash: 'p', version: '1' }, recordedAt: at, sdk: '1', site: SITE, ui: 'u', validUntil: at },
        }
        const subject = subjectOf(SITE, secret)
        const identity: Identity = {
          ...{ account: null, agent: 'other', id: uuidv7(recordedAt, i), network: null, page: null, previous: null },
          subject,
        }
        return {
          kind: 'consent',
          subject: blind.subject(subject),
          account: null,
          facet: blind.hideFacet(facetOf(evidence)),
          evidence,
          identity,
        }
      },
    })
  }
  for (let i = 0; i < count; i++) await record(i)
  const site = { blind } as Site
  const pages = (filter: Partial<RecordFilter>, limit: number, cursor: string | null = null) =>
    pagesOf(site, ledger, { ...NOTHING, ...filter }, { cursor, limit: () => limit, caller })
  return { site, ledger, store, record, pages, recordedAt: (i: number) => 1_700_000_001_000 + i * 1000 }
}

test('all pages of a question are had from one call, and the rest of them from a cursor of any', async () => {
  const { pages, record } = await logOf(120)
  const steps = []
  const { log, pages: walk } = await pages({ denied: 'analytics' }, 7)
  for await (const page of walk()) {
    steps.push(page)
    // Recorded while the export runs: on no page of it.
    if (steps.length === 2) await record(1000)
  }
  expect(log.size).toBe(120)
  expect(steps.map(({ records }) => records.length)).toEqual([7, 7, 7, 7, 2])
  expect(steps.at(-1)?.next).toBeNull()
  const resumed = []
  const again = await pages({ denied: 'analytics' }, 100, steps[1]!.next)
  expect(again.log).toEqual(log)
  for await (const { records } of again.pages()) resumed.push(...records)
  const rest = steps.slice(2).flatMap(({ records }) => records)
  expect(resumed.map(({ index }) => index)).toEqual(rest.map(({ index }) => index))
})

test('what is left out is counted: unlinked where the evidence matches, erased where the time does', async () => {
  const { ledger, pages, recordedAt } = await logOf(60)
  const at = (...indexes: number[]) => indexes.map((index) => ({ log: SITE, index }))
  await ledger.erase(at(4, 5, 8, 40), 'unlink', 'asked')
  await ledger.erase(at(12, 13, 44), 'erase', 'asked')
  const leftOut = async (filter: Partial<RecordFilter>) => (await pages(filter, 10)).leftOut()
  expect(await leftOut({})).toEqual({ unlinked: 4, erased: 3 })
  expect(await leftOut({ denied: 'analytics' })).toEqual({ unlinked: 3, erased: 3 })
  expect(await leftOut({ granted: 'analytics', to: recordedAt(13) })).toEqual({ unlinked: 1, erased: 1 })
  expect(await leftOut({ from: recordedAt(45) })).toEqual({ unlinked: 0, erased: 0 })
  expect(await leftOut({ subject: subjectOf(SITE, Buffer.alloc(16, 4).toString('base64url')) })).toEqual({
    unlinked: 0,
    erased: 0,
  })
  const found = []
  for await (const { records } of (await pages({}, 9)).pages()) found.push(...records)
  expect(found).toHaveLength(53)
})

test('a cursor of more than the log has, as after an older copy was restored, is refused', async () => {
  const [long, short] = [await logOf(40), await logOf(20)]
  const first = await (await long.pages({}, 5)).pages().next()
  const cursor = first.value!.next
  const resumed = (ledger: Ledger) => pagesOf(long.site, ledger, NOTHING, { cursor, limit: () => 5, caller })
  await expect(resumed(short.ledger)).rejects.toThrow(/cursor: expected .* gone back/)
  expect((await resumed(long.ledger)).log.size).toBe(40)
})

test('records of an earlier release are found by filters after the next start, each once, as far as they were not erased', async () => {
  const data = testFolder()
  const world = await testWorld({ storage: await openSqliteStorage(data) })
  for (let i = 0; i < 9; i++) {
    world.clock.now += 1000
    await world.consent(i % 3 === 0 ? { action: 'reject-all', choices: { analytics: false } } : {})
  }
  const { log } = await world.storage.openLog(SITE, null)
  const [erased] = await log.findFacets({
    ...{ facets: await log.facets(), erased: null, from: 0, below: 99, order: 'newest', limit: 1 },
  })
  await log.forget([{ index: erased!, grade: 'erase', secrets: new Uint8Array(0) }])
  const counts = await log.counts(0, 1_000_000)
  await world.avow.close()
  const db = new Database(path.join(data, 'vault.db'))
  db.exec('UPDATE vault SET facet = NULL, recorded_at = NULL')
  for (const table of ['facets', 'facet_blocks', 'counts']) db.exec(`DELETE FROM ${table}`)
  db.close()
  const later = await testWorld({ storage: await openSqliteStorage(data), policy: testPolicy({ version: '2026-05' }) })
  expect(later.logged.filter((line) => /prepared for being looked for/.test(line))).toHaveLength(1)
  const records = async (query: string) => (await (await later.audit(`/records?${query}`)).json()).records
  expect(await records('denied=analytics')).toHaveLength(3)
  expect(await records('granted=analytics')).toHaveLength(5)
  const all = await records('order=oldest')
  expect(all).toHaveLength(8)
  expect(await records(`order=oldest&from=${all[5].recordedAt}`)).toEqual(all.slice(5))
  const { log: dated } = await later.storage.openLog(SITE, null)
  // What was erased before is counted by nobody any more.
  const sum = (some: typeof counts) => some.reduce((total, { count }) => total + count, 0)
  expect([sum(counts), sum(await dated.counts(0, 1_000_000))]).toEqual([9, 8])
  await later.post(later.submission(), { origin: PAGE_ORIGIN })
  expect(await records('granted=analytics')).toHaveLength(6)
  await later.avow.close()
  const third = await testWorld({ storage: await openSqliteStorage(data), policy: testPolicy({ version: '2026-05' }) })
  expect(third.logged).toEqual([])
  await third.avow.close()
})
