/** The way on after the newest copy of a log is lost; and only then. */
import { cpSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { openFileEscrow } from '../ledger/escrow.js'
import { generateSeed } from '../ledger/signer.js'
import { readSeed, seedFile } from '../signing-key.js'
import { holdFile } from '../storage/held-file.js'
import { openPostgresStorage } from '../storage/postgres.js'
import { openSqliteStorage } from '../storage/sqlite.js'
import { type Stores, startPostgres, type TestServer } from '../storage/test-postgres.js'
import { testFolder } from '../test-folder.js'
import { SITE, testWorld } from '../testing.js'
import { recover } from './recover.js'

const key = new Uint8Array(32).fill(3)
const HOUR_MS = 3_600_000

let folder: string
let printed: string[]
beforeEach(() => {
  folder = testFolder()
  printed = []
  vi.stubEnv('AVOW_KEK', Buffer.from(key).toString('base64'))
  const log = vi.spyOn(console, 'log').mockImplementation((line) => void printed.push(line))
  const warned = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => {
    vi.unstubAllEnvs()
    log.mockRestore()
    warned.mockRestore()
  })
})

const data = (...names: string[]) => path.join(folder, 'data', ...names)

/** The site served from the folder. */
async function serve() {
  const storage = await openSqliteStorage(data())
  return testWorld({
    ...{ storage, keys: [key] },
    escrowOf: (log) => openFileEscrow(data('escrow'), log, 'node'),
    seedOf: (site, isNew) => readSeed(seedFile(data(), site), isNew),
  })
}

/** Records so many consents when the clock shows so much after 10:00; answers the last one's time. */
async function recordSome(count: number, hours: number) {
  const { avow, clock, consent } = await serve()
  clock.now += hours * HOUR_MS
  let recordedAt = ''
  for (let i = 0; i < count; i++) ({ recordedAt } = await consent())
  await avow.close()
  return recordedAt
}

function copy(from: string, to: string) {
  for (const name of ['ledger.db', 'vault.db']) cpSync(path.join(from, name), path.join(to, name))
}

const run = (now: () => number, ...more: string[]) =>
  recover(['--new-epoch', '--site', SITE, '--data', data(), ...more], now)
const atNoon = () => Date.parse('2026-11-23T12:00:00Z')
const dies = () => {
  throw new Error('killed')
}

/** The first entry of a log, and how many there are. */
async function entriesOf(name: string) {
  const storage = await openSqliteStorage(data())
  const { log } = await storage.openLog(name, null)
  const [first] = await log.entries(0, 1)
  const { size } = await log.head()
  await storage.close()
  return { first: first && JSON.parse(new TextDecoder().decode(first.entry)), size }
}

/** Two consents, of which the databases lost the second. */
async function loseTheNewestCopy() {
  await recordSome(1, 0)
  copy(data(), folder)
  const recordedAt = await recordSome(1, 5)
  const { size } = await entriesOf(SITE)
  copy(folder, data())
  return { size, recordedAt }
}

test('a log that lacks nothing is not given up, unless it is forced', async () => {
  await recordSome(2, 0)
  const { size } = await entriesOf(SITE)
  await expect(run(atNoon)).rejects.toThrow(
    `there is nothing to recover: the log ${SITE} stands at ${size} entries, and holds all that was published`,
  )
  const storage = await openSqliteStorage(data())
  expect(await storage.logs()).toEqual([SITE, `${SITE}.access`])
  await storage.close()
  expect(await run(atNoon, '--force')).toBe(0)
  expect((await entriesOf(`${SITE}.e2`)).first).toMatchObject({ type: 'epoch', size })
  await expect(run(atNoon)).rejects.toThrow(`nothing to recover: the log ${SITE}.e2`)
})

test('a site that is new, or isn’t there, is refused by name', async () => {
  await expect(run(atNoon)).rejects.toThrow(/ledger\.db is not there.*--data/)
  expect(existsSync(data())).toBe(false)
  const storage = await openSqliteStorage(data())
  await storage.openLog(SITE, 'shop.example/log/shop')
  await storage.close()
  rmSync(data('escrow'), { recursive: true, force: true })
  await expect(recover(['--new-epoch', '--site', 'other', '--data', data()])).rejects.toThrow(
    '--site: expected one of shop',
  )
})

test('the new epoch names the last head that was published, and no time of recording is before those of the old', async () => {
  const lost = await loseTheNewestCopy()
  // The clock is where it was before the lost consent.
  expect(await run(atNoon)).toBe(0)
  expect(printed[0]).toContain(`${SITE}.e2 goes on from ${SITE} at ${lost.size} entries`)
  expect((await entriesOf(`${SITE}.e2`)).first).toMatchObject({ type: 'epoch', size: lost.size })
  expect((await recordSome(1, 1)) >= lost.recordedAt).toBe(true)
})

test('killed before the first entry: the server says how to go on, and the same command finishes what it began', async () => {
  const lost = await loseTheNewestCopy()
  await expect(run(dies)).rejects.toThrow('killed')
  expect(await entriesOf(`${SITE}.e2`)).toEqual({ first: undefined, size: 0 })
  for (const _ of [1, 2]) {
    await expect(serve()).rejects.toThrow(/shop\.e2 was made and never begun.*`avow recover --new-epoch --site shop`/)
  }
  expect((await entriesOf(`${SITE}.e2`)).size).toBe(0)
  expect(await run(atNoon)).toBe(0)
  expect((await entriesOf(`${SITE}.e2`)).first).toMatchObject({ type: 'epoch', size: lost.size })
  await recordSome(1, 1)
})

