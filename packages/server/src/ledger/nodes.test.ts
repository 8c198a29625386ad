/** Several nodes on one PostgreSQL: one order, no gap, no fork, whoever dies. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { verifyInclusion } from '../merkle/proof.js'
import { TileEdge } from '../merkle/tile.js'
import { leafHash } from '../merkle/tree.js'
import { openPostgresStorage } from '../storage/postgres.js'
import { type Storage, UnavailableError } from '../storage/storage.js'
import { type Stores, startPostgres, type TestServer } from '../storage/test-postgres.js'
import { openCheckpoint } from './checkpoint.js'
import { ForkError, type Ledger } from './ledger.js'
import { compileServer, draftOf, type NodeOrders, type NodeProcess, openNode, signer, startNode } from './test-nodes.js'

let server: TestServer
let compiled: Awaited<ReturnType<typeof compileServer>>
beforeAll(async () => {
  ;[server, compiled] = await Promise.all([startPostgres(), compileServer()])
}, 60_000)
afterAll(async () => {
  compiled?.remove()
  await server?.stop()
})

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A site's stores, the escrow its nodes share, and nodes of either kind. */
async function cluster() {
  const stores: Stores = await server.createStores()
  const escrow = mkdtempSync(path.join(tmpdir(), 'avow-escrow-'))
  closing.push(() => rmSync(escrow, { recursive: true }))
  const storage = async (): Promise<Storage> => {
    const opened = await openPostgresStorage({ ...stores, warn: () => {} })
    closing.push(() => opened.close())
    return opened
  }
  const node = async (name: string, shared: string | null = escrow) => openNode(await storage(), shared, name)
  const nodeProcess = async (more: Partial<NodeOrders>): Promise<NodeProcess> => {
    const node = await startNode(compiled.program, {
      ...stores,
      escrow,
      node: 'process',
      prefix: 'process-',
      count: 1,
      clients: 1,
      takesTheHead: false,
      ...more,
    })
    closing.push(async () => {
      node.process.kill('SIGKILL')
      await node.ended
    })
    return node
  }
  return { stores, escrow, storage, node, nodeProcess }
}

/**
 * One history: every head there ever was is a prefix of the newest, every entry is proved and opens, none is there twice,
 * and whatever was answered stands where the answer said.
 */
async function verifyHistory(ledger: Ledger, stores: Stores, answered: Iterable<readonly [string, number]>) {
  await ledger.latest()
  const { size, root } = openCheckpoint(ledger.head.checkpoint, signer.vkey)
  const entries = await ledger.entries(0, size)
  expect(entries).toHaveLength(size)
  const heads = await server.query<{ size: string; root: Buffer }>(
    stores.database,
    'SELECT size, root FROM avow_heads ORDER BY size',
  )
  let edge = TileEdge.restore(0, () => null)
  for (const head of heads) {
    const grown = edge.append(entries.slice(edge.size, Number(head.size)).map((entry) => leafHash(entry)))
    expect(Buffer.from(grown.root).equals(head.root), `root of size ${head.size}`).toBe(true)
    edge = grown.edge
  }
  expect(edge.size).toBe(size)
  const indexes = entries.map((_, index) => index)
  const proofs = await ledger.prove(indexes, size)
  for (const index of indexes) verifyInclusion(leafHash(entries[index]!), index, size, root, proofs[index]!)
  const opened = await ledger.open(indexes)
  expect(opened.map(({ index }) => index)).toEqual(indexes)
  const keys = opened.map(({ identity }) => (identity as { key: string }).key)
  expect(new Set(keys).size).toBe(size)
  for (const [key, index] of answered) expect(keys[index], `what stands at ${index}`).toBe(key)
}

