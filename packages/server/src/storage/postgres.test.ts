import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApiKey } from '../access/api-key.js'
import { TileEdge } from '../merkle/tile.js'
import { conformance } from './conformance.js'
import { openPostgresKeys, openPostgresStorage } from './postgres.js'
import { Database, RETRYABLE, retrying } from './postgres-database.js'
import { openSqliteStorage } from './sqlite.js'
import { type Batch, type LogStore, LostVaultError, type Standing, type Storage, UnavailableError } from './storage.js'
import { type Stores, startPostgres, type TestServer } from './test-postgres.js'

let server: TestServer
beforeAll(async () => {
  server = await startPostgres()
}, 60_000)
afterAll(() => server?.stop())

const storesOf = new Map<Storage, Stores>()
async function create(stores?: Stores): Promise<Storage> {
  const found = stores ?? (await server.createStores())
  const storage = await openPostgresStorage({ ...found, warn: () => {} })
  storesOf.set(storage, found)
  return storage
}

conformance('PostgreSQL', {
  create: () => create(),
  async reopen(storage) {
    await storage.close()
    return create(storesOf.get(storage)!)
  },
})

/** Takes a vault back to before there were facets; two of the indexes go with the columns. */
async function dropFacets({ vault }: Stores) {
  await server.query(vault, 'ALTER TABLE avow_vault DROP COLUMN facet, DROP COLUMN recorded_at')
  await server.query(vault, 'DROP INDEX avow_vault_erased')
  for (const table of ['avow_facets', 'avow_counts']) await server.query(vault, `DROP TABLE ${table}`)
}

/** Bytes that look random and are the same on every run. */
const bytesOf = (seed: string, size: number) =>
  Buffer.concat(
    Array.from({ length: Math.ceil(size / 32) }, (_, i) => createHash('sha256').update(`${seed}/${i}`).digest()),
  ).subarray(0, size)

/** A batch that grows the tree the standing tells of. */
function grown(edge: TileEdge, count: number): { batch: Batch; edge: TileEdge } {
  const indexes = Array.from({ length: count }, (_, i) => edge.size + i)
  const next = edge.append(indexes.map((i) => bytesOf(`leaf ${i}`, 32)))
  return {
    edge: next.edge,
    batch: {
      head: { size: next.edge.size, root: next.root, checkpoint: `checkpoint ${next.edge.size}`, recordedAt: 5 },
      entries: indexes.map((i) => ({
        entry: bytesOf(`entry ${i}`, 90),
        sealed: [bytesOf(`a ${i}`, 100), bytesOf(`b ${i}`, 200)].slice(0, i % 3),
      })),
      vault: indexes.map((i) => ({
        key: bytesOf(`key ${i}`, 16),
        fingerprint: bytesOf(`print ${i}`, 32),
        subject: i % 5 ? bytesOf(`subject ${i % 7}`, 16) : null,
        account: i % 11 === 1 ? bytesOf(`account ${i % 2}`, 16) : null,
        secrets: bytesOf(`secret ${i}`, 64),
        erased: null,
        facet: null,
        recordedAt: 5,
      })),
      tiles: next.writes,
      documents: [],
    },
  }
}

async function opened(stores?: Stores) {
  const storage = await create(stores)
  const { log } = await storage.openLog('site', 'log.example/site')
  return { storage, log, stores: storesOf.get(storage)! }
}

const appendOne = (log: LogStore) => {
  let edge = TileEdge.restore(0, () => null)
  return log.append([], 0, ({ head, edge: tiles }: Standing) => {
    edge = TileEdge.restore(head.size, (level, n) => tiles?.find((t) => t.level === level && t.n === n)?.hashes ?? null)
    return grown(edge, 1).batch
  })
}

test('the same batches give the same tiles, roots and entries as on SQLite, to the byte', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'avow-same-'))
  const sqlite = await openSqliteStorage(folder)
  const postgres = await create()
  const logs = await Promise.all([sqlite, postgres].map(async (storage) => (await storage.openLog('site', 'o')).log))
  let edge = TileEdge.restore(0, () => null)
  const sizes: number[] = []
  for (const count of [1, 1, 254, 1, 300, 1024, 7, 1024]) {
    const next = grown(edge, count)
    for (const log of logs) await log.append([], edge.size, () => next.batch)
    edge = next.edge
    sizes.push(edge.size)
  }
  const all = (log: LogStore) =>
    Promise.all([
      log.head(),
      log.entries(0, edge.size),
      Promise.all(sizes.map((size) => log.rootAt(size))),
      Promise.all(Array.from({ length: 12 }, (_, n) => log.tile(0, n))),
      Promise.all([log.tile(1, 0), log.tile(1, 1)]),
      log.recent(edge.size, 100),
      log.findSubject(bytesOf('subject 3', 16)),
      log.vaultRow(1500),
    ])
  const [one, other] = await Promise.all(logs.map(all))
  expect(other).toEqual(one)
  expect(one![3]!.filter((tile) => tile !== null)).toHaveLength(11)
  await sqlite.close()
  await postgres.close()
  rmSync(folder, { recursive: true })
}, 20_000)

