/** The contract of `storage.ts` as tests, which every driver runs. */
import { describe, expect, test } from 'vitest'
import {
  type ActiveDay,
  type ApiKeyRow,
  type Batch,
  DAY_MS,
  type FacetQuery,
  type LogStore,
  OriginError,
  type Standing,
  type Storage,
  UnavailableError,
} from './storage.js'

/** How a driver is tried: opened anew, and opened again where it keeps anything. */
export interface Driver {
  /** Stores with nothing in them. */
  create(): Promise<Storage>
  /** The same stores as a later process would find them; null for a driver that keeps nothing. */
  reopen: ((storage: Storage) => Promise<Storage>) | null
}

const bytes = (size: number, fill: number) => new Uint8Array(size).fill(fill)
const same = (a: Uint8Array | null | undefined, b: Uint8Array) => expect(Buffer.from(a ?? [])).toEqual(Buffer.from(b))

const FACETS = ['a', 'b', null]

const query = (facets: string[], more: Partial<FacetQuery> = {}): FacetQuery => ({
  ...{ facets, erased: null, from: 0, below: 1_000_000, order: 'newest', limit: 100 },
  ...more,
})

/** Counts by day and facet, as one line each. */
const countsOf = async (log: LogStore, from = 0, below = 1_000_000) =>
  (await log.counts(from, below)).map(({ day, facet, count }) => `${day} ${facet} ${count}`).sort()

/** Appends entries numbered from the head, so that what is read back tells what was written. */
function numbered(count: number, more: Partial<Batch> = {}) {
  return ({ head }: Standing): Batch => {
    const indexes = Array.from({ length: count }, (_, i) => head.size + i)
    const size = head.size + count
    return {
      head: { size, root: bytes(32, size), checkpoint: `checkpoint ${size}`, recordedAt: 1000 + size },
      entries: indexes.map((i) => ({ entry: bytes(9, i), sealed: [bytes(40, i), bytes(41, i)] })),
      vault: indexes.map((i) => ({
        key: bytes(16, i),
        fingerprint: bytes(32, i),
        subject: bytes(16, i % 3),
        account: i % 2 === 0 ? bytes(16, i % 4) : null,
        erased: null,
        secrets: bytes(64, i),
        facet: FACETS[i % 3]!,
        recordedAt: (i * DAY_MS) / 2,
      })),
      tiles: [{ level: 0, n: 0, hashes: bytes(32 * size, size) }],
      documents: [],
      ...more,
    }
  }
}

