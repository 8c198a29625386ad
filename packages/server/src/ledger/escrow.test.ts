/** The escrow in files: what it was given once is there after every crash, and it never goes back. */
import { appendFileSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { type Head, UnavailableError } from '../storage/storage.js'
import { testFolder } from '../test-folder.js'
import { type EscrowedTombstone, openFileEscrow } from './escrow.js'

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

test('tombstones are kept by log, index and grade, of all nodes; a line that a crash cut short spoils no other', async () => {
  const folder = testFolder()
  const escrow = openFileEscrow(folder, 'site.e2', 'a')
  const graves = [grave(3, { log: 'site.e2', grade: 'unlink' }), grave(12, { log: 'site' })]
  await escrow.putTombstones(graves)
  appendFileSync(path.join(folder, 'site.e2.a.tombstones'), '7 era')
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
  // A disk that is always full.
  symlinkSync('/dev/full', path.join(folder, 'site.node.tombstones'))
  const escrow = openFileEscrow(folder, 'site', 'node')
  const refused = escrow.putTombstones([grave(1)])
  await expect(refused).rejects.toThrow(UnavailableError)
  await expect(refused).rejects.toThrow(/site\.node\.tombstones: the escrow can't be written: ENOSPC/)
  const huge = escrow.put({ ...headOf(1), checkpoint: 'x'.repeat(9000) })
  await expect(huge).rejects.toThrow(/site\.node\.head: the escrow can't be written: .*does not fit/)
  await escrow.put(headOf(1))
  expect(escrow.highest()?.size).toBe(1)
})
