/** Exports: whole, in the order of the log, to be gone on with where they broke off, and told apart from what they leave out. */
import { createHash } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { parse } from 'csv-parse/sync'
import { describe, expect, test, vi } from 'vitest'
import { CSV_HEAD } from '../../consent/exports/csv.js'
import { type Outside, realOutside } from '../../outsiders.js'
import { SITE, testWorld, uuidv7 } from '../../testing.js'
import { UNREAD_LIMIT_MS } from './export-stream.js'

type World = Awaited<ReturnType<typeof testWorld>>

const SCOPES = ['audit:read', 'audit:export', 'access:read'] as const

async function exportWorld(options: Parameters<typeof testWorld>[0] = {}) {
  const world = await testWorld(options)
  const key = await world.avow.keys.create({ name: 'exporter', site: SITE, scopes: SCOPES })
  const ask = (path: string, headers: Record<string, string> = {}, token = key) =>
    world.avow.app.request(`/v1/audit/export${path}`, { headers: { authorization: `Bearer ${token}`, ...headers } })
  const lines = async (query: string, headers?: Record<string, string>) => {
    const response = await ask(`?${query}`, headers)
    expect(response.status).toBe(200)
    return (await response.text())
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  }
  const manifest = async (query: string, headers?: Record<string, string>) =>
    JSON.parse(await (await ask(`/manifest?${query}`, headers)).text())
  return { ...world, key, ask, lines, manifest }
}

