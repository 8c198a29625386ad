/** A whole log, checked by a stranger: every file counts, at every size at which the tiles change their shape. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeEntry, parseEntry } from '../ledger/entry.js'
import { createSigner } from '../ledger/signer.js'
import { flipped } from '../merkle/test-trees.js'
import { tilePath } from '../merkle/tile.js'
import { VerificationError } from '../merkle/verification-error.js'
import { NoLogError, type ReadFile, verifyGrowth, verifyLog } from './log.js'
import { isSealedEntry } from './log-entry.js'
import { logSigner, readerOf, testEntries, testEntry, testLog } from './test-log.js'

const trust = { vkey: logSigner.vkey, policy: null }

async function refusal(read: ReadFile): Promise<string> {
  const error = await verifyLog(read, trust).then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(VerificationError)
  return (error as Error).message
}

test.each([0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 66_049])(
  'a log of %i entries verifies, and each of its files was read once',
  async (size) => {
    const { files, read } = testLog(testEntries(size))
    const asked: string[] = []
    const told: [number, number][] = []
    const head = await verifyLog(
      async (file) => {
        asked.push(file)
        return read(file)
      },
      trust,
      (...progress) => told.push(progress),
    )
    expect(head).toMatchObject({ size, origin: logSigner.name })
    expect(asked.toSorted()).toEqual([...files.keys()].toSorted())
    expect(told.at(-1)).toEqual([size, size])
  },
)

test('a log without any one of its files is refused, and the file is named', async () => {
  const { files } = testLog(testEntries(600))
  expect(files.size).toBe(8)
  for (const file of files.keys()) {
    const without = new Map(files)
    without.delete(file)
    if (file === 'checkpoint') {
      // Nothing is claimed, so nothing is false.
      await expect(verifyLog(readerOf(without), trust)).rejects.toThrow(NoLogError)
      continue
    }
    expect(await refusal(readerOf(without))).toBe(`${file} is missing`)
  }
})

test('a log with a bit turned anywhere in any of its files is refused', async () => {
  const { files } = testLog(testEntries(300))
  for (const [file, bytes] of files) {
    const step = Math.max(1, Math.floor((bytes.length * 8) / 97))
    for (let bit = 0; bit < bytes.length * 8; bit += step) {
      expect(await refusal(readerOf(new Map(files).set(file, flipped(bytes, bit)))), `${file} ${bit}`).not.toBe('')
    }
  }
})

test('a log with a file cut short, made longer or emptied is refused', async () => {
  const { files } = testLog(testEntries(300))
  for (const [file, bytes] of files) {
    for (const spoilt of [bytes.subarray(0, -1), bytes.subarray(0, -32), new Uint8Array(0), longer(bytes)]) {
      expect(await refusal(readerOf(new Map(files).set(file, spoilt)))).not.toBe('')
    }
  }
})

test('what is false is said by its place', async () => {
  const { files } = testLog(testEntries(600))
  const spoil = (file: string, bit: number) => readerOf(new Map(files).set(file, flipped(files.get(file)!, bit)))
  expect(await refusal(spoil('tile/0/001', 8 * 32 * 7))).toBe('tile/0/001: hash 7 is not that of what is below it')
  expect(await refusal(spoil('tile/1/000.p/2', 8 * 32))).toBe('tile/1/000.p/2: hash 1 is not that of what is below it')
  expect(await refusal(spoil('tile/entries/002.p/88', 8 * 4))).toMatch(/^entry 512: /)
})

test('an entry that no log may hold is refused, even where the tree commits to it', async () => {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
  const bytes = (value: string) => new TextEncoder().encode(value)
  const right = text(testEntry(3))
  for (const wrong of [
    '',
    '{}',
    'true',
    `${right} `,
    right.replace('consent', 'concern'),
    right.replace(':1}', ':2}'),
  ]) {
    const { read } = testLog(testEntries(5).toSpliced(3, 1, bytes(wrong)))
    expect(await refusal(read)).toMatch(/^entry 3: /)
  }
})

test('other entries under the same checkpoint are refused, however well they fit together', async () => {
  const { files, note } = testLog(testEntries(300, 'other '))
  files.set('checkpoint', new TextEncoder().encode(testLog(testEntries(300)).note))
  expect(note).not.toBe('')
  expect(await refusal(readerOf(files))).toContain('not those that the checkpoint of 300 entries signs')
})

test('a log signed by somebody else is refused', async () => {
  const other = createSigner(logSigner.name, new Uint8Array(32).fill(7))
  expect(await refusal(testLog(testEntries(3), other).read)).toContain('not signed by the key given')
})

test('a log that went on since its checkpoint was read still verifies, by its wider tiles', async () => {
  const older = testLog(testEntries(300))
  const grown = testLog(testEntries(70_000))
  const read: ReadFile = async (file) =>
    file === 'checkpoint' ? older.read(file) : /tile\/1\//.test(file) ? older.read(file) : grown.read(file)
  expect(await verifyLog(read, trust)).toMatchObject({ size: 300 })
})

test('few files are asked for at a time, so that a log of any size fits in memory', async () => {
  const { read } = testLog(testEntries(20_000))
  let [underWay, most] = [0, 0]
  await verifyLog(async (file) => {
    most = Math.max(most, ++underWay)
    const bytes = await read(file)
    underWay--
    return bytes
  }, trust)
  expect(most).toBeLessThanOrEqual(17)
})

test('a log that cannot be read is not said to be false', async () => {
  const { read } = testLog(testEntries(300))
  const broken: ReadFile = async (file) => {
    if (file.includes('entries')) throw new Error('the network is down')
    return read(file)
  }
  await expect(verifyLog(broken, trust)).rejects.toThrow('the network is down')
  await expect(verifyLog(broken, trust)).rejects.not.toBeInstanceOf(VerificationError)
})

const entry = fc.oneof(
  fc.record({ type: fc.constant('consent'), evidence: hash32(), identity: hash32() }),
  fc.record({ type: fc.constantFrom('tombstone', 'event'), body: hash32() }),
)
function hash32() {
  return fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64url'))
}

test('sealed entries are known at sight, and everything known at sight is an entry', () => {
  fc.assert(
    fc.property(entry, fc.nat(), fc.integer({ min: 0, max: 255 }), (fields, place, byte) => {
      const bytes = encodeEntry({ ...fields, v: 1 } as Parameters<typeof encodeEntry>[0])
      expect(isSealedEntry(bytes)).toBe(true)
      for (const changed of [bytes.slice(0, -1), longer(bytes), bytes.with(place % bytes.length, byte)]) {
        const accepted = isAccepted(changed)
        if (isSealedEntry(changed)) expect(accepted).toBe(true)
        // These types have no other spelling, so here it is as strict as it is quick.
        else expect(accepted).toBe(false)
      }
    }),
  )
})

test('one checkpoint is shown to have grown from another by tiles that need no trust', async () => {
  const sizes = [0, 1, 2, 3, 7, 8, 255, 256, 257, 511, 513, 65_536, 66_000]
  const logs = sizes.map((size) => testLog(testEntries(size)))
  for (const from of logs) {
    for (const to of logs.filter(({ checkpoint }) => checkpoint.size >= from.checkpoint.size)) {
      await verifyGrowth(to.read, from.checkpoint, to.checkpoint)
    }
  }
})

test('a checkpoint of another log, a smaller one, or one of the same size is not growth', async () => {
  const log = testLog(testEntries(600))
  const growth = (from: Parameters<typeof verifyGrowth>[1]) => verifyGrowth(log.read, from, log.checkpoint)
  await expect(growth(testLog(testEntries(300, 'other ')).checkpoint)).rejects.toThrow('not a prefix')
  await expect(growth(testLog(testEntries(600, 'other ')).checkpoint)).rejects.toThrow('two different logs of size 600')
  await expect(growth(testLog(testEntries(601)).checkpoint)).rejects.toThrow(VerificationError)
  await expect(growth({ ...log.checkpoint, origin: 'other.example' })).rejects.toThrow('two logs')
  const older = testLog(testEntries(300)).checkpoint
  const without = new Map(log.files)
  without.delete(tilePath(0, 1, 256))
  await expect(verifyGrowth(readerOf(without), older, log.checkpoint)).rejects.toThrow('tile/0/001 is missing')
})

function isAccepted(bytes: Uint8Array): boolean {
  try {
    parseEntry(bytes)
    return true
  } catch {
    return false
  }
}

function longer(bytes: Uint8Array): Uint8Array {
  return new Uint8Array([...bytes, 0x20])
}
