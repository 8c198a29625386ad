import { join } from 'node:path'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { verifyConsistency, verifyInclusion } from '../merkle/proof.js'
import { leafHash } from '../merkle/tree.js'
import { VerificationError } from '../merkle/verification-error.js'
import { createMemoryStorage } from '../storage/memory.js'
import { openSqliteStorage } from '../storage/sqlite.js'
import { type LogStore, UnavailableError } from '../storage/storage.js'
import { testFolder } from '../test-folder.js'
import { createKeyring } from '../vault/keyring.js'
import { openCheckpoint } from './checkpoint.js'
import { openEpochs } from './epoch.js'
import { createMemoryEscrow } from './escrow.js'
import { ConflictError, type Draft, ErasedError, ForkError, Ledger, type LedgerParts } from './ledger.js'
import { rewrapLog } from './rewrap.js'
import { createSigner } from './signer.js'

const signer = createSigner('log.example/site', new Uint8Array(32).fill(5))

const keyring = createKeyring([new Uint8Array(32).fill(1)])

/** A ledger over a store that is in memory unless given, and what an operator was told. */
async function testLedger(given: Partial<LedgerParts> = {}) {
  const store = given.store ?? (await createMemoryStorage().openLog('site', signer.name)).log
  const warned: string[] = []
  const parts: LedgerParts = {
    log: 'site',
    store,
    signer,
    keyring,
    escrow: createMemoryEscrow(),
    now: () => 1_000,
    warn: (line) => warned.push(line),
    ...given,
  }
  return { log: store, parts, warned, ledger: await Ledger.open(parts) }
}

const bytesOf = (text: string, size: number) =>
  new Uint8Array(Buffer.alloc(size).fill(0, 0)).map((_, i) => text.charCodeAt(i % text.length))

/** A record of `said` under `key`. */
const draft = (key: string, said = key, subject = 'ann'): Draft => ({
  key: bytesOf(key, 16),
  fingerprint: bytesOf(said, 32),
  compose: (recordedAt) => ({
    kind: 'consent',
    subject: bytesOf(subject, 16),
    account: null,
    facet: said,
    evidence: { said, recordedAt },
    identity: { key },
  }),
})

const at = (...indexes: number[]) => indexes.map((index) => ({ log: 'site', index }))

/** The same store, as one that other processes append to. */
const asShared = (log: LogStore): LogStore =>
  new Proxy(log, { get: (target, name) => (name === 'isShared' ? true : Reflect.get(target, name).bind(target)) })

/** Every entry is proved against the newest checkpoint, with the public key alone. */
async function verifyEverything(ledger: Ledger) {
  const { size, root } = openCheckpoint(ledger.head.checkpoint, signer.vkey)
  const entries = await ledger.entries(0, size)
  expect(entries).toHaveLength(size)
  const proofs = await ledger.prove(entries.map((_, index) => index))
  for (const [index, entry] of entries.entries()) verifyInclusion(leafHash(entry), index, size, root, proofs[index]!)
}