describe('what the database itself refuses', () => {
  test('entries and roots can be neither changed, deleted nor truncated by the role that wrote them', async () => {
    const { storage, log, stores } = await opened()
    await appendOne(log)
    for (const sql of [
      `UPDATE avow_entries SET entry = ''`,
      'DELETE FROM avow_entries',
      'TRUNCATE avow_entries',
      `UPDATE avow_heads SET root = ''`,
      'DELETE FROM avow_heads',
    ]) {
      await expect(server.query(stores.database, sql), sql).rejects.toThrow(/permission denied for table/)
    }
    await storage.close()
  })
})

test('a transaction that others got in the way of is tried again, and not for ever', async () => {
  const refusal = new UnavailableError('', { cause: Object.assign(new Error(), { code: '40001' }) })
  let tries = 0
  expect(
    await retrying(RETRYABLE, async () => {
      if (++tries < 3) throw refusal
      return tries
    }),
  ).toBe(3)
  tries = 0
  const hopeless = retrying(RETRYABLE, async () => {
    tries++
    throw refusal
  })
  await expect(hopeless).rejects.toBe(refusal)
  expect(tries).toBe(6)
  tries = 0
  const wrong = retrying(RETRYABLE, async () => {
    tries++
    throw new Error('a statement that is wrong')
  })
  await expect(wrong).rejects.toThrow('a statement that is wrong')
  expect(tries).toBe(1)
})

test('what was forgotten is cleared from the pages of its table at once, and a failure to do so is only warned of', async () => {
  const warned: string[] = []
  const stores = await server.createStores()
  const storage = await openPostgresStorage({ ...stores, warn: (line) => warned.push(line) })
  const { log } = await storage.openLog('site', 'o')
  await appendOne(log)
  const cleaned = async () =>
    (
      await server.query<{ pages: number }>(
        stores.vault,
        `SELECT relallvisible AS pages FROM pg_class WHERE oid = 'avow_vault'::regclass`,
      )
    )[0]?.pages
  expect(await cleaned()).toBe(0)
  await log.forget([{ index: 0, grade: 'erase', secrets: new Uint8Array(0) }])
  expect(await cleaned()).toBe(1)
  await storage.close()
  // Whoever can't reach the server any more has forgotten all the same.
  warned.length = 0
  const database = new Database('vault', stores.vault, (line) => warned.push(line))
  await database.vacuum('FULL', 'no_such_table')
  await database.close()
  expect(warned).toEqual([expect.stringMatching(/the vault \(.*\) did not clean no_such_table: .*stays in its files/)])
})

/** How many of the product's sessions wait for a lock. */
const waiting = async ({ vault }: Stores) => {
  const rows = await server.query(
    vault,
    `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'avow'`,
  )
  return rows.length
}

test('secrets that are erased while they are rewrapped stay erased', async () => {
  const { storage, log, stores } = await opened()
  await appendOne(log)
  // Somebody who holds the row up, so that both wait for it, the erasure first.
  const holder = new pg.Client({ connectionString: stores.vault })
  await holder.connect()
  await holder.query('BEGIN')
  await holder.query('SELECT 1 FROM avow_vault FOR UPDATE')
  const erasing = log.forget([{ index: 0, grade: 'erase', secrets: new Uint8Array(0) }])
  await expect.poll(() => waiting(stores)).toBe(1)
  const rewrapping = log.rewrap(0, 1, (_, secrets) => (secrets.length > 0 ? bytesOf('rewrapped', 64) : null))
  await expect.poll(() => waiting(stores)).toBe(2)
  await holder.query('COMMIT')
  await holder.end()
  await Promise.all([erasing, rewrapping])
  expect((await log.vaultRow(0))?.secrets).toHaveLength(0)
  await storage.close()
})

