/**
 * Whether a log slows down as it grows: `node bench/growth/run.mjs [--entries 1000000] [--step 100000]`. Submissions go
 * through the application itself, 64 at a time and without HTTP, into SQLite; each step tells its rate and the memory.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { avowSubmission } from '@avow/sdk/testing'
import { createAvow, generateKey, readPolicy } from '@avow/server'

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000000' },
    step: { type: 'string', default: '100000' },
  },
})
const [entries, step] = [Number(values.entries), Number(values.step)]
const CONNECTIONS = 64

const folder = mkdtempSync(path.join(tmpdir(), 'avow-growth-'))
const avow = await createAvow({
  data: folder,
  publicUrl: 'http://bench.example',
  sites: [
    {
      site: 'bench',
      policy: readPolicy(path.join(import.meta.dirname, '../../demo/policy.json')),
      origins: ['http://bench.example'],
      publicLog: true,
    },
  ],
  rateLimit: null,
  keys: [generateKey()],
})
const notice = await (await avow.app.request('/v1/sites/bench/notice')).json()

let count = 0
async function send(until) {
  while (count < until) {
    count++
    const body = JSON.stringify(avowSubmission('bench', notice))
    const headers = { 'content-type': 'application/json', 'content-length': String(body.length) }
    const answer = await avow.app.request('/v1/consents', { method: 'POST', headers, body })
    if (answer.status !== 201) throw new Error(`${answer.status}: ${await answer.text()}`)
    await answer.text()
  }
}

console.log(' entries         /s   CPU µs    RSS MB   ledger MB   vault MB')
for (let until = step; until <= entries; until += step) {
  const [from, cpu, started] = [count, process.cpuUsage(), performance.now()]
  await Promise.all(Array.from({ length: CONNECTIONS }, () => send(until)))
  const { user, system } = process.cpuUsage(cpu)
  const done = count - from
  const rate = done / ((performance.now() - started) / 1000)
  const megabytes = (file) => (statSync(path.join(folder, file)).size / 1e6).toFixed(0)
  console.log(
    [
      String(count).padStart(8),
      rate.toFixed(0).padStart(10),
      ((user + system) / done).toFixed(0).padStart(8),
      (process.memoryUsage().rss / 1e6).toFixed(0).padStart(9),
      megabytes('ledger.db').padStart(11),
      megabytes('vault.db').padStart(10),
    ].join(' '),
  )
}
await avow.close()
rmSync(folder, { recursive: true })