export function conformance(name: string, driver: Driver): void {
  describe(`storage on ${name}`, () => {
    async function opened() {
      const storage = await driver.create()
      const { log } = await storage.openLog('site', 'log.example/site')
      return { storage, log }
    }

    test('a new log stands at size 0 and holds nothing', async () => {
      const { storage, log } = await opened()
      expect((await log.head()).size).toBe(0)
      expect(await log.entries(0, 10)).toEqual([])
      expect(await log.tile(0, 0)).toBeNull()
      expect(await log.vaultRow(0)).toBeNull()
      expect(await log.documents()).toEqual([])
      expect(await log.recent(10, 10)).toEqual([])
      await storage.close()
    })

    test('what was appended is read back, in order, with its head', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(3))
      await log.append([], 3, numbered(2))
      const head = await log.head()
      expect([head.size, head.checkpoint, head.recordedAt]).toEqual([5, 'checkpoint 5', 1005])
      same(head.root, bytes(32, 5))
      const entries = await log.entries(1, 4)
      expect(entries).toHaveLength(3)
      same(entries[0]?.entry, bytes(9, 1))
      expect(entries[2]?.sealed).toHaveLength(2)
      same(entries[2]?.sealed[1], bytes(41, 3))
      same(await log.tile(0, 0), bytes(32 * 5, 5))
      same((await log.vaultRow(4))?.secrets, bytes(64, 4))
      expect(await log.entries(4, 100)).toHaveLength(1)
      await storage.close()
    })

    test('entries are found by key and by subject, newest first where asked', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(7))
      expect((await log.findKey(bytes(16, 4)))?.index).toBe(4)
      expect(await log.findKey(bytes(16, 99))).toBeNull()
      expect(await log.findSubject(bytes(16, 1))).toEqual([1, 4])
      expect(await log.findSubject(bytes(16, 9))).toEqual([])
      expect(await log.recent(7, 3)).toEqual([6, 5, 4])
      expect(await log.recent(2, 10)).toEqual([1, 0])
      await storage.close()
    })

    test('entries are found by account, and an account is not taken for a subject of the same bytes', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(5))
      await log.append([], 5, numbered(4))
      expect(await log.findAccount(bytes(16, 0))).toEqual([0, 4, 8])
      expect(await log.findAccount(bytes(16, 2))).toEqual([2, 6])
      expect(await log.findAccount(bytes(16, 1))).toEqual([])
      same((await log.vaultRow(2))?.account, bytes(16, 2))
      expect((await log.vaultRow(3))?.account).toBeNull()
      const { log: other } = await storage.openLog('other', 'log.example/other')
      expect(await other.findAccount(bytes(16, 0))).toEqual([])
      await storage.close()
    })

    test('an entry about nobody is not among the recent', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, (standing) => {
        const batch = numbered(2)(standing)
        return { ...batch, vault: batch.vault.map((row, i) => (i === 1 ? { ...row, subject: null } : row)) }
      })
      expect(await log.recent(10, 10)).toEqual([0])
      await storage.close()
    })

    test('an append is told which of its keys stand already', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(2))
      let told: Standing | null = null
      await log.append([bytes(16, 1), bytes(16, 50)], 2, (standing) => {
        told = standing
        return null
      })
      expect(told!.known.size).toBe(1)
      const known = told!.known.get(Buffer.from(bytes(16, 1)).toString('hex'))
      expect(known?.index).toBe(1)
      same(known?.fingerprint, bytes(32, 1))
      expect(told!.edge).toBeNull()
      await storage.close()
    })

    test('an append that assumed another size is given the edge', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(2))
      let edge: Standing['edge'] = null
      await log.append([], 1, (standing) => {
        edge = standing.edge
        return null
      })
      expect(edge).toHaveLength(1)
      same(edge![0]?.hashes, bytes(64, 2))
      await storage.close()
    })

    test('nothing is appended when building says null, or throws', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(1))
      expect(await log.append([], 1, () => null)).toBeNull()
      await expect(
        log.append([], 1, () => {
          throw new Error('refused while composing')
        }),
      ).rejects.toThrow('refused while composing')
      expect((await log.head()).size).toBe(1)
      await storage.close()
    })

    test('a root is known for the sizes that were heads, and told to an append that assumed one', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(3))
      await log.append([], 3, numbered(2))
      same(await log.rootAt(3), bytes(32, 3))
      expect(await log.rootAt(4)).toBeNull()
      const told: (Uint8Array | null)[] = []
      for (const size of [3, 4, 5, 6]) {
        await log.append([], size, ({ assumedRoot }) => {
          told.push(assumedRoot)
          return null
        })
      }
      expect(told.map((root) => root && Buffer.from(root)[0])).toEqual([3, null, 5, null])
      await storage.close()
    })

    test('an append that assumed another size is given the newest tile of each level', async () => {
      const { storage, log } = await opened()
      const tiles = [0, 1, 9, 10].map((n) => ({ level: 0, n, hashes: bytes(32, n) }))
      await log.append([], 0, numbered(1, { tiles: [...tiles, { level: 1, n: 0, hashes: bytes(64, 77) }] }))
      let edge: Standing['edge'] = null
      await log.append([], 0, (standing) => {
        edge = standing.edge
        return null
      })
      const found = [...edge!].sort((a: { level: number }, b: { level: number }) => a.level - b.level)
      expect(found.map(({ level, n }) => [level, n])).toEqual([
        [0, 10],
        [1, 0],
      ])
      await storage.close()
    })

    test('what is forgotten is found by nobody, and its key stands', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(4))
      await log.append([], 4, numbered(3))
      await log.forget([
        { index: 1, grade: 'unlink', secrets: bytes(32, 99) },
        { index: 2, grade: 'erase', secrets: bytes(0, 0) },
        { index: 4, grade: 'unlink', secrets: bytes(32, 99) },
      ])
      expect(await log.findSubject(bytes(16, 1))).toEqual([])
      expect(await log.findAccount(bytes(16, 0))).toEqual([0])
      expect(await log.findAccount(bytes(16, 2))).toEqual([6])
      expect([(await log.vaultRow(2))?.account, (await log.vaultRow(4))?.account]).toEqual([null, null])
      expect(await log.recent(10, 10)).toEqual([6, 5, 3, 0])
      const [unlinked, erased] = [await log.vaultRow(1), await log.vaultRow(2)]
      expect([unlinked?.subject, unlinked?.erased, erased?.subject, erased?.erased]).toEqual([
        null,
        'unlink',
        null,
        'erase',
      ])
      same(unlinked?.secrets, bytes(32, 99))
      same(erased?.secrets, bytes(0, 0))
      same(erased?.fingerprint, bytes(32, 0))
      expect((await log.findKey(bytes(16, 2)))?.erased).toBe('erase')
      await storage.close()
    })

    test('an unlinking that comes late brings back nothing that was erased meanwhile', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(1))
      await log.forget([{ index: 0, grade: 'erase', secrets: bytes(0, 0) }])
      await log.forget([{ index: 0, grade: 'unlink', secrets: bytes(32, 99) }])
      const row = await log.vaultRow(0)
      expect(row?.erased).toBe('erase')
      same(row?.secrets, bytes(0, 0))
      await storage.close()
    })

    test('entries are read in one go, in the order asked for, with what the vault has of them', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(5))
      const rows = await log.rows([3, 0, 99, 4])
      expect(rows.map(({ index }) => index)).toEqual([3, 0, 4])
      same(rows[0]?.row.entry, bytes(9, 3))
      same(rows[0]?.row.sealed[1], bytes(41, 3))
      same(rows[2]?.secrets, bytes(64, 4))
      await storage.close()
    })

    test('entries far apart, close together or backwards are read alike, and none where none is asked for', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(40))
      for (const indexes of [[], [39], [0, 39], [39, 38, 36], [38, 39, 40], [40, 41], [7, 7]]) {
        const rows = await log.rows(indexes)
        const there = indexes.filter((index) => index < 40)
        expect(rows.map(({ index }) => index)).toEqual(there)
        for (const { index, row, secrets } of rows) {
          same(row.entry, bytes(9, index))
          same(secrets, bytes(64, index))
        }
      }
      await storage.close()
    })

    test('entries are found by facet, in both orders, within bounds, and of this log alone', async () => {
      const { storage, log } = await opened()
      const { log: other } = await storage.openLog('other', 'log.example/other')
      await other.append([], 0, numbered(2))
      expect([await log.facets(), await log.findFacets(query(['a']))]).toEqual([[], []])
      await log.append([], 0, numbered(7))
      await log.append([], 7, numbered(3))
      expect((await log.facets()).sort()).toEqual(['a', 'b'])
      expect(await log.findFacets(query(['a']))).toEqual([9, 6, 3, 0])
      expect(await log.findFacets(query(['b'], { order: 'oldest' }))).toEqual([1, 4, 7])
      expect(await log.findFacets(query(['a', 'b'], { from: 1, below: 7, limit: 3 }))).toEqual([6, 4, 3])
      expect(await log.findFacets(query(['c']))).toEqual([])
      expect(await log.findFacets(query(['a'], { from: 7, below: 7 }))).toEqual([])
      expect(await other.findFacets(query(['a', 'b']))).toEqual([1, 0])
      await storage.close()
    })

    test('the first entry that was recorded at a time or later is found', async () => {
      const { storage, log } = await opened()
      expect(await log.firstAt(0)).toBe(0)
      await log.append([], 0, numbered(5))
      const found = [-1, 0, 1, DAY_MS, DAY_MS + 1, 2 * DAY_MS, 2 * DAY_MS + 1].map((time) => log.firstAt(time))
      expect(await Promise.all(found)).toEqual([0, 0, 1, 2, 3, 4, 5])
      await storage.close()
    })

    test('of what was unlinked the facet stays and is told apart; of what was erased whole nothing does', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(10))
      await log.forget([
        { index: 3, grade: 'unlink', secrets: bytes(32, 99) },
        { index: 6, grade: 'erase', secrets: bytes(0, 0) },
        { index: 4, grade: 'unlink', secrets: bytes(32, 99) },
      ])
      await log.forget([{ index: 4, grade: 'erase', secrets: bytes(0, 0) }])
      expect(await log.findFacets(query(['a', 'b']))).toEqual([9, 7, 1, 0])
      expect(await log.findFacets(query(['a', 'b'], { erased: 'unlink' }))).toEqual([3])
      expect([await log.countErased(0, 10), await log.countErased(5, 100), await log.countErased(7, 9)]).toEqual([
        2, 1, 0,
      ])
      await storage.close()
    })

    test('what is found by facet is what a look at every entry finds, also of rare ones and after erasures', async () => {
      const { storage, log } = await opened()
      // A small generator of pseudo-random numbers (xorshift32), so that a failure can be repeated.
      let seed = 0x9e3779b9
      const below = (n: number) => {
        for (const shift of [13, -17, 5]) seed ^= shift > 0 ? seed << shift : seed >>> -shift
        return (seed >>> 0) % n
      }
      const rows = Array.from({ length: 1500 }, (_, i) => ({
        facet: below(200) === 0 ? `rare ${below(3)}` : i > 700 && i < 1100 ? 'early' : `common ${below(4)}`,
        erased: null as 'unlink' | 'erase' | null,
      }))
      await log.append([], 0, (standing) => {
        const batch = numbered(rows.length, { tiles: [] })(standing)
        const key = (i: number) => new Uint8Array(Buffer.from(`${i}`.padStart(16, '0')))
        return { ...batch, vault: batch.vault.map((row, i) => ({ ...row, key: key(i), facet: rows[i]!.facet })) }
      })
      for (const index of new Set(Array.from({ length: 150 }, () => below(rows.length))))
        rows[index]!.erased = below(2) === 0 ? 'unlink' : 'erase'
      await log.forget(
        rows.flatMap(({ erased }, index) => (erased ? [{ index, grade: erased, secrets: bytes(0, 0) }] : [])),
      )
      const all = [...(await log.facets()), 'nowhere']
      for (let i = 0; i < 150; i++) {
        const [a, b] = [below(1600), below(1600)]
        const asked = query(
          all.filter(() => below(3) === 0),
          {
            erased: below(4) === 0 ? 'unlink' : null,
            from: Math.min(a, b),
            below: Math.max(a, b),
            order: below(2) === 0 ? 'newest' : 'oldest',
            limit: 1 + below(120),
          },
        )
        const found = rows.flatMap(({ facet, erased }, index) =>
          asked.facets.includes(facet) && erased === asked.erased && index >= asked.from && index < asked.below
            ? [index]
            : [],
        )
        if (asked.order === 'newest') found.reverse()
        expect([asked, await log.findFacets(asked)]).toEqual([asked, found.slice(0, asked.limit)])
      }
      await storage.close()
    })

    test('entries are counted by day and facet in the commit that appends them, once, and no erasure lowers that', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(4))
      await log.append([], 4, () => null)
      await expect(
        log.append([], 4, () => {
          throw new Error('refused while composing')
        }),
      ).rejects.toThrow('refused')
      await log.append([], 4, numbered(3))
      const counted = ['0 a 1', '0 b 1', '1 a 1', '2 b 1', '3 a 1']
      expect(await countsOf(log)).toEqual(counted)
      await log.forget([
        { index: 0, grade: 'erase', secrets: bytes(0, 0) },
        { index: 1, grade: 'unlink', secrets: bytes(32, 9) },
      ])
      expect(await countsOf(log)).toEqual(counted)
      expect(await countsOf(log, 1, 3)).toEqual(['1 a 1', '2 b 1'])
      const { log: other } = await storage.openLog('other', 'log.example/other')
      expect(await countsOf(other)).toEqual([])
      await storage.close()
    })

    test('rewrapping replaces what it converts, within its bounds, and leaves the rest', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(5))
      const asked: number[] = []
      await log.rewrap(1, 4, (index) => {
        asked.push(index)
        return index === 2 ? null : bytes(10, 100 + index)
      })
      expect(asked).toEqual([1, 2, 3])
      const firsts = await Promise.all([0, 1, 2, 3, 4].map(async (i) => (await log.vaultRow(i))?.secrets[0]))
      expect(firsts).toEqual([0, 101, 2, 103, 4])
      expect(await log.findAccount(bytes(16, 0))).toEqual([0, 4])
      expect(await log.findAccount(bytes(16, 2))).toEqual([2])
      await storage.close()
    })

    test('reconciling a log that is whole removes nothing', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(3))
      await log.reconcile()
      expect(await log.vaultSize()).toBe(3)
      expect((await log.findKey(bytes(16, 2)))?.index).toBe(2)
      await storage.close()
    })

    test('an entry comes back with as many sealed parts as it was given', async () => {
      const { storage, log } = await opened()
      await log.append(
        [],
        0,
        numbered(3, {
          entries: [[], [bytes(5, 1)], [bytes(5, 1), bytes(6, 2)]].map((sealed) => ({ entry: bytes(3, 0), sealed })),
        }),
      )
      expect((await log.entries(0, 3)).map(({ sealed }) => sealed.length)).toEqual([0, 1, 2])
      await storage.close()
    })

    test('documents come back in the order they were logged', async () => {
      const { storage, log } = await opened()
      const words = { kind: 'policy', hash: 'h', version: '1', language: null, body: '{"ä":1}' } as const
      const document = { ...words, recordedAt: 1_800_000_000_000 }
      await log.append(
        [],
        0,
        numbered(2, {
          documents: [
            { index: 0, ...document },
            { index: 1, ...document, kind: 'notice', language: 'en', recordedAt: null },
          ],
        }),
      )
      expect(await log.documents()).toEqual([
        { index: 0, ...document },
        { index: 1, ...document, kind: 'notice', language: 'en', recordedAt: null },
      ])
      await storage.close()
    })

    const days = (rows: readonly ActiveDay[]) => rows.map(({ subject, day }) => [subject[0], day]).sort()

    test('one last day is kept of a subject, which never moves back, and none of whom no entry is about', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(3))
      const active = (fill: number, day: number): ActiveDay => ({ subject: bytes(16, fill), day })
      await log.keepActive([active(0, 20), active(1, 18), active(0, 21), active(9, 5)])
      await log.keepActive([active(0, 19), active(1, 30)])
      expect(days(await log.idle(100, 10))).toEqual([
        [0, 21],
        [1, 30],
      ])
      expect(days(await log.idle(29, 10))).toEqual([[0, 21]])
      expect(await log.idle(20, 10)).toEqual([])
      await log.keepActive([active(2, 22)])
      expect((await log.idle(100, 2)).map(({ day }) => day)).toEqual([21, 22])
      const { log: other } = await storage.openLog('other', 'log.example/other')
      expect(await other.idle(100, 10)).toEqual([])
      await log.keepActive([])
      await storage.close()
    })

    test('a last day is dropped, but not one that was kept since', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(3))
      await log.keepActive([0, 1].map((fill) => ({ subject: bytes(16, fill), day: 20 })))
      const idle = await log.idle(20, 10)
      await log.keepActive([{ subject: bytes(16, 1), day: 21 }])
      await log.dropActive(idle)
      await log.dropActive([])
      expect(days(await log.idle(100, 10))).toEqual([[1, 21]])
      await storage.close()
    })

    test('a day on which a server was there is kept once, for the site alone', async () => {
      const { storage, log } = await opened()
      for (const day of [21, 20, 21]) await log.keepServed(day)
      expect(await log.served()).toEqual([20, 21])
      const { log: other } = await storage.openLog('other', 'log.example/other')
      expect(await other.served()).toEqual([])
      await other.keepServed(22)
      // Those that lie ahead are a wrong clock's.
      await log.keepServed(20)
      expect(await log.served()).toEqual([20])
      await log.forgetServed()
      expect([await log.served(), await other.served()]).toEqual([[], [22]])
      await storage.close()
    })

    test('with the last entry about a subject its last day is forgotten, and stays so', async () => {
      const { storage, log } = await opened()
      // Subject 0 has the entries 0 and 3, subject 1 the entry 1.
      await log.append([], 0, numbered(4))
      const kept = [0, 1].map((fill) => ({ subject: bytes(16, fill), day: 20 }))
      await log.keepActive(kept)
      const forget = (...indexes: number[]) =>
        log.forget(indexes.map((index) => ({ index, grade: 'unlink' as const, secrets: bytes(32, 9) })))
      await forget(0, 1)
      expect(days(await log.idle(100, 10))).toEqual([[0, 20]])
      await log.keepActive(kept.map(({ subject }) => ({ subject, day: 21 })))
      expect(days(await log.idle(100, 10))).toEqual([[0, 21]])
      await forget(3)
      expect(await log.idle(100, 10)).toEqual([])
      await storage.close()
    })

    test('logs of two sites know nothing of each other', async () => {
      const { storage, log } = await opened()
      const { log: other } = await storage.openLog('other', 'log.example/other')
      await log.append([], 0, numbered(2))
      expect((await storage.logs()).sort()).toEqual(['other', 'site'])
      expect((await other.head()).size).toBe(0)
      expect(await other.findKey(bytes(16, 1))).toBeNull()
      await storage.close()
    })

    test('a log keeps the origin it was first opened with', async () => {
      const storage = await driver.create()
      await expect(storage.openLog('site', null)).rejects.toThrow(OriginError)
      await storage.openLog('site', 'log.example/site')
      expect((await storage.openLog('site', null)).origin).toBe('log.example/site')
      await expect(storage.openLog('site', 'elsewhere.example/site')).rejects.toThrow(OriginError)
      await storage.close()
    })

    test('a value of the vault is made once', async () => {
      const storage = await driver.create()
      await storage.vaultValue('key', () => bytes(4, 1))
      same(await storage.vaultValue('key', () => bytes(4, 2)), bytes(4, 1))
      await storage.replaceVaultValues(new Map([['key', bytes(5, 3)]]))
      same(await storage.vaultValue('key', () => bytes(4, 2)), bytes(5, 3))
      await storage.close()
    })

    test('all values of the vault are told by name, also of no log', async () => {
      const storage = await driver.create()
      await storage.vaultValue('one', () => bytes(4, 1))
      await storage.vaultValue('other', () => bytes(4, 2))
      const values = await storage.vaultValues()
      expect([...values.keys()].sort()).toEqual(['one', 'other'])
      same(values.get('other'), bytes(4, 2))
      await storage.close()
    })

    test('the first key that is told becomes the vault’s, and another only in the place of the one before', async () => {
      const { storage, log } = await opened()
      expect(await storage.currentKey()).toBeNull()
      await storage.useKey('aaaa', null)
      await storage.useKey('aaaa', null)
      expect(await storage.currentKey()).toBe('aaaa')
      for (const before of [null, 'cccc']) {
        const using = storage.useKey('bbbb', before)
        await expect(using).rejects.toThrow(UnavailableError)
        await expect(using).rejects.toThrow(
          /wrapped with key aaaa, and this process wraps with bbbb.*nothing was written/,
        )
      }
      expect(await storage.currentKey()).toBe('aaaa')
      await log.append([], 0, numbered(1))
      await storage.useKey('bbbb', 'aaaa')
      expect(await storage.currentKey()).toBe('bbbb')
      await log.append([], 1, numbered(1))
      expect((await log.head()).size).toBe(2)
      await storage.close()
    })

    const apiKey = (more: Partial<ApiKeyRow> = {}): ApiKeyRow => ({
      id: 'key_1',
      hash: bytes(32, 7),
      name: 'ops',
      sites: ['site', 'other'],
      scopes: ['audit:read', 'admin'],
      createdAt: 5,
      expiresAt: 9,
      revokedAt: null,
      oldHash: null,
      oldUntil: null,
      reason: 'yearly audit',
      usedOn: null,
      ...more,
    })

    test('API keys are found by their hash or their id, whole, and listed in the order they were made', async () => {
      const storage = await driver.create()
      const { keys } = storage
      await keys.add(apiKey())
      await keys.add(
        apiKey({ id: 'key_2', hash: bytes(32, 9), createdAt: 6, sites: null, expiresAt: null, reason: null }),
      )
      const found = (await keys.find(bytes(32, 7)))!
      same(found.hash, bytes(32, 7))
      expect({ ...found, hash: null }).toEqual({ ...apiKey(), hash: null })
      expect((await keys.get('key_2'))?.sites).toBeNull()
      expect([await keys.find(bytes(32, 8)), await keys.get('key_3')]).toEqual([null, null])
      expect((await keys.list()).map(({ id }) => id)).toEqual(['key_1', 'key_2'])
      await storage.close()
    })

    test('a rotated key is found by both its secrets, the one before them stops, and a revoked one is not rotated', async () => {
      const storage = await driver.create()
      const { keys } = storage
      await keys.add(apiKey())
      const rotate = (fill: number) =>
        keys.rotate('key_1', { hash: bytes(32, fill), expiresAt: null, oldUntil: 100 + fill })
      expect(await rotate(1)).toBe(true)
      const row = (await keys.find(bytes(32, 7)))!
      expect([row.id, row.expiresAt, row.oldUntil]).toEqual(['key_1', null, 101])
      same(row.oldHash, bytes(32, 7))
      expect((await keys.find(bytes(32, 1)))?.id).toBe('key_1')
      await rotate(2)
      expect(await keys.find(bytes(32, 7))).toBeNull()
      expect(await keys.revoke('key_1', 50)).toBe(true)
      expect(await keys.revoke('key_1', 60)).toBe(true)
      expect((await keys.get('key_1'))?.revokedAt).toBe(50)
      expect([await rotate(3), await keys.revoke('key_9', 1)]).toEqual([false, false])
      expect(await keys.find(bytes(32, 3))).toBeNull()
      await storage.close()
    })

    test('the day a key was last used never moves back', async () => {
      const storage = await driver.create()
      await storage.keys.add(apiKey())
      for (const day of ['2026-11-23', '2026-11-25', '2026-11-24']) await storage.keys.used('key_1', day)
      await storage.keys.used('nobody', '2026-11-23')
      expect((await storage.keys.get('key_1'))?.usedOn).toBe('2026-11-25')
      await storage.close()
    })

    const { reopen } = driver
    if (!reopen) return

    /** A batch that the vault takes and the ledger doesn't, as if the process had died between the two commits. */
    const halfway = async (log: LogStore, count: number) => {
      const { size } = await log.head()
      const document = { kind: 'policy', hash: 'h', version: '1', language: null, body: null as never } as const
      const failing = log.append(
        [],
        size,
        numbered(count, { documents: [{ index: size, recordedAt: 1, ...document }] }),
      )
      await expect(failing).rejects.toThrow()
    }

    test('what a commit left halfway is neither found nor counted, and once when it is appended after all', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(2))
      await halfway(log, 4)
      expect(await log.vaultSize()).toBe(6)
      expect([await countsOf(log), await log.findFacets(query(['a', 'b']))]).toEqual([
        ['0 a 1', '0 b 1'],
        [1, 0],
      ])
      expect(await log.firstAt(DAY_MS)).toBe(2)
      await log.append([], 2, numbered(4))
      const counted = ['0 a 1', '0 b 1', '1 a 1', '2 b 1']
      expect([await countsOf(log), await log.findFacets(query(['a', 'b']))]).toEqual([counted, [4, 3, 1, 0]])
      await halfway(log, 5)
      const again = await reopen(storage)
      const { log: later } = await again.openLog('site', null)
      expect(await countsOf(later)).toEqual(counted)
      await later.reconcile()
      expect([await countsOf(later), await later.vaultSize()]).toEqual([counted, 6])
      // Facets that only a batch had which never was keep no place among those that are.
      await later.append([], 6, numbered(1))
      expect(await countsOf(later)).toEqual([...counted, '3 a 1'])
      await again.close()
    })

    test('everything is there after reopening', async () => {
      const { storage, log } = await opened()
      await log.append([], 0, numbered(5))
      await log.keepActive([{ subject: bytes(16, 1), day: 20 }])
      await log.keepServed(20)
      const again = await reopen(storage)
      const { log: later } = await again.openLog('site', null)
      expect((await later.head()).size).toBe(5)
      same((await later.vaultRow(4))?.secrets, bytes(64, 4))
      expect(await later.findSubject(bytes(16, 1))).toEqual([1, 4])
      expect(await later.findAccount(bytes(16, 0))).toEqual([0, 4])
      expect(days(await later.idle(20, 1))).toEqual([[1, 20]])
      expect(await later.served()).toEqual([20])
      await again.close()
    })
  })
}
