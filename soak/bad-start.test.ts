/** What can't be served from: one clear message that names the thing and the cure, exit 1, and nothing written. */
import { createHash } from 'node:crypto'
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import { formatKeys, generateKey } from '@avow/server'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyPlace, createPlace, type Place, type Ran, runServe, startServer } from './support/place.js'
import { composer, record } from './support/visitors.js'

/** Enough for two full tiles, and for tables of some pages. */
const ENTRIES = 600
const PAGE_BYTES = 4096

let whole: Place
beforeAll(async () => {
  whole = createPlace()
  const server = await startServer(whole)
  const compose = await composer(server)
  await Promise.all(Array.from({ length: ENTRIES }, () => record(server, compose())))
  expect(await server.end('SIGTERM')).toBe(0)
})
afterAll(() => whole.remove())

/** Hashes of all files but the write-ahead logs, which SQLite may make and empty by merely looking. */
function hashes(data: string): Record<string, string> {
  const files = readdirSync(data, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !/-(wal|shm)$/.test(entry.name),
  )
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const file = path.join(parentPath, name)
      return [path.relative(data, file), createHash('sha256').update(readFileSync(file)).digest('hex')]
    }),
  )
}

const inFile = (name: string) => (place: Place) => path.join(place.data, name)

function garble(file: string, page: number): void {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, Buffer.alloc(PAGE_BYTES, 0xa5), 0, PAGE_BYTES, (page - 1) * PAGE_BYTES)
  closeSync(descriptor)
}

const cutInHalf = (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2 / PAGE_BYTES) * PAGE_BYTES)

function changeDatabase(file: string, change: (db: Database.Database) => void): void {
  const db = new Database(file)
  change(db)
  db.close()
}

/** More sites on the list, the first of them before the one there is and the others after it. */
function addSites(place: Place, [first, ...others]: readonly string[]): void {
  const file = path.join(place.folder, 'avow.json')
  const { sites } = JSON.parse(readFileSync(file, 'utf8')) as { sites: { site: string }[] }
  const named = (site: string) => ({ ...sites[0], site, origins: [`https://${site}.example`] })
  writeFileSync(file, JSON.stringify({ sites: [...(first ? [named(first)] : []), ...sites, ...others.map(named)] }))
}

/** The page that a table's tree starts at: read by whoever looks at the table at all. */
function rootPage(file: string, table: string): number {
  const db = new Database(file, { readonly: true })
  const page = db.prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(table)
  db.close()
  if (page === undefined) throw new Error(`${file} has no table ${table}`)
  return page
}

interface Damage {
  readonly what: string
  readonly damage: (place: Place) => void
  /** What the message has to name, and the cure it has to tell. */
  readonly says: readonly RegExp[]
  readonly env?: (place: Place) => NodeJS.ProcessEnv
}

const restore = /restore (it|the ledger|the vault) from a backup/
const ledger = inFile('ledger.db')
const vault = inFile('vault.db')

