/**
 * The access log of the built server: whoever was answered is in it, however the server ends, and where there is no room for
 * it nobody is answered.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { startPostgres } from '../packages/server/src/storage/test-postgres.js'
import { verifyLog } from '../packages/server/src/verify/log.js'
import { times } from './support/length.js'
import { createPlace, type Place, runAvow, type Server, SITE, startServer } from './support/place.js'
import { readStores } from './support/stores.js'
import { type Call, parseTrace } from './support/trace.js'
import { composer, each, startCrowd } from './support/visitors.js'

const LOG = `${SITE}.access`
const READERS = 8
const VISITORS = 8

/** Between these, a server lives on under load once its first answer came. */
const LONGEST_LIFE_MS = 250

type Headers = Readonly<Record<string, string>>

/** A key that reads records and the access log, as headers. */
async function readerOf(place: Place): Promise<Headers> {
  const scopes = 'audit:read,access:read'
  const site = ['--site', SITE, '--name', 'soak', '--scopes', scopes]
  const made = await runAvow(place, ['keys', 'create', ...place.stores, ...site])
  if (made.status !== 0) throw new Error(`avow keys create: ${made.stderr}`)
  return { authorization: `Bearer ${made.stdout.trim()}` }
}

const ask = (server: Server, headers: Headers, reason: string) =>
  fetch(`${server.url}/v1/audit/records?limit=1`, { headers: { ...headers, 'avow-reason': reason } })

interface Page {
  readonly accesses: readonly { readonly at: string; readonly reason: string | null }[]
  readonly next: string | null
  readonly vkey: string
}

/**
 * Reads the access log as far back as to what was `known`, all of it by default; throws unless the whole of it verifies and the times
 * that were read go one way. Answers why was asked, each time.
 */
async function readLog(
  server: Server,
  headers: Headers,
  known: ReadonlySet<string | null> = new Set(),
): Promise<{ reasons: Set<string | null>; size: number }> {
  const accesses: Page['accesses'][number][] = []
  let vkey = ''
  for (let cursor = ''; ; ) {
    const answer = await fetch(`${server.url}/v1/audit/access-log?limit=500${cursor}`, { headers })
    expect(answer.status).toBe(200)
    const page = (await answer.json()) as Page
    accesses.push(...page.accesses)
    vkey = page.vkey
    if (page.next === null || known.has(page.accesses.at(-1)?.reason ?? null)) break
    cursor = `&cursor=${page.next}`
  }
  const at = accesses.map((access) => access.at)
  expect(at).toEqual([...at].sort().reverse())
  const read = async (file: string) => {
    const answer = await fetch(`${server.url}/log/${LOG}/${file}`, { headers })
    return answer.status === 200 ? new Uint8Array(await answer.arrayBuffer()) : null
  }
  const { size } = await verifyLog(read, { vkey, policy: null })
  return { reasons: new Set(accesses.map(({ reason }) => reason)), size }
}

/** Vault, ledger and escrow of both logs have the same entries, with nobody serving. */
function expectWhole(place: Place): void {
  for (const log of [SITE, LOG]) {
    const { vault, entries, size, escrowed, integrity } = readStores(place, log)
    expect(vault.map(({ idx }) => idx)).toEqual(entries.map(({ idx }) => idx))
    expect([size, escrowed, ...integrity]).toEqual([entries.length, entries.length, 'ok', 'ok'])
  }
}

/** Kills it under readers and visitors; throws unless whoever was answered is in the log. The place is left with its server stopped. */
async function surviveKills(place: Place, kills: number): Promise<void> {
  let server = await startServer(place)
  try {
    const headers = await readerOf(place)
    const compose = await composer(server)
    const answered: string[] = []
    const refused: number[] = []
    /** Why was asked, as the log had it. A page of it is read for each kill and not all, which would take longer with each. */
    const logged = new Set<string | null>()
    let asked = 0
    let size = 0
    const readOn = async () => {
      for (;;) {
        const reason = `reading ${asked++}`
        const answer = await ask(server, headers, reason).catch(() => null)
        if (answer === null) return
        if (answer.status === 200) answered.push(reason)
        else refused.push(answer.status)
        await answer.arrayBuffer().catch(() => {})
      }
    }
    for (let kill = 0; kill < kills; kill++) {
      const crowd = startCrowd(server, compose, VISITORS)
      const readers = Array.from({ length: READERS }, readOn)
      await crowd.reached(1 + Math.floor(Math.random() * VISITORS))
      // The moment of the kill is the subject here: anywhere in a batch, not just after an answer.
      await pause(Math.random() * LONGEST_LIFE_MS)
      await server.end('SIGKILL')
      await Promise.all([crowd.over, ...readers])
      server = await startServer(place)
      const log = await readLog(server, headers, logged)
      for (const reason of log.reasons) if (reason !== null) logged.add(reason)
      expect(answered.filter((reason) => !logged.has(reason))).toEqual([])
      expect(log.size).toBeGreaterThan(size)
      size = log.size
    }
    expect(refused).toEqual([])
    const { reasons } = await readLog(server, headers)
    expect(answered.filter((reason) => !reasons.has(reason))).toEqual([])
    console.log(`${kills} kills, ${answered.length} of ${asked} answered, ${size} entries`)
    expect(await server.end('SIGTERM')).toBe(0)
  } finally {
    await server.end('SIGKILL')
  }
}

