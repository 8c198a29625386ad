/** The tree of RFC 6962: how leaves and nodes are hashed, and the root over them. Pure; where nodes are kept is the caller's. */
import { HASH_SIZE, sha256 } from './hash.js'

// The prefixes keep a leaf from ever being read as an interior node, or the reverse (RFC 6962 §2.1).
const LEAF_PREFIX = Uint8Array.of(0x00)
const NODE_PREFIX = Uint8Array.of(0x01)

export const EMPTY_ROOT = sha256(new Uint8Array(0))

/** A perfect subtree: level 0 is the leaves, and `index` counts the subtrees of that level from the left. */
export interface NodeId {
  readonly level: number
  readonly index: number
}

/** Reads the hash of a perfect subtree. */
export type ReadNode = (level: number, index: number) => Uint8Array

export function leafHash(entry: Uint8Array): Uint8Array {
  return sha256(LEAF_PREFIX, entry)
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(NODE_PREFIX, left, right)
}

export function rootOf(size: number, read: ReadNode): Uint8Array {
  return size === 0 ? EMPTY_ROOT : foldNodes(coveringNodes(0, size), read)
}

/**
 * The perfect subtrees under `[start, end)`, left to right, the largest first. `start` must be where the tree splits,
 * as it is in every proof: then each of them is whole in the tree.
 */
export function coveringNodes(start: number, end: number): NodeId[] {
  const nodes: NodeId[] = []
  for (let at = start; at < end; ) {
    // Doubling, not shifting: a bit operation would cut sizes at 2^31.
    let level = 0
    let width = 1
    while (width * 2 <= end - at) {
      width *= 2
      level++
    }
    nodes.push({ level, index: at / width })
    at += width
  }
  return nodes
}

/** The hash of the perfect subtree over a full tile's hashes, one after another; their count is a power of two. */
export function foldTile(hashes: Uint8Array): Uint8Array {
  const level = new Uint8Array(hashes)
  for (let width = level.length / 2; width >= HASH_SIZE; width /= 2) {
    for (let at = 0; at < width; at += HASH_SIZE) {
      level.set(
        nodeHash(
          level.subarray(2 * at, 2 * at + HASH_SIZE),
          level.subarray(2 * at + HASH_SIZE, 2 * at + 2 * HASH_SIZE),
        ),
        at,
      )
    }
  }
  return level.subarray(0, HASH_SIZE)
}

/** The hash over covering nodes: the tree leans left, so the smallest are joined first. */
export function foldNodes(nodes: readonly NodeId[], read: ReadNode): Uint8Array {
  const hashes = nodes.map(({ level, index }) => read(level, index))
  return hashes.reduceRight((right, left) => nodeHash(left, right))
}
