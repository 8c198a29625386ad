/** Epochs: what is known of an old log goes on in the newest, forgetting too. */
import { describe, expect, test } from 'vitest'
import { createMemoryStorage } from '../storage/memory.js'
import type { LogStore } from '../storage/storage.js'
import { createKeyring } from '../vault/keyring.js'
import { epochDraft, epochsOf, isUnbegun, nextEpoch, openEpochs } from './epoch.js'
import { createMemoryEscrow, type Escrow } from './escrow.js'
import { type Draft, ForkError, type Ledger } from './ledger.js'
import { createSigner } from './signer.js'

const draft = (key: string): Draft => ({
  key: Buffer.alloc(16, key),
  fingerprint: Buffer.alloc(32, key),
  compose: () => ({
    kind: 'consent',
    subject: Buffer.alloc(16, 'ann'),
    account: null,
    facet: 'all',
    evidence: { key },
    identity: { key },
  }),
})

const keyOf = ({ evidence }: { evidence: object | null }) => (evidence as { key: string }).key

/** Stores that hold nothing. */
function newWorld() {
  const escrows = new Map<string, Escrow>()
  const storage = createMemoryStorage()
  const stores = new Map<string, LogStore>()
  const warned: string[] = []
  const open = (...names: string[]) =>
    openEpochs(names, async (log) => {
      const signer = createSigner(`log.example/${log}`, new Uint8Array(32).fill(5))
      const { log: store } = await storage.openLog(log, signer.name)
      stores.set(log, store)
      const escrow = escrows.get(log) ?? createMemoryEscrow()
      escrows.set(log, escrow)
      const keyring = createKeyring([new Uint8Array(32).fill(1)])
      return { log, store, signer, keyring, escrow, now: () => 1000, warn: (line) => warned.push(line) }
    })
  return { open, stores, escrows, warned }
}