describe('who was answered is in the access log, however often the server is killed, and the log verifies after each', () => {
  test('on SQLite', async () => {
    const place = createPlace()
    try {
      await surviveKills(place, times(3, 200))
      expectWhole(place)
    } finally {
      place.remove()
    }
  })

  test('on PostgreSQL', async () => {
    const postgres = await startPostgres()
    const { database, vault } = await postgres.createStores()
    const place = createPlace({ stores: ['--database', database, '--vault', vault], env: { AVOW_NODE: 'node' } })
    try {
      await surviveKills(place, times(3, 200))
    } finally {
      place.remove()
      await postgres.stop()
    }
  })
})

const canLimit = spawnSync('prlimit', ['--version']).status === 0
if (!canLimit) console.warn('not run: prlimit is not here, so no write errors are made by a limit on file sizes')

test.skipIf(!canLimit)(
  'where it can’t be written nobody is answered, and once it can everybody is, without a restart',
  async () => {
    const place = createPlace()
    const server = await startServer(place)
    try {
      const headers = await readerOf(place)
      expect((await ask(server, headers, 'before')).status).toBe(200)
      for (let time = 0; time < times(2, 20); time++) {
        // No file may grow: which one is written to first where there is no room, differs.
        const file = path.join(place.data, time % 2 === 0 ? 'vault.db-wal' : 'ledger.db-wal')
        const limit = (size: string) =>
          spawnSync('prlimit', ['--pid', String(server.process.pid), `--fsize=${size}:unlimited`]).status
        expect(limit(String(statSync(file).size))).toBe(0)
        const statuses: number[] = []
        // The other file has room for some more.
        while (!statuses.includes(503) && statuses.length < 400) {
          const answer = await ask(server, headers, `full ${time}`)
          statuses.push(answer.status)
          const text = await answer.text()
          if (answer.status === 503) expect(JSON.parse(text)).toMatchObject({ code: 'unavailable' })
        }
        expect(new Set(statuses)).toEqual(new Set(statuses.length > 1 ? [200, 503] : [503]))
        expect(limit('unlimited')).toBe(0)
        expect((await ask(server, headers, `room again ${time}`)).status).toBe(200)
        expect((await readLog(server, headers)).reasons).toContain(`room again ${time}`)
      }
      expect(await server.end('SIGTERM')).toBe(0)
      expectWhole(place)
    } finally {
      await server.end('SIGKILL')
      place.remove()
    }
  },
)

const canTrace = spawnSync('strace', ['-e', 'trace=none', 'true']).status === 0
if (!canTrace) console.warn('not run: strace is not here, or may not trace: what the disk is told was not looked at')

const socketOf = ({ args }: Call) => /^\d+<TCP[^>]*>/.exec(args)?.[0] ?? null

describe.skipIf(!canTrace)('before a row leaves', () => {
  test('vault, ledger and escrow have the access, in this order, and each sync had returned', async () => {
    const place = createPlace()
    const trace = path.join(place.folder, 'trace')
    const calls = 'fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg,read,readv,recvfrom,recvmsg'
    const under = ['strace', '-D', '-f', '-yy', '-s', '40', '-e', `trace=${calls}`, '-e', 'signal=none', '-o', trace]
    try {
      const server = await startServer(place, { under })
      const count = times(10, 100)
      try {
        const headers = await readerOf(place)
        for (let i = 0; i < count; i++) expect((await ask(server, headers, 'alone')).status).toBe(200)
        const readers = Array.from({ length: count }, () => 'together')
        await each(readers, READERS, async (reason) => expect((await ask(server, headers, reason)).status).toBe(200))
      } finally {
        await server.end('SIGTERM')
      }
      const all = parseTrace(readFileSync(trace, 'utf8'))
      const head = path.join(place.data, 'escrow', `${LOG}.node.head`)
      const files = [path.join(place.data, 'vault.db-wal'), path.join(place.data, 'ledger.db-wal'), head]
      const byFile = files.map((file) => all.filter(({ args }) => args.includes(`<${file}>`)))
      const durableAfter = (own: readonly Call[], line: number) => {
        const write = own.find(({ name, began }) => /^p?write/.test(name) && began > line)
        const sync = own.find(
          ({ name, result, began }) =>
            /^fd?a?t?a?sync$/.test(name) && result === '0' && write && began > write.returned,
        )
        return sync?.returned ?? Number.POSITIVE_INFINITY
      }
      const waiting = new Map<string, Call>()
      let found = 0
      for (const call of all) {
        const socket = socketOf(call)
        if (!socket) continue
        if (/^(read|recv)/.test(call.name) && call.args.includes('GET /v1/audit/records')) waiting.set(socket, call)
        const request = waiting.get(socket)
        if (!request || !/^(write|send)/.test(call.name) || !call.args.includes('HTTP/1.1 200')) continue
        waiting.delete(socket)
        found++
        const order = [request.returned]
        for (const own of byFile) order.push(durableAfter(own, order.at(-1)!))
        order.push(call.began)
        expect(order).toEqual([...order].sort((a, b) => a - b))
      }
      expect(found).toBe(2 * count)
    } finally {
      place.remove()
    }
  })
})
