/**
 * Consents durably acknowledged per second, beside an empty handler and beside one commit per request, in one run:
 * `node bench/ingest/run.mjs [--seconds 10] [--connections 64] [--only empty,thread]`. The load is wrk (Debian), a process of its own.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    connections: { type: 'string', default: '64' },
    only: { type: 'string', default: 'empty,thread,main,single' },
    port: { type: 'string', default: '8931' },
  },
})
try {
  execFileSync('wrk', ['-v'], { stdio: 'ignore' })
} catch (error) {
  // wrk -v exits 1; what matters is whether it is there.
  if (error.code === 'ENOENT') {
    console.error('wrk is needed for the load: apt-get install wrk')
    process.exit(1)
  }
}

const here = import.meta.dirname

async function measure(kind, connections, seconds) {
  const folder = mkdtempSync(path.join(tmpdir(), 'avow-bench-'))
  const server = spawn(
    process.execPath,
    [...(process.env.AVOW_NODE_ARGS?.split(' ') ?? []), path.join(here, 'server.mjs'), values.port, kind, folder],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const told = await new Promise((resolve, reject) => {
    server.stdout.once('data', (line) => resolve(JSON.parse(line)))
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}`)))
  })
  const load = (time) =>
    new Promise((resolve) => {
      const wrk = spawn(
        'wrk',
        [
          '-t1',
          `-c${connections}`,
          `-d${time}s`,
          '--latency',
          '-s',
          path.join(here, 'consents.lua'),
          `http://127.0.0.1:${values.port}`,
        ],
        {
          env: { ...process.env, AVOW_CITED: JSON.stringify(told), AVOW_SEED: String(Math.floor(performance.now())) },
        },
      )
      let out = ''
      wrk.stdout.on('data', (text) => {
        out += text
      })
      wrk.once('exit', () => resolve(JSON.parse(/RESULT (.*)/.exec(out)[1])))
    })
  // Warm: the first second compiles.
  await load(2)
  const result = await load(seconds)
  server.kill('SIGTERM')
  await new Promise((resolve) => server.once('exit', resolve))
  rmSync(folder, { recursive: true })
  return { kind, perSecond: result.requests / result.seconds, ...result }
}

const kinds = values.only.split(',')
const rows = []
for (const kind of kinds)
  rows.push(
    await measure(
      kind,
      Number(values.connections),
      kind === 'single' ? Math.min(5, Number(values.seconds)) : Number(values.seconds),
    ),
  )
const empty = rows.find(({ kind }) => kind === 'empty')?.perSecond
console.log(`${values.connections} connections`)
console.log('server          /s   of empty   p50 ms   p99 ms   max ms   errors')
for (const row of rows) {
  const share = empty ? `${((100 * row.perSecond) / empty).toFixed(0)} %` : '-'
  console.log(
    [
      row.kind.padEnd(9),
      row.perSecond.toFixed(0).padStart(8),
      share.padStart(10),
      ...[row.p50, row.p99, row.max].map((ms) => ms.toFixed(1).padStart(8)),
      String(row.non2xx + row.socket + row.timeouts).padStart(8),
    ].join(' '),
  )
}
