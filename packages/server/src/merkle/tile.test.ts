/** Tiles: their addresses, and that a tree grown in them is the same tree. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { consistencyProof, inclusionProof } from './proof.js'
import { growTiles, isFull, readerOf, testLeaves, toBase64, vectorLeaves, vectors } from './test-trees.js'
import {
  entryBundle,
  nodeReader,
  parseEntryBundle,
  parseTilePath,
  partialWidth,
  TileEdge,
  tileCount,
  tilePath,
} from './tile.js'
import { rootOf } from './tree.js'
import { VerificationError } from './verification-error.js'

const empty = TileEdge.restore(0, () => null)
const leaves = testLeaves(70_000)

/** Paths of all tiles that a size has. */
function pathsOf(size: number): string[] {
  const paths: string[] = []
  for (let level = 0; tileCount(level, size) > 0; level++) {
    const partial = partialWidth(level, size)
    for (let n = 0; n < tileCount(level, size); n++) {
      const isLast = n === tileCount(level, size) - 1
      paths.push(tilePath(level, n, isLast && partial > 0 ? partial : 256))
    }
  }
  return paths
}

test('a tile has the address that tlog-tiles gives it', () => {
  expect(tilePath(0, 1_234_067, 256)).toBe('tile/0/x001/x234/067')
  expect(tilePath(0, 1_234_067, 5)).toBe('tile/0/x001/x234/067.p/5')
  expect(tilePath(1, 0, 1)).toBe('tile/1/000.p/1')
  expect(tilePath('entries', 999, 256)).toBe('tile/entries/999')
  expect(tilePath('entries', 1000, 256)).toBe('tile/entries/x001/000')
})

test('an address is read back, and only in the spelling it was written in', () => {
  const tiles = fc.tuple(
    fc.oneof(fc.constant('entries' as const), fc.nat(63)),
    fc.oneof(fc.nat(3000), fc.maxSafeNat()),
    fc.integer({ min: 1, max: 256 }),
  )
  fc.assert(
    fc.property(tiles, ([level, n, width]) => {
      expect(parseTilePath(tilePath(level, n, width))).toEqual({ level, n, width })
    }),
  )
  const others = [
    '',
    'tile',
    'tile/0',
    'tile/0/',
    'tile/0/1',
    'tile/0/0001',
    'tile/0/x000/001',
    'tile/0/001/002',
    'tile/0/x001',
  ]
  others.push(
    'tile/00/001',
    'tile/01/001',
    'tile/64/001',
    'tile/-1/001',
    'tile/entry/001',
    'tile/Entries/001',
    'tile/8/0/001',
  )
  others.push(
    'tile/0/001.p',
    'tile/0/001.p/',
    'tile/0/001.p/0',
    'tile/0/001.p/05',
    'tile/0/001.p/256',
    'tile/0/001.p/257',
  )
  others.push(
    'tile/0/x999/x999/x999/x999/x999/999',
    'tile/0/001/',
    '/tile/0/001',
    'tile/0/001\n',
    'tile/0/001?x',
    'tile/0/%30',
  )
  for (const path of others) expect(parseTilePath(path), path).toBeNull()
})

test('a log of 70,000 has 273 full tiles and 112 hashes, then one full and 17, then one', () => {
  const paths = pathsOf(70_000)
  expect(paths.filter((path) => path.startsWith('tile/0/') && !path.includes('.p/'))).toHaveLength(273)
  expect(paths.filter((path) => path.includes('.p/'))).toEqual([
    'tile/0/273.p/112',
    'tile/1/001.p/17',
    'tile/2/000.p/1',
  ])
  expect(paths).toContain('tile/1/000')
  expect(pathsOf(256)).toEqual(['tile/0/000', 'tile/1/000.p/1'])
  expect(pathsOf(0)).toEqual([])
  expect(pathsOf(1)).toEqual(['tile/0/000.p/1'])
})

test('a tree of 70,000 grown in batches has exactly the tiles of its size, and the root of its leaves', () => {
  const { edge, root, tiles } = growTiles(empty, leaves, Array(600).fill(113))
  expect(edge.size).toBe(70_000)
  expect(root).toEqual(rootOf(70_000, readerOf(leaves)))
  const kept = [...tiles.values()].map((tile) => tilePath(tile.level, tile.n, tile.hashes.length / 32))
  expect(kept.sort()).toEqual(pathsOf(70_000).sort())
})