test('three nodes under load, a twentieth sent twice through different nodes, a fourth killed: one history', async () => {
  const { stores, escrow, storage, node, nodeProcess } = await cluster()
  const nodes = await Promise.all(['a', 'b', 'c'].map((name) => node(name)))
  const doomed = await nodeProcess({ count: 100_000, clients: 64 })
  doomed.begin()
  const answers = new Map<string, number>()
  const twice: number[] = []
  const total = 2000
  let next = 0
  const client = async () => {
    while (next < total) {
      const i = next++
      const through = [nodes[i % 3]!, nodes[(i + 1) % 3]!].slice(0, i % 20 === 0 ? 2 : 1)
      const appended = await Promise.all(through.map((ledger) => ledger.append(draftOf(`key ${i}`))))
      const [first, second] = appended
      answers.set(`key ${i}`, first!.index)
      if (second) {
        expect(second.index).toBe(first!.index)
        expect(appended.filter(({ repeated }) => !repeated)).toHaveLength(1)
        twice.push(i)
      }
      if (i === total / 2) doomed.process.kill('SIGKILL')
    }
  }
  // Meanwhile others ask for the newest head, and nodes start: neither may take what is under way for a fork.
  const opened: Ledger[] = []
  const others = (async () => {
    const late = await storage()
    while (next < total) {
      await Promise.all(nodes.map((ledger) => ledger.latest()))
      opened.push(await openNode(late, escrow, `late ${opened.length}`))
    }
  })()
  await Promise.all(Array.from({ length: 96 }, client))
  await Promise.all([others, doomed.ended])
  expect([answers.size, twice.length]).toEqual([total, total / 20])
  expect(doomed.answers.size).toBeGreaterThan(0)
  await verifyHistory(nodes[0]!, stores, [...answers, ...doomed.answers])
  for (const { head, fork } of [...nodes, ...opened]) {
    expect(fork).toBeNull()
    expect(openCheckpoint(head.checkpoint, signer.vkey).size).toBe(head.size)
  }
}, 40_000)

test('a node that freezes with the head in its hand holds nobody up for more than seconds, and does no harm when it wakes', async () => {
  const { stores, node, nodeProcess } = await cluster()
  const alive = await node('alive')
  const frozen = await nodeProcess({ count: 200, clients: 8 })
  frozen.begin()
  const holdsLocks = async () => {
    const rows = await server.query(
      stores.database,
      `SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND application_name = 'avow'`,
    )
    return rows.length >= 2
  }
  await expect.poll(() => frozen.answers.size).toBeGreaterThan(0)
  for (;;) {
    frozen.process.kill('SIGSTOP')
    if (await holdsLocks()) break
    frozen.process.kill('SIGCONT')
  }
  const before = Date.now()
  const answers = new Map<string, number>()
  for (let i = 0; i < 20; i++) answers.set(`key ${i}`, (await alive.append(draftOf(`key ${i}`))).index)
  expect(Date.now() - before).toBeLessThan(6000)
  frozen.process.kill('SIGCONT')
  await frozen.done
  expect(frozen.refusals()).toBeGreaterThan(0)
  expect(frozen.answers.size).toBe(200)
  await verifyHistory(alive, stores, [...answers, ...frozen.answers])
}, 30_000)

test('a node whose head was taken while it composed loses its batch, and touches nothing of whoever took it', async () => {
  const { stores, storage, node, nodeProcess } = await cluster()
  const reader = await node('reader')
  await reader.append(draftOf('first'))
  const other = await nodeProcess({ prefix: 'other-', takesTheHead: true })
  const standing = new Int32Array(new SharedArrayBuffer(4))
  let isQuick = false
  const slow = await openNode(await storage(), null, 'slow', {
    signer: {
      ...signer,
      sign(text) {
        if (!isQuick) {
          isQuick = true
          other.begin()
          // The whole node stands still, as in a long pause: the other one takes the head meanwhile and begins to append.
          Atomics.wait(standing, 0, 0, 1200)
        }
        return signer.sign(text)
      },
    },
  })
  const draft = draftOf('slow')
  const lost = slow.append(draft)
  await expect(lost).rejects.toThrow(UnavailableError)
  await other.done
  await verifyHistory(reader, stores, [...other.answers, ['first', 0]])
  expect(other.answers.get('other-0')).toBe(1)
  expect((await slow.append(draft)).index).toBe(2)
  await verifyHistory(reader, stores, [['slow', 2]])
}, 15_000)

interface VaultRow {
  readonly idx: string
  readonly key: Buffer
  readonly fingerprint: Buffer
  readonly subject: Buffer
  readonly secrets: Buffer
}