const damages: readonly Damage[] = [
  ...[ledger, vault].flatMap((file) => {
    const name = path.basename(file({ data: '' } as Place))
    return [
      {
        what: `${name} cut in half`,
        damage: (place: Place) => cutInHalf(file(place)),
        says: [new RegExp(name), restore],
      },
      {
        what: `${name} with a first page of garbage`,
        damage: (place: Place) => garble(file(place), 1),
        says: [new RegExp(name), restore],
      },
      {
        what: `${name} that is no database`,
        damage: (place: Place) => writeFileSync(file(place), 'not a database, though long enough to look like one'),
        says: [new RegExp(name), restore],
      },
      {
        what: `${name} of a newer release`,
        damage: (place: Place) => changeDatabase(file(place), (db) => db.pragma('user_version = 99')),
        says: [new RegExp(name), /newer release \(schema 99/, /start that release/],
      },
    ]
  }),
  {
    what: 'ledger.db with garbage where its entries start',
    damage: (place) => garble(ledger(place), rootPage(ledger(place), 'entries')),
    says: [/ledger\.db/, restore],
  },
  {
    what: 'ledger.db with garbage where its tiles start',
    damage: (place) => garble(ledger(place), rootPage(ledger(place), 'tiles')),
    says: [/ledger\.db/, restore],
  },
  {
    what: 'vault.db with garbage where its rows start',
    damage: (place) => garble(vault(place), rootPage(vault(place), 'vault')),
    says: [/vault\.db/, restore],
  },
  {
    what: 'a tile cut short',
    damage: (place) =>
      changeDatabase(ledger(place), (db) =>
        db.exec('UPDATE tiles SET hashes = substr(hashes, 1, length(hashes) - 32) WHERE level = 0 AND n = 2'),
      ),
    says: [/tile|tree/, restore],
  },
  {
    what: 'a tile with one bit changed',
    damage: (place) =>
      changeDatabase(ledger(place), (db) => {
        const hashes = db.prepare<[], Buffer>('SELECT hashes FROM tiles WHERE level = 0 AND n = 2').pluck().get()!
        hashes[0]! ^= 1
        db.prepare('UPDATE tiles SET hashes = ? WHERE level = 0 AND n = 2').run(hashes)
      }),
    says: [/tile|tree/, restore],
  },
  {
    what: 'no signing key',
    damage: (place) => rmSync(path.join(place.data, 'keys', 'shop.seed')),
    says: [/keys\/shop\.seed is missing/, restore],
  },
  {
    what: 'a signing key cut short',
    damage: (place) => truncateSync(path.join(place.data, 'keys', 'shop.seed'), 10),
    says: [/keys\/shop\.seed/, restore],
  },
  {
    what: 'the signing key of another log',
    damage: (place) =>
      writeFileSync(path.join(place.data, 'keys', 'shop.seed'), Buffer.alloc(32, 7).toString('base64')),
    says: [/key/, /restore|sign/],
  },
  {
    what: 'another key-encryption key',
    damage: (place) => writeFileSync(place.kekFile, formatKeys([generateKey()])),
    says: [/blind-index\/shop was wrapped with key [0-9a-f]{8}/, /not among the keys given/],
  },
  {
    what: 'another key-encryption key, and a site that is new before the one that was wrapped with it',
    damage: (place) => {
      writeFileSync(place.kekFile, formatKeys([generateKey()]))
      addSites(place, ['before'])
    },
    says: [/blind-index\/shop was wrapped with key [0-9a-f]{8}/, /not among the keys given/],
  },
  {
    what: 'two sites, one of them wrapped with another key',
    damage: (place) => {
      addSites(place, ['new', 'other'])
      changeDatabase(vault(place), (db) => {
        const value = db.prepare<[], Buffer>("SELECT value FROM vault_values WHERE name = 'blind-index/shop'").pluck()
        const other = Buffer.concat([Buffer.from('00c0ffee', 'hex'), value.get()!.subarray(4)])
        db.prepare("INSERT INTO vault_values VALUES ('blind-index/other', ?)").run(other)
      })
    },
    says: [/blind-index\/other was wrapped with key 00c0ffee/, /not among the keys given/],
  },
  {
    what: 'a key file that a rotation was interrupted with',
    damage: (place) => writeFileSync(place.kekFile, formatKeys([generateKey()]) + readFileSync(place.kekFile, 'utf8')),
    says: [/the vault is wrapped with key [0-9a-f]{8}/, /if that was interrupted, run it again/],
  },
  {
    what: 'no vault.db',
    damage: (place) => rmSync(vault(place)),
    says: [
      /vault\.db is missing, empty or another's/,
      /ledger\.db has entries/,
      /restore it, an older copy/,
      /avow vault create/,
    ],
  },
  {
    what: 'an empty vault.db',
    damage: (place) => truncateSync(vault(place), 0),
    says: [
      /vault\.db is missing, empty or another's/,
      /ledger\.db has entries/,
      /restore it, an older copy/,
      /avow vault create/,
    ],
  },
  {
    what: 'the vault.db of another ledger',
    damage: (place) =>
      changeDatabase(vault(place), (db) =>
        db.exec(
          `UPDATE vault_values SET name = 'blind-index/elsewhere' WHERE name = 'blind-index/shop'; DELETE FROM vault`,
        ),
      ),
    says: [/vault\.db is missing, empty or another's/, /ledger\.db has entries/, /name the right one/],
  },
  {
    what: 'an empty key-encryption key file',
    damage: (place) => writeFileSync(place.kekFile, ''),
    says: [/kek holds no key/, /restore it/],
  },
  {
    what: 'a key-encryption key cut short',
    damage: (place) => truncateSync(place.kekFile, 20),
    says: [/kek: expected keys of 32 bytes/],
  },
  {
    what: 'no key-encryption key file',
    damage: (place) => rmSync(place.kekFile),
    says: [/kek: expected a readable file/],
  },
  {
    what: 'no key-encryption key set at all',
    damage: () => {},
    env: () => ({ AVOW_KEK_FILE: '', AVOW_KEK: '' }),
    says: [/AVOW_KEK_FILE/, /avow kek create/],
  },
]

const expectRefusal = ({ status, stderr }: Ran, says: readonly RegExp[]) => {
  for (const sentence of says) expect(stderr).toMatch(sentence)
  // One line for an operator, no stack.
  expect(stderr.trim().split('\n')).toHaveLength(1)
  expect(status).toBe(1)
}

test.concurrent.each(damages)('$what: it says so with the cure, and writes nothing', async ({ damage, says, env }) => {
  const place = copyPlace(whole)
  try {
    damage(place)
    const before = hashes(place.data)
    const ran = await runServe(place, env?.(place))
    expectRefusal(ran, says)
    expect(hashes(place.data)).toEqual(before)
  } finally {
    place.remove()
  }
})

test('a second server on one folder says who holds it and writes nothing; the first goes on', async () => {
  const place = copyPlace(whole)
  const first = await startServer(place)
  try {
    const compose = await composer(first)
    expectRefusal(await runServe(place), [/ledger\.db is held by another process/, /one server per data folder/])
    expect((await record(first, compose())).status).toBe(201)
    expect(await first.end('SIGTERM')).toBe(0)
  } finally {
    await first.end('SIGKILL')
    place.remove()
  }
})