test('every root of the vectors comes out of tiles, and every proof', () => {
  for (const { size, root } of vectors.roots) {
    expect(toBase64(growTiles(empty, vectorLeaves.slice(0, size), []).root), `size ${size}`).toBe(root)
  }
  const { readTile } = growTiles(empty, vectorLeaves, [7, 300, 1, 256])
  const read = nodeReader((level, n) => readTile(level, n)!)
  for (const { index, size, proof } of vectors.inclusion) {
    expect(inclusionProof(index, size, read).map(toBase64)).toEqual(proof)
  }
  for (const { from, to, proof } of vectors.consistency) {
    expect(consistencyProof(from, to, read).map(toBase64)).toEqual(proof)
  }
})

test('any split into batches gives the same root and the same tiles, with or without a restart between', () => {
  const whole = growTiles(empty, leaves.slice(0, 1500), [])
  const splits = fc.array(fc.oneof(fc.nat(4), fc.nat(300), fc.constantFrom(255, 256, 257, 512)), { maxLength: 12 })
  fc.assert(
    fc.property(splits, fc.nat(1500), (batchSizes, restartAt) => {
      const before = growTiles(empty, leaves.slice(0, restartAt), batchSizes)
      const edge = TileEdge.restore(restartAt, before.readTile)
      const after = growTiles(edge, leaves.slice(restartAt, 1500), batchSizes)
      expect(edge.append([]).root).toEqual(before.root)
      expect(after.root).toEqual(whole.root)
      const tiles = new Map([...before.tiles, ...after.tiles])
      expect(tiles.size).toBe(whole.tiles.size)
      for (const [key, tile] of whole.tiles) {
        expect(Buffer.compare(tiles.get(key)!.hashes, tile.hashes), key).toBe(0)
      }
    }),
    { numRuns: 60 },
  )
})

test('an edge restored across all three levels goes on as if it had never stopped', () => {
  const before = growTiles(empty, leaves.slice(0, 65_536 + 256 * 3 + 9), [])
  const edge = TileEdge.restore(before.edge.size, before.readTile)
  expect(edge.append(leaves.slice(before.edge.size)).root).toEqual(rootOf(70_000, readerOf(leaves)))
})

test('a batch that is rolled back leaves the edge as it was', () => {
  const { edge, root } = growTiles(empty, leaves.slice(0, 300), [])
  edge.append(testLeaves(500, 'lost '))
  expect(edge.size).toBe(300)
  expect(edge.append([]).root).toEqual(root)
  expect(edge.append(leaves.slice(300, 900)).root).toEqual(rootOf(900, readerOf(leaves)))
})

test('an edge is restored from a tile that a lost batch had already widened', () => {
  const wide = growTiles(empty, leaves.slice(0, 200), [])
  const edge = TileEdge.restore(150, wide.readTile)
  expect(edge.append([]).root).toEqual(rootOf(150, readerOf(leaves)))
})

test('a full tile is written once, and never again', () => {
  const { tiles, edge } = growTiles(empty, leaves.slice(0, 256), [])
  expect([...tiles.values()].filter(isFull).map(({ level, n }) => tilePath(level, n, 256))).toEqual(['tile/0/000'])
  expect(edge.append(leaves.slice(256, 257)).writes.map(({ level, n }) => `${level}/${n}`)).toEqual(['0/1'])
})

test('a missing or truncated tile is named', () => {
  const { readTile } = growTiles(empty, leaves.slice(0, 700), [])
  expect(() => TileEdge.restore(700, (level, n) => (level === 0 ? null : readTile(level, n)))).toThrow(
    'tile/0/002.p/188 is missing',
  )
  expect(() => TileEdge.restore(700, (level, n) => readTile(level, n)?.subarray(1) ?? null)).toThrow('tile/0/002.p/188')
  const read = nodeReader((level, n) => readTile(level, n)!.subarray(0, 40))
  expect(() => read(0, 1)).toThrow('tile/0/000 has no hash at 1')
})

test('a leaf of another length is not appended', () => {
  expect(() => empty.append([new Uint8Array(31)])).toThrow('31 bytes')
})

test('an entry bundle gives back its entries, and is refused when cut short', () => {
  const entries = ['', 'a', '{"type":"event"}', 'x'.repeat(65_535)].map((entry) => new TextEncoder().encode(entry))
  const bundle = entryBundle(entries)
  expect(parseEntryBundle(bundle)).toEqual(entries)
  expect(parseEntryBundle(new Uint8Array(0))).toEqual([])
  for (const end of [1, 3, 4, 6, 20, bundle.length - 1]) {
    expect(() => parseEntryBundle(bundle.subarray(0, end)), `${end} bytes`).toThrow(VerificationError)
  }
  expect(() => entryBundle([new Uint8Array(65_536)])).toThrow('does not fit')
})