/** The ledger as it was at this size, as after the restore of an older copy. */
async function rewind(stores: Stores, size: number, head: { root: Uint8Array; checkpoint: string }) {
  await server.query(stores.database, 'GRANT DELETE ON avow_entries, avow_heads TO CURRENT_USER')
  await server.query(stores.database, 'DELETE FROM avow_entries WHERE idx >= $1', [size])
  await server.query(stores.database, 'DELETE FROM avow_heads WHERE size > $1', [size])
  await server.query(stores.database, 'UPDATE avow_logs SET size = $1, root = $2, checkpoint = $3', [
    size,
    head.root,
    head.checkpoint,
  ])
}

test('a database rewound under a running node is noticed before the next append, and nothing is appended or removed', async () => {
  const { stores, node } = await cluster()
  const ledger = await node('a')
  await ledger.append(draftOf('early'))
  const early = ledger.head
  for (const key of ['late 1', 'late 2']) await ledger.append(draftOf(key))
  await rewind(stores, early.size, early)
  await expect(ledger.append(draftOf('next'))).rejects.toThrow(ForkError)
  await expect(ledger.append(draftOf('next'))).rejects.toThrow(/stands at 1 entries, and 3 were published/)
  const rows = await server.query(stores.vault, 'SELECT idx FROM avow_vault')
  expect(rows).toHaveLength(3)
  // Another node, which shares the escrow and saw nothing of it, does not go on either.
  expect((await node('b')).fork).toMatch(/recover --new-epoch/)
})

test('so is one that was rewound and has grown past the old size again, by a node that shares no escrow', async () => {
  const { stores, node } = await cluster()
  const ledger = await node('a', null)
  await ledger.append(draftOf('early'))
  const early = ledger.head
  await ledger.append(draftOf('late'))
  await rewind(stores, early.size, early)
  const stranger = await node('stranger', null)
  for (const key of ['other 1', 'other 2', 'other 3']) await stranger.append(draftOf(key))
  await expect(ledger.append(draftOf('next'))).rejects.toThrow(ForkError)
  expect((await stranger.latest()).size).toBe(4)
})

test('what one node appended, the others answer for at once', async () => {
  const { node } = await cluster()
  const [a, b] = [await node('a'), await node('b')]
  const { index } = await a.append(draftOf('key'))
  expect((await b.latest()).size).toBe(1)
  expect(await b.find(draftOf('key').key)).toBe(index)
  expect(await b.append(draftOf('key'))).toMatchObject({ index, repeated: true })
  await b.erase([{ log: b.log, index }], 'erase', 'request')
  expect(await a.open([index])).toEqual([])
  expect((await a.latest()).size).toBe(2)
})

test('a vault that goes back under a running node is noticed before the next append; restarted, it brings nobody back', async () => {
  const { stores, node } = await cluster()
  const ledger = await node('a')
  const indexes = []
  for (const key of ['erased', 'kept']) indexes.push((await ledger.append(draftOf(key))).index)
  const copy = await server.query<VaultRow>(stores.vault, 'SELECT * FROM avow_vault')
  await ledger.erase([{ log: ledger.log, index: 0 }], 'erase', 'request')
  // As after a failover to a copy that lagged behind.
  await server.query(stores.vault, 'DELETE FROM avow_vault')
  for (const { idx, key, fingerprint, subject, secrets } of copy)
    await server.query(stores.vault, 'INSERT INTO avow_vault VALUES ($1, $2, $3, $4, $5, $6)', [
      'site',
      ...[idx, key, fingerprint, subject, secrets],
    ])
  for (const key of ['next', 'kept']) {
    await expect(ledger.append(draftOf(key))).rejects.toThrow(UnavailableError)
    await expect(ledger.append(draftOf(key))).rejects.toThrow(/vault of site lacks the newest of 3 entries/)
  }
  const again = await node('a')
  expect((await again.open(indexes)).map(({ index }) => index)).toEqual([1])
  expect((await again.append(draftOf('next'))).index).toBe(3)
  // Nothing is lacking for whoever ran on: it has been carried out.
  expect((await ledger.append(draftOf('later'))).index).toBe(4)
  expect((await ledger.open(indexes)).map(({ index }) => index)).toEqual([1])
})
