/** `kill -9` at random moments under load, on SQLite. */
import path from 'node:path'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { surviveKills } from './support/crashes.js'
import { times } from './support/length.js'
import { createPlace, SITE } from './support/place.js'

test('whatever was acknowledged outlives every kill, and vault, ledger and checkpoints agree after each', async () => {
  const place = createPlace()
  try {
    const counts = await surviveKills(place, times(6, 200))
    console.log(`SQLite: ${JSON.stringify(counts)}`)
    expect(counts.kills).toBe(times(6, 200))

    // The stores themselves, with nobody serving: no row more in the one than in the other, and none damaged.
    const ledger = new Database(path.join(place.data, 'ledger.db'), { readonly: true })
    const vault = new Database(path.join(place.data, 'vault.db'), { readonly: true })
    const indexes = (db: Database.Database, table: string) =>
      db
        .prepare(`SELECT count(*) AS rows, min(idx) AS first, max(idx) AS last FROM ${table} WHERE site_id = ?`)
        .get(SITE)
    const whole = { rows: counts.entries, first: 0, last: counts.entries - 1 }
    expect(indexes(ledger, 'entries')).toEqual(whole)
    expect(indexes(vault, 'vault')).toEqual(whole)
    for (const db of [ledger, vault]) {
      expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
      db.close()
    }
  } finally {
    place.remove()
  }
})
