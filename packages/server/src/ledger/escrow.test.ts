/** The escrow in files: what it was given once is there after every crash, and it never goes back. */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { type Head, UnavailableError } from '../storage/storage.js'
import { testFolder } from '../test-folder.js'
import { type EscrowedTombstone, escrowedLogs, openFileEscrow, originOf } from './escrow.js'

/** Its checkpoint says the size and the root once more, as a real one does. */
function headOf(size: number): Head {
  const root = new Uint8Array(32).fill(size)
  const checkpoint = `log.example/site\n${size}\n${Buffer.from(root).toString('base64')}\n`
  return { size, root, checkpoint, recordedAt: 1000 + size }
}

const grave = (index: number, more: Partial<EscrowedTombstone> = {}): EscrowedTombstone => ({
  log: 'site',
  index,
  grade: 'erase',
  ...more,
})

test('the highest head of all nodes is known, with the time of its last entry, after a restart too', async () => {
  const folder = testFolder()
  const [a, b] = ['a', 'b'].map((node) => openFileEscrow(folder, 'site', node))
  expect(a!.highest()).toBeNull()
  await a!.put(headOf(3))
  await b!.put(headOf(5))
  await openFileEscrow(folder, 'site.e2', 'a').put(headOf(9))
  for (const escrow of [a!, b!, openFileEscrow(folder, 'site', 'c')]) {
    expect(escrow.highest()).toMatchObject({ size: 5, recordedAt: 1005, checkpoint: headOf(5).checkpoint })
  }
})

test('it never goes back: a lower head is passed over, by the process that put the higher one and by the next', async () => {
  const folder = testFolder()
  const escrow = openFileEscrow(folder, 'site', 'node')
  for (const size of [4, 5, 3, 2, 1]) await escrow.put(headOf(size))
  expect(escrow.highest()?.size).toBe(5)
  const again = openFileEscrow(folder, 'site', 'node')
  for (const size of [3, 2, 1]) await again.put(headOf(size))
  expect(again.highest()?.size).toBe(5)
  await again.put(headOf(6))
  expect(openFileEscrow(folder, 'site', 'node').highest()?.size).toBe(6)
})

test('whenever a crash tears what is being written, the head before it is still whole', async () => {
  const folder = testFolder()
  const escrow = openFileEscrow(folder, 'site', 'node')
  const file = path.join(folder, 'site.node.head')
  await escrow.put(headOf(1))
  for (const size of [2, 3, 4, 5]) {
    const before = readFileSync(file)
    await escrow.put(headOf(size))
    const after = readFileSync(file)
    // Of what was written every other byte reached the disk, at its beginning and at its end.
    const torn = after.map((byte, i) => (i % 2 === 0 && byte !== before[i] ? 0 : byte))
    writeFileSync(file, torn)
    expect(escrow.highest()?.size).toBe(size - 1)
    writeFileSync(file, after)
  }
})

test('tombstones are kept by log, index and grade, of all nodes; a line that a crash cut short spoils no other', async () => {
  const folder = testFolder()
  const escrow = openFileEscrow(folder, 'site.e2', 'a')
  const graves = [grave(3, { log: 'site.e2', grade: 'unlink' }), grave(12, { log: 'site' })]
  await escrow.putTombstones(graves)
  // The second would be another record's, the third is of no log that there is.
  for (const cut of ['7 era', '8 erase', '9 erase si']) {
    appendFileSync(path.join(folder, 'site.e2.a.tombstones'), cut)
    await escrow.putTombstones([])
  }
  await escrow.putTombstones([grave(8, { log: 'site.e2' })])
  await openFileEscrow(folder, 'site.e2', 'b').putTombstones([grave(9, { log: 'site.e2' })])
  const known = [...graves, grave(8, { log: 'site.e2' }), grave(9, { log: 'site.e2' })]
  for (const node of ['a', 'b', 'c']) expect(openFileEscrow(folder, 'site.e2', node).tombstones()).toEqual(known)
  expect(openFileEscrow(folder, 'site', 'a').tombstones()).toEqual([])
})

