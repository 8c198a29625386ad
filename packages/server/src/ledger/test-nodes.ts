/** Nodes for tests: ledgers of one site on one PostgreSQL, in this process or in one of their own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Storage } from '../storage/storage.js'
import { createKeyring } from '../vault/keyring.js'
import { createMemoryEscrow, openFileEscrow } from './escrow.js'
import { type Draft, Ledger, type LedgerParts } from './ledger.js'
import { createSigner } from './signer.js'

export const signer = createSigner('log.example/site', new Uint8Array(32).fill(5))
const keyring = createKeyring([new Uint8Array(32).fill(1)])

/** A record that says its key, so that what is opened tells which one it is. */
export function draftOf(key: string): Draft {
  const digest = createHash('sha256').update(key).digest()
  return {
    key: digest.subarray(0, 16),
    fingerprint: digest,
    compose: () => ({
      kind: 'consent',
      subject: digest.subarray(16),
      account: null,
      facet: 'all',
      evidence: { key },
      identity: { key },
    }),
  }
}

/** The site's ledger over these stores. `escrow`: the folder that nodes share; null for one that nobody shares. */
export async function openNode(
  storage: Storage,
  escrow: string | null,
  node: string,
  other: Partial<LedgerParts> = {},
): Promise<Ledger> {
  const { log: store } = await storage.openLog('site', signer.name)
  return Ledger.open({
    log: 'site',
    store,
    signer,
    keyring,
    escrow: escrow === null ? createMemoryEscrow() : openFileEscrow(escrow, 'site', node),
    now: () => 1000,
    warn: () => {},
    ...other,
  })
}

/** The server's source as plain JavaScript in a folder of its own, so that a process can be started from it without a build. */
export async function compileServer(): Promise<{ program: string; remove(): void }> {
  const { default: ts } = await import('typescript')
  const source = fileURLToPath(new URL('..', import.meta.url))
  const folder = mkdtempSync(path.join(tmpdir(), 'avow-node-'))
  for (const part of ['ledger', 'merkle', 'storage', 'vault']) {
    mkdirSync(path.join(folder, part))
    for (const file of readdirSync(path.join(source, part))) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue
      const { outputText } = ts.transpileModule(readFileSync(path.join(source, part, file), 'utf8'), {
        compilerOptions: {
          target: ts.ScriptTarget.ES2022,
          module: ts.ModuleKind.ESNext,
          verbatimModuleSyntax: true,
        },
      })
      writeFileSync(path.join(folder, part, file.replace(/\.ts$/, '.js')), outputText)
    }
  }
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}')
  symlinkSync(nodeModules(source), path.join(folder, 'node_modules'))
  return {
    program: path.join(folder, 'ledger', 'test-node-process.js'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function nodeModules(from: string): string {
  for (let folder = from; ; folder = path.dirname(folder)) {
    if (readdirSync(folder).includes('node_modules') && readdirSync(path.join(folder, 'node_modules')).includes('pg'))
      return path.join(folder, 'node_modules')
    if (folder === path.dirname(folder)) throw new Error(`no node_modules above ${from}`)
  }
}

export interface NodeOrders {
  readonly database: string
  readonly vault: string
  readonly escrow: string
  readonly node: string
  /** Keys are this and a number. */
  readonly prefix: string
  readonly count: number
  /** How many are under way at once. */
  readonly clients: number
  /** Takes the head's lock from whoever sits on it, first of all. */
  readonly takesTheHead: boolean
}

export interface NodeProcess {
  readonly process: ChildProcess
  /** Index by key, of what it has answered. */
  readonly answers: ReadonlyMap<string, number>
  /** How often it was refused and asked again. */
  refusals(): number
  /** Tells it to begin. Written at once, also when the caller then stands still. */
  begin(): void
  /** Resolves when it has ended, however. */
  readonly ended: Promise<void>
  /** Resolves when it has answered everything; rejects if it ended before that. */
  readonly done: Promise<void>
}

/** Resolves once the node has opened the log. */
export async function startNode(program: string, orders: NodeOrders): Promise<NodeProcess> {
  const child = spawn(process.execPath, [program, JSON.stringify(orders)], { stdio: ['pipe', 'pipe', 'pipe'] })
  const answers = new Map<string, number>()
  let refusals = 0
  let said = ''
  child.stderr.on('data', (text) => {
    said += text
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const failed = () => new Error(`the node ended too early: ${said}`)
  let isDone = false
  const ready = new Promise<void>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const [what = '', key = ''] = line.split(' ')
      if (line === 'ready') resolve()
      else if (line === 'done') isDone = true
      else if (what === 'refused') refusals++
      else answers.set(key, Number(what))
    })
    child.once('close', () => reject(failed()))
  })
  const done = ended.then(() => {
    if (!isDone) throw failed()
  })
  // A node that is killed on purpose is not waited for.
  done.catch(() => {})
  await ready
  return {
    process: child,
    answers,
    refusals: () => refusals,
    begin: () => void child.stdin.write('begin\n'),
    ended,
    done,
  }
}