describe('the ledger', () => {
  test('an empty log has a signed checkpoint of size 0', async () => {
    const { ledger } = await testLedger()
    expect(openCheckpoint(ledger.head.checkpoint, signer.vkey).size).toBe(0)
  })

  test('what is appended at once shares one commit, keeps its order, and is proved', async () => {
    const { ledger } = await testLedger()
    const appended = await Promise.all(Array.from({ length: 300 }, (_, i) => ledger.append(draft(`key ${i}`))))
    expect(appended.map(({ index }) => index)).toEqual(Array.from({ length: 300 }, (_, i) => i))
    await verifyEverything(ledger)
  })

  test('a record opens to what was composed', async () => {
    const { ledger } = await testLedger({ now: () => 77 })
    const { index } = await ledger.append(draft('a', 'granted'))
    const [opened] = await ledger.open([index])
    expect(opened?.evidence).toEqual({ said: 'granted', recordedAt: 77 })
    expect(opened?.identity).toEqual({ key: 'a' })
  })

  test('the same key appends once, in one batch or in two', async () => {
    const { ledger } = await testLedger()
    const both = await Promise.all([ledger.append(draft('a')), ledger.append(draft('a'))])
    expect(both).toMatchObject([
      { index: 0, repeated: false },
      { index: 0, repeated: true },
    ])
    expect(await ledger.append(draft('a'))).toMatchObject({ index: 0, repeated: true })
    expect(ledger.head.size).toBe(1)
  })

  test('a batch of nothing but repetitions changes nothing, the checkpoint included', async () => {
    const { ledger } = await testLedger()
    await ledger.append(draft('a'))
    const { checkpoint } = ledger.head
    await Promise.all([ledger.append(draft('a')), ledger.append(draft('a'))])
    expect(ledger.head.checkpoint).toBe(checkpoint)
  })

  test('a key used for something else is a conflict, and leaves the rest of its batch alone', async () => {
    const { ledger } = await testLedger()
    await ledger.append(draft('a', 'granted'))
    const [conflict, other] = await Promise.allSettled([ledger.append(draft('a', 'denied')), ledger.append(draft('b'))])
    expect(conflict.status === 'rejected' && conflict.reason).toBeInstanceOf(ConflictError)
    expect(other.status === 'fulfilled' && other.value.index).toBe(1)
  })

  test('nor does it where another node recorded something later while this one waited', async () => {
    const { log, ledger, parts } = await testLedger()
    const ahead = await Ledger.open({ ...parts, now: () => 2_000 })
    // As where nodes share a database: this one hears of the head when it appends.
    const shared = await Ledger.open({ ...parts, store: asShared(log) })
    await ahead.append(draft('a'))
    const [first, second] = await Promise.all([shared.append(draft('b')), shared.append(draft('c'))])
    const opened = await shared.open([first.index, second.index])
    expect(opened.map(({ evidence }) => evidence)).toEqual([
      { said: 'b', recordedAt: 2_000 },
      { said: 'c', recordedAt: 2_000 },
    ])
    expect(shared.head.recordedAt).toBe(2_000)
    await verifyEverything(shared)
    expect(ledger.head.size).toBe(0)
  })

  test('what arrives while a batch is written is sealed meanwhile, and answered after it', async () => {
    const { ledger } = await testLedger({ batchLimit: 2 })
    const answered: number[] = []
    await Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map(async (key) => {
        const { index } = await ledger.append(draft(key))
        // What was answered is published.
        expect(ledger.head.size).toBeGreaterThan(index)
        answered.push(index)
      }),
    )
    expect(answered).toEqual([0, 1, 2, 3, 4])
    await ledger.settled()
    await verifyEverything(ledger)
  })

  test('what can not be composed is rejected alone', async () => {
    const { ledger } = await testLedger()
    const broken: Draft = {
      ...draft('b'),
      compose() {
        throw new Error('no such policy')
      },
    }
    const [first, second, third] = await Promise.allSettled(
      [draft('a'), broken, draft('c')].map((one) => ledger.append(one)),
    )
    expect([first, third]).toMatchObject([{ value: { index: 0 } }, { value: { index: 1 } }])
    expect(second).toMatchObject({ reason: new Error('no such policy') })
    await verifyEverything(ledger)
  })

  test('the time of recording never decreases, whatever the clock does', async () => {
    let time = 500
    const { ledger } = await testLedger({ now: () => time })
    await ledger.append(draft('a'))
    time = 20
    await ledger.append(draft('b'))
    const opened = await ledger.open([0, 1])
    expect(opened.map(({ evidence }) => (evidence as { recordedAt: number }).recordedAt)).toEqual([500, 500])
  })

  test('a batch that the store refuses appends nothing, tells everyone who waited, and the next one succeeds', async () => {
    const storage = createMemoryStorage()
    const { log } = await storage.openLog('site', signer.name)
    let isFull = false
    const full: LogStore = Object.assign(Object.create(log), {
      append: (...args: Parameters<LogStore['append']>) =>
        isFull
          ? log.append(args[0], args[1], (standing) => {
              args[2](standing)
              throw new Error('disk full')
            })
          : log.append(...args),
    })
    for (const read of ['head', 'entries', 'tile', 'vaultRow', 'findKey', 'reconcile', 'vaultSize', 'rootAt'] as const)
      Object.assign(full, { [read]: log[read].bind(log) })
    const { ledger } = await testLedger({ store: full })
    await ledger.append(draft('a'))
    isFull = true
    const refused = await Promise.allSettled([ledger.append(draft('b')), ledger.append(draft('c'))])
    expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(ledger.head.size).toBe(1)
    isFull = false
    expect((await ledger.append(draft('b'))).index).toBe(1)
    await verifyEverything(ledger)
  })

  test('a log taken up again goes on where it stood, and the new tree extends the old', async () => {
    const { parts, ledger } = await testLedger()
    await Promise.all(Array.from({ length: 257 }, (_, i) => ledger.append(draft(`key ${i}`))))
    const before = openCheckpoint(ledger.head.checkpoint, signer.vkey)
    const again = await Ledger.open(parts)
    await Promise.all(Array.from({ length: 300 }, (_, i) => again.append(draft(`later ${i}`))))
    const after = openCheckpoint(again.head.checkpoint, signer.vkey)
    expect(after.size).toBe(557)
    const proof = await again.proveConsistency(before.size)
    verifyConsistency(before.size, after.size, before.root, after.root, proof)
    await verifyEverything(again)
  })

  test('a log signed with another key is not taken up', async () => {
    const { parts, ledger } = await testLedger()
    await ledger.append(draft('a'))
    const other = createSigner(signer.name, new Uint8Array(32).fill(6))
    await expect(Ledger.open({ ...parts, signer: other })).rejects.toThrow(VerificationError)
  })

  test('two ledgers on one store append in turn: gapless, none twice', async () => {
    const { parts, ledger } = await testLedger()
    const other = await Ledger.open(parts)
    const appended = await Promise.all(
      Array.from({ length: 200 }, (_, i) => (i % 2 ? ledger : other).append(draft(`key ${i % 150}`))),
    )
    const fresh = appended.filter(({ repeated }) => !repeated).map(({ index }) => index)
    expect(fresh.sort((a, b) => a - b)).toEqual(Array.from({ length: 150 }, (_, i) => i))
    await verifyEverything(await Ledger.open(parts))
  })

  test('any split into batches gives the same entries a place each', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }), async (sizes) => {
        const { ledger } = await testLedger()
        let count = 0
        for (const size of sizes)
          await Promise.all(Array.from({ length: size }, () => ledger.append(draft(`key ${count++}`))))
        expect(ledger.head.size).toBe(count)
        await verifyEverything(ledger)
      }),
      { numRuns: 20 },
    )
  })
})