test('an epoch that lost all its entries is not one that never began: the next one goes on from it', async () => {
  await loseTheNewestCopy()
  await expect(run(dies)).rejects.toThrow('killed')
  copy(data(), folder)
  await run(atNoon)
  await recordSome(1, 1)
  const { size } = await entriesOf(`${SITE}.e2`)
  copy(folder, data())
  expect(await run(atNoon)).toBe(0)
  expect((await entriesOf(`${SITE}.e3`)).first).toMatchObject({
    type: 'epoch',
    size,
    origin: expect.stringMatching(/e2$/),
  })
})

test.each(['shop.a.lock', 'shop.e2.b.lock'])('while a node holds %s nothing is recovered', async (name) => {
  await loseTheNewestCopy()
  await expect(run(dies)).rejects.toThrow('killed')
  const letGo = holdFile(data('escrow', name), '')
  await expect(run(atNoon)).rejects.toThrow(new RegExp(`${name} is held by another process: stop every server`))
  expect((await entriesOf(`${SITE}.e2`)).size).toBe(0)
  letGo()
  // Another site's node is no matter.
  const other = holdFile(data('escrow', 'shopping.a.lock'), '')
  expect(await run(atNoon)).toBe(0)
  other()
})

const loseTheLedger = () => {
  for (const name of readdirSync(data())) if (name.startsWith('ledger.db')) rmSync(data(name))
}

test('a ledger that is lost whole is read on with nothing to read, until it goes on from the head in the escrow', async () => {
  await recordSome(2, 0)
  const { size } = await entriesOf(SITE)
  loseTheLedger()
  const world = await serve()
  expect((await world.post(world.submission())).status).toBe(503)
  expect(world.logged.join()).toMatch(/stands at 0 entries, and \d+ were published.*`avow recover --new-epoch`/)
  await world.avow.close()
  // Also without what a server made of it.
  for (const isServed of [true, false]) {
    if (!isServed) loseTheLedger()
    expect(await run(atNoon)).toBe(0)
    expect((await entriesOf(`${SITE}.e2`)).first).toMatchObject({
      ...{ type: 'epoch', size },
      origin: 'shop.example/_avow/log/shop',
    })
    expect(printed.at(-1)).toContain('shop.example/_avow/log/shop.e2+')
    if (isServed) {
      loseTheLedger()
      for (const name of readdirSync(data('escrow'))) if (name.startsWith('shop.e2')) rmSync(data('escrow', name))
    }
  }
  await recordSome(1, 1)
  const later = await serve()
  expect((await later.consent()).index).toBeGreaterThan(0)
  await later.avow.close()
})

test('where the newest epoch is lost with the ledger, the next one goes on from that', async () => {
  await recordSome(1, 0)
  await run(atNoon, '--force')
  await recordSome(1, 3)
  const { size } = await entriesOf(`${SITE}.e2`)
  loseTheLedger()
  expect(await run(atNoon)).toBe(0)
  expect((await entriesOf(`${SITE}.e3`)).first).toMatchObject({ size, origin: 'shop.example/_avow/log/shop.e2' })
  await recordSome(1, 4)
})

test('an escrow that another key signed, or of another origin than the log’s, is not gone on from', async () => {
  await recordSome(1, 0)
  loseTheLedger()
  const seed = seedFile(data(), SITE)
  cpSync(seed, data('kept'))
  writeFileSync(seed, `${Buffer.from(generateSeed()).toString('base64')}\n`)
  await expect(run(atNoon)).rejects.toThrow(/keys\/shop\.seed.* is not the one .*copy it from/)
  cpSync(data('kept'), seed)
  loseTheLedger()
  const storage = await openSqliteStorage(data())
  await storage.openLog(SITE, 'elsewhere.example/log/shop')
  await storage.close()
  await expect(run(atNoon)).rejects.toThrow(/elsewhere\.example\/log\/shop.*escrow.*shop\.example\/_avow\/log\/shop/)
})

describe('on PostgreSQL', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(() => server?.stop())

  const flagsOf = ({ database, vault }: Stores) => ['--database', database, '--vault', vault]
  const open = (stores: Stores) => openPostgresStorage({ ...stores, warn: () => {} })

  async function serveNode(stores: Stores) {
    return testWorld({
      ...{ storage: await open(stores), keys: [key] },
      escrowOf: (log) => openFileEscrow(data('escrow'), log, 'a'),
      seedOf: (site, isNew) => readSeed(seedFile(data(), site), isNew),
    })
  }

  test('beside a running node nothing is recovered; once it is stopped a ledger that is lost whole goes on', async () => {
    const stores = await server.createStores()
    const world = await serveNode(stores)
    await world.consent()
    const size = (await (await world.storage.openLog(SITE, null)).log.head()).size
    const letGo = holdFile(data('escrow', 'shop.a.lock'), '')
    await expect(run(atNoon, '--force', ...flagsOf(stores))).rejects.toThrow(/shop\.a\.lock is held by another process/)
    expect((await world.storage.logs()).sort()).toEqual([SITE, `${SITE}.access`])
    letGo()
    await world.avow.close()

    const empty = await server.createStores()
    const tables = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`
    await expect(run(atNoon, ...flagsOf(empty))).rejects.toThrow(/the vault \(database \S+ on \S+\) is not there/)
    for (const url of Object.values(empty)) expect(await server.query(url, tables)).toEqual([])

    const lost = { ...stores, database: empty.database }
    expect(await run(atNoon, ...flagsOf(lost))).toBe(0)
    expect(printed[0]).toContain(`${SITE}.e2 goes on from ${SITE} at ${size} entries`)
    const later = await serveNode(lost)
    expect((await later.consent()).index).toBeGreaterThan(0)
    await later.avow.close()
  })
})
