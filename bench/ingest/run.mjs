/**
 * Consents durably acknowledged per second, beside an empty handler and beside one commit per request, in one run:
 * `node bench/ingest/run.mjs [--seconds 10] [--connections 64] [--many 1000] [--only empty,avow]`. The load is wrk (Debian), a
 * process of its own. `--many` is a row of its own, for which errors count and not times.
 */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    connections: { type: 'string', default: '64' },
    many: { type: 'string', default: '1000' },
    only: { type: 'string', default: 'empty,avow,single,many' },
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
    [
      ...(process.env.AVOW_NODE_ARGS?.split(' ') ?? []),
      path.join(here, 'server.mjs'),
      values.port,
      kind === 'many' ? 'avow' : kind,
      folder,
    ],
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
          '--timeout',
          '10s',
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
  // Warm: the first seconds compile.
  await load(3)
  const before = cpuSeconds(server.pid)
  const result = await load(seconds)
  const cpu = ((cpuSeconds(server.pid) - before) * 1e6) / result.requests
  server.kill('SIGTERM')
  await new Promise((resolve) => server.once('exit', resolve))
  rmSync(folder, { recursive: true })
  return { kind, connections, cpu, perSecond: result.requests / result.seconds, ...result }
}

/** Processor time of a process so far, all its threads; 0 where there is no /proc. It holds also where others use the machine. */
function cpuSeconds(pid) {
  const file = `/proc/${pid}/stat`
  if (!existsSync(file)) return 0
  // Fields 14 and 15, counted behind the name, which may hold spaces; in hundredths of a second.
  const fields = readFileSync(file, 'utf8').split(') ').pop().split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

const rows = []
for (const kind of values.only.split(',')) {
  const connections = Number(kind === 'many' ? values.many : values.connections)
  rows.push(
    await measure(kind, connections, kind === 'single' ? Math.min(5, Number(values.seconds)) : Number(values.seconds)),
  )
}
const empty = rows.find(({ kind }) => kind === 'empty')?.perSecond
console.log(`load average ${loadavg()[0].toFixed(1)} on ${availableParallelism()} processors`)
console.log('server   connections       /s   of empty   CPU µs   p50 ms   p99 ms   max ms   errors')
for (const row of rows) {
  const share = empty ? `${((100 * row.perSecond) / empty).toFixed(0)} %` : '-'
  console.log(
    [
      row.kind.padEnd(8),
      String(row.connections).padStart(11),
      row.perSecond.toFixed(0).padStart(8),
      share.padStart(10),
      row.cpu.toFixed(0).padStart(8),
      ...[row.p50, row.p99, row.max].map((ms) => ms.toFixed(1).padStart(8)),
      String(row.non2xx + row.socket + row.timeouts).padStart(8),
    ].join(' '),
  )
}