/** A site of two epochs: records a, b, c in the first, of which more was published; an entry for the epoch and d in the second. */
async function twoEpochs() {
  const world = newWorld()
  const { open, escrows } = world
  const [first] = await open('shop')
  for (const key of ['a', 'b', 'c']) await first!.append(draft(key))
  await escrows.get('shop')!.put({ ...first!.head, size: 9 })
  const [second] = await open('shop.e2', 'shop')
  await second!.append(
    epochDraft({ origin: 'log.example/shop', size: 9, root: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' }),
  )
  await second!.append(draft('d'))
  const reopen = async () => {
    const [newest, old] = await open('shop.e2', 'shop')
    return { newest: newest!, old: old! }
  }
  return { ...(await reopen()), reopen, ...world }
}

/** Places of records of both epochs. */
const BOTH = [
  { log: 'shop', index: 1 },
  { log: 'shop.e2', index: 1 },
]

/** Who is left, in the order of the epochs. */
const left = async ({ old, newest }: { old: Ledger; newest: Ledger }) =>
  [...(await old.open([0, 1, 2])), ...(await newest.open([0, 1]))].map(keyOf)

test('epochs are named by number, the newest first', () => {
  expect(epochsOf('shop', ['shop', 'shop.e2', 'shop.e10', 'shopping', 'other.e3'])).toEqual([
    'shop.e10',
    'shop.e2',
    'shop',
  ])
  expect(epochsOf('shop', ['shop', 'shop.e2', 'shop.e2', 'shop'])).toEqual(['shop.e2', 'shop'])
  expect(nextEpoch('shop', ['shop'])).toBe('shop.e2')
  expect(nextEpoch('shop', ['shop', 'shop.e2', 'shop.e10'])).toBe('shop.e11')
})

test('an epoch without its first entry is unbegun; a new log is not, nor one that lost its entries', async () => {
  const { open, escrows, newest, reopen } = await twoEpochs()
  expect(isUnbegun(await open('other'))).toBe(false)
  expect(isUnbegun(await open('shop.e2', 'shop'))).toBe(false)
  expect(isUnbegun(await open('shop.e3', 'shop.e2', 'shop'))).toBe(true)
  await escrows.get('shop.e3')!.put((await reopen()).newest.head)
  expect(isUnbegun(await open('shop.e3', 'shop.e2', 'shop'))).toBe(false)
  expect(newest.fork).toBeNull()
})

describe('forgetting over epochs', () => {
  test('one call takes records of all epochs: the tombstones stand in the newest, and name the old log', async () => {
    const { newest, old } = await twoEpochs()
    const [entries, checkpoint] = [await old.entries(0, 3), old.head.checkpoint]
    await newest.erase(BOTH, 'erase', 'request')
    expect(await left({ newest, old })).toEqual(['a', 'c'])
    const told = { at: new Date(1000).toISOString(), grade: 'erase', ground: 'request', index: 1 }
    const bodies = (await newest.tombstones()).map(({ body }) => body)
    expect(bodies).toHaveLength(2)
    expect(bodies).toContainEqual({ ...told, log: 'log.example/shop' })
    expect(bodies).toContainEqual(told)
    expect(await old.entries(0, 3)).toEqual(entries)
    expect((await old.latest()).checkpoint).toBe(checkpoint)
  })

  test('asked for twice, it has one tombstone; unlinking keeps the evidence', async () => {
    const { newest, old } = await twoEpochs()
    for (const _ of [1, 2]) await newest.erase(BOTH, 'unlink', 'objection')
    expect(newest.head.size).toBe(4)
    expect((await old.open([1])).map(({ evidence, identity }) => ({ evidence, identity }))).toEqual([
      { evidence: { key: 'b' }, identity: null },
    ])
    expect(await old.findSubject(Buffer.alloc(16, 'ann'))).toEqual([0, 2])
  })

  test('of a log that nobody opened nothing can be forgotten, and nothing is said to be', async () => {
    const { newest } = await twoEpochs()
    await expect(newest.erase([{ log: 'other', index: 0 }], 'erase', 'request')).rejects.toThrow(/knows no log other/)
    expect(newest.head.size).toBe(2)
  })

  test('what died between tombstone and deletion is finished at the next start', async () => {
    const { newest, stores, reopen } = await twoEpochs()
    const store = stores.get('shop')!
    const forget = store.forget.bind(store)
    store.forget = () => Promise.reject(new Error('killed'))
    await expect(newest.erase([BOTH[0]!], 'erase', 'request')).rejects.toThrow('killed')
    store.forget = forget
    const again = await reopen()
    expect(await left(again)).toEqual(['a', 'c', 'd'])
    expect(again.newest.head.size).toBe(3)
  })

  test('what died before its tombstone was appended is carried out at the next start, and gets it in the newest log', async () => {
    const { newest, stores, reopen } = await twoEpochs()
    const store = stores.get('shop.e2')!
    const append = store.append.bind(store)
    store.append = () => Promise.reject(new Error('killed'))
    await expect(newest.erase([BOTH[0]!], 'erase', 'request')).rejects.toThrow('killed')
    store.append = append
    for (const _ of [1, 2]) {
      const again = await reopen()
      expect(await left(again)).toEqual(['a', 'c', 'd'])
      expect((await again.newest.tombstones()).map(({ body }) => body)).toMatchObject([
        { index: 1, log: 'log.example/shop', grade: 'erase' },
      ])
      expect(again.old.head.size).toBe(3)
    }
  })

  test('so is what died when the old log was the newest: nothing is appended to that any more', async () => {
    const { escrows, reopen } = await twoEpochs()
    await escrows.get('shop')!.putTombstones([{ log: 'shop', index: 1, grade: 'erase' }])
    for (const _ of [1, 2]) {
      const again = await reopen()
      expect(await left(again)).toEqual(['a', 'c', 'd'])
      expect([again.old.head.size, again.newest.head.size]).toEqual([3, 3])
    }
  })

  test('an older copy from before the newest epoch takes nothing on, and brings nobody back', async () => {
    const { newest, escrows } = await twoEpochs()
    await newest.erase(BOTH, 'erase', 'request')
    const before = newWorld()
    const [copied] = await before.open('shop')
    for (const key of ['a', 'b', 'c']) await copied!.append(draft(key))
    for (const [log, escrow] of escrows) before.escrows.set(log, escrow)
    // Only the escrow knows of the second epoch; its log is made anew, and empty.
    const [lost, old] = await before.open(...epochsOf('shop', ['shop', 'shop.e2']))
    expect(lost!.fork).toMatch(/recover --new-epoch/)
    await expect(lost!.append(draft('e'))).rejects.toThrow(ForkError)
    expect((await old!.open([0, 1, 2])).map(keyOf)).toEqual(['a', 'c'])
    expect(before.warned).toHaveLength(2)
    expect(nextEpoch('shop', ['shop', 'shop.e2'])).toBe('shop.e3')
  })

  test('an older vault brings nobody back, in no epoch', async () => {
    const { newest, old, stores, reopen } = await twoEpochs()
    const [first, second] = [stores.get('shop')!, stores.get('shop.e2')!]
    const forgets = [first.forget.bind(first), second.forget.bind(second)] as const
    // The vault as it was before the erasure: nothing is forgotten, and nothing is known of the tombstones.
    for (const store of [first, second]) store.forget = async () => {}
    await newest.erase(BOTH, 'erase', 'request')
    expect(await left({ newest, old })).toEqual(['a', 'b', 'c', 'd'])
    Object.assign(first, { forget: forgets[0] })
    Object.assign(second, { forget: forgets[1], vaultSize: async () => 2, findKey: async () => null })
    expect(await left(await reopen())).toEqual(['a', 'c'])
  })

  test('an escrow that is new to the newest log is told of what it forgot in an old one', async () => {
    const { newest, reopen, escrows } = await twoEpochs()
    await newest.erase(BOTH, 'erase', 'request')
    escrows.set('shop.e2', createMemoryEscrow())
    await reopen()
    const told = escrows.get('shop.e2')!.tombstones()
    expect(told).toHaveLength(2)
    for (const place of BOTH) expect(told).toContainEqual({ ...place, grade: 'erase' })
  })
})
