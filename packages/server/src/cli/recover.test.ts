/** The way on after the newest copy of a log is lost; and only then. */
import { cpSync, rmSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { openFileEscrow } from '../ledger/escrow.js'
import { readSeed, seedFile } from '../signing-key.js'
import { openSqliteStorage } from '../storage/sqlite.js'
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
  onTestFinished(() => {
    vi.unstubAllEnvs()
    log.mockRestore()
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
  expect(await storage.logs()).toEqual([SITE])
  await storage.close()
  expect(await run(atNoon, '--force')).toBe(0)
  expect((await entriesOf(`${SITE}.e2`)).first).toMatchObject({ type: 'epoch', size })
  await expect(run(atNoon)).rejects.toThrow(`nothing to recover: the log ${SITE}.e2`)
})

test('a site that is new, or isn’t there, is refused by name', async () => {
  await expect(run(atNoon)).rejects.toThrow('--site: expected one of none: this data holds no log')
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