test('a folder that is gone, or a file that can’t be read, is no fault of the server: it may be back soon', () => {
  const gone = testFolder()
  const escrow = openFileEscrow(gone, 'site', 'node')
  rmSync(gone, { recursive: true })
  const broken = testFolder()
  const other = openFileEscrow(broken, 'site', 'node')
  for (const kind of ['head', 'tombstones']) mkdirSync(path.join(broken, `site.other.${kind}`))
  for (const read of [escrow.highest, escrow.tombstones, other.highest, other.tombstones]) {
    expect(read).toThrow(UnavailableError)
    expect(read).toThrow(/avow-test-.*: the escrow can't be read/)
  }
})

test('neither is what can’t be written, and the file is named', async () => {
  const folder = testFolder()
  const escrow = openFileEscrow(folder, 'site', 'node')
  // A disk that is always full.
  symlinkSync('/dev/full', path.join(folder, 'site.node.tombstones'))
  const refused = escrow.putTombstones([grave(1)])
  await expect(refused).rejects.toThrow(UnavailableError)
  await expect(refused).rejects.toThrow(/site\.node\.tombstones: the escrow can't be written: ENOSPC/)
  const huge = escrow.put({ ...headOf(1), checkpoint: 'x'.repeat(9000) })
  await expect(huge).rejects.toThrow(/site\.node\.head: the escrow can't be written: .*does not fit/)
  await escrow.put(headOf(1))
  expect(escrow.highest()?.size).toBe(1)
})

test('a damaged file is named, not taken for a new one: by whoever opens the log, and by whoever reads it', async () => {
  const folder = testFolder()
  const escrow = openFileEscrow(folder, 'site', 'node')
  await escrow.put(headOf(3))
  await escrow.putTombstones([grave(1)])
  const [head, tombstones] = ['head', 'tombstones'].map((kind) => path.join(folder, `site.node.${kind}`))
  const whole = readFileSync(head!)
  for (const bytes of ['', 'x'.repeat(16_384), '\0'.repeat(16_384), whole.subarray(0, -1), `${whole} `]) {
    writeFileSync(head!, bytes)
    for (const node of ['node', 'other'])
      expect(() => openFileEscrow(folder, 'site', node)).toThrow(/site\.node\.head is damaged: restore it/)
    expect(escrow.highest).toThrow(UnavailableError)
    expect(readdirSync(folder).sort()).toEqual(['site.node.head', 'site.node.tombstones'])
  }
  writeFileSync(head!, whole)
  writeFileSync(tombstones!, '#\n1 erase\n\0\0\0\n')
  for (const node of ['node', 'other'])
    expect(() => openFileEscrow(folder, 'site', node)).toThrow(/site\.node\.tombstones, line 3, is damaged: restore it/)
  expect(readFileSync(head!)).toEqual(whole)
})

test('a first head that a crash cut short was never published: the file is as good as new', async () => {
  const folder = testFolder()
  const file = path.join(folder, 'site.node.head')
  await openFileEscrow(folder, 'site', 'node').put(headOf(3))
  const whole = readFileSync(file, 'utf8')
  for (const length of [1, 50, whole.trim().length - 1]) {
    writeFileSync(file, whole.slice(0, length).padEnd(16_384))
    expect(openFileEscrow(folder, 'site', 'node').highest()).toBeNull()
  }
  const again = openFileEscrow(folder, 'site', 'node')
  await again.put(headOf(4))
  expect(again.highest()?.size).toBe(4)
})

test('the logs that a head was put for are known by name, and their origin', async () => {
  const folder = testFolder()
  expect(escrowedLogs(path.join(folder, 'none'))).toEqual([])
  for (const log of ['site', 'site.e2', 'site-b']) await openFileEscrow(folder, log, 'a').put(headOf(1))
  await openFileEscrow(folder, 'site.e2', 'b').put(headOf(2))
  openFileEscrow(folder, 'site.e3', 'a')
  expect(escrowedLogs(folder).sort()).toEqual(['site', 'site-b', 'site.e2'])
  expect(originOf(openFileEscrow(folder, 'site', 'a').highest()!)).toBe('log.example/site')
})