/** Twice as many visitors as are said, half of whom refuse. */
async function visitors({ consent, clock }: World, count: number) {
  for (let i = 0; i < count; i++) {
    clock.now += 1000
    await consent()
    await consent({ action: 'reject-all', choices: { analytics: false } })
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

describe('an export', () => {
  test('has every record with both parts opened, oldest first, past any number of pages', async () => {
    const world = await exportWorld()
    await visitors(world, 300)
    const rows = await world.lines('format=ndjson')
    expect(rows).toHaveLength(600)
    expect(rows.map(({ index }) => index)).toEqual(Array.from({ length: 600 }, (_, i) => rows[0].index + i))
    const { records } = await (await world.audit('/records?limit=1000', world.key)).json()
    expect(rows).toEqual(records.reverse().map((record: object) => ({ ...record, page: null })))
    expect(await world.lines('')).toEqual(rows)
    const newest = await world.lines('format=ndjson&order=newest')
    expect(newest).toEqual(rows.reverse())
  })

  test('has what its filters ask for, as the list of records does', async () => {
    const world = await exportWorld()
    await visitors(world, 3)
    const { subject } = await world.consent()
    expect(await world.lines('format=ndjson&denied=analytics')).toHaveLength(3)
    expect(await world.lines(`format=ndjson&subject=${subject}`)).toMatchObject([{ subject }])
    await world.post(world.submission(), await world.signedIn('ann'))
    expect(await world.lines('format=ndjson', { 'avow-subject-account': 'ann' })).toMatchObject([{ account: 'ann' }])
    for (const [query, field] of [
      ['format=xml', 'format'],
      ['format=csv&colour=red', 'colour'],
      ['format=csv&denied=nonsense', 'denied'],
      ['format=csv&from=2026-11-24T00:00:00Z&to=2026-11-23T00:00:00Z', 'from'],
      ['format=csv&cursor=AAAA', 'cursor'],
      ['format=csv&after=7', 'after'],
      ['format=csv&limit=7', 'limit'],
    ]) {
      for (const path of ['', '/manifest']) {
        if (path !== '' && query!.includes('after')) continue
        const response = await world.ask(`${path}?${query}`)
        expect([query, await response.json()]).toMatchObject([query, { status: 422, code: 'invalid-input', field }])
      }
    }
  })

  test('is read by a third party’s parser as CSV', async () => {
    const world = await exportWorld()
    await visitors(world, 2)
    const response = await world.ask('?format=csv')
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present')
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="records-shop-7.csv"')
    const text = await response.text()
    expect(text.startsWith(CSV_HEAD)).toBe(true)
    const rows: Record<string, string>[] = parse(text, { columns: true, record_delimiter: '\r\n' })
    expect(rows.map(({ granted, denied }) => granted || `not ${denied}`)).toEqual(
      Array(2).fill(['analytics', 'not analytics']).flat(),
    )
  })

  test('is in the words of the standards, a document a line', async () => {
    const world = await exportWorld()
    await visitors(world, 2)
    expect((await world.lines('format=jsonld')).map((record) => record['@type'])).toEqual(
      Array(4).fill('dpv:ConsentRecord'),
    )
    const receipts = await world.lines('format=kantara')
    expect(receipts.map(({ version }) => version)).toEqual(Array(2).fill('KI-CR-v1.1.0'))
  })

  test.each(['ndjson', 'csv', 'jsonld', 'kantara'])(
    'that broke off goes on after any whole line of %s, though the log has grown, and its manifest is of the whole',
    async (format) => {
      const world = await exportWorld()
      await visitors(world, 4)
      const response = await world.ask(`?format=${format}`)
      const cursor = response.headers.get('avow-cursor')!
      expect(response.headers.get('avow-log-size')).toBe('11')
      const whole = await response.text()
      await visitors(world, 2)
      const end = format === 'csv' ? '\r\n' : '\n'
      const whereabouts = whole.split(end).slice(0, -1)
      for (let kept = format === 'csv' ? 2 : 1; kept <= whereabouts.length; kept++) {
        const beginning = whereabouts
          .slice(0, kept)
          .map((line) => line + end)
          .join('')
        const last = whereabouts[kept - 1]!
        const { index, id = index } = format === 'csv' ? { index: last.split(',')[1] } : idOf(JSON.parse(last))
        const rest = await (await world.ask(`?format=${format}&cursor=${cursor}&after=${id}`)).text()
        expect(beginning + rest).toBe(whole)
      }
      const manifest = await world.manifest(`format=${format}&cursor=${cursor}`)
      expect(manifest).toMatchObject({
        sha256: sha256(whole),
        bytes: Buffer.byteLength(whole),
        as: format,
        filters: { order: 'oldest' },
        log: { name: SITE, size: 11 },
        records: format === 'kantara' ? 4 : 8,
        leftOut: { unlinked: 0, erased: 0, denials: format === 'kantara' ? 4 : 0 },
        vkey: world.avow.vkey(SITE),
      })
    },
  )

  test('is gone on with by nobody but who began it, with the same question', async () => {
    const world = await exportWorld()
    await visitors(world, 1)
    const cursor = (await world.ask('?format=csv')).headers.get('avow-cursor')!
    const other = await world.avow.keys.create({ name: 'other', site: SITE, scopes: SCOPES })
    const refused = async (response: Response, field: string) =>
      expect(await response.json()).toMatchObject({ status: 422, code: 'invalid-input', field })
    await refused(await world.ask(`?format=csv&cursor=${cursor}`, {}, other), 'cursor')
    await refused(await world.ask(`?format=ndjson&cursor=${cursor}`), 'cursor')
    await refused(await world.ask(`?format=csv&denied=analytics&cursor=${cursor}`), 'cursor')
    await refused(await world.ask(`/manifest?format=csv&order=newest&cursor=${cursor}`), 'cursor')
    await refused(await world.ask(`?format=csv&cursor=${cursor}&after=${uuidv7(0, 99)}`), 'after')
    await refused(await world.ask(`?format=csv&cursor=${cursor}&after=first`), 'after')
    const page = await (await world.audit('/records?limit=1', world.key)).json()
    await refused(await world.ask(`?format=csv&cursor=${page.next}`), 'cursor')
  })

  test('leaves out who was unlinked or erased, and its manifest counts them', async () => {
    const world = await exportWorld()
    const [gone, nobody] = [await world.consent(), await world.consent()]
    await world.consent()
    await world.consent({ action: 'reject-all', choices: { analytics: false } })
    const response = await world.ask('?format=ndjson')
    const cursor = response.headers.get('avow-cursor')!
    const before = await response.text()
    const { log } = await world.storage.openLog(SITE, null)
    const secrets = new Uint8Array(0)
    await log.forget([
      { index: gone.index, grade: 'erase', secrets },
      { index: nobody.index, grade: 'unlink', secrets },
    ])
    const rows = await world.lines('format=ndjson')
    expect(rows).toHaveLength(2)
    expect(await world.manifest('format=kantara')).toMatchObject({
      records: 1,
      leftOut: { unlinked: 1, erased: 1, denials: 1 },
    })
    // What arrived before holds what should be gone, and does not agree any more.
    const after = await world.manifest(`format=ndjson&cursor=${cursor}`)
    expect(after.sha256).not.toBe(sha256(before))
    const resumed = await world.ask(`?format=ndjson&cursor=${cursor}&after=${gone!.id}`)
    expect(await resumed.json()).toMatchObject({ status: 422, field: 'after' })
  })
})

describe('who exports', () => {
  type ExportWorld = Awaited<ReturnType<typeof exportWorld>>
  const accesses = async ({ avow }: ExportWorld) => {
    const key = await avow.keys.create({ name: 'auditor', site: SITE, scopes: ['access:read'] })
    const query = new URLSearchParams({ route: 'GET /v1/audit/export' })
    const response = await avow.app.request(`/v1/audit/access-log?${query}`, {
      headers: { authorization: `Bearer ${key}` },
    })
    return (await response.json()).accesses as { rows: number | null; filters: Record<string, string> }[]
  }

  test('is in the access log, with what was asked for, and with how much it was once it has all left', async () => {
    const world = await exportWorld()
    await visitors(world, 200)
    const response = await world.ask('?format=csv&denied=analytics')
    expect(await accesses(world)).toMatchObject([{ rows: null, filters: { format: 'csv', denied: 'analytics' } }])
    await response.text()
    await expect.poll(async () => (await accesses(world))[0]!.rows).toBe(200)
  })

  test('and goes away stops the work, and leaves in the access log how much had left by then', async () => {
    const world = await exportWorld()
    await visitors(world, 600)
    const response = await world.ask('?format=ndjson')
    const reader = response.body!.getReader()
    const { value } = await reader.read()
    const arrived = new TextDecoder().decode(value).split('\n').length - 1
    await reader.cancel()
    await expect.poll(async () => (await accesses(world))[0]!.rows).not.toBeNull()
    const [{ rows } = { rows: null }] = await accesses(world)
    expect(rows).toBe(arrived)
    expect(rows).toBeLessThan(1200)
  })

  /** Reads a piece at a time; `next` answers how many lines it had. */
  const readerOf = (response: Response) => {
    const reader = response.body!.getReader()
    const next = async () => new TextDecoder().decode((await reader.read()).value).split('\n').length - 1
    return { next }
  }

  test('raises an alarm with the page that makes it many, not once the last is taken, and none twice', async () => {
    const world = await exportWorld({ alarms: { rows: 200 } })
    await visitors(world, 130)
    const { next } = readerOf(await world.ask('?format=ndjson'))
    expect([await next(), world.logged]).toEqual([128, []])
    expect(await next()).toBe(128)
    expect(world.logged).toEqual([
      expect.stringMatching(/^alarm many-rows: .*GET \/v1\/audit\/export: 200 rows or more/),
    ])
    expect([await next(), await next()]).toEqual([4, 0])
    await expect.poll(async () => (await accesses(world))[0]!.rows).toBe(260)
    expect(world.logged).toHaveLength(1)
  })

  test('takes smaller steps while consents are recorded', async () => {
    const world = await exportWorld()
    await visitors(world, 200)
    const { next } = readerOf(await world.ask('?format=ndjson'))
    expect(await next()).toBe(128)
    await world.consent()
    expect(await next()).toBe(32)
    expect(await next()).toBe(128)
  })

  test('and is counted as it leaves is not counted again at its end', async () => {
    const world = await exportWorld({ alarms: { rows: 41 } })
    await visitors(world, 20)
    await (await world.ask('?format=ndjson')).text()
    await expect.poll(async () => (await accesses(world))[0]!.rows).toBe(40)
    expect(world.logged).toEqual([])
  })

  test.each(['', '/manifest'])(
    'reads no further of %s once the key is revoked, and what had left is recorded',
    async (path) => {
      const world = await exportWorld()
      await visitors(world, 100)
      const response = await world.ask(`${path}?format=ndjson`)
      const { next } = readerOf(response)
      const arrived = path === '' ? await next() : 0
      const { id } = (await world.storage.keys.list()).find(({ name }) => name === 'exporter')!
      await world.storage.keys.revoke(id, world.clock.now)
      world.clock.now += 1000
      await expect(next()).rejects.toThrow('the key was revoked')
      if (path === '') await expect.poll(async () => (await accesses(world))[0]!.rows).toBe(arrived)
    },
  )

  test('and reads on no more is not waited for: after five minutes the answer breaks off, and what had left is recorded', async () => {
    const timers = new Set<() => void>()
    const later: Outside['later'] = (ms, call) => {
      if (ms !== UNREAD_LIMIT_MS) return () => {}
      timers.add(call)
      return () => timers.delete(call)
    }
    const world = await exportWorld({ outside: { ...realOutside, later } })
    await visitors(world, 100)
    const { next } = readerOf(await world.ask('?format=ndjson'))
    await next()
    expect((await accesses(world)).map(({ rows }) => rows)).toEqual([null])
    const [end, ...others] = timers
    expect(others).toEqual([])
    end!()
    await expect(next()).rejects.toThrow('nobody went on reading')
    await expect.poll(async () => (await accesses(world))[0]!.rows).toBe(128)
    // One that is never read at all; and of one that was read to its end, or given up, no timer is left.
    timers.clear()
    await world.ask('?format=ndjson')
    for (const call of timers) call()
    await expect.poll(async () => (await accesses(world)).map(({ rows }) => rows)).toEqual([0, 128])
    timers.clear()
    await (await world.ask('?format=ndjson')).text()
    await (await world.ask('?format=ndjson')).body!.cancel()
    expect(timers.size).toBe(0)
  })

  test('over a socket notices that the answer broke off', async () => {
    const clock = { at: Date.parse('2026-11-23T10:00:00Z'), step: 0 }
    const now = () => {
      clock.at += clock.step
      return clock.at
    }
    const world = await exportWorld({ now })
    await visitors(world, 100)
    const wanted = { name: 'brief', site: SITE, scopes: SCOPES, expiresAt: clock.at + 5000 }
    const authorization = `Bearer ${await world.avow.keys.create(wanted)}`
    const server = serve({ fetch: world.avow.app.fetch, port: 0, hostname: '127.0.0.1' })
    await new Promise<void>((resolve) => server.once('listening', () => resolve()))
    // The server says it, too.
    const said = vi.spyOn(console, 'error').mockImplementation(() => {})
    try {
      // The key is good when it is asked for, and not any more when the first page is to leave.
      clock.step = 1000
      const { port } = server.address() as AddressInfo
      const response = await fetch(`http://127.0.0.1:${port}/v1/audit/export`, { headers: { authorization } })
      expect(response.status).toBe(200)
      await expect(response.text()).rejects.toThrow('terminated')
    } finally {
      said.mockRestore()
      server.close()
    }
  })

  test('and asks for the head alone gets no record', async () => {
    const world = await exportWorld()
    await visitors(world, 1)
    const response = await world.avow.app.request('/v1/audit/export?format=csv', {
      method: 'HEAD',
      headers: { authorization: `Bearer ${world.key}` },
    })
    expect([response.status, await response.text()]).toEqual([200, ''])
  })
})

test('the description has an example of each refusal and each answer of these routes', async () => {
  const { avow } = await testWorld()
  const { paths } = await (await avow.app.request('/openapi.json')).json()
  const routes = ['/v1/audit/export', '/v1/audit/export/manifest', '/v1/audit/subjects/{subject}/evidence']
  for (const route of [...routes, '/v1/receipts/{id}']) {
    const { responses } = paths[route].get as {
      responses: Record<string, { description: string; content: Record<string, { examples?: object }> }>
    }
    for (const [status, { description, content }] of Object.entries(responses)) {
      if (status === '200') continue
      const named = [...description.matchAll(/`([a-z-]+)`: /g)].map(([, code]) => code)
      expect([route, Object.keys(content['application/problem+json']!.examples ?? {})]).toEqual([route, named])
    }
  }
  const text = JSON.stringify(routes.map((route) => paths[route].get.responses['200']))
  expect(text.match(/"example":/g)?.length).toBeGreaterThanOrEqual(4)
})

/** What a line says of where it stands. */
function idOf(line: Record<string, any>): { index?: string; id?: string } {
  if (line.index !== undefined) return { index: String(line.index) }
  return { id: line['dct:identifier'] ?? line.consentReceiptID }
}
