/** The finder beside a list that is searched from end to end, through restarts, failures and erasures. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { openSqliteStorage } from './sqlite.js'
import { type Findable, Finder } from './sqlite-finder.js'

async function openVault(): Promise<Database.Database> {
  const folder = mkdtempSync(path.join(tmpdir(), 'avow-finder-'))
  await (await openSqliteStorage(folder)).close()
  const vault = new Database(path.join(folder, 'vault.db'))
  onTestFinished(() => {
    vault.close()
    rmSync(folder, { recursive: true })
  })
  return vault
}

/** The same numbers in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Sixteen bytes, random where a slice is told by. */
function blind(n: number): Buffer {
  const bytes = Buffer.alloc(16)
  const mixed = Math.imul(n + 1, 2_654_435_761) >>> 0
  bytes.writeUInt32BE(mixed, 0)
  bytes.writeUInt32BE(mixed, 4)
  return bytes
}

test.each([1, 2, 3, 4])('finds what a search through all rows finds, whatever happened before (%i)', async (seed) => {
  const vault = await openVault()
  const pick = numbers(seed)
  const add = vault.prepare(
    "INSERT INTO vault (site_id, idx, key, fingerprint, subject, secrets, erased, account) VALUES ('a', ?, ?, x'', ?, x'', NULL, ?)",
  )
  const drop = vault.prepare("DELETE FROM vault WHERE site_id = 'a' AND idx = ?")
  const unlink = vault.prepare("UPDATE vault SET subject = NULL, account = NULL WHERE site_id = 'a' AND idx = ?")
  let finder = new Finder(vault, 'a', 40)
  let rows: Findable[] = []
  let count = 0
  // A subject and an account may well have the same bytes, and are not to be mistaken for each other.
  const someone = (chances: number) => (pick(5) < chances ? blind(1_000_000 + pick(60)) : null)
  const fresh = () => ({ key: blind(count++), subject: someone(4), account: someone(1) })
  const adding = (batch: Findable[]) => {
    finder.add(rows.length, batch)
    batch.forEach(({ key, subject, account }, i) => {
      add.run(rows.length + i, key, subject, account)
    })
  }
  for (let step = 0; step < 150; step++) {
    const batch = Array.from({ length: 1 + pick(12) }, fresh)
    const what = pick(10)
    if (what === 0) finder = new Finder(vault, 'a', 40)
    if (what === 1) {
      const failing = vault.transaction(() => {
        adding(batch)
        throw new Error('the disk is full')
      })
      expect(() => failing()).toThrow('the disk is full')
      finder.rollBack()
    }
    if (what === 2 && rows.length > 0) {
      // As after a ledger that could not be committed: the last rows go, and others take their places.
      const from = Math.max(0, rows.length - pick(30))
      vault.transaction(() => {
        for (const [i, row] of rows.slice(from).entries()) {
          drop.run(from + i)
          finder.remove(from + i, row)
        }
      })()
      rows = rows.slice(0, from)
    }
    if (what === 3 && rows.length > 0) {
      const index = pick(rows.length)
      vault.transaction(() => {
        finder.unlink(index, rows[index]!)
        unlink.run(index)
      })()
      rows[index] = { ...rows[index]!, subject: null, account: null }
    }
    if (what > 3) {
      vault.transaction(() => adding(batch))()
      rows.push(...batch)
    }
    for (let tries = 0; tries < 10; tries++) {
      const who = blind(1_000_000 + pick(60))
      const below = pick(rows.length + 1)
      for (const whose of ['subject', 'account'] as const) {
        const expected = rows.flatMap(({ [whose]: found }, i) => (i < below && found && who.equals(found) ? [i] : []))
        expect(finder[whose](who, below)).toEqual(expected)
      }
      const key = blind(pick(count + 1))
      const index = rows.findIndex((row) => key.equals(row.key))
      expect(finder.key(key, rows.length)).toBe(index < 0 ? null : index)
      if (index >= 0) expect(finder.key(key, index)).toBeNull()
    }
  }
  // And it was the index that was tried, too.
  expect(vault.prepare('SELECT count(*) FROM found').pluck().get()).toBeGreaterThan(200)
})

test('moves no more into the index at once than twice what comes, and then keeps to its limit', async () => {
  const vault = await openVault()
  const add = vault.prepare(
    "INSERT INTO vault (site_id, idx, key, fingerprint, subject, secrets, erased, account) VALUES ('a', ?, ?, x'', NULL, x'', NULL, NULL)",
  )
  const moved = vault.prepare('SELECT count(*) FROM found').pluck()
  for (let i = 0; i < 5000; i++) add.run(i, blind(i))
  const finder = new Finder(vault, 'a', 1000)
  let before = 0
  for (let i = 0; i < 5000; i += 10) {
    finder.add(
      5000 + i,
      Array.from({ length: 10 }, (_, j) => ({ key: blind(5000 + i + j), subject: null, account: null })),
    )
    const after = moved.get() as number
    // A slice goes whole: of six thousand keys, it has some two dozen.
    expect(after - before).toBeLessThan(20 + 60)
    before = after
  }
  expect(10_000 - before).toBeLessThanOrEqual(1000)
})

test('a start reads only what may not be in the index yet', async () => {
  const vault = await openVault()
  const add = vault.prepare(
    "INSERT INTO vault (site_id, idx, key, fingerprint, subject, secrets, erased, account) VALUES ('a', ?, ?, x'', NULL, x'', NULL, NULL)",
  )
  const finder = new Finder(vault, 'a', 100)
  for (let i = 0; i < 5000; i++) {
    finder.add(i, [{ key: blind(i), subject: null, account: null }])
    add.run(i, blind(i))
  }
  const until = vault.prepare("SELECT until FROM found_until WHERE site_id = 'a'").pluck().get() as number
  expect(until).toBeGreaterThan(4500)
  expect(vault.prepare('SELECT count(*) FROM found').pluck().get()).toBeGreaterThanOrEqual(until)
})
