/** A site's configuration, key and data in a folder of its own, and the built program `avow` run on it from outside. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatKeys, generateKey } from '@avow/server'
import { freePort } from '../../tools/free-port.js'

export const program = fileURLToPath(new URL('../../packages/server/dist/cli/avow.js', import.meta.url))
export const policyFile = fileURLToPath(new URL('../../demo/policy.json', import.meta.url))

export const SITE = 'shop'
export const PAGE_ORIGIN = 'https://shop.example'

/** A machine busy with other tests is slow to start Node; an idle one needs under a second. */
const READY_WITHIN_MS = 30_000

export interface Place {
  /** Holds all the others. */
  readonly folder: string
  readonly data: string
  readonly kekFile: string
  readonly env: NodeJS.ProcessEnv
  /** Flags of `avow serve` and of the commands that open the stores. */
  readonly stores: readonly string[]
  remove(): void
}

export interface PlaceOptions {
  readonly data?: string
  readonly stores?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

export function createPlace(options: PlaceOptions = {}): Place {
  const folder = mkdtempSync(path.join(tmpdir(), 'avow-soak-'))
  const data = options.data ?? path.join(folder, 'data')
  const kekFile = path.join(folder, 'kek')
  mkdirSync(data, { recursive: true })
  writeFileSync(kekFile, formatKeys([generateKey()]), { mode: 0o600 })
  const site = { site: SITE, policy: policyFile, origins: [PAGE_ORIGIN], publicLog: true }
  writeFileSync(path.join(folder, 'avow.json'), JSON.stringify({ sites: [site] }))
  const env = {
    ...process.env,
    // One public address whatever the port, so that the log keeps its name over restarts.
    AVOW_PUBLIC_URL: 'https://shop.example/_avow',
    AVOW_DATA: data,
    AVOW_KEK_FILE: kekFile,
    AVOW_RATE_LIMIT: 'off',
    ...options.env,
  }
  return {
    folder,
    data,
    kekFile,
    env,
    stores: options.stores ?? [],
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** The same site elsewhere, with a copy of the data and the key as they are now; nobody may be serving from them. */
export function copyPlace(place: Place): Place {
  const copy = createPlace()
  cpSync(place.data, copy.data, { recursive: true })
  cpSync(place.kekFile, copy.kekFile)
  return copy
}

export interface Ran {
  readonly status: number | null
  /** What it died of; null if it came to its end. */
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `avow` to its end, as a shell would. */
export const runAvow = (place: Place, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> =>
  runProgram([program, ...args], { ...place.env, ...env })

/** Runs a program of Node to its end. */
export async function runProgram(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ran> {
  const child = spawn(process.execPath, args, {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: READY_WITHIN_MS,
    killSignal: 'SIGKILL',
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk
  })
  await once(child, 'close')
  return { status: child.exitCode, signal: child.signalCode, stdout, stderr }
}

/** `avow serve` where it is expected to end by itself. */
export async function runServe(place: Place, env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const PORT = String(await freePort())
  return runAvow(place, serveArgs(place), { PORT, ...env })
}

/** An API key that reads everything, made beside the server once that has served the site. */
export async function createKey(place: Place): Promise<string> {
  const { status, stdout, stderr } = await runAvow(place, [
    'keys',
    'create',
    ...place.stores,
    ...['--site', SITE, '--name', 'soak'],
  ])
  if (status !== 0) throw new Error(`avow keys create: ${stderr}`)
  return stdout.trim()
}

export interface Server {
  readonly url: string
  readonly logUrl: string
  /** Public keys of the site's logs that the server told of when it started. */
  readonly vkey: string
  readonly process: ChildProcess
  /** All it said on standard error so far. */
  stderr(): string
  /** Ends it and waits until it is gone; answers its exit code. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>
  /** Resolves when it is gone, however. */
  readonly gone: Promise<void>
}

interface StartOptions {
  readonly env?: NodeJS.ProcessEnv
  /** A program and its arguments that run the server: `strace -f …`. */
  readonly under?: readonly string[]
}

const serveArgs = (place: Place) => ['serve', '--config', path.join(place.folder, 'avow.json'), ...place.stores]

/** Starts `avow serve` and resolves once it says that it answers. Rejects, with what it said, if it ends before. */
export async function startServer(place: Place, { env = {}, under = [] }: StartOptions = {}): Promise<Server> {
  const port = await freePort()
  const [command = process.execPath, ...args] = [...under, process.execPath, program, ...serveArgs(place)]
  const child = spawn(command, args, {
    env: { ...place.env, PORT: String(port), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = `${stderr}${chunk}`.slice(-20_000)
  })
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await gone
    return child.exitCode
  }
  const vkey = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`avow serve did not start within ${READY_WITHIN_MS} ms; it said:\n${stderr}`))
    }, READY_WITHIN_MS)
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk
      const told = new RegExp(`^${SITE}: verifies with (\\S+)$`, 'm').exec(stdout)?.[1]
      if (!told) return
      clearTimeout(late)
      resolve(told)
    })
    gone.then(() => {
      clearTimeout(late)
      reject(new Error(`avow serve ended with ${child.exitCode ?? child.signalCode}; it said:\n${stderr}`))
    })
  })
  const url = `http://127.0.0.1:${port}`
  return { url, logUrl: `${url}/log/${SITE}`, vkey, process: child, stderr: () => stderr, end, gone }
}