describe('forgetting', () => {
  /** Entry, proof and root as they were, still true of the log as it is now. */
  async function stillProved(ledger: Ledger, index: number) {
    const { size, root } = openCheckpoint(ledger.head.checkpoint, signer.vkey)
    const [entry] = await ledger.entries(index, index + 1)
    const [proof] = await ledger.prove([index])
    verifyInclusion(leafHash(entry!), index, size, root, proof!)
  }

  test('erasing takes both parts, leaves a tombstone, and every proof stays true', async () => {
    const { ledger } = await testLedger()
    await Promise.all(['a', 'b', 'c'].map((key) => ledger.append(draft(key, key, 'ann'))))
    await ledger.erase(at(1), 'erase', 'GDPR 17(1)(b)')
    expect(await ledger.open([1])).toEqual([])
    expect(await ledger.findSubject(bytesOf('ann', 16))).toEqual([0, 2])
    const [tombstone] = await ledger.tombstones()
    expect(tombstone?.body).toEqual({
      at: new Date(1000).toISOString(),
      grade: 'erase',
      index: 1,
      ground: 'GDPR 17(1)(b)',
    })
    for (const index of [0, 1, 2, 3]) await stillProved(ledger, index)
  })

  test('unlinking takes the identity and keeps the evidence, which nobody finds by the subject any more', async () => {
    const { ledger } = await testLedger()
    await ledger.append(draft('a', 'granted'))
    await ledger.erase(at(0), 'unlink', 'objection')
    const [opened] = await ledger.open([0])
    expect([opened?.evidence, opened?.identity]).toEqual([{ said: 'granted', recordedAt: 1000 }, null])
    expect(await ledger.findSubject(bytesOf('ann', 16))).toEqual([])
    expect(await ledger.find(draft('a').key)).toBeNull()
  })

  test('unlinking and then erasing leaves two tombstones and nothing to open', async () => {
    const { ledger } = await testLedger()
    await ledger.append(draft('a'))
    await ledger.erase(at(0), 'unlink', 'objection')
    await ledger.erase(at(0), 'erase', 'request')
    await ledger.erase(at(0), 'unlink', 'too late')
    expect(await ledger.open([0])).toEqual([])
    expect((await ledger.tombstones()).map(({ body }) => body.grade)).toEqual(['unlink', 'erase'])
  })

  test('erasing twice leaves one tombstone; what is no consent is passed over', async () => {
    const { ledger } = await testLedger()
    await ledger.append(draft('a'))
    await ledger.erase(at(0, 0, 99), 'erase', 'request')
    await ledger.erase(at(0, 1), 'erase', 'request')
    expect(ledger.head.size).toBe(2)
  })

  test('a submission repeated after its erasure brings nobody back', async () => {
    const { ledger } = await testLedger()
    await ledger.append(draft('a'))
    await ledger.erase(at(0), 'erase', 'request')
    await expect(ledger.append(draft('a'))).rejects.toThrow(ErasedError)
    await expect(ledger.append(draft('a', 'other'))).rejects.toThrow(ErasedError)
  })

  test('an erasure that died after its tombstone is finished at the next start', async () => {
    const { parts, ledger, log } = await testLedger()
    await Promise.all(['a', 'b'].map((key) => ledger.append(draft(key))))
    const forget = log.forget.bind(log)
    log.forget = () => Promise.reject(new Error('killed'))
    await expect(ledger.erase(at(0), 'erase', 'request')).rejects.toThrow('killed')
    log.forget = forget
    expect(await ledger.open([0])).toHaveLength(1)
    expect(await (await Ledger.open(parts)).open([0])).toEqual([])
  })

  test('so is one whose node died before its head reached the escrow, though another node took that head up', async () => {
    const { parts, ledger, log } = await testLedger()
    await ledger.append(draft('a'))
    const other = await Ledger.open(parts)
    const put = parts.escrow.put
    parts.escrow.put = () => Promise.reject(new Error('killed'))
    await expect(ledger.erase(at(0), 'erase', 'request')).rejects.toThrow('killed')
    parts.escrow.put = put
    Object.assign(log, { isShared: true })
    expect((await other.latest()).size).toBe(2)
    expect(parts.escrow.highest()?.size).toBe(2)
    expect(await other.open([0])).toHaveLength(1)
    expect(await (await Ledger.open(parts)).open([0])).toEqual([])
  })

  test('one that died before its tombstone was appended is carried out at the next start, and gets it', async () => {
    const { parts, ledger, log } = await testLedger()
    await ledger.append(draft('a'))
    const append = log.append.bind(log)
    log.append = () => Promise.reject(new Error('killed'))
    await expect(ledger.erase(at(0), 'erase', 'request')).rejects.toThrow('killed')
    log.append = append
    for (const _ of [1, 2]) {
      const [again] = await openEpochs(['site'], async () => parts)
      expect(await again!.open([0])).toEqual([])
      const tombstones = await again!.tombstones()
      expect(tombstones.map(({ body }) => body)).toEqual([
        { at: new Date(1000).toISOString(), grade: 'erase', index: 0, ground: expect.stringMatching(/not known/) },
      ])
      await stillProved(again!, 0)
    }
  })

  test('unlinked and then erased, both carried out again at once, nothing is left', async () => {
    const { parts, ledger } = await testLedger()
    await Promise.all(['a', 'b'].map((key) => ledger.append(draft(key))))
    for (const [index, grades] of [['unlink', 'erase'] as const, ['erase', 'unlink'] as const].entries())
      await parts.escrow.putTombstones(grades.map((grade) => ({ log: 'site', index, grade })))
    const forget = vi.spyOn(parts.store, 'forget')
    expect(await (await Ledger.open(parts)).open([0, 1])).toEqual([])
    expect(forget.mock.calls.flatMap(([changes]) => changes)).toMatchObject([
      { index: 0, grade: 'erase' },
      { index: 1, grade: 'erase' },
    ])
  })

  test('where the escrow takes no tombstone, none is appended', async () => {
    const { parts, ledger } = await testLedger()
    await ledger.append(draft('a'))
    parts.escrow.putTombstones = () => Promise.reject(new Error('escrow full'))
    await expect(ledger.erase(at(0), 'erase', 'request')).rejects.toThrow('escrow full')
    expect(ledger.head.size).toBe(1)
    expect(await ledger.open([0])).toHaveLength(1)
  })

  test('an erasure whose rest could not be cleared from the files fails, and asked for again it clears them', async () => {
    const folder = testFolder()
    const storage = await openSqliteStorage(folder)
    const { ledger } = await testLedger({ store: (await storage.openLog('site', signer.name)).log })
    await ledger.append(draft('a'))
    const isScrubDue = () => {
      const vault = new Database(join(folder, 'vault.db'), { readonly: true })
      const due = vault.prepare("SELECT count(*) FROM vault_values WHERE name = 'scrub-due'").pluck().get()
      vault.close()
      return due === 1
    }
    const reader = new Database(join(folder, 'vault.db'))
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM vault').get()
    await expect(ledger.erase(at(0), 'erase', 'request')).rejects.toThrow(UnavailableError)
    // Nothing is left to forget, but not all is gone: that is no success.
    await expect(ledger.erase(at(0), 'erase', 'request')).rejects.toThrow(UnavailableError)
    expect(isScrubDue()).toBe(true)
    reader.close()
    await ledger.erase(at(0), 'erase', 'request')
    expect(isScrubDue()).toBe(false)
    await storage.close()
  })

  test('an escrow that is new to a log is told of all that was erased', async () => {
    const { parts, ledger } = await testLedger()
    await Promise.all(['a', 'b'].map((key) => ledger.append(draft(key))))
    await ledger.erase(at(0), 'unlink', 'objection')
    await ledger.erase(at(1), 'erase', 'request')
    const escrow = createMemoryEscrow()
    await Ledger.open({ ...parts, escrow })
    expect(escrow.tombstones()).toEqual([
      { log: 'site', index: 0, grade: 'unlink' },
      { log: 'site', index: 1, grade: 'erase' },
    ])
  })

  test('a vault that went back and then grew with the log again brings nobody back either', async () => {
    const { parts, ledger, log } = await testLedger()
    await ledger.append(draft('a'))
    const row = await log.vaultRow(0)
    const tombstone = ledger.head.size
    await ledger.erase(at(0), 'erase', 'request')
    await ledger.append(draft('b'))
    // The record's secrets are back, the tombstone's row is a gap, and what came later is there.
    const vaultRow = log.vaultRow.bind(log)
    const [forget, findKey] = [log.forget.bind(log), log.findKey.bind(log)]
    let forgotten = false
    log.vaultRow = async (index) => (index === 0 && !forgotten ? row : index === tombstone ? null : vaultRow(index))
    log.findKey = async (key) => {
      const known = await findKey(key)
      return known?.index === tombstone ? null : known
    }
    log.forget = (changes) => {
      forgotten ||= changes.some(({ index }) => index === 0)
      return forget(changes)
    }
    expect(await (await Ledger.open(parts)).open([0])).toEqual([])
    expect(forgotten).toBe(true)
  })

  test('a vault that goes back under a running process is noticed before the next append, and the cure is said', async () => {
    const { parts, ledger, log } = await testLedger()
    await ledger.append(draft('a'))
    const append = log.append.bind(log)
    let isOlder = true
    log.append = (keys, size, build) =>
      append(keys, size, (standing) => build({ ...standing, hasNewest: standing.hasNewest && !isOlder }))
    await expect(ledger.append(draft('b'))).rejects.toThrow(UnavailableError)
    await expect(ledger.append(draft('b'))).rejects.toThrow(/the vault of site lacks the newest of 1 entries.*restart/)
    expect((await log.head()).size).toBe(1)
    // At a start it is told, and what it lacks is lost: the log goes on from there.
    log.vaultSize = async () => 0
    const { ledger: again, warned } = await testLedger(parts)
    expect(warned).toEqual([])
    expect(again.fork).toBeNull()
    expect((await again.append(draft('b'))).index).toBe(1)
    await expect(again.append(draft('c'))).rejects.toThrow(UnavailableError)
    isOlder = false
    expect((await again.append(draft('c'))).index).toBe(2)
  })

  test('so is a vault whose file is written over', async () => {
    const folder = testFolder()
    const storage = await openSqliteStorage(folder)
    const { ledger } = await testLedger({ store: (await storage.openLog('site', signer.name)).log })
    for (const key of ['a', 'b']) await ledger.append(draft(key))
    const vault = new Database(join(folder, 'vault.db'))
    vault.prepare('DELETE FROM vault WHERE idx = 1').run()
    vault.close()
    await expect(ledger.append(draft('c'))).rejects.toThrow(UnavailableError)
    expect(ledger.head.size).toBe(2)
    await storage.close()
  })

  test('an older vault brings nobody back: the escrow knows what was erased', async () => {
    const { parts, ledger, log } = await testLedger()
    await ledger.append(draft('a'))
    const row = await log.vaultRow(0)
    await ledger.erase(at(0), 'erase', 'request')
    const vaultRow = log.vaultRow.bind(log)
    // The vault as it was before: the record's secrets are back, the tombstone's are not there yet.
    let forgotten = false
    log.vaultRow = async (index) => (forgotten ? vaultRow(index) : index === 0 ? row : null)
    log.vaultSize = async () => 1
    log.findKey = async () => null
    log.forget = async (changes) => {
      expect(changes).toMatchObject([{ index: 0, grade: 'erase' }])
      forgotten = true
    }
    expect(await (await Ledger.open(parts)).open([0])).toEqual([])
    expect(forgotten).toBe(true)
  })

  test('with a new key-encryption key alone, everything is opened after rewrapping and nothing before', async () => {
    const storage = createMemoryStorage()
    const { parts, ledger } = await testLedger({ store: (await storage.openLog('site', signer.name)).log })
    await Promise.all(Array.from({ length: 30 }, (_, i) => ledger.append(draft(`key ${i}`))))
    await ledger.erase(at(3), 'erase', 'request')
    const [fresh, old] = [new Uint8Array(32).fill(7), new Uint8Array(32).fill(1)]
    const alone = createKeyring([fresh])
    await expect((await Ledger.open({ ...parts, keyring: alone })).open([0])).rejects.toThrow(/wrapped with key/)
    await rewrapLog(storage, 'site', createKeyring([fresh, old]), () => {})
    const after = await Ledger.open({ ...parts, keyring: alone })
    expect(await after.open(Array.from({ length: 30 }, (_, i) => i))).toHaveLength(29)
    expect(await after.tombstones()).toHaveLength(1)
    await expect((await Ledger.open({ ...parts, keyring: createKeyring([old]) })).open([0])).rejects.toThrow(
      /wrapped with key/,
    )
  })
})