describe('where several nodes wrap', () => {
  const counts = async (stores: Stores) =>
    (
      await server.query(
        stores.vault,
        `SELECT (SELECT count(*)::int FROM avow_vault) AS rows, (SELECT count(*)::int FROM avow_vault_values) AS values,
                (SELECT string_agg(encode(secrets, 'hex'), '') FROM avow_vault) AS secrets`,
      )
    )[0]

  test('what a node wraps with a key that another has replaced is refused, whatever it writes', async () => {
    const { storage, log, stores } = await opened()
    await storage.useKey('aaaa', null)
    await appendOne(log)
    const rotating = await create(stores)
    await rotating.useKey('bbbb', 'aaaa')
    const before = await counts(stores)
    const late: (() => Promise<unknown>)[] = [
      () => appendOne(log),
      () => log.forget([{ index: 0, grade: 'unlink', secrets: bytesOf('wrapped with aaaa', 32) }]),
      () => log.rewrap(0, 1, () => bytesOf('wrapped with aaaa', 64)),
      () => log.reconcile(),
      () => storage.vaultValue('of a new site', () => bytesOf('wrapped with aaaa', 60)),
      () => storage.replaceVaultValues(new Map([['current-key', bytesOf('wrapped with aaaa', 60)]])),
      async () => appendOne((await storage.openLog('of a new site', 'o')).log),
    ]
    for (const write of late) {
      const writing = write()
      await expect(writing).rejects.toThrow(UnavailableError)
      await expect(writing).rejects.toThrow(
        /wrapped with key bbbb, and this process wraps with aaaa.*Restart it with the key/,
      )
    }
    expect(await counts(stores)).toEqual(before)
    expect((await log.head()).size).toBe(1)
    // The one that holds it goes on, and so does the first with the new one.
    const { log: fresh } = await rotating.openLog('site', null)
    expect((await appendOne(fresh))?.head.size).toBe(2)
    await storage.useKey('bbbb', 'bbbb')
    expect((await appendOne(log))?.head.size).toBe(3)
    await storage.close()
    await rotating.close()
  })

  test('a process that says no key can not write to a vault that has one', async () => {
    const { storage, stores } = await opened()
    await storage.useKey('aaaa', null)
    const other = await opened(stores)
    await expect(appendOne(other.log)).rejects.toThrow(/this process wraps with \(none\)/)
    await other.storage.close()
    await storage.close()
  })

  test('changing the key waits for the append that is under way, so that what it wrapped is there to be rewrapped', async () => {
    const { storage, log, stores } = await opened()
    await storage.useKey('aaaa', null)
    await appendOne(log)
    const rotating = await create(stores)
    // Somebody who holds the table up, so that the append stands between its two commits' locks and its first commit.
    const holder = new pg.Client({ connectionString: stores.vault })
    await holder.connect()
    await holder.query('BEGIN; LOCK TABLE avow_vault IN SHARE MODE')
    const appending = appendOne(log)
    await expect.poll(() => waiting(stores)).toBe(1)
    const changing = rotating
      .useKey('bbbb', 'aaaa')
      .then(async () => (await rotating.openLog('site', null)).log.vaultSize())
    await expect.poll(() => waiting(stores)).toBe(2)
    await holder.query('COMMIT')
    await holder.end()
    expect((await appending)?.head.size).toBe(2)
    expect(await changing).toBe(2)
    await expect(appendOne(log)).rejects.toThrow(UnavailableError)
    await storage.close()
    await rotating.close()
  })

  test('of two who change the key at once one is refused', async () => {
    const { storage, stores } = await opened()
    await storage.useKey('aaaa', null)
    const rotating = await Promise.all([create(stores), create(stores)])
    const outcomes = await Promise.allSettled(rotating.map((one, i) => one.useKey(`key${i}`, 'aaaa')))
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(await storage.currentKey()).toBe(outcomes[0]!.status === 'fulfilled' ? 'key0' : 'key1')
    for (const one of [storage, ...rotating]) await one.close()
  })
})

