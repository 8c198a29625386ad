/**
 * What SQLite leaves in the file of a vault when rows are forgotten: nothing. It moves rows between pages as they shrink
 * and leaves copies behind, which no query finds and `secure_delete` does not clear.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openSqliteStorage } from '@avow/server'
import { expect, test } from 'vitest'
import type { Grade, LogStore, VaultRow } from '../packages/server/src/storage/storage.js'
import { times } from './support/length.js'
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

const rowOf = (dice: Dice, subject: boolean): VaultRow => ({
  key: dice.bytes(16),
  fingerprint: dice.bytes(32),
  subject: subject ? dice.bytes(16) : null,
  // As long as two wrapped secrets, and as one.
  secrets: dice.bytes(subject ? 96 : 64),
  erased: null,
})

async function append(log: LogStore, vault: readonly VaultRow[]): Promise<void> {
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

/** Records, forgets two in three as an erasure does, and answers what is still in any file. */
async function remnantsOf(seed: number): Promise<string[]> {
  const dice = createDice(seed)
  const folder = mkdtempSync(path.join(tmpdir(), 'avow-soak-'))
  const storage = await openSqliteStorage(folder)
  try {
    const { log } = await storage.openLog('shop', 'shop.example/log/shop')
    const rows: VaultRow[] = []
    for (const size = 20 + dice.below(200); rows.length < size; ) {
      const batch = Array.from({ length: Math.min(size - rows.length, 1 + dice.below(16)) }, () => rowOf(dice, true))
      await append(log, batch)
      rows.push(...batch)
    }
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
    const files = readFiles(folder)
    return forgotten.flatMap((index) => {
      const { fingerprint, subject, secrets } = rows[index]!
      const traces = { fingerprint, subject: subject!, secrets: secrets.slice(0, 40), tag: secrets.slice(-40) }
      return Object.entries(traces).flatMap(([what, bytes]) =>
        files
          .filter((file) => file.bytes.includes(Buffer.from(bytes)))
          .map(({ name }) => `${what} of ${index} in ${name}`),
      )
    })
  } finally {
    await storage.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

test('no fingerprint, blind index or wrapped secret of a forgotten record is left anywhere in the files', async () => {
  const found: string[] = []
  for (const seed of seeds) found.push(...(await remnantsOf(seed)).map((what) => `seed ${seed}: ${what}`))
  expect(found).toEqual([])
})
