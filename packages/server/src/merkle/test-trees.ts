/** What the tests compare with: trees made by Go's `golang.org/x/mod/sumdb/tlog`, and the definitions of RFC 6962 written out, slow and obvious. */
import { readFileSync } from 'node:fs'
import { TILE_WIDTH, type TileEdge, type TileWrite } from './tile.js'
import { EMPTY_ROOT, leafHash, nodeHash, type ReadNode } from './tree.js'

interface Vectors {
  readonly leaves: readonly string[]
  readonly roots: readonly { size: number; root: string }[]
  readonly inclusion: readonly { index: number; size: number; proof: readonly string[] }[]
  readonly consistency: readonly { from: number; to: number; proof: readonly string[] }[]
  readonly checkpoint: { note: string; signerKey: string; verifierKey: string }
}

export const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../../../testdata/tlog.json', import.meta.url), 'utf8'),
)

export const fromBase64 = (text: string) => new Uint8Array(Buffer.from(text, 'base64'))
export const toBase64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

export const vectorLeaves = vectors.leaves.map((leaf) => leafHash(fromBase64(leaf)))

/** Hashes of `size` leaves, each of another entry. */
export function testLeaves(size: number, salt = ''): Uint8Array[] {
  return Array.from({ length: size }, (_, index) => leafHash(Buffer.from(`${salt}leaf ${index}`)))
}

/** MTH of RFC 6962 §2.1, as it is written there. */
export function slowRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return EMPTY_ROOT
  if (leaves.length === 1) return leaves[0]!
  const split = slowSplit(leaves.length)
  return nodeHash(slowRoot(leaves.slice(0, split)), slowRoot(leaves.slice(split)))
}

/** PATH of RFC 6962 §2.1.1. */
export function slowInclusion(index: number, leaves: readonly Uint8Array[]): Uint8Array[] {
  if (leaves.length === 1) return []
  const split = slowSplit(leaves.length)
  return index < split
    ? [...slowInclusion(index, leaves.slice(0, split)), slowRoot(leaves.slice(split))]
    : [...slowInclusion(index - split, leaves.slice(split)), slowRoot(leaves.slice(0, split))]
}

/** SUBPROOF of RFC 6962 §2.1.2. */
export function slowConsistency(from: number, leaves: readonly Uint8Array[], isWhole = true): Uint8Array[] {
  if (from === leaves.length) return isWhole ? [] : [slowRoot(leaves)]
  const split = slowSplit(leaves.length)
  return from <= split
    ? [...slowConsistency(from, leaves.slice(0, split), isWhole), slowRoot(leaves.slice(split))]
    : [...slowConsistency(from - split, leaves.slice(split), false), slowRoot(leaves.slice(0, split))]
}

/** Reads nodes of these leaves; each is hashed once. */
export function readerOf(leaves: readonly Uint8Array[]): ReadNode {
  const levels: Uint8Array[][] = [[...leaves]]
  for (let below = levels[0]!; below.length > 1; below = levels.at(-1)!) {
    levels.push(
      Array.from({ length: Math.floor(below.length / 2) }, (_, at) => nodeHash(below[2 * at]!, below[2 * at + 1]!)),
    )
  }
  return (level, index) => {
    const node = levels[level]?.[index]
    if (!node) throw new Error(`no node ${index} at level ${level}: it is not perfect in this tree`)
    return node
  }
}

/** Grows a tree batch by batch and keeps the newest of each tile, as a store would. */
export function growTiles(edge: TileEdge, leaves: readonly Uint8Array[], batchSizes: readonly number[]) {
  const tiles = new Map<string, TileWrite>()
  let [grown, start] = [edge.append([]), 0]
  for (const batchSize of [...batchSizes, leaves.length]) {
    grown = grown.edge.append(leaves.slice(start, start + batchSize))
    start += batchSize
    for (const write of grown.writes) tiles.set(`${write.level}/${write.n}`, write)
  }
  const readTile = (level: number, n: number) => tiles.get(`${level}/${n}`)?.hashes ?? null
  return { edge: grown.edge, root: grown.root, tiles, readTile }
}

export function isFull(tile: TileWrite): boolean {
  return tile.hashes.length === TILE_WIDTH * 32
}

/** The same bytes with one bit turned. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = new Uint8Array(bytes)
  copy[bit >> 3]! ^= 1 << (bit & 7)
  return copy
}

function slowSplit(size: number): number {
  return [...Array(31).keys()].map((power) => 2 ** power).findLast((power) => power < size)!
}
