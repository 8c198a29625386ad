/**
 * What SQLite leaves in the file of a vault when rows are forgotten: nothing. It moves rows between pages as they shrink
 * and leaves copies behind, which no query finds and `secure_delete` does not clear.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openSqliteStorage } from '@avow/server'
import { expect, test } from 'vitest'
import type { Grade, LogStore, NewVaultRow } from '../packages/server/src/storage/storage.js'
import { times } from './support/length.js'
import { runProgram } from './support/place.js'
import { readFiles } from './support/stores.js'

/** Seeds whose rows were left behind before the file was written anew after each erasure; then whatever comes. */
const SEEDS: readonly number[] = [1287, 1024, 1055, 1096, 1196]
const seeds = [...SEEDS, ...Array.from({ length: times(10, 500) }, (_, i) => 1000 + i)]

/** The same bytes for the same seed, so that what was found once is found again. Not for secrets. */
function createDice(seed: number) {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    below: (limit: number) => Math.floor(next() * limit),
    bytes: (size: number) => Buffer.from(Array.from({ length: size }, () => Math.floor(next() * 256))),
  }
}

type Dice = ReturnType<typeof createDice>

/** `accounts`: dice of their own, so that the seeds still throw what they threw. */
const rowOf = (dice: Dice, subject: boolean, accounts: Dice | null = null): NewVaultRow => ({
  key: dice.bytes(16),
  fingerprint: dice.bytes(32),
  subject: subject ? dice.bytes(16) : null,
  account: accounts && accounts.below(3) > 0 ? accounts.bytes(16) : null,
  // As long as two wrapped secrets, and as one.
  secrets: dice.bytes(subject ? 96 : 64),
  erased: null,
  facet: null,
  recordedAt: 1,
})

async function append(log: LogStore, vault: readonly NewVaultRow[]): Promise<void> {
  const { size } = await log.head()
  await log.append(
    vault.map(({ key }) => key),
    size,
    ({ head }) => ({
      head: { size: head.size + vault.length, root: Buffer.alloc(32), checkpoint: 'c', recordedAt: 1 },
      entries: vault.map(() => ({ entry: Buffer.alloc(60, 1), sealed: [] })),
      ...{ vault, tiles: [], documents: [] },
    }),
  )
}

function shuffle(dice: Dice, items: number[]): number[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = dice.below(i + 1)
    ;[items[i], items[j]] = [items[j]!, items[i]!]
  }
  return items
}

/** Records a few at a time, as they come. */
async function recordAll(
  log: LogStore,
  dice: Dice,
  size: number,
  accounts: Dice | null = null,
): Promise<NewVaultRow[]> {
  const rows: NewVaultRow[] = []
  while (rows.length < size) {
    const batch = Array.from({ length: Math.min(size - rows.length, 1 + dice.below(16)) }, () =>
      rowOf(dice, true, accounts),
    )
    await append(log, batch)
    rows.push(...batch)
  }
  return rows
}

/** What any file still has of these rows. */
function tracesOf(folder: string, rows: readonly NewVaultRow[], forgotten: readonly number[]): string[] {
  const files = readFiles(folder)
  return forgotten.flatMap((index) => {
    const { fingerprint, subject, account, secrets } = rows[index]!
    const whose = { subject: subject!, ...(account && { account }) }
    const traces = { fingerprint, ...whose, secrets: secrets.slice(0, 40), tag: secrets.slice(-40) }
    return Object.entries(traces).flatMap(([what, bytes]) =>
      files
        .filter((file) => file.bytes.includes(Buffer.from(bytes)))
        .map(({ name }) => `${what} of ${index} in ${name}`),
    )
  })
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), 'avow-soak-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const openShop = async (folder: string) => {
  const storage = await openSqliteStorage(folder)
  return { storage, log: (await storage.openLog('shop', 'shop.example/log/shop')).log }
}

/** Records, forgets two in three as an erasure does, and answers what is still in any file. */
const remnantsOf = (seed: number): Promise<string[]> =>
  inFolder(async (folder) => {
    const dice = createDice(seed)
    const { storage, log } = await openShop(folder)
    const rows = await recordAll(log, dice, 20 + dice.below(200), SEEDS.includes(seed) ? null : createDice(seed + 1))
    const fates = rows.map(() => dice.below(3))
    const forgotten: number[] = []
    for (const [fate, grade] of (['unlink', 'erase'] as const satisfies Grade[]).entries()) {
      const due = shuffle(
        dice,
        rows.flatMap((_, index) => (fates[index] === fate ? [index] : [])),
      )
      await append(
        log,
        due.map(() => rowOf(dice, false)),
      )
      await log.forget(
        due.map((index) => ({ index, grade, secrets: grade === 'unlink' ? dice.bytes(64) : Buffer.alloc(0) })),
      )
      forgotten.push(...due)
    }
    const traces = tracesOf(folder, rows, forgotten)
    await storage.close()
    return traces
  })

test('no fingerprint, blind index of a subject or an account, or wrapped secret of a forgotten record is left anywhere in the files', async () => {
  const found: string[] = []
  for (const seed of seeds) found.push(...(await remnantsOf(seed)).map((what) => `seed ${seed}: ${what}`))
  expect(found).toEqual([])
})

const builtStorage = new URL('../packages/server/dist/storage/sqlite.js', import.meta.url).href
const sqlite = createRequire(import.meta.url).resolve('better-sqlite3')

/** Erases in a process of its own that is killed where a scrub comes to its step of this number. */
const eraseAndDie = (folder: string, indexes: readonly number[], step: number) =>
  runProgram(
    [
      '--input-type=module',
      '--eval',
      `import { createRequire } from 'node:module'
       import { openSqliteStorage } from '${builtStorage}'
       const { prototype } = createRequire('${sqlite}')('${sqlite}')
       const storage = await openSqliteStorage('${folder}')
       const { log } = await storage.openLog('shop', null)
       let left = ${step}
       for (const name of ['exec', 'pragma']) {
         const run = prototype[name]
         prototype[name] = function (text, ...more) {
           if (/^(VACUUM|wal_checkpoint)/.test(text) && left-- === 0) process.kill(process.pid, 'SIGKILL')
           return run.call(this, text, ...more)
         }
       }
       const nothing = new Uint8Array(0)
       await log.forget([${indexes}].map((index) => ({ index, grade: 'erase', secrets: nothing })))`,
    ],
    process.env,
  )

test.each([
  ['before the write-ahead log is emptied', 0],
  ['before the file is written anew', 1],
  ['before the file that was written anew is in its place', 2],
] as const)('an erasure that is killed %s is finished at the next start, to the last byte', (_, step) =>
  inFolder(async (folder) => {
    const dice = createDice(4)
    const first = await openShop(folder)
    const rows = await recordAll(first.log, dice, times(1000, 10_000))
    await first.storage.close()
    const forgotten = rows.flatMap((_, index) => (dice.below(3) > 0 ? [index] : []))
    expect((await eraseAndDie(folder, forgotten, step)).signal).toBe('SIGKILL')
    // Later only the copies are left that SQLite happened to make; with this seed it did.
    if (step === 0) expect(tracesOf(folder, rows, forgotten)).not.toEqual([])
    const again = await openShop(folder)
    expect((await again.log.vaultRow(forgotten[0]!))?.erased).toBe('erase')
    expect(tracesOf(folder, rows, forgotten)).toEqual([])
    await again.storage.close()
  }),
)
