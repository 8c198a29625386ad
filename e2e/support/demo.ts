/** The built demo as a process of its own: on a free port, with a data folder of its own, and stoppable the hard way. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../tools/free-port.js'

const program = fileURLToPath(new URL('../../demo/dist/main.js', import.meta.url))

/** A machine busy with another worker's browser is slow to start Node; an idle one needs less than a second. */
const readyWithinMs = 20_000

/** What the demo writes about itself into `demo.json`. */
export interface DemoFacts {
  readonly url: string
  readonly apiUrl: string
  readonly auditUrl: string
  readonly auditKey: string
  readonly site: string
  readonly logUrl: string
  readonly vkey: string
}

export interface Demo extends DemoFacts {
  readonly data: string
  /** Ends the process with the signal, waits until it is gone and says its exit code. The data stays. */
  readonly end: (signal: 'SIGTERM' | 'SIGKILL') => Promise<number | null>
}

async function isHealthy(facts: DemoFacts): Promise<boolean> {
  try {
    return (await fetch(`${facts.apiUrl}/healthz`)).ok
  } catch {
    // Not listening yet: asked again until the time is up.
    return false
  }
}

async function readFacts(data: string, url: string): Promise<DemoFacts | null> {
  try {
    const facts: DemoFacts = JSON.parse(await readFile(join(data, 'demo.json'), 'utf8'))
    // A restart on another port finds the facts of the run before until they are written anew.
    return facts.url === url ? facts : null
  } catch {
    // Not written yet, or half written: read again until the time is up.
    return null
  }
}

async function ready(child: ChildProcess, data: string, url: string, said: () => string): Promise<DemoFacts> {
  const until = performance.now() + readyWithinMs
  while (performance.now() < until && child.exitCode === null) {
    const facts = await readFacts(data, url)
    if (facts && (await isHealthy(facts))) return facts
    await pause(30)
  }
  throw new Error(`the demo did not start on ${url} within ${readyWithinMs} ms; it said:\n${said()}`)
}

export const createDataFolder = () => mkdtemp(join(tmpdir(), 'avow-e2e-'))
export const deleteDataFolder = (data: string) => rm(data, { recursive: true, force: true })

/** Starts the demo on this data; a `port` of an earlier run makes it the same site again. */
export async function startDemo(data: string, port?: number): Promise<Demo> {
  const PORT = String(port ?? (await freePort()))
  const env = { ...process.env, PORT, AVOW_DATA: data, AVOW_RATE_LIMIT: 'off' }
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = `${output}${chunk}`.slice(-10_000)
    })
  }
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
    return child.exitCode
  }
  try {
    return { ...(await ready(child, data, `http://localhost:${PORT}`, () => output)), data, end }
  } catch (error) {
    await end('SIGKILL')
    throw error
  }
}
