/** Killed at the exact places where one store knows more than the other: repaired at the next start. */
import { cpSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { arm, diesAt, disarm, erase, type Grade } from './support/failpoints.js'
import { isLong } from './support/length.js'
import { Observer } from './support/observer.js'
import { copyPlace, createKey, createPlace, startServer } from './support/place.js'
import { allRecords, ask } from './support/privacy-team.js'
import { readStores } from './support/stores.js'
import { type Acknowledged, composer, post, record } from './support/visitors.js'

/** Policy and two notices come first. */
const DOCUMENTS = 3
const BEFORE = 5
const SIZE = DOCUMENTS + BEFORE

test.concurrent.each([
  { where: 'between vault and ledger', vault: SIZE + 1, ledger: SIZE, escrowed: SIZE, again: 201 },
  { where: 'between ledger and escrow', vault: SIZE + 1, ledger: SIZE + 1, escrowed: SIZE, again: 200 },
  { where: 'in the middle of the escrow', vault: SIZE + 1, ledger: SIZE + 1, escrowed: SIZE, again: 200 },
])('killed $where, the next start repairs it and the submission has one place', async ({ where, again, ...left }) => {
  const place = createPlace()
  const first = await startServer(place, { env: diesAt(place, where) })
  const key = await createKey(place)
  const observer = new Observer(first.vkey)
  try {
    const compose = await composer(first)
    for (let i = 0; i < BEFORE; i++) observer.seeReceipt((await record(first, compose())).receipt)
    arm(place)
    const lost = compose()
    await expect(post(first, lost)).rejects.toThrow()
    await first.gone
    expect(first.process.signalCode).toBe('SIGKILL')
    const { vault, size, escrowed } = readStores(place)
    expect({ vault: vault.length, ledger: size, escrowed }).toEqual(left)
    disarm(place)

    const second = await startServer(place)
    try {
      const { status, receipt } = await record(second, lost)
      expect({ status, index: receipt.index }).toEqual({ status: again, index: SIZE })
      expect((await record(second, compose())).receipt.index).toBe(SIZE + 1)
      observer.seeReceipt(receipt)
      await observer.verify(second.logUrl)
      expect(await allRecords(second, key)).toHaveLength(BEFORE + 2)
      expect(await second.end('SIGTERM')).toBe(0)
    } finally {
      await second.end('SIGKILL')
    }
    const repaired = readStores(place)
    expect(repaired).toMatchObject({ size: SIZE + 2, escrowed: SIZE + 2, integrity: ['ok', 'ok'] })
    expect(repaired.vault.map(({ idx }) => idx)).toEqual(repaired.entries.map(({ idx }) => idx))
  } finally {
    await first.end('SIGKILL')
    place.remove()
  }
})

const graves = [
  // What the escrow has is carried out, whether its tombstone came to stand in the ledger or not.
  { where: 'before the escrow has the tombstones', isEscrowed: false, stands: false },
  { where: 'in the middle of a tombstone in the escrow', isEscrowed: false, stands: false },
  { where: 'between vault and ledger', isEscrowed: true, stands: false },
  { where: 'between ledger and escrow', isEscrowed: true, stands: true },
  { where: 'between tombstone and deletion', isEscrowed: true, stands: true },
].flatMap(({ where, isEscrowed, stands }, i) => {
  const grades: readonly Grade[] = ['unlink', 'erase']
  return (isLong ? grades : [grades[i % 2]!]).map((grade) => ({
    where,
    isEscrowed,
    stands,
    grade,
    what: isEscrowed ? 'finished at the next start' : 'nothing happened',
  }))
})

test.concurrent.each(graves)(
  '$grade, killed $where: $what, and once done, nobody comes back with an older vault',
  async ({ where, isEscrowed, stands, grade }) => {
    const place = createPlace()
    const made: Acknowledged[] = []
    const first = await startServer(place)
    const key = await createKey(place)
    const observer = new Observer(first.vkey)
    try {
      const compose = await composer(first)
      for (let i = 0; i < BEFORE; i++) {
        const submission = compose()
        made.push({ submission, receipt: (await record(first, submission)).receipt })
      }
      for (const { receipt } of made) observer.seeReceipt(receipt)
      expect(await first.end('SIGTERM')).toBe(0)
    } finally {
      await first.end('SIGKILL')
    }
    const older = copyPlace(place)
    try {
      const [kept, ...forgotten] = made
      const indexes = forgotten.map(({ receipt }) => receipt.index)
      arm(place)
      expect(await erase(place, grade, indexes, diesAt(place, where))).toBe('SIGKILL')
      disarm(place)
      const crashed = readStores(place)
      expect(crashed.size).toBe(stands ? SIZE + indexes.length : SIZE)
      expect(crashed.vault.filter(({ erased }) => erased !== null)).toEqual([])

      const expectKept = async (everybody: readonly Acknowledged[]) => {
        const server = await startServer(place)
        try {
          expect(await allRecords(server, key)).toHaveLength(everybody.length)
          expect(await server.end('SIGTERM')).toBe(0)
        } finally {
          await server.end('SIGKILL')
        }
        expect(readStores(place)).toMatchObject({ size: SIZE, integrity: ['ok', 'ok'] })
      }

      /** Starts, and looks for whoever should be gone. */
      const expectForgotten = async (tombstones = indexes.length) => {
        const server = await startServer(place)
        try {
          for (const { submission, receipt } of forgotten) {
            expect((await ask(server, key, `records/${receipt.id}`)).status).toBe(404)
            expect((await ask(server, key, `subjects/${receipt.subject}`)).status).toBe(404)
            expect((await post(server, submission)).status).toBe(410)
          }
          expect((await ask(server, key, `records/${kept!.receipt.id}`)).status).toBe(200)
          await observer.verify(server.logUrl)
          expect(await server.end('SIGTERM')).toBe(0)
        } finally {
          await server.end('SIGKILL')
        }
        const { vault, size } = readStores(place)
        expect(size).toBe(SIZE + tombstones)
        for (const row of vault.filter(({ idx }) => indexes.includes(idx))) {
          expect(row).toMatchObject({ subject: null, erased: grade, fingerprint: Buffer.alloc(32) })
          // A wrapped secret is 32 bytes and 32 around them; of a consent there were two secrets.
          expect(row.secrets.length).toBe(grade === 'erase' ? 0 : 64)
        }
      }
      if (isEscrowed) await expectForgotten()
      // Nothing was done by halves: everybody is still there.
      else await expectKept(made)
      // Asked for again, it has been done: no tombstone is added.
      expect(await erase(place, grade, indexes)).toBe(null)
      cpSync(path.join(older.data, 'vault.db'), path.join(place.data, 'vault.db'))
      // What finds the tombstones was lost with the vault: each is appended once more, and no third time.
      for (const _ of [1, 2]) await expectForgotten(2 * indexes.length)
    } finally {
      older.remove()
      place.remove()
    }
  },
)
