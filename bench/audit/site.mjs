/** The site that both benches ask about: its server, and its records, which are made once and found again. */
import path from 'node:path'
import { createAvow, readPolicy } from '@avow/server'
import { fill } from './fill.mjs'

export const SITE = 'bench'
export const ORIGIN = 'http://bench.example'
const DAY_MS = 86_400_000
/** Between these the records are of, Unix milliseconds. */
export const to = Date.parse('2026-11-23T10:00:00Z')
export const from = to - 400 * DAY_MS
/** One after the other, as they would have come in force. */
const VERSIONS = ['2025-11', '2026-02', '2026-05', '2026-08']

const seed = new Uint8Array(32).fill(9)
const keys = [new Uint8Array(32).fill(3)]
const policy = readPolicy(path.join(import.meta.dirname, '../../demo/policy.json'))

/** Three records each, at the mean. */
export const peopleOf = (records) => Math.ceil(records / 3)

/** `now`: its clock, Unix milliseconds. */
export function serve({ folder, storage, now, version = VERSIONS.at(-1) }) {
  return createAvow({
    ...{ data: folder, publicUrl: 'http://bench.example', rateLimit: null, keys, storage, now },
    ...{ seedOf: () => seed, log: () => {}, alarms: { rows: null } },
    sites: [{ site: SITE, policy: { ...policy, version, material: false }, origins: [ORIGIN], publicLog: true }],
  })
}

/** Sees to it that there are as many records. `openStores`: called for each opening of the stores, which is ended before the next. */
export async function provide({ folder, openStores, records }) {
  const size = await sizeIn(await openStores())
  if (size >= records) return console.log(`${size} entries, found there`)
  for (const version of VERSIONS)
    await (await serve({ folder, storage: await openStores(), now: () => from, version })).close()
  const storage = await openStores()
  const { log } = await storage.openLog(SITE, null)
  const seconds = await fill({
    ...{ storage, folder, site: SITE, keys, seed, records, people: peopleOf(records), from, to },
    documents: await log.documents(),
    tell: (done) => process.stderr.write(`\r${done} records made`),
  })
  await storage.close()
  process.stderr.write('\n')
  console.log(`${records} records, made in ${seconds.toFixed(0)} s (${(records / seconds).toFixed(0)} a second)`)
}

async function sizeIn(storage) {
  const isThere = (await storage.logs()).includes(SITE)
  const size = isThere ? (await (await storage.openLog(SITE, null)).log.head()).size : 0
  await storage.close()
  return size
}
