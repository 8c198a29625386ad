/** The files themselves, looked at while nobody serves from them. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { copyPlace, type Place, SITE } from './place.js'

export interface VaultRow {
  readonly idx: number
  readonly key: Buffer
  readonly fingerprint: Buffer
  readonly subject: Buffer | null
  readonly account: Buffer | null
  readonly secrets: Buffer
  readonly erased: string | null
}

export interface Stores {
  readonly vault: readonly VaultRow[]
  readonly entries: readonly { idx: number; entry: Buffer; sealed_a: Buffer | null; sealed_b: Buffer | null }[]
  /** Size of the head in the ledger. */
  readonly size: number
  /** The highest size in the escrow. */
  readonly escrowed: number
  /** SQLite's own word on both files, `ok` twice. */
  readonly integrity: readonly string[]
}

/** Read from a copy: merely opening a database moves what a crash left in its write-ahead log. */
export function readStores(place: Place, site = SITE): Stores {
  const copy = copyPlace(place)
  const ledger = new Database(path.join(copy.data, 'ledger.db'))
  const vault = new Database(path.join(copy.data, 'vault.db'))
  try {
    return {
      vault: vault.prepare<[string], VaultRow>('SELECT * FROM vault WHERE site_id = ? ORDER BY idx').all(site),
      entries: ledger
        .prepare<[string], Stores['entries'][number]>('SELECT * FROM entries WHERE site_id = ? ORDER BY idx')
        .all(site),
      size: ledger.prepare<[string], number>('SELECT size FROM logs WHERE site_id = ?').pluck().get(site) ?? 0,
      escrowed: Math.max(0, ...escrowedSizes(place, site)),
      integrity: [ledger, vault].map((db) => db.pragma('integrity_check', { simple: true }) as string),
    }
  } finally {
    ledger.close()
    vault.close()
    copy.remove()
  }
}

function escrowedSizes(place: Place, site: string): number[] {
  const bytes = readFileSync(path.join(place.data, 'escrow', `${site}.node.head`))
  return [0, 1].map((slot) => {
    const text = bytes.toString('utf8', (slot * bytes.length) / 2, ((slot + 1) * bytes.length) / 2)
    // A head counts once its checkpoint, which stands last, says the size too.
    const [, size, signed] = /^\{"size":(\d+),.*"checkpoint":"[^\\]*\\n(\d+)\\n/.exec(text) ?? []
    return size !== undefined && size === signed ? Number(size) : 0
  })
}

/** Every file below a folder, whole: databases, write-ahead logs, escrow. */
export function readFiles(folder: string): { name: string; bytes: Buffer }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => {
      const file = path.join(parentPath, name)
      return { name: path.relative(folder, file), bytes: readFileSync(file) }
    })
}
