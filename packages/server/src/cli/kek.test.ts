import { existsSync, linkSync, lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { holdFile } from '../storage/held-file.js'
import { openPostgresStorage } from '../storage/postgres.js'
import { openSqliteStorage } from '../storage/sqlite.js'
import type { Storage } from '../storage/storage.js'
import { type Stores, startPostgres, type TestServer } from '../storage/test-postgres.js'
import { testWorld } from '../testing.js'
import { openBlinder } from '../vault/blind.js'
import { createKeyring, formatKeys, parseKeys } from '../vault/keyring.js'
import { kek } from './kek.js'
import { keys as apiKeys } from './keys.js'
import { vault } from './vault.js'

let server: TestServer
beforeAll(async () => {
  server = await startPostgres()
}, 60_000)
afterAll(async () => {
  await server?.stop()
  for (const folder of folders) rmSync(folder, { recursive: true })
})

const folders: string[] = []
const KEY = new Uint8Array(32).fill(3)

/** A key file, and a folder for data beside it. What the programs tell is not for the report of the tests. */
function place() {
  vi.spyOn(console, 'error').mockImplementation(() => {})
  const folder = mkdtempSync(path.join(tmpdir(), 'avow-kek-'))
  folders.push(folder)
  const file = path.join(folder, 'kek')
  writeFileSync(file, formatKeys([KEY]))
  return { file, data: path.join(folder, 'data'), keys: () => parseKeys(readFileSync(file, 'utf8'), file) }
}

const openNode = (stores: Stores) => openPostgresStorage({ ...stores, warn: () => {} })
const flagsOf = ({ database, vault }: Stores) => ['--database', database, '--vault', vault]

/** Ids of all records that can be found and opened. */
async function idsOf(world: Awaited<ReturnType<typeof testWorld>>): Promise<string[]> {
  const ids: string[] = []
  let next: string | null = ''
  while (next !== null) {
    const answer = await world.audit(`/records${next && `?cursor=${next}`}`)
    expect(answer.status).toBe(200)
    const page = (await answer.json()) as { records: { id: string }[]; next: string | null }
    ids.push(...page.records.map(({ id }) => id))
    next = page.next
  }
  return ids
}

describe('rotating on PostgreSQL while a node runs', () => {
  test('the node records nothing more, says why, and nothing is lost: with the new file it goes on', async () => {
    const { file, keys } = place()
    const stores = await server.createStores()
    const running = await testWorld({ storage: await openNode(stores), keys: keys() })
    for (let i = 0; i < 3; i++) expect((await running.post(running.submission())).status).toBe(201)
    const before = await idsOf(running)
    expect(before).toHaveLength(3)
    // A site that was set up, and that nobody has visited.
    await openBlinder(running.storage, 'later', createKeyring([KEY]))
    const waiting = running.submission()

    expect(await kek(['rotate', file, ...flagsOf(stores)])).toBe(0)
    expect(keys()).toHaveLength(1)
    expect(keys()).not.toEqual([KEY])
    const refused = await running.post(waiting)
    expect(refused.status).toBe(503)
    expect(running.logged.join('\n')).toMatch(
      /unavailable: POST .*Restart it with the key file that `avow kek rotate` wrote/,
    )
    await running.avow.close()

    await expect(testWorld({ storage: await openNode(stores), keys: [KEY] })).rejects.toThrow(
      /was wrapped with key [0-9a-f]{8}, .*take the key file that the last rotation wrote/,
    )
    const later = await testWorld({ storage: await openNode(stores), keys: keys() })
    expect(await idsOf(later)).toEqual(before)
    expect((await later.post(waiting)).status).toBe(201)
    await openBlinder(later.storage, 'later', createKeyring(keys()))
    await later.avow.close()
  })

  test('consents that arrive all the while are recorded under the new key or not at all', async () => {
    const { file, keys } = place()
    const stores = await server.createStores()
    const running = await testWorld({ storage: await openNode(stores), keys: keys() })
    let isRotated = false
    const rotating = kek(['rotate', file, ...flagsOf(stores)]).finally(() => {
      isRotated = true
    })
    let recorded = 0
    const statuses = new Set<number>()
    while (!isRotated) {
      const { status } = await running.post(running.submission())
      statuses.add(status)
      if (status === 201) recorded++
    }
    expect(await rotating).toBe(0)
    expect([...statuses].filter((status) => status !== 201 && status !== 503)).toEqual([])
    await running.avow.close()
    const later = await testWorld({ storage: await openNode(stores), keys: keys() })
    expect(await idsOf(later)).toHaveLength(recorded)
    await later.avow.close()
  })
})

describe('a rotation that was interrupted', () => {
  const openAt = (data: string): Promise<Storage> => openSqliteStorage(data)

  test('before anything was wrapped anew: no server starts, and rotating again finishes it', async () => {
    const { file, data, keys } = place()
    const world = await testWorld({ storage: await openAt(data), keys: keys() })
    await world.consent()
    const ids = await idsOf(world)
    await world.avow.close()
    writeFileSync(file, formatKeys([new Uint8Array(32).fill(4), KEY]))
    await expect(testWorld({ storage: await openAt(data), keys: keys() })).rejects.toThrow(
      /if that was interrupted, run it/,
    )
    expect(await kek(['rotate', file, '--data', data])).toBe(0)
    expect(keys()).toHaveLength(1)
    const later = await testWorld({ storage: await openAt(data), keys: keys() })
    expect(await idsOf(later)).toEqual(ids)
    await later.avow.close()
  })

  test('in the middle of writing the key file: the keys in what it left are overwritten, and it is gone', async () => {
    const { file, data, keys } = place()
    await (await testWorld({ storage: await openAt(data), keys: keys() })).avow.close()
    writeFileSync(`${file}.new`, formatKeys([KEY]))
    // The same bytes under another name, so that they can be looked at when the name is gone.
    linkSync(`${file}.new`, `${file}.bytes`)
    expect(await kek(['rotate', file, '--data', data])).toBe(0)
    expect(existsSync(`${file}.new`)).toBe(false)
    expect(readFileSync(`${file}.bytes`).every((byte) => byte === 0)).toBe(true)
  })
})

test('rotating overwrites the file of the old key, and one with keys the vault was not wrapped with is left alone', async () => {
  const { file, data, keys } = place()
  await (await testWorld({ storage: await openSqliteStorage(data), keys: keys() })).avow.close()
  linkSync(file, `${file}.bytes`)
  expect(await kek(['rotate', file, '--data', data])).toBe(0)
  expect(readFileSync(`${file}.bytes`).every((byte) => byte === 0)).toBe(true)
  const wrong = formatKeys([KEY])
  writeFileSync(file, wrong)
  await expect(kek(['rotate', file, '--data', data])).rejects.toThrow(/not among the keys given/)
  expect(readFileSync(file, 'utf8')).toBe(wrong)
  expect(existsSync(`${file}.new`)).toBe(false)
})

test('where a vault is lost nothing starts until a new one is made on purpose; then the ledger goes on', async () => {
  const { file, data, keys } = place()
  const world = await testWorld({ storage: await openSqliteStorage(data), keys: keys() })
  await world.consent()
  const size = (await (await world.storage.openLog('shop', null)).log.head()).size
  await world.avow.close()
  vi.stubEnv('AVOW_KEK_FILE', file)
  await expect(vault(['create', '--data', data])).rejects.toThrow(/a vault that is lost: this one knows every site/)
  rmSync(path.join(data, 'vault.db'))
  await expect(openSqliteStorage(data)).rejects.toThrow(/vault\.db is missing, empty or another's.*avow vault create/)
  // As where a disk was full while it was copied back.
  writeFileSync(path.join(data, 'vault.db'), '')
  await expect(openSqliteStorage(data)).rejects.toThrow(/vault\.db is missing, empty or another's.*avow vault create/)
  expect(await vault(['create', '--data', data])).toBe(0)
  const later = await testWorld({ storage: await openSqliteStorage(data), keys: keys() })
  expect(await idsOf(later)).toEqual([])
  expect((await later.consent()).index).toBe(size)
  expect(await idsOf(later)).toHaveLength(1)
  await later.avow.close()
  vi.unstubAllEnvs()
})

describe('a rotation that is pointed at other stores than the key’s', () => {
  test('where there are none it makes none, and leaves the key as it is', async () => {
    const { file, data } = place()
    const text = readFileSync(file, 'utf8')
    const tables = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`
    await expect(kek(['rotate', file, '--data', data])).rejects.toThrow(/ledger\.db is not there.*--data/)
    expect(existsSync(data)).toBe(false)
    const stores = await server.createStores()
    await expect(kek(['rotate', file, ...flagsOf(stores)])).rejects.toThrow(
      /the ledger \(database \S+ on \S+\) is not there/,
    )
    for (const url of Object.values(stores)) expect(await server.query(url, tables)).toEqual([])
    expect(readFileSync(file, 'utf8')).toBe(text)
  })

  test('where the vault has no key yet it says which stores it opened, and leaves the key as it is', async () => {
    const { file, data } = place()
    const text = readFileSync(file, 'utf8')
    await (await openSqliteStorage(data)).close()
    await expect(kek(['rotate', file, '--data', data])).rejects.toThrow(
      /data\/vault\.db has no key yet.*opened beside .*data\/ledger\.db/,
    )
    expect(readFileSync(file, 'utf8')).toBe(text)
  })

  test('a vault that is gone is not made anew', async () => {
    const { file, data, keys } = place()
    await (await testWorld({ storage: await openSqliteStorage(data), keys: keys() })).avow.close()
    rmSync(path.join(data, 'vault.db'))
    await expect(kek(['rotate', file, '--data', data])).rejects.toThrow(/vault\.db is missing, empty or another's/)
    expect(existsSync(path.join(data, 'vault.db'))).toBe(false)
    expect(keys()).toEqual([KEY])
  })
})

test('a rotation says which stores it was that are wrapped anew', async () => {
  const { file, data, keys } = place()
  await (await testWorld({ storage: await openSqliteStorage(data), keys: keys() })).avow.close()
  expect(await kek(['rotate', file, '--data', data])).toBe(0)
  expect(console.error).toHaveBeenLastCalledWith(
    expect.stringMatching(/^everything in \S+data\/vault\.db \(of \S+data\/ledger\.db\) is wrapped with key/),
  )
})

test('while one rotation is under way another changes nothing, not even what the first is writing', async () => {
  const { file, data, keys } = place()
  await (await testWorld({ storage: await openSqliteStorage(data), keys: keys() })).avow.close()
  const letGo = holdFile(`${file}.lock`, '')
  writeFileSync(`${file}.new`, formatKeys([new Uint8Array(32).fill(5), KEY]))
  const before = readFileSync(`${file}.new`, 'utf8')
  await expect(kek(['rotate', file, '--data', data])).rejects.toThrow(/another rotation/)
  expect(readFileSync(`${file}.new`, 'utf8')).toBe(before)
  expect(keys()).toEqual([KEY])
  letGo()
  expect(await kek(['rotate', file, '--data', data])).toBe(0)
})

test('a key file that is reached by a link is rotated where it is, and the link stays', async () => {
  const { file, data, keys } = place()
  await (await testWorld({ storage: await openSqliteStorage(data), keys: keys() })).avow.close()
  const link = path.join(path.dirname(file), 'link')
  symlinkSync('kek', link)
  expect(await kek(['rotate', link, '--data', data])).toBe(0)
  expect(lstatSync(link).isSymbolicLink()).toBe(true)
  expect(keys()).not.toEqual([KEY])
  await (await testWorld({ storage: await openSqliteStorage(data), keys: keys() })).avow.close()
})

test('neither a new vault nor an API key is made where there is no ledger', async () => {
  const { file, data } = place()
  vi.stubEnv('AVOW_KEK_FILE', file)
  await expect(vault(['create', '--data', data])).rejects.toThrow(/ledger\.db is not there/)
  expect(existsSync(data)).toBe(false)
  const stores = await server.createStores()
  await expect(apiKeys(['create', '--site', 'shop', '--name', 'ops', ...flagsOf(stores)])).rejects.toThrow(
    /the vault \(database \S+ on \S+\) is not there/,
  )
  expect(
    await server.query(stores.vault, `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`),
  ).toEqual([])
  vi.unstubAllEnvs()
})
