import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import Database from 'better-sqlite3'
import { afterAll, expect, test } from 'vitest'
import { conformance } from './conformance.js'
import { connect, serve } from './sqlite-thread.js'
import { LockedError, LostVaultError, type Storage, UnavailableError } from './storage.js'

const root = mkdtempSync(path.join(tmpdir(), 'avow-thread-'))
afterAll(() => rmSync(root, { recursive: true }))

const folderOf = new Map<Storage, string>()
let count = 0

/** Both ends in one thread: the messages are the same. */
async function open(folder = path.join(root, String(count++)), lost = new Promise<Error>(() => {})): Promise<Storage> {
  const { port1, port2 } = new MessageChannel()
  serve(port2, folder)
  const storage = await connect(port1, lost)
  folderOf.set(storage, folder)
  return storage
}

conformance('SQLite in a thread', {
  create: () => open(),
  async reopen(storage) {
    await storage.close()
    return open(folderOf.get(storage)!)
  },
})

test('a folder that another process holds is refused through the thread too', async () => {
  const storage = await open()
  await expect(open(folderOf.get(storage)!)).rejects.toThrow(LockedError)
  await storage.close()
})

test('when the thread dies, what waits and what comes later is told that the stores are gone', async () => {
  let die: (error: Error) => void = () => {}
  const storage = await open(undefined, new Promise((resolve) => (die = resolve)))
  const { log } = await storage.openLog('site', 'o')
  const waiting = log.head()
  die(new Error('killed'))
  await expect(waiting.then(() => log.head())).rejects.toThrow(UnavailableError)
  await expect(log.findSubject(new Uint8Array(16))).rejects.toThrow(/gone: killed/)
})

test('erasures that are asked for together share a scrub through the thread too, and are answered before the stores close', async () => {
  const storage = await open()
  const { log } = await storage.openLog('site', 'o')
  // SQLite counts it up at each VACUUM.
  const counter = new Database(path.join(folderOf.get(storage)!, 'vault.db'))
  const count = () => counter.pragma('schema_version', { simple: true }) as number
  const before = count()
  const erase = () => log.forget([{ index: 0, grade: 'erase', secrets: new Uint8Array(0) }])
  const answers = await Promise.allSettled([erase(), erase(), erase(), storage.close()])
  expect(answers.map(({ status }) => status)).toEqual(Array(4).fill('fulfilled'))
  expect(count()).toBe(before + 1)
  counter.close()
})

test('the thread ends where the stores can not be opened', async () => {
  const storage = await open()
  const { port1, port2 } = new MessageChannel()
  const ended = new Promise((resolve) => port2.once('close', resolve))
  serve(port2, folderOf.get(storage)!)
  await expect(connect(port1, new Promise(() => {}))).rejects.toThrow(LockedError)
  await ended
  await storage.close()
})

test('the thread ends only after the other side has heard that the stores are closed', async () => {
  const { port1, port2 } = new MessageChannel()
  serve(port2, path.join(root, 'closing'))
  // What is lost is told before what is answered, as where the end of a thread is heard of first.
  const lost = new Promise<Error>((resolve) => port2.once('close', () => resolve(new Error('it ended with 0'))))
  const storage = await connect(port1, lost)
  await storage.close()
  await lost
})

test('a vault that is lost is told through the thread as what it is, and one made anew where that is said', async () => {
  const folder = path.join(root, 'lost')
  const storage = await open(folder)
  const { log } = await storage.openLog('site', 'o')
  await log.append([], 0, () => ({
    head: { size: 1, root: new Uint8Array(32), checkpoint: 'c', recordedAt: 1 },
    entries: [{ entry: new Uint8Array(3), sealed: [] }],
    vault: [
      {
        ...{ key: new Uint8Array(16), fingerprint: new Uint8Array(32), subject: null, account: null },
        ...{ secrets: new Uint8Array(0), erased: null, facet: null, recordedAt: 1 },
      },
    ],
    tiles: [],
    documents: [],
  }))
  await storage.close()
  rmSync(path.join(folder, 'vault.db'))
  const opening = open(folder)
  await expect(opening).rejects.toThrow(LostVaultError)
  await expect(opening).rejects.toThrow(/vault\.db is missing.*avow vault create/)
  const { port1, port2 } = new MessageChannel()
  serve(port2, folder, { mustExist: true, lost: 'vault' })
  await (await connect(port1, new Promise(() => {}))).close()
})

test('of appends that are asked for at once, each extends what the one before it wrote', async () => {
  const storage = await open()
  const { log } = await storage.openLog('site', 'o')
  const appends = Array.from({ length: 3 }, (_, i) =>
    log.append([Buffer.alloc(16, i)], 0, ({ head }) => ({
      head: { size: head.size + 1, root: Buffer.alloc(32, head.size), checkpoint: 'c', recordedAt: 1 },
      entries: [{ entry: Buffer.of(i), sealed: [] }],
      vault: [{ ...nobody, key: Buffer.alloc(16, i), facet: null, recordedAt: 1 }],
      ...{ tiles: [], documents: [] },
    })),
  )
  await Promise.all(appends)
  expect((await log.entries(0, 9)).map(({ entry }) => entry[0])).toEqual([0, 1, 2])
  await storage.close()
})

const nobody = { fingerprint: Buffer.alloc(32), subject: null, account: null, secrets: Buffer.alloc(0), erased: null }