describe('opening', () => {
  test('an empty vault beside a ledger with entries is refused, both named without passwords, and no table is made', async () => {
    const { storage, log, stores } = await opened()
    await appendOne(log)
    await storage.close()
    const { vault: empty } = await server.createStores()
    const mistaken = { database: stores.database, vault: empty }
    const error = await create(mistaken).then(
      () => null,
      (refusal: Error) => refusal,
    )
    expect(error).toBeInstanceOf(LostVaultError)
    expect(error?.message).toMatch(
      /the vault \(database \S+ on \S+\) is missing, empty or another's, and the ledger \(database \S+ on \S+\) has entries: restore it.*avow vault create/,
    )
    expect(error?.message).not.toContain(`:${new URL(empty).password}@`)
    const tables = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`
    expect(await server.query(empty, tables)).toEqual([])
    // The right one is taken, and the empty one where it is said that the right one is lost.
    await (await create(stores)).close()
    const anew = await openPostgresStorage({ ...mistaken, lost: 'vault', warn: () => {} })
    expect(await anew.vaultValues()).toEqual(new Map())
    await anew.close()
  })

  test('commits are waited for where the server by itself would not', async () => {
    const stores = await server.createStores()
    const lax = (url: string) => url.replace('options=', 'options=-c%20synchronous_commit%3Doff%20')
    const { storage, log } = await opened({ database: lax(stores.database), vault: lax(stores.vault) })
    const [row] = await server.query(lax(stores.vault), 'SHOW synchronous_commit')
    expect(row).toEqual({ synchronous_commit: 'off' })
    // Opening asks within a transaction, and rejects unless it is on there.
    expect((await appendOne(log))?.head.size).toBe(1)
    await storage.close()
  })

  test('one server for both stores is warned of', async () => {
    const warned: string[] = []
    const storage = await openPostgresStorage({ ...(await server.createStores()), warn: (line) => warned.push(line) })
    expect(warned.join()).toMatch(/ledger and vault are on one server, .*: a backup of it keeps what is erased/)
    await storage.close()
  })

  test('both stores may be the same database', async () => {
    const { database } = await server.createStores()
    const { storage, log } = await opened({ database, vault: database })
    await appendOne(log)
    expect((await log.vaultRow(0))?.secrets).toHaveLength(64)
    await storage.close()
  })

  test('nodes that start at once on an empty database migrate it once, and agree on what they make', async () => {
    const stores = await server.createStores()
    const storages = await Promise.all([0, 1, 2, 3].map(() => create(stores)))
    const values = await Promise.all(
      storages.map((storage, i) => storage.vaultValue('key', () => new Uint8Array(4).fill(i))),
    )
    expect(new Set(values.map((value) => Buffer.from(value).toString('hex'))).size).toBe(1)
    const logs = await Promise.all(storages.map((storage) => storage.openLog('site', 'o')))
    expect(await storages[0]!.logs()).toEqual(['site'])
    expect((await logs[3]!.log.head()).size).toBe(0)
    for (const storage of storages) await storage.close()
    const [row] = await server.query(
      stores.database,
      'SELECT count(*)::int AS n, max(version) AS v FROM avow_ledger_schema',
    )
    expect(row).toEqual({ n: 1, v: 2 })
  })

  test('a database of a newer release is named, and left as it is', async () => {
    const stores = await server.createStores()
    await (await create(stores)).close()
    await server.query(stores.vault, 'UPDATE avow_vault_schema SET version = 99')
    await expect(create(stores)).rejects.toThrow(/the vault \(database .*\) was written by a newer release \(schema 99/)
  })

  test('a vault of before there were facets is dated, each row counted once, whichever of two nodes was first', async () => {
    const { storage, log, stores } = await opened()
    const edge = TileEdge.restore(0, () => null)
    await log.append([], 0, () => grown(edge, 50).batch)
    await log.forget([{ index: 4, grade: 'erase', secrets: Buffer.alloc(0) }])
    await storage.close()
    await server.query(stores.vault, 'UPDATE avow_vault SET facet = NULL, recorded_at = NULL')
    for (const table of ['avow_facets', 'avow_counts']) await server.query(stores.vault, `DELETE FROM ${table}`)
    const [{ log: one, storage: first }, { log: two, storage: second }] = [await opened(stores), await opened(stores)]
    const all = { facets: ['even', 'odd'], erased: null, from: 0, below: 50, order: 'oldest', limit: 3 } as const
    expect([await one.undated(), await one.findFacets(all)]).toEqual([50, []])
    const dated = (from: number, end: number) =>
      Array.from({ length: end - from }, (_, i) => {
        const index = from + i
        return { index, facet: index % 2 === 0 ? 'even' : 'odd', recordedAt: index }
      })
    await Promise.all([one.date(dated(30, 50)), two.date(dated(25, 50))])
    expect([await one.undated(), await one.findFacets(all)]).toEqual([25, [25, 26, 27]])
    await Promise.all([one.date(dated(0, 25)), two.date(dated(0, 25))])
    expect([await two.undated(), await two.findFacets(all), await two.firstAt(7)]).toEqual([0, [0, 1, 2], 7])
    expect((await one.counts(0, 1)).map(({ facet, count }) => [facet, count]).sort()).toEqual([
      ['even', 24],
      ['odd', 25],
    ])
    await Promise.all([first.close(), second.close()])
  })

  test('a vault of before there were accounts is taken up as it is, and then finds by account', async () => {
    const { storage, log, stores } = await opened()
    await log.append(
      [],
      0,
      ({ head }) =>
        grown(
          TileEdge.restore(head.size, () => null),
          5,
        ).batch,
    )
    await storage.close()
    // As it was: the check and the index go with the column.
    await server.query(stores.vault, 'ALTER TABLE avow_vault DROP COLUMN account')
    await dropFacets(stores)
    for (const table of ['avow_active', 'avow_served']) await server.query(stores.vault, `DROP TABLE ${table}`)
    for (const column of ['old_hash', 'old_until', 'reason', 'used_on'])
      await server.query(stores.vault, `ALTER TABLE avow_api_keys DROP COLUMN ${column}`)
    await server.query(stores.vault, 'UPDATE avow_vault_schema SET version = 2')
    const { storage: later, log: same } = await opened(stores)
    expect(await same.findSubject(bytesOf('subject 1', 16))).toEqual([1])
    expect(await same.findAccount(bytesOf('account 1', 16))).toEqual([])
    expect((await same.vaultRow(1))?.account).toBeNull()
    const account = bytesOf('account 1', 16)
    await same.append([], 5, () => ({
      head: { size: 6, root: bytesOf('root', 32), checkpoint: 'checkpoint 6', recordedAt: 6 },
      entries: [{ entry: bytesOf('entry 5', 90), sealed: [] }],
      vault: [
        {
          ...{ key: bytesOf('key 5', 16), fingerprint: bytesOf('print 5', 32), subject: null, account },
          ...{ secrets: bytesOf('secret 5', 64), erased: null, facet: 'all', recordedAt: 6 },
        },
      ],
      tiles: [],
      documents: [],
    }))
    expect(await same.findAccount(account)).toEqual([5])
    await later.close()
  })

  test('an erasure by a node that knows of no accounts fails, and leaves nothing half done', async () => {
    const { storage, log, stores } = await opened()
    await log.append(
      [],
      0,
      ({ head }) =>
        grown(
          TileEdge.restore(head.size, () => null),
          5,
        ).batch,
    )
    const erasing = server.query(
      stores.vault,
      "UPDATE avow_vault SET erased = 'erase', subject = NULL, secrets = '' WHERE idx = 1",
    )
    await expect(erasing).rejects.toThrow(/violates check constraint/)
    await log.forget([{ index: 1, grade: 'erase', secrets: new Uint8Array(0) }])
    expect(await log.vaultRow(1)).toMatchObject({ subject: null, account: null, erased: 'erase' })
    await storage.close()
  })

  test('a wrong password and an unknown database are named with the cure, and without the password', async () => {
    const stores = await server.createStores()
    const wrong = new URL(stores.database)
    wrong.pathname = '/no_such_database'
    const opening = openPostgresStorage({ ...stores, database: wrong.href, warn: () => {} })
    await expect(opening).rejects.toThrow(
      /the ledger \(database no_such_database on .*\) can't be used: .*check its address/,
    )
    wrong.password = 'hunter2'
    const refused = await openPostgresKeys(wrong.href).catch((error: Error) => error)
    expect(refused).toBeInstanceOf(Error)
    expect(String((refused as Error).message)).not.toContain('hunter2')
  })

  test('a server that is not there is unavailable, not wrong', async () => {
    const { vault } = await server.createStores()
    const opening = openPostgresStorage({ database: 'postgres://u:p@127.0.0.1:1/d', vault, warn: () => {} })
    await expect(opening).rejects.toThrow(UnavailableError)
  })

  test('what is no address of a PostgreSQL is refused', async () => {
    const { vault } = await server.createStores()
    await expect(openPostgresStorage({ database: './data', vault, warn: () => {} })).rejects.toThrow(
      'the address of the ledger must begin with postgres://',
    )
  })

  test('keys can be made with the vault alone', async () => {
    const { storage, stores } = await opened()
    const beside = await openPostgresKeys(stores.vault)
    const { row } = createApiKey({ name: 'n', sites: ['s'], scopes: ['admin'] }, 0)
    await beside.keys.add(row)
    await beside.close()
    expect((await storage.keys.find(row.hash))?.createdAt).toBe(0)
    await storage.close()
  })
})

/** The server behind a wire that can be cut, and that can go silent. */
async function wireTo(url: string) {
  const target = new URL(url)
  const { port, hostname } = target
  const sockets = new Set<Socket>()
  let silent = false
  const listener = createServer((near) => {
    const far = connect(Number(port), hostname)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('data', (data) => {
        if (!silent) other.write(data)
      })
      socket.on('close', () => other.destroy())
      socket.on('error', () => other.destroy())
    }
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no address')
  target.port = String(address.port)
  return {
    url: target.href.replaceAll('+', '%20'),
    cut() {
      for (const socket of sockets) socket.destroy()
    },
    fallSilent() {
      silent = true
    },
    close() {
      for (const socket of sockets) socket.destroy()
      listener.close()
    },
  }
}

/** Ends the connections of a store, as a restart of the server would. */
const disconnect = (url: string) =>
  server.query(
    url,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'avow' AND pid <> pg_backend_pid()`,
  )

describe('when the world is down', () => {
  test('connections lost while nobody asks are replaced, and nothing ends the process', async () => {
    const { storage, log, stores } = await opened()
    await appendOne(log)
    await disconnect(stores.database)
    // The first to ask may still be handed a connection whose end was not noticed yet.
    await log.head().catch((error) => expect(error).toBeInstanceOf(UnavailableError))
    await log.findKey(bytesOf('key 0', 16)).catch((error) => expect(error).toBeInstanceOf(UnavailableError))
    expect(await appendOne(log).then((batch) => batch?.head.size)).toBe(2)
    await storage.close()
  })

  test('a connection lost in the middle of an append leaves nothing that counts, and the next append clears it away', async () => {
    const stores = await server.createStores()
    const wire = await wireTo(stores.database)
    const { storage, log } = await opened({ ...stores, database: wire.url })
    await appendOne(log)
    const lost = log.append([], 1, ({ head, edge }) => {
      wire.cut()
      const before = edge
        ? TileEdge.restore(head.size, (_, n) => edge.find((t) => t.n === n)?.hashes ?? null)
        : grown(
            TileEdge.restore(0, () => null),
            1,
          ).edge
      return grown(before, 3).batch
    })
    await expect(lost).rejects.toThrow(UnavailableError)
    expect((await log.head()).size).toBe(1)
    // The vault is committed first: its rows are there, past the head, and unseen.
    expect(await log.vaultSize()).toBe(4)
    expect(await log.vaultRow(2)).toBeNull()
    expect(await log.findKey(bytesOf('key 2', 16))).toBeNull()
    expect((await appendOne(log))?.head.size).toBe(2)
    expect(await log.vaultSize()).toBe(2)
    await storage.close()
    wire.close()
  })

  test('reconciling waits for an append that is under way, whose vault rows are past the head as well', async () => {
    const { storage, log, stores } = await opened()
    const other = await opened(stores)
    const [appended] = await Promise.all([
      Promise.all(Array.from({ length: 20 }, () => appendOne(log))),
      Promise.all(Array.from({ length: 20 }, () => other.log.reconcile())),
    ])
    expect(appended.map((batch) => batch?.head.size ?? 0).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    )
    expect(await log.vaultSize()).toBe(20)
    for (let i = 0; i < 20; i++) expect(Buffer.from((await log.vaultRow(i))!.key)).toEqual(bytesOf(`key ${i}`, 16))
    await storage.close()
    await other.storage.close()
  })

  test('a node that falls silent while it holds the head is overtaken within seconds', async () => {
    const stores = await server.createStores()
    const [one, two] = [await wireTo(stores.database), await wireTo(stores.vault)]
    const dead = await opened({ database: one.url, vault: two.url })
    const alive = await opened(stores)
    await appendOne(dead.log)
    const lost = dead.log.append([], 1, () => {
      one.fallSilent()
      two.fallSilent()
      return grown(
        grown(
          TileEdge.restore(0, () => null),
          1,
        ).edge,
        1,
      ).batch
    })
    lost.catch(() => {})
    // Not before the silent one has built: from then on it holds both locks.
    await expect.poll(async () => (await server.query(stores.database, LOCKED)).length).toBeGreaterThan(0)
    expect((await appendOne(alive.log))?.head.size).toBe(2)
    one.close()
    two.close()
    await expect(lost).rejects.toThrow(UnavailableError)
    await alive.storage.close()
    await dead.storage.close()
  }, 15_000)
})

/** Sessions that sit on a transaction. */
const LOCKED = `SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND application_name = 'avow'`