describe('the fork guard', () => {
  test('a log behind its escrow is read, not appended to, and the cure is said', async () => {
    const { parts, ledger } = await testLedger()
    await ledger.append(draft('a'))
    await parts.escrow.put({ ...ledger.head, size: 5 })
    const { ledger: restored } = await testLedger(parts)
    expect(restored.fork).toMatch(/stands at 1 entries, and 5 were published.*recover --new-epoch/)
    await expect(restored.append(draft('b'))).rejects.toThrow(ForkError)
    expect(await restored.open([0])).toHaveLength(1)
  })

  test('an older copy of both stores brings nobody back, though it is only read', async () => {
    const { parts, ledger } = await testLedger()
    await Promise.all(['a', 'b'].map((key) => ledger.append(draft(key))))
    // What an erasure and later entries left in the escrow, after this copy was made.
    await parts.escrow.putTombstones([{ log: 'site', index: 0, grade: 'erase' }])
    await parts.escrow.put({ ...ledger.head, size: 9 })
    const { ledger: restored } = await testLedger(parts)
    expect(restored.fork).not.toBeNull()
    expect((await restored.open([0, 1])).map(({ index }) => index)).toEqual([1])
  })

  test('a log of the right size that is another one is not appended to either', async () => {
    const { parts, ledger } = await testLedger()
    await ledger.append(draft('a'))
    const other = await testLedger({ escrow: parts.escrow })
    expect(other.ledger.fork).not.toBeNull()
    const third = await testLedger()
    await third.ledger.append(draft('z'))
    expect((await testLedger({ store: third.log, escrow: parts.escrow })).ledger.fork).not.toBeNull()
  })

  test('a store rewound under a running process is noticed before the next append', async () => {
    const { parts, ledger } = await testLedger()
    await ledger.append(draft('a'))
    // The same process, over a store that went back to nothing, or came back as another log that is longer.
    const rewound = (await createMemoryStorage().openLog('site', signer.name)).log
    const append = parts.store.append
    parts.store.append = rewound.append.bind(rewound)
    for (const _ of [1, 2]) await expect(ledger.append(draft('b'))).rejects.toThrow(ForkError)
    expect((await rewound.head()).size).toBe(0)
    parts.store.append = append
    await expect(ledger.append(draft('b'))).rejects.toThrow(ForkError)
  })

  test('a fork that reading comes upon is told once, not at each read', async () => {
    const { parts, ledger, log, warned } = await testLedger()
    await ledger.append(draft('a'))
    Object.assign(log, {
      isShared: true,
      head: async () => ({ size: 0, root: new Uint8Array(32), checkpoint: '', recordedAt: 0 }),
    })
    for (const _ of [1, 2, 3]) expect((await ledger.latest()).size).toBe(1)
    await expect(ledger.append(draft('b'))).rejects.toThrow(ForkError)
    expect(warned).toEqual([ledger.fork])
    expect(await ledger.repeated(draft('a'))).toMatchObject({ index: 0, repeated: true })
    expect(parts.escrow.highest()?.size).toBe(1)
  })

  test('a store that was rewound and grew again is another log', async () => {
    const { parts, ledger } = await testLedger()
    await ledger.append(draft('a'))
    const regrown = await testLedger()
    for (const key of ['x', 'y', 'z']) await regrown.ledger.append(draft(key))
    parts.store.append = regrown.log.append.bind(regrown.log)
    await expect(ledger.append(draft('b'))).rejects.toThrow(ForkError)
    expect((await regrown.log.head()).size).toBe(3)
  })

  test('where the escrow can’t be written nothing is published or acknowledged, and the next append makes up for it', async () => {
    const { parts, ledger } = await testLedger()
    await ledger.append(draft('a'))
    const put = parts.escrow.put
    parts.escrow.put = () => Promise.reject(new Error('escrow full'))
    await expect(ledger.append(draft('b'))).rejects.toThrow('escrow full')
    expect(ledger.head.size).toBe(1)
    parts.escrow.put = put
    // The batch stands in the store: sent again, it is the same record, published now.
    expect(await ledger.append(draft('b'))).toMatchObject({ index: 1, repeated: true })
    expect(ledger.head.size).toBe(2)
    expect(await ledger.append(draft('c'))).toMatchObject({ index: 2, repeated: false })
    await verifyEverything(ledger)
  })
})

