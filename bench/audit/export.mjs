/**
 * How fast all records leave, and what that costs whoever submits a consent meanwhile: `node bench/audit/export.mjs
 * [--records 200000] [--format ndjson] [--seconds 10] [--data FOLDER]`. A server of its own, SQLite, asked over HTTP by other
 * processes. `--data` keeps what was generated, and finds it again.
 */
import { fork } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, loadavg, setPriority, tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { avowSubmission } from '@avow/sdk/testing'
import { openThreadedSqliteStorage } from '@avow/server'
import { createAdaptorServer } from '@hono/node-server'
import { ORIGIN, provide, SITE, serve } from './site.mjs'

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '200000' },
    format: { type: 'string', default: 'ndjson' },
    seconds: { type: 'string', default: '10' },
    data: { type: 'string' },
    role: { type: 'string', default: 'bench' },
    url: { type: 'string' },
  },
})

await { bench, server, export: exporter, ingest }[values.role]()

/** A server that sees to the records, tells where it is, and how much it takes. */
async function server() {
  const folder = values.data
  const openStores = () => openThreadedSqliteStorage(folder)
  await provide({ folder, openStores, records: Number(values.records) })
  const avow = await serve({ folder, storage: await openStores(), now: Date.now })
  const notice = await (await avow.app.request(`/v1/sites/${SITE}/notice`)).json()
  const key = await avow.keys.create({ name: 'bench', site: SITE, scopes: ['audit:read', 'audit:export'] })
  let peak = 0
  let before = process.cpuUsage()
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss)
  }, 50)
  createAdaptorServer({ fetch: avow.app.fetch }).listen(0, '127.0.0.1', function listening() {
    process.send({ port: this.address().port, key, notice })
  })
  process.on('message', async (what) => {
    if (what === 'reset') {
      global.gc?.()
      ;[before, peak] = [process.cpuUsage(), process.memoryUsage().rss]
      process.send({ reset: true })
    } else if (what === 'usage') {
      const { user, system } = process.cpuUsage(before)
      process.send({ cpuSeconds: (user + system) / 1e6, peakMb: peak / 2 ** 20 })
    } else {
      clearInterval(watch)
      await avow.close()
      process.exit(0)
    }
  })
}

/** One half of them grants. */
const submission = (notice) =>
  avowSubmission(SITE, notice, Math.random() < 0.5 ? {} : { action: 'reject-all', choices: { analytics: false } })

/** Takes one export whole, or one after another until it is told to stop. */
function exporter() {
  process.on('message', async ({ url, key, format, isOver }) => {
    do {
      const started = performance.now()
      const answer = await fetch(`${url}/v1/audit/export?format=${format}`, {
        headers: { authorization: `Bearer ${key}` },
      })
      let [bytes, lines] = [0, 0]
      for await (const chunk of answer.body) {
        bytes += chunk.length
        for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++
      }
      process.send({ bytes, lines, seconds: (performance.now() - started) / 1000 })
    } while (isOver === false)
  })
}

/** Submits at a steady pace, whatever the answers take, and says what they took. */
function ingest() {
  process.on('message', async ({ url, notice, seconds, perSecond }) => {
    const times = []
    const until = performance.now() + seconds * 1000
    const submit = async () => {
      const started = performance.now()
      const answer = await fetch(`${url}/v1/consents`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: ORIGIN },
        body: JSON.stringify(submission(notice)),
      })
      await answer.arrayBuffer()
      if (answer.status === 201) times.push(performance.now() - started)
    }
    const pending = []
    for (let next = performance.now(); next < until; next += 1000 / perSecond) {
      await new Promise((resume) => setTimeout(resume, Math.max(0, next - performance.now())))
      pending.push(submit())
    }
    await Promise.all(pending)
    times.sort((a, b) => a - b)
    const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))]
    process.send({ count: times.length, p50: at(0.5), p99: at(0.99), max: times.at(-1) })
  })
}

async function bench() {
  const folder = values.data ?? mkdtempSync(path.join(tmpdir(), 'avow-bench-'))
  mkdirSync(folder, { recursive: true })
  const start = (role, ...more) =>
    fork(import.meta.filename, ['--role', role, '--records', values.records, ...more], {
      execArgv: role === 'server' ? ['--expose-gc'] : [],
    })
  const told = (child) => new Promise((resolve) => child.once('message', resolve))
  const asked = (child, what) => {
    const answer = told(child)
    child.send(what)
    return answer
  }
  const served = start('server', '--data', folder)
  try {
    const { port, key, notice } = await told(served)
    const url = `http://127.0.0.1:${port}`
    console.log(`${availableParallelism()} processors, load ${loadavg()[0].toFixed(1)}, Node ${process.version}`)
    const taker = start('export')
    for (const format of values.format.split(',')) {
      // Once for the compiler, once for the figures.
      await asked(taker, { url, key, format })
      await asked(served, 'reset')
      const { lines, bytes, seconds } = await asked(taker, { url, key, format })
      const { cpuSeconds, peakMb } = await asked(served, 'usage')
      console.log(
        `${format.padEnd(8)} ${lines} records, ${(bytes / 2 ** 20).toFixed(0)} MB in ${seconds.toFixed(1)} s: ` +
          `${Math.round(lines / seconds)}/s, ${Math.round(lines / cpuSeconds)}/s a core of the server, at most ${peakMb.toFixed(0)} MB`,
      )
    }
    const submitter = start('ingest')
    const load = { url, notice, seconds: Number(values.seconds), perSecond: 200 }
    await asked(submitter, { ...load, seconds: 3 })
    const row = ({ count, p50, p99, max }) =>
      `${count} consents, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, at most ${max.toFixed(1)} ms`
    // In turns, since others may use the machine.
    for (let round = 0; round < 3; round++) {
      const alone = await asked(submitter, load)
      const endless = start('export')
      // In life it is another machine, and takes nothing from this one.
      setPriority(endless.pid, 19)
      endless.send({ url, key, format: 'ndjson', isOver: false })
      const beside = await asked(submitter, load)
      endless.kill()
      console.log(`ingest alone            ${row(alone)}`)
      console.log(`ingest beside an export ${row(beside)}, p99 ${(beside.p99 / alone.p99).toFixed(2)} times`)
    }
    for (const child of [taker, submitter]) child.kill()
  } finally {
    served.send('stop')
    await new Promise((resolve) => served.once('exit', resolve))
    if (values.data === undefined) rmSync(folder, { recursive: true, force: true })
  }
}
