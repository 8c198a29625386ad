import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { verifyConsistency, verifyInclusion } from '../merkle/proof.js'
import { leafHash } from '../merkle/tree.js'
import { VerificationError } from '../merkle/verification-error.js'
import { createMemoryStorage } from '../storage/memory.js'
import type { LogStore } from '../storage/storage.js'
import { openCheckpoint } from './checkpoint.js'
import { ConflictError, type Draft, Ledger } from './ledger.js'
import { createSigner } from './signer.js'

const signer = createSigner('log.example/site', new Uint8Array(32).fill(5))

async function testLedger({ now = () => 1_000 }: { now?: () => number } = {}) {
  const storage = createMemoryStorage()
  const { log } = await storage.openLog('site', signer.name)
  return { log, ledger: await Ledger.open('site', log, signer, now) }
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
    evidence: { said, recordedAt },
    identity: { key },
  }),
})

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
    expect(both).toEqual([
      { index: 0, repeated: false },
      { index: 0, repeated: true },
    ])
    expect(await ledger.append(draft('a'))).toEqual({ index: 0, repeated: true })
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
    for (const read of ['head', 'entries', 'tile', 'vaultRow', 'findKey'] as const)
      Object.assign(full, { [read]: log[read].bind(log) })
    const ledger = await Ledger.open('site', full, signer, () => 1)
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
    const { log, ledger } = await testLedger()
    await Promise.all(Array.from({ length: 257 }, (_, i) => ledger.append(draft(`key ${i}`))))
    const before = openCheckpoint(ledger.head.checkpoint, signer.vkey)
    const again = await Ledger.open('site', log, signer, () => 2_000)
    await Promise.all(Array.from({ length: 300 }, (_, i) => again.append(draft(`later ${i}`))))
    const after = openCheckpoint(again.head.checkpoint, signer.vkey)
    expect(after.size).toBe(557)
    const proof = await again.proveConsistency(before.size)
    verifyConsistency(before.size, after.size, before.root, after.root, proof)
    await verifyEverything(again)
  })

  test('a log signed with another key is not taken up', async () => {
    const { log, ledger } = await testLedger()
    await ledger.append(draft('a'))
    const other = createSigner(signer.name, new Uint8Array(32).fill(6))
    await expect(Ledger.open('site', log, other, () => 1)).rejects.toThrow(VerificationError)
  })

  test('two ledgers on one store append in turn: gapless, none twice', async () => {
    const { log, ledger } = await testLedger()
    const other = await Ledger.open('site', log, signer, () => 1_000)
    const appended = await Promise.all(
      Array.from({ length: 200 }, (_, i) => (i % 2 ? ledger : other).append(draft(`key ${i % 150}`))),
    )
    const fresh = appended.filter(({ repeated }) => !repeated).map(({ index }) => index)
    expect(fresh.sort((a, b) => a - b)).toEqual(Array.from({ length: 150 }, (_, i) => i))
    await verifyEverything(await Ledger.open('site', log, signer, () => 1_000))
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