describe('events', () => {
  const event = (key: string, body: object = { key }, subject: string | null = 'ann'): Draft => ({
    key: bytesOf(key, 16),
    fingerprint: bytesOf(key, 32),
    compose: () => ({ kind: 'event', subject: subject === null ? null : bytesOf(subject, 16), body }),
  })
  const overdue = async (ledger: Ledger, below: number) => {
    const found: number[] = []
    for await (const { index, body } of ledger.overdueEvents(({ body }) => (body as { n: number }).n < below))
      found.push((body as { n: number }).n === index ? index : -1)
    return found
  }

  test('open to what was composed, are found by their subject, and are no consents', async () => {
    const { ledger } = await testLedger()
    await ledger.append(draft('a'))
    await ledger.append(event('b'))
    await ledger.append(event('c', { key: 'c' }, null))
    expect(await ledger.openEvents([2, 0, 1])).toEqual([
      { index: 2, body: { key: 'c' } },
      { index: 1, body: { key: 'b' } },
    ])
    expect((await ledger.open([0, 1, 2])).map(({ index }) => index)).toEqual([0])
    expect(await ledger.findSubject(bytesOf('ann', 16))).toEqual([0, 1])
    expect(await ledger.recent(3, 9)).toEqual([1, 0])
    expect(await ledger.tombstones()).toEqual([])
    await verifyEverything(ledger)
  })

  test('are forgotten oldest first without a tombstone, whatever is asked for again, and the log still verifies', async () => {
    const { ledger } = await testLedger()
    for (let n = 0; n < 100; n++) await ledger.append(event(`event ${n}`, { n }))
    for (const [below, from] of [
      [40, 0],
      [41, 40],
      [41, 41],
      [100, 41],
    ] as const) {
      const found = await overdue(ledger, below)
      expect(found).toEqual(Array.from({ length: below - from }, (_, i) => from + i))
      for (let twice = 0; twice < 2; twice++) await ledger.forgetEvents(found)
      expect((await ledger.openEvents(Array.from({ length: 100 }, (_, i) => i))).map(({ index }) => index)).toEqual(
        Array.from({ length: 100 - below }, (_, i) => below + i),
      )
    }
    expect(ledger.head.size).toBe(100)
    expect(await ledger.findSubject(bytesOf('ann', 16))).toEqual([])
    await verifyEverything(ledger)
  })

  test('that an older vault lacks are not taken for what was forgotten', async () => {
    const storage = createMemoryStorage()
    const { log } = await storage.openLog('site', signer.name)
    const { ledger } = await testLedger({ store: log })
    for (let n = 0; n < 20; n++) await ledger.append(event(`event ${n}`, { n }))
    const older = new Proxy(log, {
      get: (target, name) =>
        name === 'vaultRow'
          ? async (index: number) => (index >= 10 ? null : target.vaultRow(index))
          : name === 'isShared'
            ? false
            : Reflect.get(target, name).bind(target),
    })
    const { ledger: restored } = await testLedger({ store: older })
    expect(await overdue(restored, 5)).toEqual([0, 1, 2, 3, 4])
    await restored.forgetEvents([0, 1, 2, 3, 4])
    expect(await overdue(restored, 5)).toEqual([])
  })
})
