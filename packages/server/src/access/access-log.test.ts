import { copyFileSync } from 'node:fs'
import path from 'node:path'
import { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import { decodeBase64 } from '../ledger/base64.js'
import { openCheckpoint } from '../ledger/checkpoint.js'
import { createMemoryEscrow, openFileEscrow } from '../ledger/escrow.js'
import { Ledger } from '../ledger/ledger.js'
import { createSigner } from '../ledger/signer.js'
import { TileEdge } from '../merkle/tile.js'
import { leafHash } from '../merkle/tree.js'
import { type Outside, realOutside } from '../outsiders.js'
import { createMemoryStorage } from '../storage/memory.js'
import { openPostgresStorage } from '../storage/postgres.js'
import { openSqliteStorage } from '../storage/sqlite.js'
import { type Storage, UnavailableError } from '../storage/storage.js'
import { startPostgres } from '../storage/test-postgres.js'
import { testFolder } from '../test-folder.js'
import { SITE, testPolicy, testWorld } from '../testing.js'
import { openBlinder } from '../vault/blind.js'
import { createKeyring } from '../vault/keyring.js'
import { verifyLog } from '../verify/log.js'
import { AccessLog, type AccessLogParts, accessLogOf, KEEP_MS, type LoggedAccess } from './access-log.js'

const DAY_MS = 86_400_000

/** The world, with who reads its access log. */
async function world(options: Parameters<typeof testWorld>[0] = {}) {
  const made = await testWorld(options)
  const { avow, clock } = made
  const reader = await avow.keys.create({ name: 'auditor', site: SITE, scopes: ['access:read'] })
  const ask = (path: string, key = made.key, headers: Record<string, string> = {}) =>
    avow.app.request(path, { headers: { authorization: `Bearer ${key}`, ...headers } })
  const page = async (query = '', headers: Record<string, string> = {}) => {
    const response = await ask(`/v1/audit/access-log${query}`, reader, headers)
    expect(response.status).toBe(200)
    return (await response.json()) as {
      accesses: LoggedAccess[]
      next: string | null
      log: { checkpoint: string; size: number }
      vkey: string
    }
  }
  const accesses = async (query = '', headers: Record<string, string> = {}) => (await page(query, headers)).accesses
  /** Entries, checkpoint and vault rows as they are stored, without the ledger's help. */
  const stored = async () => {
    const { log } = await made.storage.openLog(accessLogOf(SITE), null)
    const { size } = await log.head()
    return { log, entries: await log.entries(0, size) }
  }
  /** Once each access has its end. */
  const quiet = () => expect.poll(async () => (await stored()).entries.length % 2).toBe(0)
  /** The whole log against a checkpoint, by its public key alone. */
  const verifyStored = async () => {
    const { log, vkey } = await page()
    const { size, root } = openCheckpoint(log.checkpoint, vkey)
    const { entries } = await stored()
    const leaves = entries.slice(0, size).map(({ entry }) => leafHash(entry))
    expect(Buffer.from(TileEdge.restore(0, () => null).append(leaves).root)).toEqual(Buffer.from(root))
  }
  return { ...made, avow, clock, reader, ask, page, accesses, stored, quiet, verifyStored }
}

/** An access log without a server around it. */
async function alone(more: Partial<AccessLogParts> = {}) {
  const storage = createMemoryStorage()
  const warned: string[] = []
  const { log: store } = await storage.openLog('shop.access', 'shop.example/shop.access')
  const signer = createSigner('shop.example/shop.access', new Uint8Array(32).fill(9))
  const keyring = createKeyring([new Uint8Array(32).fill(3)])
  const warn = (line: string) => warned.push(line)
  const now = () => Date.parse('2026-11-23T10:00:00Z')
  const ledger = await Ledger.open({
    log: 'shop.access',
    store,
    signer,
    keyring,
    escrow: createMemoryEscrow(),
    now,
    warn,
  })
  const blind = await openBlinder(storage, SITE, keyring)
  return { warned, log: new AccessLog({ ledgers: [ledger], blind, now, warn, ...more }) }
}

describe('the access log', () => {
  test('has who asked for what, why, when, with what outcome and how many rows', async () => {
    const { clock, consent, ask, accesses } = await world()
    for (let i = 0; i < 3; i++) await consent()
    await ask('/v1/audit/records?limit=2', undefined, { 'avow-reason': 'request%20n%C2%BA%2012' })
    const [own, access] = await accesses()
    expect(own).toMatchObject({ route: 'GET /v1/audit/access-log', rows: null, who: { name: 'auditor' } })
    expect(access).toMatchObject({
      at: new Date(clock.now).toISOString(),
      who: { kind: 'key', name: 'privacy team' },
      route: 'GET /v1/audit/records',
      filters: { limit: '2' },
      reason: 'request nº 12',
      status: 200,
      rows: 2,
    })
    expect((await accesses())[1]).toMatchObject({ route: 'GET /v1/audit/access-log', rows: 2 })
  })

  test('calls a route the same, wherever the application is mounted', async () => {
    const { avow, key, accesses } = await world()
    const host = new Hono().route('/_avow/v1', avow.app)
    const headers = { authorization: `Bearer ${key}` }
    expect((await host.request('/_avow/v1/v1/audit/records?limit=5', { headers })).status).toBe(200)
    expect((await accesses())[1]).toMatchObject({ route: 'GET /v1/audit/records', filters: { limit: '5' } })
  })

  test('has a key’s own reason where a request gives none, and refuses one that is none', async () => {
    const { avow, ask, accesses } = await world()
    const key = await avow.keys.create({ name: 'bot', site: SITE, scopes: ['audit:read'], reason: 'nightly report' })
    await ask('/v1/audit/records', key)
    expect((await accesses())[1]?.reason).toBe('nightly report')
    for (const reason of ['%0A', '%20', 'x'.repeat(201)]) {
      const refused = await ask('/v1/audit/records', key, { 'avow-reason': reason })
      expect([refused.status, (await refused.json()).field]).toEqual([422, 'avow-reason'])
    }
  })

  test('has the rows of the last answer, too, where the server is closed as soon as it left', async () => {
    const data = testFolder()
    const first = await world({ storage: await openSqliteStorage(data) })
    await first.consent()
    await first.ask('/v1/audit/records')
    await first.avow.close()
    const second = await world({ storage: await openSqliteStorage(data), escrowOf: () => createMemoryEscrow() })
    expect((await second.accesses())[1]).toMatchObject({ route: 'GET /v1/audit/records', status: 200, rows: 1 })
    await second.avow.close()
  })

  test('names nobody who was asked about, and still tells who asked about somebody', async () => {
    const { consent, ask, accesses, stored } = await world()
    const { subject, id } = await consent()
    await ask(`/v1/audit/subjects/${subject}`)
    await ask(`/v1/audit/records/${id}`)
    await ask('/v1/audit/records?action=jane@example.org&limit=1', undefined, { 'avow-subject-account': 'jane' })
    await ask('/v1/audit/records?jane=1&jane@example.org=2&__proto__=3&limit=jane@example.org')
    // Mistyped: under names that are kept in clear.
    await ask(`/v1/audit/records?log=${subject}&action=${id}`)
    await ask(`/v1/audit/export?cursor=AAAA&after=${id}`)
    const all = await accesses()
    expect(all[1]?.filters).toEqual({ after: expect.stringMatching(/^[\w-]{22}$/) })
    const text = JSON.stringify([all, (await stored()).entries])
    expect(all[3]?.filters).toMatchObject({ other: expect.stringMatching(/^[\w-]{22}$/) })
    for (const personal of [subject, id, 'jane']) expect(text).not.toContain(personal)
    // Who asks that has asked about her, too.
    const [own, about, ...rest] = await accesses(`?subject=${subject}`)
    expect([own?.route, rest]).toEqual(['GET /v1/audit/access-log', []])
    expect(about).toMatchObject({ route: 'GET /v1/audit/subjects/{subject}', rows: 1 })
    expect(await accesses(`?subject=${'A'.repeat(43)}`)).toHaveLength(1)
  })

  test('says which record, key or log was asked about, whatever else of that name is sent', async () => {
    const { avow, consent, ask, accesses } = await world()
    const [first, second] = [await consent(), await consent()]
    const admin = await avow.keys.create({ name: 'admin', site: SITE, scopes: ['admin'] })
    await ask(`/v1/audit/records/${first.id}?id=${second.id}`)
    const junk = Array.from({ length: 40 }, (_, i) => `a${i}=1`).join('&')
    await ask(`/v1/audit/records/${first.id}?${junk}`)
    const honest = await accesses(`?record=${first.id}`)
    expect(honest.map(({ route }) => route).slice(1)).toEqual(Array(2).fill('GET /v1/audit/records/{id}'))
    expect(await accesses(`?record=${second.id}`)).toHaveLength(1)
    const headers = { authorization: `Bearer ${admin}` }
    await avow.app.request('/v1/admin/keys/key_AAAAAAAAAAAA?id=key_BBBBBBBBBBBB', { method: 'DELETE', headers })
    await ask(`/log/${accessLogOf(SITE)}/checkpoint?site=nobody`)
    expect((await accesses()).slice(1, 3).map(({ filters }) => filters)).toEqual([
      { site: accessLogOf(SITE) },
      { id: 'key_AAAAAAAAAAAA' },
    ])
  })

  test('has who looked up an account, and who asked for a record, however they did', async () => {
    const { submission, post, signedIn, ask, accesses } = await world()
    const sent = submission()
    await post(sent, await signedIn('ann'))
    await ask('/v1/audit/subjects', undefined, { 'avow-subject-account': 'ann' })
    await ask('/v1/audit/records', undefined, { 'avow-subject-account': 'bob' })
    await ask(`/v1/audit/subjects?record=${sent.id}`)
    await ask(`/v1/audit/records/${sent.id}`)
    await ask(`/v1/audit/export?cursor=AAAA&after=${sent.id}`)
    const routes = async (query: string, headers: Record<string, string> = {}) =>
      (await accesses(query, headers)).slice(1).map(({ route }) => route)
    expect(await routes(`?record=${sent.id}`)).toEqual([
      ...['GET /v1/audit/export', 'GET /v1/audit/records/{id}', 'GET /v1/audit/subjects'],
    ])
    expect(await routes('', { 'avow-subject-account': 'ann' })).toEqual(['GET /v1/audit/subjects'])
  })

  test('keeps in clear what the site itself says, an enumeration, a number or a time, and of anything else an index', async () => {
    const { ask, accesses } = await world()
    const clear = 'version=2026-04&language=de&denied=analytics&layer=banner&limit=5&from=2026-11-23T10:00:00Z&gpc=none'
    await ask(`/v1/audit/records?${clear}`)
    await ask(
      '/v1/audit/records?version=ann.smith&language=ann&granted=ann&layer=ann&limit=491701&from=+491701234567&constructor=1',
    )
    await ask('/v1/audit/records?log=ann')
    const [, named, hidden, told] = await accesses()
    expect(told?.filters).toEqual(Object.fromEntries(new URLSearchParams(clear)))
    expect(Object.keys(hidden!.filters).sort()).toEqual([
      ...['from', 'granted', 'language', 'layer', 'limit', 'other', 'version'],
    ])
    for (const value of Object.values({ ...hidden!.filters, ...named!.filters })) expect(value).toMatch(/^[\w-]{22}$/)
  })

  test('has of a HEAD request that no row left', async () => {
    const { avow, key, consent, accesses } = await world()
    await consent()
    const headers = { authorization: `Bearer ${key}` }
    expect((await avow.app.request('/v1/audit/records', { method: 'HEAD', headers })).status).toBe(200)
    expect((await accesses())[1]).toMatchObject({ route: 'HEAD /v1/audit/records', status: 200, rows: 0 })
  })

  test('has what a known key was refused for a site, a reason or an account, where that key may ask something', async () => {
    const { avow, ask, accesses } = await world()
    const all = await avow.keys.create({ name: 'all', sites: null, scopes: ['audit:read'] })
    const refused = [
      await ask('/v1/audit/records', undefined, { 'avow-site': 'other' }),
      await ask('/v1/audit/records', all, { 'avow-site': 'nobody' }),
      await ask('/v1/audit/records', undefined, { 'avow-reason': '%0A' }),
      await ask('/v1/audit/records', undefined, { 'avow-subject-account': 'a%00' }),
    ]
    const statuses = refused.map(({ status }) => status)
    expect(statuses).toEqual([403, 404, 422, 422])
    const told = (await accesses()).slice(1).map(({ status, rows }) => [status, rows])
    expect(told.reverse()).toEqual(statuses.map((status) => [status, 0]))
  })

  test('has what a known key was refused, and nothing of an unknown one', async () => {
    const { ask, reader, accesses } = await world()
    await ask('/v1/audit/records', reader)
    await ask('/v1/audit/records', reader.slice(0, -1) + (reader.endsWith('-') ? '_' : '-'))
    await ask('/v1/audit/records?limit=none')
    expect((await accesses()).slice(1).map(({ status, rows }) => [status, rows])).toEqual([
      [422, 0],
      [403, 0],
    ])
  })

  test('is written before a row leaves: where it can’t be, nothing is answered but 503', async () => {
    const storage = createMemoryStorage()
    const openLog = storage.openLog.bind(storage)
    let failure: Error | null = null
    storage.openLog = async (site, origin) => {
      const opened = await openLog(site, origin)
      const append = opened.log.append.bind(opened.log)
      if (site === accessLogOf(SITE))
        opened.log.append = (...args) => (failure ? Promise.reject(failure) : append(...args))
      return opened
    }
    const { consent, ask, accesses } = await world({ storage })
    const { id } = await consent()
    for (failure of [new UnavailableError('disk full'), new Error('a bug')]) {
      for (const path of ['/v1/audit/records', `/v1/audit/records/${id}`, '/v1/audit/access-log']) {
        const response = await ask(path)
        expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
        expect(await response.text()).not.toContain(id)
      }
    }
    // Whoever submits is no matter of it.
    expect((await consent()).index).toBeGreaterThan(0)
    failure = null
    expect((await ask('/v1/audit/records')).status).toBe(200)
    expect((await accesses()).map(({ status }) => status)).toEqual([null, 200])
  })

  test('pages through all accesses, each once, by caller, route and time', async () => {
    const { clock, avow, ask, page, accesses } = await world()
    const bot = await avow.keys.create({ name: 'bot', site: SITE, scopes: ['audit:read'] })
    const start = clock.now
    for (let i = 0; i < 12; i++) {
      clock.now += 1000
      await ask(i % 3 === 0 ? '/v1/audit/records' : `/v1/audit/records?limit=${i + 1}`, i % 2 === 0 ? bot : undefined)
    }
    const by = async (query: string) => {
      const seen: string[] = []
      let next: string | null = ''
      while (next !== null) {
        const found: Awaited<ReturnType<typeof page>> = await page(`?limit=5${query}${next && `&cursor=${next}`}`)
        seen.push(...found.accesses.filter(({ who }) => who.name !== 'auditor').map(({ at }) => at))
        next = found.next
      }
      return seen.map((at) => (Date.parse(at) - start) / 1000)
    }
    const id = (await accesses()).find(({ who }) => who.name === 'bot')!.who.id
    const route = `&route=${encodeURIComponent('GET /v1/audit/records')}`
    const at = (seconds: number) => new Date(start + seconds * 1000).toISOString()
    expect(await by('')).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    expect(await by(`&who=${id}`)).toEqual([11, 9, 7, 5, 3, 1])
    expect(await by(route)).toHaveLength(12)
    expect(await by(`&from=${at(3)}&to=${at(7)}`)).toEqual([6, 5, 4, 3])
    expect(await by(`&from=${at(3)}&to=${at(7)}&who=${id}`)).toEqual([5, 3])
    expect(await by(`&to=${at(0)}`)).toEqual([])
    expect(await by('&route=GET%20/healthz')).toEqual([])
    for (const cursor of ['x', 'YTE6c2hvcDotMQ']) {
      const key = await avow.keys.create({ name: 'x', site: SITE, scopes: ['access:read'] })
      expect(await (await ask(`/v1/audit/access-log?cursor=${cursor}`, key)).json()).toMatchObject({ field: 'cursor' })
    }
  })

  test('is read entry by entry with access:read alone, also where the log of the consents is public', async () => {
    const { avow, ask, key, reader } = await world()
    await ask('/v1/audit/records')
    for (const path of ['checkpoint', 'tile/entries/000.p/1', 'tile/0/000.p/1']) {
      const url = `/log/${accessLogOf(SITE)}/${path}`
      expect([(await avow.app.request(url)).status, (await ask(url, key)).status]).toEqual([401, 403])
      const answer = await ask(url, reader)
      expect([answer.status, answer.headers.get('cache-control')]).toEqual([
        200,
        expect.stringMatching(/^(private|no-store)/),
      ])
    }
    for (const name of [`${SITE}.access.e2`, 'nobody.access'])
      expect((await ask(`/log/${name}/checkpoint`, reader)).status).toBe(404)
    const elsewhere = await avow.keys.create({ name: 'x', site: 'other', scopes: ['access:read'] })
    expect((await ask(`/log/${accessLogOf(SITE)}/checkpoint`, elsewhere)).status).toBe(403)
  })

  test('verifies as any log does, with the public key and a reader’s key, while it grows by being read', async () => {
    const { ask, reader, page } = await world()
    for (let i = 0; i < 140; i++) await ask('/v1/audit/records')
    const { vkey } = await page()
    const read = async (file: string) => {
      const response = await ask(`/log/${accessLogOf(SITE)}/${file}`, reader)
      return response.status === 200 ? new Uint8Array(await response.arrayBuffer()) : null
    }
    expect((await verifyLog(read, { vkey, policy: null })).size).toBeGreaterThanOrEqual(281)
  })

  test('of an answer that is still being streamed is readable meanwhile, and gets its rows when the last has left', async () => {
    const { log, warned } = await alone()
    const who = { kind: 'key', id: 'key_x', name: 'x' } as const
    const begin = () => log.begin({ who, route: 'GET /v1/audit/export', filters: {}, reason: null })
    let leave = (_: number) => {}
    ;(await begin())(200, new Promise((resolve) => (leave = resolve)), () => {})
    ;(await begin())(200, Promise.reject(new Error('the reader went away')), () => {})
    const rows = async () => (await log.list({ limit: 9 })).accesses.map((access) => access.rows)
    expect(await rows()).toEqual([null, null])
    leave(12_345)
    await expect.poll(rows).toEqual([null, 12_345])
    expect(warned).toEqual([expect.stringMatching(/recorded without its rows: the reader went away/)])
  })

  test('goes on for who began, with the same filters alone, and for no time that ends before it begins', async () => {
    const { avow, ask, page, reader } = await world()
    for (let i = 0; i < 4; i++) await ask('/v1/audit/records')
    const { next } = await page('?limit=2&route=GET /v1/audit/records')
    expect((await page(`?limit=1&route=GET /v1/audit/records&cursor=${next}`)).accesses).toHaveLength(1)
    const other = await avow.keys.create({ name: 'other', site: SITE, scopes: ['access:read'] })
    const times = 'from=2026-11-24T00:00:00Z&to=2026-11-23T00:00:00Z'
    for (const [query, key, field] of [
      [`route=GET /v1/audit/records&cursor=${next}`, other, 'cursor'],
      [`cursor=${next}`, reader, 'cursor'],
      [`route=GET /v1/audit/records&who=x&cursor=${next}`, reader, 'cursor'],
      [times, reader, 'from'],
    ] as const)
      expect(await (await ask(`/v1/audit/access-log?${query}`, key)).json()).toMatchObject({ status: 422, field })
  })

  test('is looked through a little at a time where what is asked for is rare, and all of it is found', async () => {
    const { log } = await alone({ lookLimit: 10 })
    const who = { kind: 'key', id: 'key_x', name: 'x' } as const
    for (let i = 0; i < 50; i++)
      await log.begin({ who, route: i % 20 === 0 ? 'GET /rare' : 'GET /often', filters: {}, reason: null })
    const sizes: number[] = []
    let before: Parameters<AccessLog['list']>[0]['before']
    do {
      const { accesses, next } = await log.list({ route: 'GET /rare', limit: 9, before })
      sizes.push(accesses.length)
      before = next ?? undefined
    } while (before !== undefined)
    expect(sizes).toEqual([1, 0, 1, 0, 1, 0])
    await expect(log.list({ limit: 1, before: { log: 'other', index: 3 } })).rejects.toThrow(/cursor: expected/)
  })

  test('verifies from its first entry to its last, and is not the log of the records', async () => {
    const { avow, ask, page, verifyStored } = await world()
    for (let i = 0; i < 9; i++) await ask('/v1/audit/records')
    await verifyStored()
    expect((await page()).vkey.split('+')[0]).toBe(`shop.example/_avow/log/${SITE}.access`)
    expect((await page()).vkey).not.toBe(avow.vkey(SITE))
  })
})

describe('the sweep', () => {
  test('forgets what is 90 times 24 hours old and nothing that is younger, says so beforehand, and the log verifies', async () => {
    const { avow, clock, ask, accesses, quiet, reader, verifyStored } = await world()
    const start = clock.now
    for (const at of [0, 1000, 2000]) {
      clock.now = start + at
      await ask('/v1/audit/records')
      await quiet()
    }
    clock.now = start + KEEP_MS + 999
    const due = { count: 2, first: new Date(start).toISOString(), last: new Date(start).toISOString() }
    expect(await avow.sweepAccessLogs(true)).toEqual({ [SITE]: due })
    expect(await (await ask('/v1/audit/access-log/overdue', reader)).json()).toEqual(due)
    expect((await accesses()).filter(({ at }) => at === due.first)).toHaveLength(1)
    expect(await avow.sweepAccessLogs()).toEqual({ [SITE]: due })
    expect((await accesses()).filter(({ at }) => at === due.first)).toEqual([])
    expect((await accesses()).filter(({ at }) => at > due.first && at < '2027')).toHaveLength(2)
    expect(await avow.sweepAccessLogs()).toEqual({ [SITE]: { count: 0, first: null, last: null } })
    await verifyStored()
    await quiet()
    clock.now += KEEP_MS + DAY_MS
    await avow.sweepAccessLogs()
    expect((await accesses()).map(({ route }) => route)).toEqual(['GET /v1/audit/access-log'])
    await verifyStored()
  })

  test('leaves nothing in the vault of what it forgot, on a disk and after a restart, and an older vault is swept again', async () => {
    const data = testFolder()
    const [keys, escrow] = [[new Uint8Array(32).fill(3)], path.join(data, 'escrow')]
    const escrowOf = (log: string) => openFileEscrow(escrow, log, 'node')
    const open = async () => world({ storage: await openSqliteStorage(data), keys, escrowOf })
    const first = await open()
    await first.ask('/v1/audit/records')
    await first.quiet()
    await first.avow.close()
    const vault = path.join(data, 'vault.db')
    copyFileSync(vault, `${vault}.old`)
    for (const isOlder of [false, true]) {
      if (isOlder) copyFileSync(`${vault}.old`, vault)
      const { avow, clock, storage, accesses, verifyStored } = await open()
      clock.now += KEEP_MS
      await avow.sweepAccessLogs()
      const { log } = await storage.openLog(accessLogOf(SITE), null)
      for (const index of [0, 1]) {
        const row = await log.vaultRow(index)
        expect([index, row?.secrets.length, row?.subject]).toEqual([index, 0, null])
      }
      expect((await accesses()).map(({ route }) => route)).not.toContain('GET /v1/audit/records')
      await verifyStored()
      await avow.close()
    }
  })

  test('of one site fails by itself, by name, and the others are swept', async () => {
    let isDamaged = false
    const storage = createMemoryStorage()
    const openLog = storage.openLog.bind(storage)
    storage.openLog = async (site, origin) => {
      const opened = await openLog(site, origin)
      const forget = opened.log.forget.bind(opened.log)
      if (site === accessLogOf(SITE))
        opened.log.forget = (changes) => (isDamaged ? Promise.reject(new Error('damaged')) : forget(changes))
      return opened
    }
    const sites = [SITE, 'other'].map((site) => ({
      ...{ site, policy: testPolicy(), origins: [`https://${site}.example`], publicLog: true },
    }))
    const { avow, clock, ask } = await world({ storage, sites })
    const key = await avow.keys.create({ name: 'x', sites: null, scopes: ['audit:read'] })
    for (const site of [SITE, 'other']) await ask('/v1/audit/records', key, { 'avow-site': site })
    clock.now += KEEP_MS
    isDamaged = true
    await expect(avow.sweepAccessLogs()).rejects.toThrow(/^shop: damaged$/)
    const { log } = await storage.openLog(accessLogOf('other'), null)
    expect((await log.vaultRow(0))?.erased).toBe('erase')
  })

  test('runs by itself at start and then once a day', async () => {
    const storage = createMemoryStorage()
    const due: [ms: number, call: () => void][] = []
    const first = await world({ storage })
    await first.ask('/v1/audit/records')
    await first.accesses()
    const outside: Outside = {
      ...realOutside,
      later(ms, call) {
        // Lapses have an hour of their own.
        if (ms === DAY_MS) due.push([ms, call])
        return () => {}
      },
    }
    const now = first.clock.now + KEEP_MS
    const { avow } = await world({ storage, outside, now: () => now })
    await expect.poll(() => due.length).toBe(1)
    const { log } = await storage.openLog(accessLogOf(SITE), null)
    expect((await log.vaultRow(0))?.erased).toBe('erase')
    due[0]![1]()
    await expect.poll(() => due.length).toBe(2)
    await avow.close()
  })
})

describe('an older copy of the access log', () => {
  /** The stores of a world before `more` happened in it, beside an escrow that has seen it. */
  async function rewound(): Promise<{
    storage: Storage
    escrowOf: (log: string) => ReturnType<typeof createMemoryEscrow>
    size: number
  }> {
    const escrows = new Map<string, ReturnType<typeof createMemoryEscrow>>()
    const escrowOf = (log: string) => {
      const escrow = escrows.get(log) ?? createMemoryEscrow()
      escrows.set(log, escrow)
      return escrow
    }
    const { storage, ask, accesses } = await world({ escrowOf })
    await ask('/v1/audit/records')
    await accesses()
    const escrow = escrowOf(accessLogOf(SITE))
    const { size, ...head } = escrow.highest()!
    await escrow.put({ ...head, root: decodeBase64(head.root), size: size + 5 })
    return { storage, escrowOf, size: size + 5 }
  }

  test('goes on as a new epoch that names what is missing, and both are read', async () => {
    const { storage, escrowOf, size } = await rewound()
    const { ask, accesses, logged, page } = await world({ storage, escrowOf })
    expect(logged).toContainEqual(expect.stringMatching(/the access log of shop goes on as shop\.access\.e2/))
    expect((await ask('/v1/audit/records')).status).toBe(200)
    expect((await accesses()).slice(1).map(({ log, rows }) => [log, rows])).toEqual([
      ['shop.access.e2', 0],
      ['shop.access', 2],
      ['shop.access', 0],
    ])
    const { log } = await storage.openLog('shop.access.e2', null)
    const [entry] = await log.entries(0, 1)
    expect(JSON.parse(Buffer.from(entry!.entry).toString())).toMatchObject({
      type: 'epoch',
      size,
      origin: 'shop.example/_avow/log/shop.access',
    })
    expect((await page('?limit=2')).next).not.toBeNull()
    // Started once more, it is whole.
    const again = await world({ storage, escrowOf })
    expect((await again.ask('/v1/audit/records')).status).toBe(200)
    expect(await storage.logs()).not.toContain('shop.access.e3')
  })

  test('has no access earlier than those before it, though the clock was set back, and all since a time are found', async () => {
    const { storage, escrowOf } = await rewound()
    const { recordedAt } = escrowOf(accessLogOf(SITE)).highest()!
    const { ask, accesses } = await world({ storage, escrowOf, now: () => recordedAt - 3_600_000 })
    await ask('/v1/audit/records')
    const since = await accesses(`?from=${new Date(recordedAt).toISOString()}`)
    expect(since.map(({ log }) => log)).toEqual(['shop.access.e2', 'shop.access.e2', 'shop.access', 'shop.access'])
  })

  test('whose next epoch was made and never begun is gone on from all the same', async () => {
    const { storage, escrowOf, size } = await rewound()
    await storage.openLog('shop.access.e2', 'shop.example/_avow/log/shop.access.e2')
    const { ask } = await world({ storage, escrowOf })
    expect((await ask('/v1/audit/records')).status).toBe(200)
    const [entry] = await (await storage.openLog('shop.access.e2', null)).log.entries(0, 1)
    expect(JSON.parse(Buffer.from(entry!.entry).toString())).toMatchObject({ type: 'epoch', size })
  })

  test('that is older than the last epoch goes on as the one after it, where the escrow is no folder, too', async () => {
    const { storage, escrowOf } = await rewound()
    await (await world({ storage, escrowOf })).ask('/v1/audit/records')
    const { ask, accesses } = await world({ storage: createMemoryStorage(), escrowOf })
    expect((await ask('/v1/audit/records')).status).toBe(200)
    expect((await accesses())[0]?.log).toBe('shop.access.e3')
  })
})

test('what is about all sites is in the access log of each, and what is about one in that alone', async () => {
  const sites = [SITE, 'other'].map((site) => ({
    site,
    policy: testPolicy(),
    origins: [`https://${site}.example`],
    publicLog: true,
  }))
  const { avow, ask, accesses } = await world({ sites })
  const admin = await avow.keys.create({ name: 'admin', sites: null, scopes: ['admin', 'access:read'] })
  expect((await ask('/v1/admin/keys', admin)).status).toBe(200)
  expect((await accesses())[1]).toMatchObject({ route: 'GET /v1/admin/keys', who: { name: 'admin' }, rows: 3 })
  const other = await ask('/v1/audit/access-log', admin, { 'avow-site': 'other' })
  expect((await other.json()).accesses[1]).toMatchObject({ route: 'GET /v1/admin/keys' })
  expect((await accesses())[1]).toMatchObject({ route: 'GET /v1/audit/access-log', who: { name: 'auditor' } })
})

test('nodes on PostgreSQL write one access log, and each reads what the others wrote', async () => {
  const server = await startPostgres()
  try {
    const stores = await server.createStores()
    const [one, two] = await Promise.all(
      [1, 2].map(async () => world({ storage: await openPostgresStorage({ ...stores, warn: () => {} }) })),
    )
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? one! : two!).ask('/v1/audit/records', (i % 2 ? one! : two!).key)),
    )
    // Two of each; whether it is even says nothing while some have begun and others ended.
    await expect.poll(async () => (await one!.stored()).entries.length, { timeout: 20_000 }).toBe(40)
    const seen = await two!.accesses('?route=GET%20/v1/audit/records')
    expect(seen.map(({ rows, status }) => [rows, status])).toEqual(Array(20).fill([0, 200]))
    expect(new Set(seen.map(({ who }) => who.id)).size).toBe(2)
    await one!.quiet()
    await one!.verifyStored()
    for (const { avow } of [one!, two!]) await avow.close()
  } finally {
    await server.stop()
  }
})
